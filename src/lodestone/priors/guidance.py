"""Classifier-free guidance, the only definition in this package (Ho & Salimans 2022, arXiv 2207.12598).

    eps = eps_null + s (eps_positive - eps_null)

so that scale 1 is the conditional model and scale 0 the unconditional one. DreamFusion's papers write `s - 1`.
"""

from lodestone.arrays import Latents, Times
from lodestone.priors.denoiser import AbstractDenoiser, Prediction
from lodestone.prompts.conditioning import Conditioning

__all__ = ["guided", "predict_each"]


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
