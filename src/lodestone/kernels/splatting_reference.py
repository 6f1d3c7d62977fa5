r"""Gaussian splatting in plain torch: the truth that the native kernel and the CUDA route are held to.

Any dtype, any device, differentiable by autograd, no custom code. A Gaussian with rotation :math:`R` and scales
:math:`S` is seen by a camera with rotation :math:`W` through the Jacobian :math:`J` of the perspective as

.. math:: \Sigma' = J W R S S^T R^T W^T J^T + 0.3 I, \quad
          \alpha = \min(0.999,\ o\, e^{-\frac12 d^T \Sigma'^{-1} d}), \quad
          w_i = \alpha_i \prod_{j < i} (1 - \alpha_j),

front to back in camera depth; :math:`\alpha < 1/255` is skipped, and a pixel ends before its transmittance would fall
to 1e-4.

References:
    | 3D Gaussian Splatting for Real-Time Radiance Field Rendering (Kerbl et al., 2023), arXiv 2308.04079
    | EWA Volume Splatting (Zwicker et al., 2001)
    | gsplat: An Open-Source Library for Gaussian Splatting (Ye et al., 2024), arXiv 2409.06765
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = [
    "DILATION",
    "LARGEST_ALPHA",
    "NEAR_PLANE",
    "SMALLEST_ALPHA",
    "SMALLEST_TRANSMITTANCE",
    "ScreenGaussians",
    "camera_from_world",
    "composite_reference",
    "project_reference",
    "rotation_matrices",
    "splat_reference",
]

NEAR_PLANE = 0.01
DILATION = 0.3
SMALLEST_ALPHA = 1.0 / 255.0
LARGEST_ALPHA = 0.999
SMALLEST_TRANSMITTANCE = 1e-4
LARGEST_EXTENT = 3.33
VIEW_MARGIN = 0.3


@dataclass(frozen=True)
class ScreenGaussians:
    """Gaussians as a camera sees them: means in pixels, inverse covariances (xx, xy, yy), depths, radii (0: culled)."""

    means: Float[Tensor, "n 2"]
    conics: Float[Tensor, "n 3"]
    depths: Float[Tensor, " n"]
    radii: Float[Tensor, " n"]


def camera_from_world(camera_to_world: Float[Tensor, "v 4 4"]) -> Float[Tensor, "v 4 4"]:
    """The inverses of rotations followed by translations: transposed rotations, rotated-back translations.

    No linear algebra library is called: for several cameras it would start OpenMP threads, which go on spinning for
    milliseconds afterwards and take the cores from the kernel's.
    """
    rotation, center = camera_to_world[:, :3, :3], camera_to_world[:, :3, 3]
    inverse = torch.zeros_like(camera_to_world)
    inverse[:, :3, :3] = rotation.mT
    inverse[:, :3, 3] = -(rotation * center[:, :, None]).sum(dim=1)
    inverse[:, 3, 3] = 1
    return inverse


def rotation_matrices(quaternions: Float[Tensor, "n 4"]) -> Float[Tensor, "n 3 3"]:
    """Rotation matrices of quaternions w, x, y, z of any length."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=-1).unbind(-1)
    entries = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(entries, dim=-1).reshape(-1, 3, 3)


def _clamped_ratio(
    ratio: Float[Tensor, " n"], focal: Float[Tensor, ""], center: Float[Tensor, ""], size: int
) -> Float[Tensor, " n"]:
    """x / z, kept within 1.3 half fields of view: the linearisation of the perspective is useless further out."""
    margin = VIEW_MARGIN * 0.5 * size / focal
    return torch.minimum(torch.maximum(ratio, -center / focal - margin), (size - center) / focal + margin)


def _perspective_jacobian(
    points: Float[Tensor, "n 3"], intrinsics: Float[Tensor, "3 3"], height: int, width: int
) -> Float[Tensor, "n 2 3"]:
    x, y, z = points.unbind(-1)
    fx, fy, cx, cy = intrinsics[0, 0], intrinsics[1, 1], intrinsics[0, 2], intrinsics[1, 2]
    ratio_x, ratio_y = _clamped_ratio(x / z, fx, cx, width), _clamped_ratio(y / z, fy, cy, height)
    zero = torch.zeros_like(z)
    rows = [fx / z, zero, -fx * ratio_x / z, zero, fy / z, -fy * ratio_y / z]
    return torch.stack(rows, dim=-1).reshape(-1, 2, 3)


