"""Score Jacobian chaining."""

from dataclasses import dataclass

from lodestone.distillation.estimator import AbstractGuidedEstimator, Residual
from lodestone.distillation.scores import Scores
from lodestone.distillation.weighting import AbstractWeight, Uniform

__all__ = ["ScoreJacobianChaining"]


@dataclass(frozen=True, kw_only=True)
class ScoreJacobianChaining(AbstractGuidedEstimator):
    """SJC: `g = w(t) (eps_s - eps)`, or `w(t) eps_s` without variance reduction; w = 1.

    Wang et al. 2022, arXiv 2212.00774 ("perturb-and-average scoring"); s = 100. Two denoiser calls for each sample.
    The paper noises `z = x + c eps` with `c = sigma_t / alpha_t` and denoises `z / sqrt(1 + c^2) = x_t` to
    `D = z - c eps_s`; then `-(D - x) / c` is the first form and `-(D - z) / c` the second.

    The authors draw t from a ladder of the schedule's times, 0.01 to 0.97 of it; here it is drawn as in every method.
    """

    guidance_scale: float = 100.0
    weight: AbstractWeight = Uniform()
    variance_reduction: bool = True
    """Whether the noise that was added is subtracted; both forms have the same mean."""

    def residual(self, scores: Scores) -> Residual:
        pair = scores.pair()
        value = self.guide(scores, pair.positive, pair.null)
        if self.variance_reduction:
            value = value - scores.noise
        return Residual(value, {"positive": pair.positive, "null": pair.null})
