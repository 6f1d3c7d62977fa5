"""Everything that decides what a trained judge becomes."""

from dataclasses import dataclass

from lodestone.errors import check_range

__all__ = ["JudgeSettings"]

COUNTS = ("scenes", "views", "steps", "batch", "report_every", "save_every", "measured_scenes", "measured_objects")


@dataclass(frozen=True, kw_only=True)
class JudgeSettings:
    """The data, the network, and how it learns.

    Raises: SettingError if a number is outside its range.
    """

    world_seed: int = 2_000_003
    """Of the world that it learns from: neither that of a prior nor that of its validation."""
    measured_seed: int = 3_000_017
    """Of the world that its accuracy is measured in."""
    scenes: int = 20_000
    """Indices of scenes; those with held-out captions are used, too, because the judge must know every caption."""
    views: int = 4
    """Of each scene."""
    channels: tuple[int, ...] = (64, 128, 256)
    steps: int = 6_000
    batch: int = 64
    learning_rate: float = 2e-3
    """Rises over the first twentieth of the steps, then falls to zero like half a cosine."""
    weight_decay: float = 0.02
    bfloat16: bool = True
    """Whether convolutions are computed with half the bits, twice as fast where the processor can; sums are not."""
    report_every: int = 100
    save_every: int = 250
    measured_scenes: int = 2_000
    """Indices of scenes of each kind of caption, held out or not; `views` of each."""
    measured_objects: int = 6
    """Of each category, eight views of each."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in COUNTS:
            check_range(f"judge.{name}", getattr(self, name), 1, 10**9)
        check_range("judge.learning_rate", self.learning_rate, 0.0, 1.0)
        check_range("judge.weight_decay", self.weight_decay, 0.0, 1.0)
