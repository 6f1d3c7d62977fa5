"""The interface of every prior.

One network output has three exact views. With `x_t = alpha x + sigma eps` and the velocity of Salimans & Ho 2022
(arXiv 2202.00512), `v = alpha eps - sigma x`:

    from noise:    x = (x_t - sigma eps) / alpha
    from clean:    eps = (x_t - alpha x) / sigma
    from velocity: x = alpha x_t - sigma v,  eps = sigma x_t + alpha v      (variance-preserving schedules)
"""

import abc
from dataclasses import dataclass
from enum import StrEnum

from torch import nn

from lodestone.arrays import Images, Latents, Times
from lodestone.priors.noise import NoiseSchedule, over_batch
from lodestone.prompts.conditioning import Conditioning
from lodestone.prompts.text_encoder import AbstractTextEncoder

__all__ = ["AbstractAutoencoder", "AbstractDenoiser", "Prediction", "PredictionType", "Prior"]

SMALLEST = 1e-6
"""Floor of a divisor, for schedules that end at alpha = 0 or begin at sigma = 0."""


class PredictionType(StrEnum):
    """What a network was trained to put out; the values are diffusers' own names."""

    NOISE = "epsilon"
    CLEAN = "sample"
    VELOCITY = "v_prediction"


@dataclass(frozen=True)
class Prediction:
    """One network output, three exact views of it."""

    noise: Latents
    clean: Latents
    velocity: Latents

    @classmethod
    def of(
        cls, kind: PredictionType, output: Latents, noisy: Latents, t: Times, schedule: NoiseSchedule
    ) -> "Prediction":
        """Reads `output` as `kind` and derives the other two views."""
        alpha, sigma = over_batch(schedule.alpha(t)), over_batch(schedule.sigma(t))
        match kind:
            case PredictionType.NOISE:
                noise, clean = output, (noisy - sigma * output) / alpha.clamp(min=SMALLEST)
            case PredictionType.CLEAN:
                noise, clean = (noisy - alpha * output) / sigma.clamp(min=SMALLEST), output
            case PredictionType.VELOCITY:
                return cls(sigma * noisy + alpha * output, alpha * noisy - sigma * output, output)
        return cls(noise, clean, alpha * noise - sigma * clean)


class AbstractDenoiser(nn.Module, abc.ABC):
    """A frozen model of the score: `eps(x_t, t, y) = -sigma_t grad log p_t(x_t | y)`."""

    schedule: NoiseSchedule
    latent_shape: tuple[int, int, int]
    """Channels, height and width of one sample."""

    @abc.abstractmethod
    def forward(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Prediction:
        """Predicts noise, clean latents and velocity for each sample of the batch."""


class AbstractAutoencoder(nn.Module, abc.ABC):
    """Between pictures in [0, 1] and the latents of a denoiser; the only place that knows a scaling factor."""

    @abc.abstractmethod
    def encode(self, images: Images) -> Latents:
        """Latents of pictures; gradients flow through."""

    @abc.abstractmethod
    def decode(self, latents: Latents) -> Images:
        """Pictures of latents, clamped to [0, 1]."""


@dataclass(frozen=True)
class Prior:
    """Everything that belongs to one pretrained model."""

    name: str
    denoiser: AbstractDenoiser
    autoencoder: AbstractAutoencoder
    text_encoder: AbstractTextEncoder
    image_size: int
    """Side of the square pictures that `autoencoder` takes."""
    white_only: bool = False
    """True if the prior has seen objects on white alone, so that renderings must have a white background."""
