"""Shape-typed aliases that the whole package shares: b batch, v views, c channels, h height, w width."""

from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Images", "Latents", "PerSample", "Times"]

Latents = Float[Tensor, "b c h w"]
"""What a denoiser sees: latents of a VAE, or pictures in [-1, 1] of a pixel-space prior."""

Images = Float[Tensor, "b 3 height width"]
"""Pictures in [0, 1], sRGB values as a network saw them; their axes are named apart, since latents may be smaller."""

Times = Int[Tensor, " b"]
"""Diffusion times as indices of the noise schedule, 0 (clean) to T - 1 (noise)."""

PerSample = Float[Tensor, " b"]
"""One number for each sample of the batch."""
