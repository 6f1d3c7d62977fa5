"""Density and colour of Gaussians at points, from the Gaussians near each point alone.

    density(p) = sum_i opacity_i exp(-1/2 m_i^2),   m_i^2 = (p - mean_i)^T covariance_i^-1 (p - mean_i)
    colour(p) = sum_i opacity_i exp(-1/2 m_i^2) rgb_i / density(p)

Tang et al. 2023, DreamGaussian (arXiv 2309.16653), section 3.2: points are put into blocks, and a block asks only the
Gaussians that reach into it. Differs from the authors' code: a Gaussian reaches as far as its own `REACH` standard
deviations along each axis instead of being kept when its mean lies in an enlarged block, so none is missed; blocks
are made of any points, not of a grid.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lodestone.kernels.splatting_reference import rotation_matrices

__all__ = ["REACH", "GaussianDensity"]

REACH = 3.5
"""Standard deviations after which a Gaussian ends; exp(-REACH^2 / 2) = 0.002."""

THINNEST = 2e-4
"""Standard deviations are kept above this, in world units, so that m^2 is right to 0.1 in single precision."""

BLOCK = 512
"""Points of an average block."""

PAIRS = 2**22
"""Points times Gaussians evaluated at once: bounds the memory."""


@dataclass(frozen=True, kw_only=True)
class GaussianDensity:
    """Gaussians prepared for queries, without graph."""

    means: Float[Tensor, "n 3"]
    precision: Float[Tensor, "n 3 3"]
    """Inverse covariances."""
    reach: Float[Tensor, "n 3"]
    """Half the sides of the box around each Gaussian."""
    weights: Float[Tensor, "n 4"]
    """Opacity, and opacity times colour."""

    @classmethod
    def of(
        cls,
        means: Float[Tensor, "n 3"],
        quaternions: Float[Tensor, "n 4"],
        scales: Float[Tensor, "n 3"],
        opacities: Float[Tensor, "n 1"],
        rgb: Float[Tensor, "n 3"],
    ) -> "GaussianDensity":
        """From activated parameters."""
        with torch.no_grad():
            axes, scales = rotation_matrices(quaternions), scales.clamp(min=THINNEST)
            inverse, spread = axes / scales[:, None, :], axes * scales[:, None, :]
            return cls(
                means=means.detach(),
                precision=inverse @ inverse.mT,
                reach=REACH * spread.square().sum(dim=-1).sqrt(),
                weights=torch.cat([opacities, opacities * rgb.clamp(0, 1)], dim=-1),
            )

    @property
    def low(self) -> Float[Tensor, "3"]:
        """The lowest corner of the box around all Gaussians."""
        return (self.means - self.reach).amin(dim=0)

    @property
    def high(self) -> Float[Tensor, "3"]:
        """The opposite corner."""
        return (self.means + self.reach).amax(dim=0)

    def density(self, points: Float[Tensor, "p 3"]) -> Float[Tensor, " p"]:
        """The sum above."""
        return self.query(points, self.weights[:, :1])[:, 0]

    def color(self, points: Float[Tensor, "p 3"]) -> Float[Tensor, "p 3"]:
        """The mean above; grey where there is nothing."""
        total = self.query(points, self.weights)
        grey = torch.full_like(total[:, 1:], 0.5)
        return torch.where(total[:, :1] > 1e-8, total[:, 1:] / total[:, :1].clamp(min=1e-8), grey)

    def query(self, points: Float[Tensor, "p 3"], weights: Float[Tensor, "n c"]) -> Float[Tensor, "p c"]:
        """The sum above with other weights in the opacities' place."""
        order, bounds = blocks(points)
        total = points.new_zeros(len(points), weights.shape[1])
        for start, stop in pairwise(bounds):
            rows = order[start:stop]
            near = self.reaching(points[rows])
            step = max(1, PAIRS // max(1, len(near)))
            for part in rows.split(step) if len(near) else ():
                total[part] = self.evaluate(points[part], near) @ weights[near]
        return total

    def reaching(self, points: Float[Tensor, "p 3"]) -> Int[Tensor, " k"]:
        """The Gaussians whose boxes overlap the box around the points."""
        low, high = points.amin(dim=0), points.amax(dim=0)
        overlap = (self.means + self.reach >= low) & (self.means - self.reach <= high)
        return overlap.all(dim=-1).nonzero()[:, 0]

    def evaluate(self, points: Float[Tensor, "p 3"], near: Int[Tensor, " k"]) -> Float[Tensor, "p k"]:
        """exp(-1/2 m^2), cut off at `REACH`; as one matrix product around the points' centre, which keeps it exact."""
        centre = points.mean(dim=0)
        offset, means = points - centre, self.means[near] - centre
        precision = self.precision[near]
        linear = (precision @ means[:, :, None])[:, :, 0]
        constant = (linear * means).sum(dim=-1)
        squares = (offset[:, :, None] * offset[:, None, :]).flatten(1)
        distance = torch.addmm(constant, squares, precision.flatten(1).T) - 2 * offset @ linear.T
        return distance.clamp(min=0).mul_(-0.5).exp_() * (distance <= REACH**2)


def blocks(points: Float[Tensor, "p 3"]) -> tuple[Int[Tensor, " p"], list[int]]:
    """An order that puts neighbours together, and where each block of it begins and the last ends."""
    if not len(points):
        return torch.empty(0, dtype=torch.long, device=points.device), [0]
    low = points.amin(dim=0)
    extent = (points.amax(dim=0) - low).clamp(min=1e-9)
    count = max(1, round((len(points) / BLOCK) ** (1 / 3)))
    cell = ((points - low) / extent * count).long().clamp(max=count - 1)
    number = (cell[:, 0] * count + cell[:, 1]) * count + cell[:, 2]
    order = torch.argsort(number, stable=True)
    ends = torch.bincount(number, minlength=count**3).cumsum(dim=0)
    return order, sorted({0, *ends.tolist()})
