"""Score distillation sampling."""

from dataclasses import dataclass

from lodestone.distillation.estimator import AbstractGuidedEstimator, Residual
from lodestone.distillation.scores import Scores

__all__ = ["ScoreDistillation"]


@dataclass(frozen=True, kw_only=True)
class ScoreDistillation(AbstractGuidedEstimator):
    """SDS: `g = w(t) (eps_null + s (eps_y - eps_null) - eps)`.

    Poole et al. 2022, DreamFusion, arXiv 2209.14988, Eq. 3. Two denoiser calls for each sample.

    The paper's guidance weight 100 is `s = 101` here, because it writes `(1 + w) eps_y - w eps_null`.
    """

    guidance_scale: float = 100.0

    def residual(self, scores: Scores) -> Residual:
        pair = scores.pair()
        value = self.guide(scores, pair.positive, pair.null) - scores.noise
        return Residual(value, {"positive": pair.positive, "null": pair.null, "noise": scores.noise})
