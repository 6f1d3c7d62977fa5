"""From a volume to triangles: what the pictures call solid, the level at which silhouettes match, marching cubes.

A point is solid if every view is opaque there and the density d is above a level L:

    solid(p) = min( o(p) / 2T,  d(p) / 2L,  1 ),   o(p) = min_v opacity_v(pixel of p in view v)

with the surface where it is 1/2. T is the opacity at which the pictures' contours are sharpest: 1/2 for a solid scene
with soft edges, less for a haze that is nowhere opaque.

The first term, the visual hull (Laurentini 1994), gives the outline where a scene is haze, as after few steps or in
large Gaussians: there no level of the density alone has the silhouettes of the pictures without being full of holes.
The second term cuts what outlines cannot show, such as the inside of a bowl.

The level is found by silhouettes too: the mesh at L covers the pixels whose largest density along the ray and within
the hull is above L. These maxima do not depend on L, so one pass over the rays gives the silhouettes of all levels,

    IoU(L) = |{M > L} and {opacity > T}| / |{M > L} or {opacity > T}|,

and L is `MARGIN` times the highest level whose IoU is within `SLACK` of the best. Marching cubes:
Lewiner et al. 2003, as in scikit-image.
"""

import logging
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import avg_pool1d, avg_pool2d, conv1d, grid_sample, pad

from lodestone.errors import SettingError
from lodestone.export.extras import needs
from lodestone.export.pictures import render_views
from lodestone.export.visibility import project
from lodestone.rendering.cameras import Cameras, Viewpoints
from lodestone.rendering.samples import TriangleMesh
from lodestone.scenes.scene import AbstractScene
from lodestone.scenes.surface import Volume

__all__ = ["Grid", "best_level", "extract", "ray_maxima", "sample_grid", "surface_of_volume"]

POINTS = 2**18
"""Points asked of the density at once."""

COARSE = 48
"""Cells along the longest side of the grid that finds the bounds."""

RINGS = (0.0, 20.0, -20.0, 45.0, -45.0)
"""Elevations of the views whose silhouettes are matched, eight azimuths each; straight up and down come on top."""

PICTURE = 256
"""Their size in pixels."""

REDUCTION = 4
"""By which they are made smaller for the search of the level."""

SLACK = 0.002
"""Intersection over union that is given away for a surface closer to the dense parts."""

LEVELS = 64
"""Steps in which T is looked for."""

FAINTEST = 0.125
"""The least T: a scene that is nowhere more opaque is empty."""

MARGIN = 0.5
"""L as a share of that level: outlines do not change below it, and a haze is less dense than that in places."""

ROUNDING = 0.7
"""Blur in cells that rounds the creases between the views' cones, where decimation would fold."""

