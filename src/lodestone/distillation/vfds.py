"""Score distillation of flow models."""

from dataclasses import dataclass

from lodestone.distillation.estimator import AbstractGuidedEstimator, Residual
from lodestone.distillation.scores import Scores
from lodestone.distillation.weighting import AbstractWeight, InverseAlpha

__all__ = ["VelocityFlowDistillation"]


@dataclass(frozen=True, kw_only=True)
class VelocityFlowDistillation(AbstractGuidedEstimator):
    """VFDS, also RFDS: `g = u_s(x_tau) - (eps - x)`, u the velocity of a flow `x_tau = (1 - tau) x + tau eps`.

    Li et al. 2024, FlowDreamer, arXiv 2408.05008; Yang et al. 2024, arXiv 2406.03293. Since `x_tau` is known,
    `u = (eps_s - x_tau) / (1 - tau)` and `g = (eps_s - eps) / (1 - tau)` to the letter: SDS with the weight
    `1 / alpha`. s = 100 for Stable Diffusion 3, 50 for InstaFlow. Two denoiser calls for each sample.

    The authors draw indices 0.3 to 0.98 of a table that descends from noise: with Stable Diffusion 3's shift those
    are tau from 0.06 to 0.875, without the noisiest times.
    """

    weight: AbstractWeight = InverseAlpha()

    def residual(self, scores: Scores) -> Residual:
        pair = scores.pair()
        guided = self.guide(scores, pair.positive, pair.null)
        return Residual(guided - scores.noise, {"guided": guided, "noise": scores.noise})
