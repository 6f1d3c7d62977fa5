"""Autoencoders: pictures in [0, 1] to latents and back.

Pixel-space priors have an exact one (`SpaceToDepth`); latent diffusion models bring a VAE (`VariationalAutoencoder`,
whose scaling factor is known here and nowhere else).
"""

from typing import Any

from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from lodestone.arrays import Images, Latents
from lodestone.precision import call_in_precision
from lodestone.priors.denoiser import AbstractAutoencoder

__all__ = ["SpaceToDepth", "VariationalAutoencoder"]


class SpaceToDepth(AbstractAutoencoder):
    """Pictures scaled to [-1, 1], each `factor` x `factor` block of pixels moved into channels; 1 keeps pixels."""

    def __init__(self, factor: int = 1) -> None:
        super().__init__()
        self.factor = factor

    def encode(self, images: Images) -> Latents:
        return pixel_unshuffle(2 * images - 1, self.factor)

    def decode(self, latents: Latents) -> Images:
        return (pixel_shuffle(latents, self.factor) / 2 + 0.5).clamp(0, 1)


class VariationalAutoencoder(AbstractAutoencoder):
    """A diffusers `AutoencoderKL`: `z = scaling_factor * mean(encoder(2 x - 1))` (Rombach et al., arXiv 2112.10752).

    The mean of the posterior is used, not a sample, so that the gradient has no noise of its own. The networks run in
    their own dtype; pictures and latents keep the caller's, and gradients through float16 weights are rescaled on the
    way as in `lodestone.precision`.
    """

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.vae = vae.eval().requires_grad_(False)

    def encode(self, images: Images) -> Latents:
        mean = call_in_precision(self.posterior_mean, self.vae.dtype, 2 * images - 1)
        scale: float = self.vae.config.scaling_factor
        return mean * scale

    def decode(self, latents: Latents) -> Images:
        pictures = call_in_precision(self.mean_picture, self.vae.dtype, latents / self.vae.config.scaling_factor)
        return (pictures / 2 + 0.5).clamp(0, 1)

    def posterior_mean(self, pictures: Tensor) -> Tensor:
        """Mean of `q(z | x)` before scaling, for pictures in [-1, 1] of the network's dtype."""
        mean: Tensor = self.vae.encode(pictures).latent_dist.mode()
        return mean

    def mean_picture(self, latents: Tensor) -> Tensor:
        """Mean of `p(x | z)` in [-1, 1], for unscaled latents of the network's dtype."""
        picture: Tensor = self.vae.decode(latents, return_dict=False)[0]
        return picture
