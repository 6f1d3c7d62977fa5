"""What a prior is told."""

import abc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.rendering.cameras import Viewpoints

__all__ = ["AbstractCameraConditioner", "Conditioning", "ConditioningSet", "Opposed", "VisibleSurface"]


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """Conditioning of a batch, stackable along its first axis.

    The meaning of `tokens` is the prior's own: states of a text encoder for a network, logits of the components
    for an analytic mixture.
    """

    tokens: Float[Tensor, "b length dim"]
    pooled: Float[Tensor, "b dim_pooled"] | None = None
    picture: Float[Tensor, "b c h w"] | None = None
    draft_words: Float[Tensor, "b dim_draft"] | None = None
    """What the draft in `picture` is made from, see `lodestone.prompts.draft.AbstractDraft.read`."""
    time_offset: Float[Tensor, "b dim_time"] | None = None
    """Added to the time embedding: a learned camera embedding (VSD)."""
    adapter_scale: Float[Tensor, "b parts"] | None = None
    """How strongly each part of `adapter` acts on each row; 0 is the frozen model."""
    adapter: nn.Module | None = None
    """Low-rank weights of this denoiser's own kind, see `AbstractDenoiser.adapter`."""

    def __len__(self) -> int:
        return self.tokens.shape[0]

    def map(self, function: Callable[[Tensor], Tensor]) -> "Conditioning":
        """Applies `function` to every tensor that is present; the adapter stays."""
        optional = {name: value if value is None else function(value) for name, value in self.optional().items()}
        return Conditioning(tokens=function(self.tokens), adapter=self.adapter, **optional)

    def optional(self) -> dict[str, Tensor | None]:
        """Every tensor but the tokens, by name."""
        names = (field.name for field in fields(self) if field.name not in ("tokens", "adapter"))
        return {name: getattr(self, name) for name in names}

    def expand(self, count: int) -> "Conditioning":
        """Repeats a conditioning of batch one `count` times."""
        return self.map(lambda tensor: tensor.expand(count, *tensor.shape[1:]))

    def take(self, rows: Tensor) -> "Conditioning":
        """Rows by index."""
        return self.map(lambda tensor: tensor[rows])

    def mix(self, other: "Conditioning", share: Float[Tensor, " b"]) -> "Conditioning":
        """`share self + (1 - share) other`, row by row and tensor by tensor; exactly self where the share is 1.

        Raises: ValueError if only one of them has a field.
        """
        joint = Conditioning.concatenate([self, other])

        def blend(stacked: Tensor) -> Tensor:
            mine, theirs = stacked.chunk(2)
            weight = share.to(stacked).reshape(-1, *[1] * (stacked.ndim - 1))
            return weight * mine + (1 - weight) * theirs

        return joint.map(blend)

    @classmethod
    def concatenate(cls, parts: "Sequence[Conditioning]") -> "Conditioning":
        """Stacks along the batch.

        A part without adapter or time offset gets zeros for them, which is the frozen model. Raises: ValueError if
        only some parts have another field, or if two parts have different adapters.
        """
        columns = {name: [part.optional()[name] for part in parts] for name in parts[0].optional()}
        lengths = [len(part) for part in parts]
        optional = {name: join(name, column, lengths) for name, column in columns.items()}
        adapters = {id(part.adapter): part.adapter for part in parts if part.adapter is not None}
        if len(adapters) > 1:
            raise ValueError("one denoiser call can use one adapter")
        adapter = next(iter(adapters.values()), None)
        return cls(tokens=torch.cat([part.tokens for part in parts]), adapter=adapter, **optional)


def join(name: str, column: list[Tensor | None], lengths: list[int]) -> Tensor | None:
    """One field of all parts, or None where they have none."""
    present = [tensor for tensor in column if tensor is not None]
    if not present:
        return None
    if len(present) < len(column) and name not in ("time_offset", "adapter_scale"):
        raise ValueError(f"only some of the conditionings have a {name}")
    filled = [
        present[0].new_zeros(length, *present[0].shape[1:]) if tensor is None else tensor
        for tensor, length in zip(column, lengths, strict=True)
    ]
    return torch.cat(filled)


class AbstractCameraConditioner(abc.ABC):
    """Tells a prior that knows cameras from where each view is seen."""

    @abc.abstractmethod
    def __call__(self, rows: Conditioning, viewpoints: Viewpoints) -> Conditioning:
        """The rows, each with the camera of its viewpoint."""


@dataclass(frozen=True, kw_only=True)
class Opposed:
    """A condition that each sample is pushed away from, with its strength (Perp-Neg)."""

    conditioning: Conditioning
    weight: Float[Tensor, " b"]
    """Negative where the condition is avoided, 0 where it plays no part."""


@dataclass(frozen=True, kw_only=True)
class VisibleSurface:
    """Where each pixel of a rendering meets the scene; what view-consistent noise is attached to."""

    points: Float[Tensor, "b h w 3"]
    opacity: Float[Tensor, "b h w 1"]


@dataclass(frozen=True, kw_only=True)
class ConditioningSet:
    """Everything that an estimator may know of the rendered batch."""

    positive: Conditioning
    """The prompt, worded for each view."""
    null: Conditioning
    """The empty prompt."""
    negative: Conditioning | None = None
    opposed: tuple[Opposed, ...] = ()
    """The other views' wordings, for Perp-Neg."""
    learned: Conditioning | None = None
    """What an adaptive estimator has learned, put here by its slot."""
    source: Conditioning | None = None
    """What the picture shows before it is edited."""
    source_latents: Float[Tensor, "b c h w"] | None = None
    """The picture before it is edited."""
    cameras: Float[Tensor, "b 16"] | None = None
    """`camera_to_world` of each view, flattened."""
    surface: VisibleSurface | None = None
    noise_memory: Tensor | None = None
    """What a noising policy keeps from step to step; it changes it in place."""

    @property
    def baseline(self) -> Conditioning:
        """What guidance moves away from: the negative prompt where there is one, the null condition elsewhere."""
        return self.null if self.negative is None else self.negative
