"""What the loop tells everybody about the present step."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["StepSettings"]


@dataclass(frozen=True, kw_only=True)
class StepSettings:
    """Everything annealed, evaluated at one step by the loop, handed down and logged."""

    step: int
    steps: int
    window: tuple[int, int]
    """Smallest and largest diffusion time of this step, both included."""
    regularizers: Mapping[str, float] = field(default_factory=dict)
    """Weight of each regularizer, by name."""
