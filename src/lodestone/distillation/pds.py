"""Posterior distillation sampling: editing that keeps the source's identity."""

from dataclasses import dataclass

from lodestone.arrays import PerSample, Times
from lodestone.distillation.dds import AbstractEditing
from lodestone.distillation.estimator import Residual
from lodestone.distillation.scores import Scores
from lodestone.errors import check_range
from lodestone.priors.denoiser import SMALLEST
from lodestone.priors.noise import NoiseSchedule, over_batch

__all__ = ["PosteriorDistillation", "posterior_weights"]


@dataclass(frozen=True, kw_only=True)
class PosteriorDistillation(AbstractEditing):
    """PDS: `g = c psi(t) (x - x') + chi(t) (eps_s(x_t; y) - eps_s(x'_t; y'))`, x' the source and y' its wording.

    Koo et al. 2023, arXiv 2311.13831: `g = z(x) - z(x')` with `z = (x_e - mu(x_t, eps_s)) / sd` the noise that a
    step of the reverse process from t to an earlier e would need; s = 100. Both pictures share all noise, so that
    the noise of x_e cancels and the second form above is exact.

    psi is 0 where e is the time before t. The authors walk 500 of 1,000 times, so that e = t - 2, but keep the variance
    of one time, and what preserves the source's identity is that mismatch alone: psi is .32, .08, .03, .015, .006 at
    t = 100, 300, 500, 700, 900. `stride` is their t - e; `identity_weight` c sets the term by itself.
    """

    guidance_scale: float = 100.0
    stride: int = 2
    identity_weight: float = 1.0

    def __post_init__(self) -> None:
        check_range("estimator.stride", self.stride, 1, 1000)

    def residual(self, scores: Scores) -> Residual:
        edit = self.edit(scores)
        psi, chi = (over_batch(part) for part in posterior_weights(scores.t, self.stride, scores.schedule))
        value = self.identity_weight * psi * edit.moved + chi * (edit.edited - edit.source)
        return Residual(value, {"edited": edit.edited, "source": edit.source, "moved": edit.moved})


def posterior_weights(t: Times, stride: int, schedule: NoiseSchedule) -> tuple[PerSample, PerSample]:
    """psi and chi for a step of the reverse process from t to `e = t - stride`.

    With `r = alpha_t / alpha_{t-1}` and `beta = sigma_t^2 - r^2 sigma_{t-1}^2`, the variance of one time,

        chi = alpha_e sqrt(beta) / (alpha_t sigma_e)
        psi = r alpha_t (alpha_e / alpha_{t-1} sigma_{t-1}^2 - sigma_e^2) / (sigma_t sigma_e sqrt(beta)) .
    """
    before, early = (t - 1).clamp(min=0), (t - stride).clamp(min=0)
    (alpha, alpha_b, alpha_e), (sigma, sigma_b, sigma_e) = (
        [table(time).double().clamp(min=SMALLEST) for time in (t, before, early)]
        for table in (schedule.alpha, schedule.sigma)
    )
    ratio = alpha / alpha_b
    deviation = (sigma.square() - (ratio * sigma_b).square()).clamp(min=SMALLEST**2).sqrt()
    chi = alpha_e * deviation / (alpha * sigma_e)
    psi = ratio * alpha * (alpha_e / alpha_b * sigma_b.square() - sigma_e.square()) / (sigma * sigma_e * deviation)
    return psi, chi
