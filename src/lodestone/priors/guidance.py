"""Classifier-free guidance, the only definition in this package (Ho & Salimans 2022, arXiv 2207.12598).

    eps = eps_null + s (eps_positive - eps_null)

so that scale 1 is the conditional model and scale 0 the unconditional one. DreamFusion's papers write `s - 1`.
"""

from collections.abc import Sequence

from lodestone.arrays import Latents, PerSample, Times
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, PredictionType
from lodestone.priors.noise import NoiseSchedule, over_batch
from lodestone.prompts.conditioning import Conditioning

__all__ = ["guided", "perpendicular", "predict_each", "pushed_away", "rescaled"]

SHORTEST = 1e-6
"""Floor of the norm of a direction that something is projected on."""


def guided(positive: Latents, null: Latents, scale: float) -> Latents:
    """`null + scale * (positive - null)`."""
    return null + scale * (positive - null)


def perpendicular(part: Latents, direction: Latents) -> Latents:
    """`u - <u, p> / ||p||^2 p` for each sample: what of `part` is not along `direction`."""
    square = direction.flatten(1).square().sum(1).clamp(min=SHORTEST**2)
    return part - over_batch((part * direction).flatten(1).sum(1) / square) * direction


def pushed_away(positive: Latents, null: Latents, opposed: Sequence[Latents], weights: Sequence[PerSample]) -> Latents:
    """`eps_y + sum_j w_j perp(eps_j - eps_null; eps_y - eps_null)`, the positive part of Perp-Neg.

    Armandpour et al. 2023, arXiv 2304.04968: guided as always it is `eps_null + s (p + sum_j w_j perp_j)`. Weights are
    negative where a condition is to be avoided; what a condition has in common with the prompt is left alone.
    """
    direction = positive - null
    for noise, weight in zip(opposed, weights, strict=True):
        positive = positive + over_batch(weight.to(positive)) * perpendicular(noise - null, direction)
    return positive


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
