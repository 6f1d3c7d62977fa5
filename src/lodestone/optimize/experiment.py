"""A complete, typed description of a run: what a recipe returns and a run folder stores."""

from dataclasses import dataclass, field, replace
from typing import Any

from lodestone.distillation.estimator import AbstractEstimator
from lodestone.distillation.step_settings import StepSettings
from lodestone.errors import SettingError, check_range
from lodestone.optimize.regularizers import Regularizers
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.prompt import PromptSettings
from lodestone.rendering.background import AbstractBackground, PlainColors
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.gaussian_settings import GaussianSettings
from lodestone.scenes.scene import AbstractSceneSettings
from lodestone.schedules import AbstractSchedule, Constant

__all__ = ["Experiment", "Plan"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long, how large and how strictly."""

    steps: int = 500
    views: int = 4
    """Views rendered and scored in every step."""
    resolution: AbstractSchedule = Constant(1.0)
    """Side of a rendering as a share of the prior's pictures; it is enlarged before the prior sees it."""
    smallest_time: AbstractSchedule = Constant(0.02)
    """Lower end of the window of diffusion times, as a fraction of the schedule."""
    largest_time: AbstractSchedule = Constant(0.98)
    """Upper end of the window of diffusion times."""
    gradient_clip: float = 0.0
    """Largest L2 norm of the scene's gradient; 0 clips nothing."""
    regularizers: Regularizers = field(default_factory=Regularizers)
    background: AbstractBackground = field(default_factory=PlainColors)
    preview_every: int = 50
    checkpoint_every: int = 100
    compare_slot_every: int = 50
    """Steps between comparisons of what is learned on the side with its start; 0 for none."""

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            "steps": (1, 1_000_000),
            "views": (1, 256),
            "gradient_clip": (0.0, 1e12),
        }
        limits |= {"checkpoint_every": (1, 1_000_000), "preview_every": (0, 1_000_000)}
        limits |= {"compare_slot_every": (0, 1_000_000)}
        for name, bounds in limits.items():
            check_range(f"plan.{name}", getattr(self, name), *bounds)
        for step in range(self.steps):
            low, high = self.smallest_time(step), self.largest_time(step)
            if not 0 < self.resolution(step) <= 4:
                raise SettingError(
                    f"plan.resolution is {self.resolution(step):g} at step {step}: choose above 0 and at most 4"
                )
            if not 0 <= low <= high <= 1:
                raise SettingError(
                    f"plan.smallest_time is {low:g} and plan.largest_time {high:g} at step {step}: "
                    "choose both from 0 to 1, the smallest first"
                )

    def side(self, step: int, image_size: int) -> int:
        """Side of a rendering in pixels, for a prior that takes pictures of this size."""
        return max(8, round(self.resolution(step) * image_size))

    def settings(self, step: int, schedule: NoiseSchedule) -> StepSettings:
        """Evaluates everything annealed at one step."""
        low, high = schedule.index(self.smallest_time(step)), schedule.index(self.largest_time(step))
        return StepSettings(
            step=step, steps=self.steps, window=(low, high), regularizers=self.regularizers.weights(step)
        )


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Everything that decides the result, apart from the machine."""

    prompt: PromptSettings
    estimator: AbstractEstimator
    prior: str = "embedded"
    """`embedded`, `empirical`, `world`, a folder in the diffusers format, an alias such as `sd15`, or a hub id."""
    scene: AbstractSceneSettings = field(default_factory=GaussianSettings)
    cameras: OrbitSampler = field(default_factory=OrbitSampler)
    plan: Plan = field(default_factory=Plan)
    evaluation: EvaluationCamera = field(default_factory=EvaluationCamera)
    seed: int = 0
    device: str = "cpu"
    previous: "Experiment | None" = None
    """The stage before this one, which begins with the scene that the stage before ends with."""

    def __post_init__(self) -> None:
        check_range("seed", self.seed, 0, 2**63 - 1)

    @property
    def stages(self) -> tuple["Experiment", ...]:
        """This experiment and what comes before it, first stage first."""
        return (*(self.previous.stages if self.previous else ()), self)

    def in_every_stage(self, **changes: Any) -> "Experiment":
        """The same with some fields replaced in each stage."""
        previous = self.previous and self.previous.in_every_stage(**changes)
        return replace(self, previous=previous, **changes)
