"""Score distillation in latent and image space."""

from dataclasses import dataclass

from lodestone.distillation.estimator import AbstractGuidedEstimator, ImageTerm, Residual
from lodestone.distillation.scores import Scores
from lodestone.distillation.timesteps import AbstractTimeLaw, SquareRootTimes
from lodestone.distillation.weighting import AbstractWeight, SigmaOverAlpha
from lodestone.priors.denoiser import Prediction, PredictionType

__all__ = ["HighFidelityDistillation"]


@dataclass(frozen=True, kw_only=True)
class HighFidelityDistillation(AbstractGuidedEstimator):
    """HiFA: `g = c (x - x0)`, and `lambda ||picture - decode(x0)||^2` in image space, x0 the guided clean prediction.

    Zhu et al. 2023, arXiv 2305.18766; c = 0.05, lambda = 0.1, s = 100. In terms of noise the bracket is
    `eps_s - eps` and the weight `c sigma / alpha`. Two denoiser calls for each sample and one decoding; nothing is
    differentiated through the decoder. The time falls from 0.98 to 0.30 of the schedule with the root of the step.

    Image terms are means over the picture here; the authors' is c / 2 times the sum.
    """

    times: AbstractTimeLaw = SquareRootTimes()
    weight: AbstractWeight = SigmaOverAlpha(scale=0.05)
    image_weight: float = 0.1
    """lambda; 0 leaves the decoder alone."""

    def residual(self, scores: Scores) -> Residual:
        pair = scores.pair()
        guided = self.guide(scores, pair.positive, pair.null)
        clean = Prediction.of(PredictionType.NOISE, guided, scores.noised.noisy, scores.t, scores.schedule).clean
        image_term = ImageTerm(clean, self.image_weight) if self.image_weight else None
        return Residual(guided - scores.noise, {"positive": pair.positive, "clean": clean}, image_term)
