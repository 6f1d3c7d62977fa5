"""What a prior is told."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Conditioning", "ConditioningSet"]


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """Conditioning of a batch, stackable along its first axis.

    The meaning of `tokens` is the prior's own: states of a text encoder for a network, logits of the components
    for an analytic mixture.
    """

    tokens: Float[Tensor, "b length dim"]
    pooled: Float[Tensor, "b dim_pooled"] | None = None
    camera: Float[Tensor, "b dim_camera"] | None = None
    picture: Float[Tensor, "b c h w"] | None = None

    def __len__(self) -> int:
        return self.tokens.shape[0]

    def map(self, function: Callable[[Tensor], Tensor]) -> "Conditioning":
        """Applies `function` to every field that is present."""
        optional = {name: value if value is None else function(value) for name, value in self.optional().items()}
        return Conditioning(tokens=function(self.tokens), **optional)

    def optional(self) -> dict[str, Tensor | None]:
        """Every field but the tokens, by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "tokens"}

    def expand(self, count: int) -> "Conditioning":
        """Repeats a conditioning of batch one `count` times."""
        return self.map(lambda tensor: tensor.expand(count, *tensor.shape[1:]))

    def take(self, rows: Tensor) -> "Conditioning":
        """Rows by index."""
        return self.map(lambda tensor: tensor[rows])

    @classmethod
    def concatenate(cls, parts: "list[Conditioning]") -> "Conditioning":
        """Stacks along the batch; every part must have the same fields."""
        columns = {name: [part.optional()[name] for part in parts] for name in parts[0].optional()}
        optional = {name: join(column) for name, column in columns.items()}
        return cls(tokens=torch.cat([part.tokens for part in parts]), **optional)


def join(column: list[Tensor | None]) -> Tensor | None:
    """One field of all parts, or None where they have none."""
    present = [tensor for tensor in column if tensor is not None]
    return torch.cat(present) if present else None


@dataclass(frozen=True, kw_only=True)
class ConditioningSet:
    """Everything that an estimator may know of the rendered batch."""

    positive: Conditioning
    """The prompt, worded for each view."""
    null: Conditioning
    """The empty prompt, or what an adaptive estimator has learned in its place."""
    negative: Conditioning | None = None
    source: Conditioning | None = None

    @property
    def baseline(self) -> Conditioning:
        """What guidance moves away from: the negative prompt where there is one, the null condition elsewhere."""
        return self.null if self.negative is None else self.negative
