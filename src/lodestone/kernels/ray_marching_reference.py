r"""Ray marching in plain torch: the twin of the native kernel, and the CUDA route.

Samples of a ray :math:`o + t d` stand at :math:`t_k = t_{near} + (k + u) \Delta` with a shift :math:`u \in [0, 1)` for
each ray, as long as :math:`t_k < t_{far}`, where the ray leaves the cube. Those in cells that are not occupied go.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["cell_of", "march_reference", "most_samples", "span_in_cube"]


def most_samples(bound: float, step: float) -> int:
    """No ray has more samples than fit on the cube's diagonal."""
    return math.floor(2 * math.sqrt(3) * bound / step) + 2


def span_in_cube(
    origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"], bound: float
) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"]]:
    """Distances at which rays enter and leave `[-bound, bound]^3`; near >= far where they miss it."""
    parallel = directions == 0
    safe = torch.where(parallel, torch.ones_like(directions), directions)
    a, b = (-bound - origins) / safe, (bound - origins) / safe
    near, far = torch.minimum(a, b), torch.maximum(a, b)
    never = parallel & (origins.abs() > bound)
    near = torch.where(parallel, -torch.inf, near).amax(-1).clamp(min=0)
    far = torch.where(never, -torch.inf, torch.where(parallel, torch.inf, far)).amin(-1)
    return near, far


def cell_of(points: Float[Tensor, "*n 3"], bound: float, resolution: int) -> Int[Tensor, "*n"]:
    """The number of the cell of a grid over the cube, x slowest; points outside belong to the nearest cell's layer."""
    scaled = (points * (0.5 * resolution / bound) + 0.5 * resolution).long().clamp(0, resolution - 1)
    x, y, z = scaled.unbind(-1)
    return (x * resolution + y) * resolution + z


def march_reference(
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    shift: Float[Tensor, " r"],
    occupied: Bool[Tensor, "n n n"],
    bound: float,
    step: float,
) -> tuple[Int[Tensor, " r_and_one"], Int[Tensor, " s"], Float[Tensor, " s"], Float[Tensor, "s 3"]]:
    """Offsets of the rays, and ray, distance and position of each sample."""
    near, far = span_in_cube(origins, directions, bound)
    index = torch.arange(most_samples(bound, step), device=origins.device, dtype=origins.dtype)
    distance = near[:, None] + (index + shift[:, None]) * step
    position = origins[:, None] + distance[..., None] * directions[:, None]
    kept = (distance < far[:, None]) & occupied.flatten()[cell_of(position, bound, len(occupied))]
    offsets = torch.cat([kept.new_zeros(1, dtype=torch.int64), kept.sum(dim=1).cumsum(0)])
    return offsets, kept.nonzero()[:, 0], distance[kept], position[kept]
