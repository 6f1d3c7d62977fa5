"""The interface of every prior.

One network output has exact other views. With `x_t = alpha x + sigma eps`, the velocity of Salimans & Ho 2022
(arXiv 2202.00512), `v = alpha eps - sigma x`, and the velocity of a flow (Liu et al. 2022, arXiv 2209.03003),
`u = eps - x`:

    from noise:    x = (x_t - sigma eps) / alpha
    from clean:    eps = (x_t - alpha x) / sigma
    from velocity: x = (alpha x_t - sigma v) / (alpha^2 + sigma^2),  eps = (sigma x_t + alpha v) / (alpha^2 + sigma^2)
    from flow:     x = (x_t - sigma u) / (alpha + sigma),            eps = (x_t + alpha u) / (alpha + sigma)
"""

import abc
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import nn

from lodestone.arrays import Images, Latents, Times
from lodestone.errors import SettingError
from lodestone.priors.adapters import LowRankAdapter, LowRankSettings
from lodestone.priors.noise import NoiseSchedule, over_batch
from lodestone.prompts.conditioning import Conditioning
from lodestone.prompts.text_encoder import AbstractTextEncoder

__all__ = ["AbstractAutoencoder", "AbstractDenoiser", "Prediction", "PredictionType", "Prior"]

SMALLEST = 1e-6
"""Floor of a divisor, for schedules that end at alpha = 0 or begin at sigma = 0."""


class PredictionType(StrEnum):
    """What a network was trained to put out; the first three values are diffusers' own names."""

    NOISE = "epsilon"
    CLEAN = "sample"
    VELOCITY = "v_prediction"
    FLOW = "flow_prediction"


@dataclass(frozen=True)
class Prediction:
    """One network output, in exact views."""

    noise: Latents
    clean: Latents
    velocity: Latents

    @property
    def flow(self) -> Latents:
        """`eps - x`, the velocity of a flow."""
        return self.noise - self.clean

    @classmethod
    def of(
        cls, kind: PredictionType, output: Latents, noisy: Latents, t: Times, schedule: NoiseSchedule
    ) -> "Prediction":
        """Reads `output` as `kind` and derives the other views."""
        alpha, sigma = over_batch(schedule.alpha(t)), over_batch(schedule.sigma(t))
        match kind:
            case PredictionType.NOISE:
                noise, clean = output, (noisy - sigma * output) / alpha.clamp(min=SMALLEST)
            case PredictionType.CLEAN:
                noise, clean = (noisy - alpha * output) / sigma.clamp(min=SMALLEST), output
            case PredictionType.VELOCITY:
                square = alpha.square() + sigma.square()  # 1 if the schedule preserves variance, up to rounding
                return cls((sigma * noisy + alpha * output) / square, (alpha * noisy - sigma * output) / square, output)
            case PredictionType.FLOW:
                whole = alpha + sigma
                noise, clean = (noisy + alpha * output) / whole, (noisy - sigma * output) / whole
        return cls(noise, clean, alpha * noise - sigma * clean)


class AbstractDenoiser(nn.Module, abc.ABC):
    """A frozen model of the score: `eps(x_t, t, y) = -sigma_t grad log p_t(x_t | y)`."""

    schedule: NoiseSchedule
    latent_shape: tuple[int, int, int]
    """Channels, height and width of one sample."""

    @abc.abstractmethod
    def forward(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Prediction:
        """Predicts noise, clean latents and velocity for each sample of the batch."""

    def adapter(self, settings: LowRankSettings, rng: torch.Generator, *, parts: int = 1) -> LowRankAdapter:
        """A fresh adapter for `Conditioning.adapter`, of several parts if wanted.

        Raises: SettingError if there is no layer that it could adapt.
        """
        raise SettingError("this prior has no layers that a LoRA could adapt: choose an estimator without LoRA")

    @property
    def time_width(self) -> int:
        """Width of `Conditioning.time_offset`; 0 if there is no time embedding to add to."""
        return 0


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
