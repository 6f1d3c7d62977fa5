"""A prompt, and what it has become once a text encoder has read it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.prompts.conditioning import Conditioning, ConditioningSet
from lodestone.prompts.text_encoder import AbstractTextEncoder
from lodestone.prompts.view_dependent import OrbitAngles, ViewWording

__all__ = ["LONGEST_TEXT", "EncodedPrompt", "PromptSettings"]

LONGEST_TEXT = 1_000
"""Most characters of a prompt."""


@dataclass(frozen=True)
class PromptSettings:
    """What the user wants to see.

    Raises: SettingError if the text is empty or one of the texts is too long.
    """

    text: str
    negative: str = ""
    """What the user does not want to see; empty for nothing."""
    view_dependent: bool = True
    """Whether each view's direction is added to the text."""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise SettingError("the prompt is empty: say in a few words what to make")
        for name, text in (("prompt", self.text), ("negative prompt", self.negative)):
            if len(text) > LONGEST_TEXT:
                raise SettingError(f"the {name} has {len(text)} characters: shorten it to at most {LONGEST_TEXT}")


@dataclass(frozen=True)
class EncodedPrompt:
    """A prompt as its prior understands it, encoded once for all views.

    The rows of `directions` stay apart, so that an estimator that mixes or opposes views finds each of them here.
    """

    directions: Conditioning
    """One row for each `Direction`, all the same if the prompt is not view-dependent."""
    null: Conditioning
    """One row: the empty prompt."""
    negative: Conditioning | None
    """One row: the negative prompt; None if there is none."""
    wording: ViewWording

    @classmethod
    def encode(
        cls, settings: PromptSettings, encoder: AbstractTextEncoder, wording: ViewWording | None = None
    ) -> "EncodedPrompt":
        """Encodes every wording in one call of `encoder`."""
        chosen = ViewWording() if wording is None else wording
        views = chosen.word(settings.text) if settings.view_dependent else [settings.text] * 4
        texts = [*views, "", settings.negative]
        distinct = list(dict.fromkeys(texts))
        encoded = encoder.encode(distinct)

        def rows(wanted: list[str]) -> Conditioning:
            return encoded.take(torch.tensor([distinct.index(text) for text in wanted], device=encoded.tokens.device))

        negative = rows([settings.negative]) if settings.negative else None
        return cls(directions=rows(views), null=rows([""]), negative=negative, wording=chosen)

    def for_viewpoints(self, viewpoints: OrbitAngles) -> ConditioningSet:
        """Conditioning of each viewpoint, in the wording of its direction."""
        direction = self.wording.direction(viewpoints).to(self.directions.tokens.device)
        count = len(direction)
        return ConditioningSet(
            positive=self.directions.take(direction),
            null=self.null.expand(count),
            negative=None if self.negative is None else self.negative.expand(count),
        )

    def conditioning(self) -> ConditioningSet:
        """All directions at once, for what does not depend on a view."""
        return ConditioningSet(positive=self.directions, null=self.null, negative=self.negative)

    def map(self, function: Callable[[Tensor], Tensor]) -> "EncodedPrompt":
        """Applies `function` to every tensor, for example to move it to a device."""
        negative = None if self.negative is None else self.negative.map(function)
        return EncodedPrompt(self.directions.map(function), self.null.map(function), negative, self.wording)
