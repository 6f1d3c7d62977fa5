"""A small network at full resolution behind one that sees blocks of pixels.

The embedded prior's U-Net moves blocks of 4 x 4 pixels into channels, which makes it fast and leaves a grain of such
blocks in what it predicts. `PixelRefiner` looks at its prediction and at the noisy picture pixel by pixel, and adds a
correction; it takes a tenth of the U-Net's time.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle, silu

from lodestone.arrays import Latents

__all__ = ["PixelRefiner"]

DILATIONS = (1, 2, 1)
"""Of the layers between the first and the last."""
LEVELS = 16
"""Noise levels that the layers tell apart, at equal distances of the logarithm of the signal-to-noise ratio."""
LARGEST = 8.0
"""The logarithms reach from minus this to this."""


class PixelRefiner(nn.Module):
    """`x + R(x, x_t, log SNR)` for a prediction x of the clean picture, in pixels; the identity before it is trained.

    Args:
        factor: side of the blocks of pixels that are moved into channels.
        width: channels of the layers.
    """

    def __init__(self, factor: int, width: int = 16) -> None:
        super().__init__()
        self.factor, self.width = factor, width
        self.first = nn.Conv2d(8, width, 3, padding=1)
        self.spatial = nn.ModuleList(nn.Conv2d(width, width, 3, padding=d, dilation=d) for d in DILATIONS)
        self.mixing = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in DILATIONS)
        self.modulation = nn.Linear(LEVELS, 2 * width * len(DILATIONS))
        self.last = nn.Conv2d(width, 3, 3, padding=1)
        for layer in (self.modulation, self.last):
            for p in layer.parameters():
                nn.init.zeros_(p)

    def forward(self, clean: Latents, noisy: Latents, log_snr: Float[Tensor, " b"]) -> Latents:
        """The corrected prediction.

        Args:
            clean: the predicted clean latents, blocks of pixels in channels.
            noisy: the noisy latents `x_t`.
            log_snr: `log(alpha_t^2 / sigma_t^2)` of each row.
        """
        x = self.first(self.seen(clean, noisy, log_snr))
        changes = self.modulation(level_features(log_snr).to(clean.dtype)).unflatten(1, (len(DILATIONS), 2, -1))
        for i, (spatial, mixing) in enumerate(zip(self.spatial, self.mixing, strict=True)):
            scale, shift = changes[:, i, :, :, None, None].unbind(dim=1)
            x = x * (1 + scale) + shift
            x = x + mixing(silu(spatial(x)))
        return clean + pixel_unshuffle(self.last(silu(x)), self.factor)

    def seen(self, clean: Latents, noisy: Latents, log_snr: Float[Tensor, " b"]) -> Float[Tensor, "b 8 height width"]:
        """Prediction and noisy picture, the latter of nearly equal size at every level, and how noisy it is."""
        log_snr = log_snr[:, None, None, None].to(clean.dtype)
        alpha, sigma = (log_snr.sigmoid().sqrt(), (-log_snr).sigmoid().sqrt())
        pictures = torch.cat([pixel_shuffle(part, self.factor) for part in (noisy / (alpha + sigma), clean)], dim=1)
        levels = torch.cat([log_snr.clamp(-2 * LARGEST, 2 * LARGEST) / LARGEST, alpha.square()], dim=1)
        joined = torch.cat([pictures, levels.expand(-1, -1, *pictures.shape[2:])], dim=1)
        return joined.contiguous(memory_format=torch.channels_last)


def level_features(log_snr: Float[Tensor, " b"]) -> Float[Tensor, "b 16"]:
    """Gaussian bumps at equal distances."""
    centers = torch.linspace(-LARGEST, LARGEST, LEVELS, device=log_snr.device)
    return (-(log_snr[:, None] - centers).square() / 4).exp()
