"""Score distillation as a bridge between two distributions."""

from dataclasses import dataclass
from typing import ClassVar

from lodestone.distillation.estimator import AbstractGuidedEstimator, Residual
from lodestone.distillation.scores import Scores
from lodestone.distillation.weighting import AbstractWeight, Uniform
from lodestone.errors import SettingError, check_range
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["SOURCE_SUFFIX", "TARGET_SUFFIX", "SchroedingerBridge"]

SOURCE_SUFFIX = ", oversaturated, smooth, pixelated, cartoon, foggy, hazy, blurry, bad structure, noisy, malformed"
"""What the paper adds to the prompt to describe what SDS makes."""

TARGET_SUFFIX = ", detailed high resolution, high quality, sharp"
"""What the paper adds to the prompt to describe what is wanted, in 2D; in 3D it adds nothing."""


@dataclass(frozen=True, kw_only=True)
class SchroedingerBridge(AbstractGuidedEstimator):
    """SDS, and in the last part of the run `g = w(t) c (eps_y - eps_y')`, y' a wording of what the picture shows now.

    McAllister et al. 2024, SDS-Bridge, arXiv 2406.09417: score distillation follows a Schroedinger bridge from
    the current renderings to the prompt, whose source SDS takes for all pictures; a wording of SDS's own faults is
    closer. s = 100 and w = 1, the switch at 20,000 of 25,000 steps, c = 1. Two denoiser calls for each sample.

    `ConditioningSet.source` is the prompt with `SOURCE_SUFFIX`. The prompt is y in both stages: to have the paper's y
    of the second stage, add `TARGET_SUFFIX` to it. In 2D the authors take 1,000 steps, half of them SDS, s = c = 40
    and `w = sigma^2`.
    """

    guidance_scale: float = 100.0
    weight: AbstractWeight = Uniform()
    switch: float = 0.8
    """Share of the steps that are SDS."""
    bridge_weight: float = 1.0
    """c."""
    allows_perp_neg: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_range("estimator.switch", self.switch, 0, 1)

    def check(self, denoiser: AbstractDenoiser, conditioning: ConditioningSet, views: int) -> None:
        super().check(denoiser, conditioning, views)
        if conditioning.source is None:
            raise SettingError("prompt.source is empty, but this estimator moves away from it: word SDS's faults")

    def residual(self, scores: Scores) -> Residual:
        conditioning, step = scores.conditioning, scores.step
        assert conditioning.source is not None
        if step.step < self.switch * step.steps:
            pair = scores.pair()
            value = self.guide(scores, pair.positive, pair.null) - scores.noise
            return Residual(value, {"positive": pair.positive, "null": pair.null, "noise": scores.noise})
        positive, source = scores.predict(conditioning.positive, conditioning.source)
        return Residual(self.bridge_weight * (positive - source), {"positive": positive, "source": source})
