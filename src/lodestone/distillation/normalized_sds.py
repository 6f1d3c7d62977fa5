"""Normalized score distillation."""

from dataclasses import dataclass

from lodestone.distillation.estimator import AbstractEstimator, Residual
from lodestone.distillation.scores import Scores
from lodestone.errors import SettingError

__all__ = ["NormalizedScoreDistillation"]


@dataclass(frozen=True, kw_only=True)
class NormalizedScoreDistillation(AbstractEstimator):
    """SDS divided by its scale: `g = w(t) (eps_y - (s - 1)/s eps_null - eps/s)`.

    Yang et al. 2023, LODS, arXiv 2312.04820, Eq. 4; s = 1000. Two denoiser calls for each sample.

    The gradient's size hardly depends on s, so that s can be compared without retuning what is added to the loss;
    `s = inf` is CSD, `s = 1` ignores the null condition. LODS is this with a null condition that learns.
    """

    guidance_scale: float = 1000.0
    """s; infinity is allowed."""

    def __post_init__(self) -> None:
        if self.guidance_scale == 0:
            raise SettingError("estimator.guidance_scale is 0, by which this estimator divides: choose 1 or more")

    def residual(self, scores: Scores) -> Residual:
        pair, share = scores.pair(), 1 / self.guidance_scale
        value = pair.positive - (1 - share) * pair.null - share * scores.noise
        return Residual(value, {"positive": pair.positive, "null": pair.null, "noise": scores.noise})
