"""Linear maps from latents to colours, for previews of scenes that live in latents and for their refinement.

    colour = 1/2 + 1/2 A^T latent

For pictures whose pixels were moved into channels the map is exact: the mean of each colour's block. For the latents of
Stable Diffusion 1.x it is the approximation that Latent-NeRF (Metzer et al. 2022, arXiv 2211.07600) begins its
refinement with.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.errors import SettingError

__all__ = ["colors_of", "latents_of_color", "linear_colors"]

STABLE_DIFFUSION = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
)


def linear_colors(channels: int) -> Float[Tensor, "c 3"]:
    """The map A.

    Raises: SettingError for a number of channels whose meaning is not known.
    """
    if channels == len(STABLE_DIFFUSION):
        return torch.tensor(STABLE_DIFFUSION)
    if channels % 3:
        raise SettingError(
            f"scene.volume.channels is {channels}: choose 4 for the latents of Stable Diffusion, "
            "or 3 for each pixel of a block"
        )
    block = channels // 3
    return torch.eye(3).repeat_interleave(block, dim=0) / block


def colors_of(latents: Float[Tensor, "*n c"], adapter: Float[Tensor, "c 3"]) -> Float[Tensor, "*n 3"]:
    """Colours, not clamped."""
    return 0.5 + 0.5 * latents @ adapter


def latents_of_color(color: Float[Tensor, "*n 3"], adapter: Float[Tensor, "c 3"]) -> Float[Tensor, "*n c"]:
    """The smallest latents that the map takes to a colour."""
    return (2 * color - 1) @ torch.linalg.pinv(adapter)
