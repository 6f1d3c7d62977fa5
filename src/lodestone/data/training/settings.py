"""Everything that decides what a trained network becomes; stored in its checkpoint and in its card."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lodestone.errors import SettingError, check_range
from lodestone.optimize.plain import from_plain
from lodestone.prompts.camera import CAMERA_FEATURES
from lodestone.prompts.draft import DRAFT_SIDE

__all__ = ["SCRATCH", "TEXT_WIDTH", "TrainingSettings", "stored_settings"]

TEXT_WIDTH = 384
"""Width of MiniLM's token states and of its pooled vector."""
SCRATCH = "scratch"
"""Value of `start` for random weights."""
SHARES = (
    "caption_drop",
    "solid_share",
    "white_share",
    "world_share",
    "camera_drop",
    "emoji_camera",
    "colorless_share",
)
COUNTS = (
    "batch", "steps", "size", "space_to_depth", "draft_hidden", "draft_examples", "tokens", "caption_variants",
    "report_every", "save_every", "validate_every", "sheet_every", "validation_scenes",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """The data, the network, and how it learns.

    Raises: SettingError if a number is outside its range, or two do not go together.
    """

    world: str = ""
    """Folder of a view cache (`lodestone.data.worlds.cache`); empty for the emoji alone, which make a prior without
    cameras."""
    start: str = ""
    """Folder of the prior that the training begins with, or `scratch`. Empty: the packaged one if there is a world,
    scratch if there is none."""
    steps: int = 12_000
    minutes: float = 0.0
    """Time to train for, 0 for `steps`. The learning rate stays up for the share `1 - decay / steps` of the time; then
    the number of steps is fixed, so that as large a share of all steps is left for its fall."""
    batch: int = 24
    learning_rate: float = 8e-4
    warm_up: int = 500
    decay: int = 2_500
    """Last steps, over which the learning rate falls to zero."""
    cosine: bool = False
    """Whether it falls like half a cosine; linearly if not."""
    ema: float = 0.9995
    caption_drop: float = 0.1
    """Share of the pictures of which nothing is told, neither caption nor camera."""
    solid_share: float = 0.9
    """Share of the emoji that show a thing with a body."""
    white_share: float = 0.7
    """Share of white backgrounds; the others are plain random colours."""
    world_share: float = 0.7
    """Share of views of the world in the mixture."""
    camera_drop: float = 0.1
    """Share of the views of the world whose cameras are not told."""
    emoji_camera: float = 0.3
    """Share of the emoji of which the world has no category that come with a camera drawn at random."""
    colorless_share: float = 0.5
    """Share of the captions that say no colours, among those of things in the colour that is typical of them."""
    channels: tuple[int, ...] = (64, 128, 256)
    space_to_depth: int = 4
    size: int = 64
    """Side of the pictures in pixels."""
    draft_steps: int = 4_000
    draft_learning_rate: float = 2e-3
    draft_hidden: int = 512
    draft_examples: int = 32_000
    """Pictures drawn from the mixture that the draft network is fitted to."""
    draft_noise: float = 0.5
    """Standard deviation of what is added to the pooled text vectors (of unit variance) while the draft network is
    fitted, so that it does not learn single captions by heart."""
    tokens: int = 16
    caption_variants: int = 12
    """Spellings of each caption."""
    time_power: float = 0.7
    """Times are drawn as `1000 u^power` with u uniform: below 1 favours high noise, where 3D gets its shape."""
    report_every: int = 100
    save_every: int = 500
    validate_every: int = 1_000
    validation_scenes: int = 64
    """Scenes with held-out captions, two views of each."""
    sheet_every: int = 2_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in COUNTS:
            check_range(f"training.{name}", getattr(self, name), 1, 10**9)
        for name in SHARES:
            check_range(f"training.{name}", getattr(self, name), 0.0, 1.0)
        check_range("training.ema", self.ema, 0.0, 1.0)
        check_range("training.draft_learning_rate", self.draft_learning_rate, 0.0, 1.0)
        check_range("training.draft_noise", self.draft_noise, 0.0, 100.0)
        check_range("training.minutes", self.minutes, 0.0, 1e6)
        check_range("training.draft_steps", self.draft_steps, 0, 10**9)
        check_range("training.decay", self.decay, 0, self.steps - 1 if self.minutes else self.steps)
        if self.size % self.space_to_depth or DRAFT_SIDE % self.side:
            raise SettingError(
                f"training.size {self.size} by training.space_to_depth {self.space_to_depth} gives latents that do not "
                f"divide the draft's {DRAFT_SIDE}: choose 64 by 4 or 32 by 4"
            )

    @property
    def side(self) -> int:
        """Of the latents."""
        return self.size // self.space_to_depth

    @property
    def camera_features(self) -> int:
        """How many numbers tell the network a camera; 0 without a world, which alone knows cameras."""
        return CAMERA_FEATURES if self.world else 0

    @property
    def pooled_width(self) -> int:
        """Of the pooled text vector with the camera."""
        return TEXT_WIDTH + self.camera_features


def stored_settings(stored: Mapping[str, Any]) -> TrainingSettings:
    """Settings as a checkpoint has them; what was added since then has its default.

    Raises: SettingError if there is one that this Lodestone does not know.
    """
    return from_plain(TrainingSettings(), stored, "training")
