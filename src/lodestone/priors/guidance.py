"""Classifier-free guidance, the only definition in this package (Ho & Salimans 2022, arXiv 2207.12598).

    eps = eps_null + s (eps_positive - eps_null)

so that scale 1 is the conditional model and scale 0 the unconditional one. DreamFusion's papers write `s - 1`.
"""

from lodestone.arrays import Latents, Times
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, PredictionType
from lodestone.priors.noise import NoiseSchedule, over_batch
from lodestone.prompts.conditioning import Conditioning

__all__ = ["guided", "predict_each", "rescaled"]


def guided(positive: Latents, null: Latents, scale: float) -> Latents:
    """`null + scale * (positive - null)`."""
    return null + scale * (positive - null)


def predict_each(
    denoiser: AbstractDenoiser, noisy: Latents, t: Times, conditionings: list[Conditioning]
) -> list[Prediction]:
    """Predictions for the same noisy latents under several conditionings, in one batched call."""
    count, parts = len(conditionings), noisy.shape[0]
    joint = denoiser(noisy.repeat(count, 1, 1, 1), t.repeat(count), Conditioning.concatenate(conditionings))
    views = zip(joint.noise.split(parts), joint.clean.split(parts), joint.velocity.split(parts), strict=True)
    return [Prediction(*view) for view in views]


def rescaled(
    plain: Latents, positive: Latents, noisy: Latents, t: Times, schedule: NoiseSchedule, share: float
) -> Latents:
    """Guided noise whose clean prediction has (a share of) the conditional one's standard deviation.

    `x' = (r std(x_y) / std(x_s) + 1 - r) x_s`, Lin et al. 2023, arXiv 2305.08891, Eq. 15 and 16.
    """
    clean, wanted = (Prediction.of(PredictionType.NOISE, part, noisy, t, schedule).clean for part in (plain, positive))
    ratio = wanted.flatten(1).std(1) / clean.flatten(1).std(1).clamp(min=1e-12)
    factor = over_batch(share * ratio + 1 - share)
    return Prediction.of(PredictionType.CLEAN, factor * clean, noisy, t, schedule).noise