@torch.no_grad()
def _screen_radii(
    means: Float[Tensor, "n 2"],
    variances: Float[Tensor, "n 2"],
    depths: Float[Tensor, " n"],
    opacities: Float[Tensor, " n"],
    height: int,
    width: int,
) -> Float[Tensor, " n"]:
    """Half the longer side of the box outside which alpha < 1/255, in whole pixels; 0 where nothing is seen."""
    level = 2 * torch.log(opacities.clamp(min=SMALLEST_ALPHA) / SMALLEST_ALPHA)
    half = torch.ceil(level.clamp(min=0).sqrt().clamp(max=LARGEST_EXTENT)[:, None] * variances.sqrt())
    size = torch.tensor([width, height], dtype=means.dtype, device=means.device)
    inside = ((means + half > 0) & (means - half < size)).all(dim=-1)
    visible = inside & (depths > NEAR_PLANE) & (opacities >= SMALLEST_ALPHA) & variances.isfinite().all(dim=-1)
    return torch.where(visible, half.amax(dim=-1), 0.0)


def project_reference(
    means: Float[Tensor, "n 3"],
    quaternions: Float[Tensor, "n 4"],
    scales: Float[Tensor, "n 3"],
    opacities: Float[Tensor, " n"],
    world_to_camera: Float[Tensor, "4 4"],
    intrinsics: Float[Tensor, "3 3"],
    height: int,
    width: int,
    screen_offset: Float[Tensor, "n 2"] | None = None,
) -> ScreenGaussians:
    """Projects Gaussians to one camera: the perspective of the mean, its linearisation on the covariance."""
    points = means @ world_to_camera[:3, :3].T + world_to_camera[:3, 3]
    depths = points[:, 2]
    # Behind the camera the projection means nothing; a depth of 1 keeps its gradient finite.
    points = torch.where(depths[:, None] > NEAR_PLANE, points, torch.ones_like(points))
    factor = world_to_camera[:3, :3] @ rotation_matrices(quaternions) * scales[:, None, :]
    factor = _perspective_jacobian(points, intrinsics, height, width) @ factor
    covariances = factor @ factor.mT + DILATION * torch.eye(2, dtype=means.dtype, device=means.device)
    xx, xy, yy = covariances[:, 0, 0], covariances[:, 0, 1], covariances[:, 1, 1]
    conics = torch.stack([yy, -xy, xx], dim=-1) / (xx * yy - xy * xy)[:, None]
    screen = points @ intrinsics[:2].T / points[:, 2:]
    if screen_offset is not None:
        screen = screen + screen_offset
    radii = _screen_radii(screen, torch.stack([xx, yy], dim=-1), depths, opacities, height, width)
    return ScreenGaussians(means=screen, conics=conics, depths=depths, radii=radii)


def _alphas(
    screen: ScreenGaussians,
    opacities: Float[Tensor, " n"],
    gaussian: Int[Tensor, " k"],
    pixel: Int[Tensor, " k"],
    width: int,
) -> Float[Tensor, " k"]:
    dx = pixel % width + 0.5 - screen.means[gaussian, 0]
    dy = torch.div(pixel, width, rounding_mode="floor") + 0.5 - screen.means[gaussian, 1]
    xx, xy, yy = screen.conics[gaussian].unbind(-1)
    return (opacities[gaussian] * torch.exp(-0.5 * (xx * dx * dx + yy * dy * dy) - xy * dx * dy)).clamp(
        max=LARGEST_ALPHA
    )


def _boxes(screen: ScreenGaussians, gaussian: Int[Tensor, " m"], height: int, width: int) -> tuple[Tensor, Tensor]:
    """First pixels (column, row) of the Gaussians' boxes and their sizes."""
    size = torch.tensor([width, height], device=gaussian.device)
    reach = screen.radii[gaussian, None] + 1
    first = (screen.means[gaussian] - reach).floor().clamp(min=0)
    last = torch.minimum((screen.means[gaussian] + reach).ceil(), size.to(first))
    return first.long(), (last - first).clamp(min=0).long()


