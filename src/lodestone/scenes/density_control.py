"""Adaptive density control of Gaussians: where the picture pulls hardest, there grow more; what is faint goes.

Kerbl et al. 2023 (arXiv 2308.04079, section 5) compare screen-space gradients with a fixed threshold. The size of a
score-distillation gradient depends on guidance and weight, so here the share of Gaussians that grow is fixed instead.
All state is explicit: two running sums that the loop stores in checkpoints.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lodestone.errors import check_range
from lodestone.scenes.gaussians import RawGaussians
from lodestone.scenes.scene import RenderStatistics

__all__ = ["DensityControl", "DensityStatistics", "Edit"]


@dataclass(frozen=True)
class DensityStatistics:
    """Screen-space gradients summed over the views that saw each Gaussian."""

    gradient: Float[Tensor, " n"]
    views: Float[Tensor, " n"]

    @classmethod
    def empty(cls, count: int) -> "DensityStatistics":
        """Nothing seen yet."""
        return cls(torch.zeros(count), torch.zeros(count))

    def add(self, seen: RenderStatistics) -> "DensityStatistics":
        """Adds one backward pass."""
        visible = (seen.radii > 0).float()
        pull = torch.zeros_like(visible) if seen.screen_offset.grad is None else seen.screen_offset.grad.norm(dim=-1)
        gradient, views = self.gradient.to(visible.device), self.views.to(visible.device)
        return DensityStatistics(gradient + (pull * visible).sum(0), views + visible.sum(0))

    @property
    def mean(self) -> Float[Tensor, " n"]:
        """Mean gradient in each view that saw the Gaussian."""
        return self.gradient / self.views.clamp(min=1)


@dataclass(frozen=True)
class Edit:
    """The Gaussians after one round, and where each comes from."""

    raw: RawGaussians
    parents: Int[Tensor, " m"]
    fresh: Bool[Tensor, " m"]
    """True for new Gaussians, whose optimizer moments begin at zero."""


@dataclass(frozen=True, kw_only=True)
class DensityControl:
    """When and how strongly Gaussians are added and removed; steps count from 0."""

    every: int = 50
    start: int = 100
    stop: int = 400
    grow_share: float = 0.05
    """Share of the Gaussians that are cloned or split in each round."""
    split_scale: float = 0.04
    """Gaussians whose largest standard deviation exceeds this are split in two, others cloned; world units."""
    prune_opacity: float = 0.02
    largest_scale: float = 0.25
    """Gaussians with a larger standard deviation are removed; world units."""
    most: int = 20_000
    """No growth beyond this many Gaussians."""

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {
            "every": (1, 1_000_000),
            "start": (0, 1_000_000),
            "stop": (0, 1_000_000),
        }
        limits |= {"grow_share": (0.0, 1.0), "split_scale": (0.0, 1e6), "prune_opacity": (0.0, 0.99)}
        limits |= {"largest_scale": (1e-6, 1e6), "most": (1, 10_000_000)}
        for name, bounds in limits.items():
            check_range(f"scene.density.{name}", getattr(self, name), *bounds)

    def due(self, step: int) -> bool:
        """True if a round belongs after this step."""
        return self.start <= step < self.stop and (step + 1 - self.start) % self.every == 0

    def edit(self, raw: RawGaussians, statistics: DensityStatistics, rng: torch.Generator) -> Edit:
        """One round: prune, then clone and split the Gaussians with the largest mean gradient."""
        kept = self.survivors(raw).nonzero()[:, 0]
        room = max(0, min(round(self.grow_share * len(kept)), self.most - len(kept)))
        order = statistics.mean.cpu()[kept.cpu()].argsort(descending=True, stable=True)[:room]
        grown = kept[order.to(kept.device)]
        large = raw.scales[grown].amax(-1) > self.split_scale
        parents = torch.cat([kept, grown])
        split = torch.cat([torch.isin(kept, grown[large]), large])
        fresh = torch.cat([torch.zeros_like(kept, dtype=torch.bool), torch.ones_like(large)]) | split
        return Edit(scatter(select(raw, parents), split, rng), parents, fresh)

    def survivors(self, raw: RawGaussians) -> Bool[Tensor, " n"]:
        """Gaussians that are visible enough and not too large; at least one always stays."""
        keep = (raw.opacities > self.prune_opacity) & (raw.scales.amax(-1) < self.largest_scale)
        return keep | (torch.arange(len(raw), device=keep.device) == raw.opacity_logits.argmax())


def select(raw: RawGaussians, rows: Int[Tensor, " m"]) -> RawGaussians:
    """Detached copies of the given rows."""
    return RawGaussians(**{name: tensor.detach()[rows].clone() for name, tensor in vars(raw).items()})


def scatter(raw: RawGaussians, split: Bool[Tensor, " m"], rng: torch.Generator) -> RawGaussians:
    """Moves the halves of split Gaussians to samples of their parent and shrinks them by 1.6."""
    offset = raw.scales * torch.randn(raw.means.shape, generator=rng).to(raw.means.device)
    moved = raw.means + torch.where(split[:, None], rotate(raw.quaternions, offset), torch.zeros_like(offset))
    smaller = torch.where(split[:, None], raw.log_scales - 0.47, raw.log_scales)
    return RawGaussians(
        means=moved,
        log_scales=smaller,
        quaternions=raw.quaternions,
        opacity_logits=raw.opacity_logits,
        colors=raw.colors,
    )


def rotate(quaternions: Float[Tensor, "n 4"], vectors: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Rotates vectors by quaternions w, x, y, z of any length: `v + 2 w (u x v) + 2 u x (u x v)`."""
    unit = torch.nn.functional.normalize(quaternions, dim=-1)
    scalar, axis = unit[:, :1], unit[:, 1:]
    cross = torch.linalg.cross(axis, vectors)
    return vectors + 2 * (scalar * cross + torch.linalg.cross(axis, cross))
