"""Learning rates of a scene's parts, and how they fall."""

import math
from dataclasses import dataclass, fields

from lodestone.errors import check_range

__all__ = ["AbstractLearningRates", "decay"]


def decay(final: float, progress: float) -> float:
    """`final^progress`: from 1 exponentially to `final` as `progress` goes from 0 to 1."""
    return math.exp(math.log(final) * progress)


@dataclass(frozen=True, kw_only=True)
class AbstractLearningRates:
    """Adam's learning rate for each part of a scene; the fields of a subclass are the parts."""

    final: float = 1.0
    """Every rate falls exponentially to this share of itself."""

    def __post_init__(self) -> None:
        for field in fields(self):
            low, high = (1e-6, 1.0) if field.name == "final" else (0.0, 1e3)
            check_range(f"scene.learning_rates.{field.name}", getattr(self, field.name), low, high)
