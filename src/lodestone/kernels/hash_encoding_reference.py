r"""Multiresolution hash encoding in plain torch: the truth that the native kernel is held to, and the CUDA route.

Any dtype, any device, differentiable any number of times by autograd, no custom code. On level l with resolution
:math:`N_l` a position x in the unit cube lies in the cell :math:`\lfloor x N_l \rfloor` at the fractions f, and

.. math:: e_l(x) = \sum_{c \in \{0,1\}^3} \prod_a \left(c_a f_a + (1 - c_a)(1 - f_a)\right)\,
          \theta_l[h_l(\lfloor x N_l \rfloor + c)].

References:
    | Instant Neural Graphics Primitives with a Multiresolution Hash Encoding (Mueller et al., 2022), arXiv 2201.05989
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["PRIMES", "encode_reference", "position_gradient_reference", "vertex_index"]

PRIMES = (1, 2_654_435_761, 805_459_861)
"""Equation 4 of the paper; products are taken modulo 2^32."""


def vertex_index(vertex: Int[Tensor, "... 3"], resolution: int, size: int) -> Int[Tensor, "..."]:
    """The entry of a vertex on its level: its number where the level holds every vertex, a hash where it does not."""
    side = resolution + 1
    x, y, z = vertex.unbind(-1)
    if side**3 <= size:
        return x + side * (y + side * z)
    hashed = (x * PRIMES[0]) ^ (y * PRIMES[1]) ^ (z * PRIMES[2])
    return hashed & (size - 1)  # lower bits alone, so that it makes no difference that these products do not wrap


def encode_reference(
    points: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries 2"],
    resolutions: Sequence[int],
    offsets: Sequence[int],
    active: int,
) -> Float[Tensor, "n columns"]:
    """Two features for each level, zeros for levels that are not active."""
    inside = points.clamp(0, 1)
    levels = [
        encode_level(inside, table[offsets[level] : offsets[level + 1]], resolution)
        for level, resolution in enumerate(resolutions[:active])
    ]
    inactive = points.new_zeros(len(points), 2 * (len(resolutions) - active))
    return torch.cat([*levels, inactive], dim=-1)


def position_gradient_reference(
    points: Float[Tensor, "n 3"],
    table: Float[Tensor, "entries 2"],
    cotangent: Float[Tensor, "n columns"],
    resolutions: Sequence[int],
    offsets: Sequence[int],
    active: int,
) -> Float[Tensor, "n 3"]:
    """The transposed Jacobian of the features by the position, applied to the cotangent; autograd differentiates it."""
    with torch.enable_grad():
        points = points if points.requires_grad else points.detach().requires_grad_()
        features = encode_reference(points, table, resolutions, offsets, active)
        (gradient,) = torch.autograd.grad(features, points, cotangent, create_graph=True)
    return gradient


def encode_level(
    inside: Float[Tensor, "n 3"], table: Float[Tensor, "entries 2"], resolution: int
) -> Float[Tensor, "n 2"]:
    """Trilinear interpolation in one level."""
    scaled = inside * resolution
    cell = scaled.detach().long().clamp(max=resolution - 1)
    fraction = scaled - cell
    corners = torch.tensor([[c >> 2 & 1, c >> 1 & 1, c & 1] for c in range(8)], device=inside.device)
    weights = torch.where(corners.bool(), fraction[:, None], 1 - fraction[:, None]).prod(dim=-1)
    entries = vertex_index(cell[:, None] + corners, resolution, len(table))
    return (weights[..., None] * table[entries]).sum(dim=1)
