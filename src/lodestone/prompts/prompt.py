"""A prompt, and what it has become once a text encoder has read it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.prompts.conditioning import AbstractCameraConditioner, Conditioning, ConditioningSet, Opposed
from lodestone.prompts.text_encoder import AbstractTextEncoder
from lodestone.prompts.view_dependent import Direction, ViewWording
from lodestone.rendering.cameras import Viewpoints

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
    source: str = ""
    """What the picture shows that is edited; empty for nothing."""
    perp_neg: bool = False
    """Whether the wordings of the views are interpolated and those of other views opposed (Perp-Neg); estimators that
    guide between prompt and null condition then need two more denoiser calls for each sample."""
    wording: ViewWording = ViewWording()
    """Which words belong to which view."""
    camera: bool = True
    """Whether a prior that knows cameras is told those of the views; other priors ignore it."""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise SettingError("the prompt is empty: say in a few words what to make")
        for name, text in (("prompt", self.text), ("negative prompt", self.negative), ("source", self.source)):
            if len(text) > LONGEST_TEXT:
                raise SettingError(f"the {name} has {len(text)} characters: shorten it to at most {LONGEST_TEXT}")
        if self.perp_neg and not self.view_dependent:
            raise SettingError(
                "prompt.perp_neg needs wordings for each view: set prompt.view_dependent to true as well"
            )


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
    source: Conditioning | None = None
    """One row: what an edit begins with; None if there is nothing."""
    perp_neg: bool = False
    """Whether viewpoints are told in mixed wordings, and opposed to those of other views."""
    camera: AbstractCameraConditioner | None = None
    """How the prior is told the viewpoints' cameras; None if it knows none, or is to be told none."""

    @classmethod
    def encode(
        cls, settings: PromptSettings, encoder: AbstractTextEncoder, wording: ViewWording | None = None
    ) -> "EncodedPrompt":
        """Encodes every wording in one call of `encoder`."""
        chosen = settings.wording if wording is None else wording
        views = chosen.word(settings.text) if settings.view_dependent else [settings.text] * 4
        texts = [*views, "", settings.negative, settings.source]
        distinct = list(dict.fromkeys(texts))
        encoded = encoder.encode(distinct)

        def rows(wanted: list[str]) -> Conditioning:
            return encoded.take(torch.tensor([distinct.index(text) for text in wanted], device=encoded.tokens.device))

        negative = rows([settings.negative]) if settings.negative else None
        source = rows([settings.source]) if settings.source else None
        camera = encoder.camera if settings.camera else None
        return cls(rows(views), rows([""]), negative, chosen, source, settings.perp_neg, camera)

    def for_viewpoints(self, viewpoints: Viewpoints) -> ConditioningSet:
        """Conditioning of each viewpoint, in the wording of its direction or, for Perp-Neg, between two wordings.

        What shows the thing from this viewpoint, the prompt and the source of an edit, is told the camera. What is
        moved away from is not: the null condition has neither text nor camera, and opposed wordings name other views.
        """
        count = len(viewpoints.azimuth)
        known = ConditioningSet(
            positive=self.take(self.wording.direction(viewpoints)),
            null=self.null.expand(count),
            negative=None if self.negative is None else self.negative.expand(count),
            source=None if self.source is None else self.source.expand(count),
        )
        known = self.interpolated(known, viewpoints) if self.perp_neg else known
        if self.camera is None:
            return known
        source = None if known.source is None else self.camera(known.source, viewpoints)
        return replace(known, positive=self.camera(known.positive, viewpoints), source=source)

    def interpolated(self, known: ConditioningSet, viewpoints: Viewpoints) -> ConditioningSet:
        """Mixed wordings, with front and side opposed to every viewpoint by weights that may be 0."""
        between, device = self.wording.interpolate(viewpoints), self.directions.tokens.device
        opposed = tuple(
            Opposed(conditioning=self.take(torch.full_like(between.nearer, row)), weight=weight.to(device))
            for row, weight in ((Direction.FRONT, between.front), (Direction.SIDE, between.side))
        )
        mixed = self.take(between.nearer).mix(self.take(between.further), between.share)
        return replace(known, positive=mixed, opposed=opposed)

    def take(self, directions: Int[Tensor, " v"]) -> Conditioning:
        """The wording of each given `Direction`."""
        return self.directions.take(directions.to(self.directions.tokens.device))

    def conditioning(self) -> ConditioningSet:
        """All directions at once and no camera, for what does not depend on a view; opposed views have strength 0."""
        views = self.directions
        opposed = (Opposed(conditioning=views, weight=torch.zeros(len(views))),) if self.perp_neg else ()
        return ConditioningSet(
            positive=views, null=self.null, negative=self.negative, source=self.source, opposed=opposed
        )

    def map(self, function: Callable[[Tensor], Tensor]) -> "EncodedPrompt":
        """Applies `function` to every tensor, for example to move it to a device."""
        negative, source = (None if part is None else part.map(function) for part in (self.negative, self.source))
        directions, null = self.directions.map(function), self.null.map(function)
        return replace(self, directions=directions, null=null, negative=negative, source=source)