EMPTY = "nothing of the scene is opaque, so there is no mesh to export: optimize it first"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Values at the corners of equal cubes."""

    values: Float[Tensor, "x y z"]
    low: Float[Tensor, "3"]
    """Where `values[0, 0, 0]` is."""
    spacing: float

    @property
    def high(self) -> Float[Tensor, "3"]:
        """Where the last value is."""
        return self.low + self.spacing * (torch.tensor(self.values.shape) - 1)


@dataclass(frozen=True)
class Level:
    """A level and how well its silhouettes match, as intersection over union."""

    value: float
    agreement: float


def sample_grid(volume: Volume, cells: int) -> Grid:
    """The density on a grid with `cells` cubes along the longest side of the volume's box; NaN is nothing."""
    extent = volume.high - volume.low
    spacing = float(extent.amax()) / cells
    if not spacing > 0:
        raise SettingError("the scene's bounds are empty, so there is nothing to export: optimize it first")
    shape = (extent / spacing - 1e-3).ceil().clamp(min=1).long() + 1
    axes = [low + spacing * torch.arange(int(n), device=low.device) for low, n in zip(volume.low, shape, strict=True)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    with torch.no_grad():
        values = torch.cat([volume.density(part).cpu() for part in points.split(POINTS)]).float()
    lowest = values[values.isfinite()].amin() if values.isfinite().any() else values.new_zeros(())
    values = values.where(values.isfinite(), lowest).view(*map(int, shape))
    return Grid(values=values, low=volume.low.cpu(), spacing=spacing)


def blur(grid: Grid, deviation: float) -> Grid:
    """The grid convolved with a Gaussian of this standard deviation in world units."""
    reach = math.ceil(3 * deviation / grid.spacing)
    if not reach:
        return grid
    offset = torch.arange(-reach, reach + 1, device=grid.low.device) * grid.spacing
    kernel = torch.softmax(-0.5 * (offset / deviation).square(), dim=0)
    values = grid.values
    for _ in range(3):  # each turn convolves the last axis and brings the next one there
        rows = pad(values.flatten(0, 1)[:, None], [reach, reach], mode="replicate")
        values = conv1d(rows, kernel[None, None]).view(values.shape).permute(2, 0, 1)
    return replace(grid, values=values.contiguous())


def ray_maxima(grid: Grid, cameras: Cameras) -> Float[Tensor, "v h w"]:
    """The largest value of the grid along each pixel's ray; minus infinity where a ray misses the box."""
    centre = (grid.low + grid.high) / 2
    reach = float((grid.high - grid.low).norm()) / 2
    steps = 2 * int(reach / grid.spacing) + 2
    maxima = []
    for view in range(len(cameras)):
        one = replace(
            cameras,
            camera_to_world=cameras.camera_to_world[view : view + 1],
            intrinsics=cameras.intrinsics[view : view + 1],
        )
        origin = one.camera_to_world[0, :3, 3]
        target = one.points(torch.ones(1, cameras.height, cameras.width, 1))
        direction = torch.nn.functional.normalize((target - origin).view(-1, 3), dim=-1)
        middle = (direction @ (centre - origin))[:, None]
        distance = middle + torch.linspace(-reach, reach, steps)
        rows = [
            largest(grid, origin, d, t)
            for d, t in zip(direction.split(POINTS // steps), distance.split(POINTS // steps), strict=True)
        ]
        maxima.append(torch.cat(rows).view(cameras.height, cameras.width))
    return torch.stack(maxima)


def largest(
    grid: Grid, origin: Float[Tensor, "3"], direction: Float[Tensor, "r 3"], distance: Float[Tensor, "r s"]
) -> Float[Tensor, " r"]:
    """The largest interpolated value at the given distances along some rays."""
    points = origin + direction[:, None] * distance[:, :, None]
    unit = 2 * (points - grid.low) / (grid.high - grid.low) - 1
    values = grid_sample(grid.values.permute(2, 1, 0)[None, None], unit[None, :, :, None], align_corners=True)
    within = (unit.abs() <= 1).all(dim=-1) & (distance > 0)
    return values[0, 0, :, :, 0].masked_fill(~within, -torch.inf).amax(dim=1)


def best_level(maxima: Float[Tensor, "v h w"], silhouettes: Bool[Tensor, "v h w"]) -> Level:
    """The highest level whose intersection over union is within `SLACK` of the best.

    Raises: SettingError if no ray meets the volume or no pixel is opaque.
    """
    order = torch.argsort(maxima.flatten(), descending=True, stable=True)
    levels, hits = maxima.flatten()[order].double(), silhouettes.flatten()[order].double()
    following = torch.cat([levels[1:], levels.new_zeros(1)]).clamp(min=0)
    ends = (levels > following).nonzero()[:, 0]
    if not len(ends) or not hits.any():
        raise SettingError(EMPTY)
    intersection = hits.cumsum(dim=0)
    union = torch.arange(1, len(order) + 1, device=order.device) + hits.sum() - intersection
    agreement = (intersection / union)[ends]
    chosen = int((agreement >= agreement.amax() - SLACK).nonzero()[0])
    value = (levels[ends[chosen]] + following[ends[chosen]]) / 2
    return Level(float(value), float(agreement[chosen]))


def extract(grid: Grid, level: float) -> TriangleMesh:
    """Marching cubes of the values above a level; closed at the grid's border, counter-clockwise seen from outside.

    Raises: SettingError if the level is nowhere crossed.
    """
    with needs("mesh"):
        from skimage.measure import marching_cubes
    highest = float(grid.values.amax())
    if not highest > level:
        raise SettingError(EMPTY)
    border = 2 * level - highest  # as far below the level as anything is above it: the lid lies halfway
    padded = pad(grid.values, [1] * 6, value=border).clamp(min=border)
    vertices, faces, _, _ = marching_cubes(
        padded.double().cpu().numpy(), level, gradient_direction="ascent", allow_degenerate=False
    )
    position = torch.from_numpy(vertices.copy()).float() * grid.spacing + (grid.low.cpu() - grid.spacing)
    return TriangleMesh(vertices=position, faces=torch.from_numpy(faces.astype(np.int64)))


def surface_of_volume(volume: Volume, scene: AbstractScene, *, cells: int, field_of_view: float) -> TriangleMesh:
    """The triangles of a volume on a grid with `cells` cubes along its longest side.

    Raises: SettingError if nothing of the scene is opaque.
    """
    coarse, level = solid(volume, scene, COARSE, field_of_view)
    grid, level = solid(tighten(volume, coarse, level), scene, cells, field_of_view)
    return extract(grid, level)


def solid(volume: Volume, scene: AbstractScene, cells: int, field_of_view: float) -> tuple[Grid, float]:
    """A grid and the level of its surface: the volume's own, or what the pictures call solid."""
    grid = blur(sample_grid(volume, cells), volume.smoothing)
    if volume.level is not None:
        return grid, volume.level
    views = silhouette_views(volume.low, volume.high, field_of_view)
    opacity = torch.cat([part.opacity[..., 0].cpu() for part in render_views(scene, views, PICTURE)])
    threshold = sharpest_contour(opacity)
    density = grid.values.clamp(min=0)
    hull = visual_hull(grid, views.cameras(PICTURE, PICTURE), opacity)
    inside = replace(grid, values=density.where(hull > threshold, 0.0))
    small = PICTURE // REDUCTION
    silhouettes = avg_pool2d(opacity, REDUCTION) > threshold
    level = best_level(ray_maxima(inside, views.cameras(small, small)), silhouettes)
    logger.info("level %.4g of the density: IoU %.3f, T %.3f", level.value, level.agreement, threshold)
    values = (hull / (2 * threshold)).minimum(density / (2 * MARGIN * level.value)).clamp(max=1)
    return blur(replace(grid, values=values), ROUNDING * grid.spacing), 0.5


def sharpest_contour(opacity: Float[Tensor, "v h w"]) -> float:
    """The opacity whose pixels have the largest mean gradient, from an eighth to a half; of equals the highest.

    Raises: SettingError if no pixel is that opaque.
    """
    x = (opacity[:, 1:-1, 2:] - opacity[:, 1:-1, :-2]).flatten()
    y = (opacity[:, 2:, 1:-1] - opacity[:, :-2, 1:-1]).flatten()
    level = (opacity[:, 1:-1, 1:-1].flatten() * LEVELS).long().clamp(max=LEVELS - 1)
    counts = torch.bincount(level, minlength=LEVELS)
    slope = torch.bincount(level, weights=(x * x + y * y).sqrt(), minlength=LEVELS)
    pooled = [avg_pool1d(part[None].float(), 5, 1, 2)[0] for part in (slope, counts)]
    mean = pooled[0] / pooled[1].clamp(min=1e-6)
    low, high = round(FAINTEST * LEVELS), LEVELS // 2
    steep = (mean[low : high + 1] >= 0.98 * mean[low : high + 1].amax()).nonzero()
    threshold = (low + int(steep[-1])) / LEVELS  # 1/2 where pictures are all or nothing
    if not (opacity > threshold).any():
        raise SettingError(EMPTY)
    return threshold


def silhouette_views(low: Float[Tensor, "3"], high: Float[Tensor, "3"], field_of_view: float) -> Viewpoints:
    """Views from all around that see the whole of a box."""
    radius = float(torch.maximum(low.abs(), high.abs()).norm())
    distance = 1.05 * radius / math.sin(math.radians(field_of_view) / 2)
    directions = [(azimuth + e * 9.0, elevation) for e, elevation in enumerate(RINGS) for azimuth in range(0, 360, 45)]
    azimuth, elevation = torch.tensor([*directions, (0.0, 90.0), (0.0, -90.0)]).unbind(dim=1)
    full = torch.ones(len(azimuth))
    return Viewpoints(
        azimuth=azimuth, elevation=elevation, distance=distance * full, field_of_view=field_of_view * full
    )


def visual_hull(grid: Grid, cameras: Cameras, opacity: Float[Tensor, "v h w"]) -> Float[Tensor, "x y z"]:
    """The smallest opacity that any view has at each corner of the grid, of the views that see it."""
    axes = [low + grid.spacing * torch.arange(n) for low, n in zip(grid.low.cpu(), grid.values.shape, strict=True)]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    size = torch.tensor([cameras.width, cameras.height])
    hull = torch.ones(len(points))
    for view in range(len(cameras)):
        seen = project(points, cameras, view)
        unit = 2 * seen[:, :2] / size - 1
        values = grid_sample(opacity[view, None, None], unit[None, None], align_corners=False, padding_mode="border")
        judged = (unit.abs() <= 1).all(dim=-1) & (seen[:, 2] > 0)
        hull = hull.minimum(values.flatten().where(judged, 1.0))
    return hull.view(grid.values.shape)


def tighten(volume: Volume, grid: Grid, level: float) -> Volume:
    """The same volume in the box around what lies above the level, with two cells to spare."""
    inside = (grid.values > level).nonzero()
    if not len(inside):
        raise SettingError(EMPTY)
    low = grid.low + grid.spacing * (inside.amin(dim=0) - 2)
    high = grid.low + grid.spacing * (inside.amax(dim=0) + 2)
    return replace(volume, low=low.maximum(volume.low), high=high.minimum(volume.high))
