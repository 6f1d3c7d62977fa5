r"""Transmittance compositing in plain torch: the truth that the native kernel is held to, and the CUDA route.

Any dtype, any device, differentiable by autograd, no custom code. With optical depths
:math:`\tau_i = \sigma_i \delta_i` along a ray, front to back,

.. math:: w_i = e^{-\sum_{j<i} \tau_j} (1 - e^{-\tau_i}), \quad
          \sum_i w_i v_i, \quad 1 - e^{-\sum_i \tau_i}, \quad \sum_i w_i t_i.

References:
    | Optical Models for Direct Volume Rendering (Max, 1995)
    | NeRF: Representing Scenes as Neural Radiance Fields (Mildenhall et al., 2020), arXiv 2003.08934
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["composite_reference"]


def composite_reference(
    density: Float[Tensor, " s"],
    width: Float[Tensor, " s"],
    distance: Float[Tensor, " s"],
    values: Float[Tensor, "s c"],
    offsets: Int[Tensor, " rays_and_one"],
) -> tuple[Float[Tensor, " s"], Float[Tensor, "rays c"], Float[Tensor, " rays"], Float[Tensor, " rays"]]:
    """Weights, and the sums of values, of weights and of distances for each ray.

    Each ray becomes a row as long as the longest, so that no sum runs over the end of a ray.
    """
    counts = offsets.diff()
    rays, longest = len(counts), int(counts.max()) if len(counts) else 0
    ray = torch.repeat_interleave(torch.arange(rays, device=density.device), counts)
    place = torch.arange(len(density), device=density.device) - offsets[ray]
    optical = density.new_zeros(rays, longest + 1).index_put((ray, place + 1), density * width)
    before = optical.cumsum(dim=1)
    transmittance = (-before[ray, place]).exp()
    weights = -transmittance * torch.expm1(-density * width)
    sums = values.new_zeros(rays, values.shape[1]).index_add(0, ray, weights[:, None] * values)
    depth = density.new_zeros(rays).index_add(0, ray, weights * distance)
    return weights, sums, -torch.expm1(-before[:, -1]), depth