def _pairs(screen: ScreenGaussians, height: int, width: int) -> tuple[Int[Tensor, " k"], Int[Tensor, " k"]]:
    """Every (Gaussian, pixel of its box), front to back."""
    gaussian = screen.depths.argsort(stable=True)
    gaussian = gaussian[screen.radii[gaussian] > 0]
    first, size = _boxes(screen, gaussian, height, width)
    area = size.prod(dim=-1)
    owner = torch.repeat_interleave(area)
    local = torch.arange(owner.numel(), device=owner.device) - (area.cumsum(0) - area)[owner]
    column = first[owner, 0] + local % size[owner, 0]
    row = first[owner, 1] + torch.div(local, size[owner, 0], rounding_mode="floor")
    return gaussian[owner], row * width + column


def _rank(pixel: Int[Tensor, " k"], pixels: int) -> Int[Tensor, " k"]:
    """The place of each pair within its pixel, for pairs sorted by pixel."""
    count = torch.bincount(pixel, minlength=pixels)
    return torch.arange(pixel.numel(), device=pixel.device) - (count.cumsum(0) - count)[pixel]


@torch.no_grad()
def _visible_pairs(
    screen: ScreenGaussians, opacities: Float[Tensor, " n"], height: int, width: int
) -> tuple[Int[Tensor, " k"], Int[Tensor, " k"], Int[Tensor, " k"]]:
    """(Gaussian, pixel, rank) of the pairs with alpha >= 1/255, sorted by pixel and then front to back."""
    gaussian, pixel = _pairs(screen, height, width)
    seen = _alphas(screen, opacities, gaussian, pixel, width) >= SMALLEST_ALPHA
    gaussian, pixel = gaussian[seen], pixel[seen]
    order = pixel.argsort(stable=True)
    gaussian, pixel = gaussian[order], pixel[order]
    return gaussian, pixel, _rank(pixel, height * width)


def _weights(
    alpha: Float[Tensor, " k"], pixel: Int[Tensor, " k"], rank: Int[Tensor, " k"], pixels: int
) -> Float[Tensor, " k"]:
    """alpha times what the pairs before it let through, 0 from where a pixel ends."""
    # One row per pixel, one column per rank.
    columns = int(rank.max()) + 1 if rank.numel() else 0
    table = alpha.new_zeros(pixels, columns).index_put((pixel, rank), alpha)
    after = torch.cumprod(1 - table, dim=1)
    before = torch.cat([torch.ones_like(after[:, :1]), after[:, :-1]], dim=1)
    unfinished: Bool[Tensor, "p m"] = after > SMALLEST_TRANSMITTANCE
    return (table * before * unfinished)[pixel, rank]


def composite_reference(
    screen: ScreenGaussians, opacities: Float[Tensor, " n"], colors: Float[Tensor, "n 3"], height: int, width: int
) -> Float[Tensor, "h w 5"]:
    """Colour, opacity and depth of one image: sums of w_i (c_i, 1, z_i) per pixel."""
    gaussian, pixel, rank = _visible_pairs(screen, opacities, height, width)
    alpha = _alphas(screen, opacities, gaussian, pixel, width)
    weight = _weights(alpha, pixel, rank, height * width)
    features = torch.cat([colors, torch.ones_like(colors[:, :1]), screen.depths[:, None]], dim=-1)
    image = colors.new_zeros(height * width, 5).index_add(0, pixel, weight[:, None] * features[gaussian])
    return image.reshape(height, width, 5)


def splat_reference(
    means: Float[Tensor, "n 3"],
    quaternions: Float[Tensor, "n 4"],
    scales: Float[Tensor, "n 3"],
    opacities: Float[Tensor, " n"],
    colors: Float[Tensor, "n 3"],
    camera_to_world: Float[Tensor, "v 4 4"],
    intrinsics: Float[Tensor, "v 3 3"],
    height: int,
    width: int,
    screen_offset: Float[Tensor, "v n 2"] | None = None,
) -> tuple[Float[Tensor, "v h w 3"], Float[Tensor, "v h w 1"], Float[Tensor, "v h w 1"], Float[Tensor, "v n"]]:
    """Colour, opacity, depth and radii as `lodestone.kernels.splatting.splat` defines them, without its checks."""
    images, radii = [], []
    for view, world_to_camera in enumerate(camera_from_world(camera_to_world)):
        offset = None if screen_offset is None else screen_offset[view]
        camera = (world_to_camera, intrinsics[view], height, width)
        screen = project_reference(means, quaternions, scales, opacities, *camera, offset)
        images.append(composite_reference(screen, opacities, colors, height, width))
        radii.append(screen.radii)
    color, opacity, depth = torch.stack(images).split([3, 1, 1], dim=-1)
    return color, opacity, depth, torch.stack(radii)
