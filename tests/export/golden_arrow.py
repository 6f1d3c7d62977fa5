"""An asset that shows every frame mistake: an arrow to the front with a marker on its upper side."""

import torch

from lodestone.scenes.gaussians import C0, RawGaussians

RED, GREEN, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)

# position, standard deviations, colour; in the internal frame: front +x, left of the object +y, up +z
PARTS = (
    ((0.0, 0.0, 0.0), (0.5, 0.05, 0.05), RED),  # the shaft, long from back to front
    ((0.8, 0.0, 0.0), (0.1, 0.2, 0.05), RED),  # the head, wide
    ((0.0, 0.0, 0.4), (0.05, 0.05, 0.1), GREEN),  # the upper side
    ((0.0, 0.3, 0.0), (0.05, 0.1, 0.05), BLUE),  # the left side
)


def arrow() -> RawGaussians:
    """Four opaque Gaussians along the axes."""
    means, scales, colors = (torch.tensor(column) for column in zip(*PARTS, strict=True))
    return RawGaussians(
        means=means,
        log_scales=scales.log(),
        quaternions=torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(len(PARTS), 1),
        opacity_logits=torch.full((len(PARTS),), 4.0),
        colors=(colors - 0.5) / C0,
    )


def random_gaussians(count: int, seed: int = 0) -> RawGaussians:
    """A small visible cloud of turned ellipsoids."""
    rng = torch.Generator().manual_seed(seed)
    return RawGaussians(
        means=0.4 * torch.randn(count, 3, generator=rng),
        log_scales=-2.5 + 0.5 * torch.randn(count, 3, generator=rng),
        quaternions=torch.randn(count, 4, generator=rng),
        opacity_logits=1 + torch.randn(count, generator=rng),
        colors=torch.randn(count, 3, generator=rng),
    )


def rotations(quaternions: torch.Tensor) -> torch.Tensor:
    """Rotation matrices of quaternions w, x, y, z that need not have unit length."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=-1).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def covariances(raw: RawGaussians) -> torch.Tensor:
    """R S S R^T of every Gaussian."""
    spread = rotations(raw.quaternions) * raw.scales[:, None, :]
    return spread @ spread.mT
