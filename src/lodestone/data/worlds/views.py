"""What cameras see of the world: shaded colour, base colour, mask, depth, normals, canonical coordinates.

Pictures are sampled at four points of each pixel: base colours, normals and finishes are averaged over what they see,
and the mean is lit once. A picture over a background is `mask * color + (1 - mask) * background` in sRGB values.
Geometry is exact at pixel centres. All views of an object are rendered at once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.meshes import PaintedMesh
from lodestone.kernels.rasterization import interpolate, rasterize
from lodestone.rendering.cameras import Cameras
from lodestone.rendering.lighting import EnvironmentLight, Lobe
from lodestone.rendering.materials import Material, shade
from lodestone.rendering.rasterize import clip_positions
from lodestone.rendering.shading import to_linear, to_srgb

__all__ = ["DAYLIGHT", "Geometry", "Pictures", "daylight", "draw_light", "see_colors", "see_geometry"]

SUPERSAMPLING = 2
"""Samples along a pixel's side."""


def daylight(azimuth: float = 35.0, elevation: float = 50.0, sun: float = 1.0) -> EnvironmentLight:
    """A sky that is brighter above, some light from the ground, and a soft sun from a direction."""
    sky = Lobe(elevation=90.0, sharpness=1.0, radiance=(0.36, 0.38, 0.41))
    around = Lobe(radiance=(0.46, 0.45, 0.44))
    glow = Lobe(azimuth=azimuth, elevation=elevation, sharpness=12.0, radiance=(2.9 * sun, 2.8 * sun, 2.6 * sun))
    return EnvironmentLight((around, sky, glow))


DAYLIGHT = daylight()
"""From before the object, to the right of a picture of its front."""


def draw_light(draw: Draw) -> EnvironmentLight:
    """Daylight of any direction."""
    return daylight(draw.uniform(-180, 180), draw.uniform(30, 70), draw.uniform(0.7, 1.1))


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Colours, not laid over anything: straight, not premultiplied."""

    color: Float[Tensor, "v h w 3"]
    """Shaded, sRGB values; 0 where nothing is seen."""
    base_color: Float[Tensor, "v h w 3"]
    """Without light, sRGB values."""
    mask: Float[Tensor, "v h w 1"]
    """Share of the pixel that is covered."""

    def over(self, background: Float[Tensor, "v 3"] | Float[Tensor, "v h w 3"]) -> Float[Tensor, "v h w 3"]:
        """Laid over plain colours or pictures."""
        behind = background if background.ndim == 4 else background[:, None, None]
        return self.mask * self.color + (1 - self.mask) * behind


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """What the centre of each pixel sees; 0 where it sees nothing."""

    mask: Float[Tensor, "v h w 1"]
    depth: Float[Tensor, "v h w 1"]
    """Camera depth."""
    normals: Float[Tensor, "v h w 3"]
    """Smooth unit normals in the world."""
    canonical: Float[Tensor, "v h w 3"]
    """Coordinates in the object's own unit ball, front +x, whatever the scene did to it."""


@dataclass(frozen=True)
class Seen:
    """The pixels that see something, view after view, row after row; p of all."""

    shape: torch.Size
    index: Int[Tensor, " p"]
    """Of the pixels among all."""
    face: Int[Tensor, " p"]
    values: Float[Tensor, "p c"]
    """What corners know, interpolated: normals, positions, places in the object's frame."""

    @property
    def normals(self) -> Float[Tensor, "p 3"]:
        """Smooth unit normals."""
        return normalize(self.values[:, :3], dim=-1)

    @property
    def local(self) -> Float[Tensor, "p 3"]:
        """Places in the frames of the objects."""
        return self.values[:, 6:9]

    def rays(self, cameras: Cameras) -> Float[Tensor, "p 3"]:
        """From the cameras to what they see."""
        view = self.index.div(cameras.height * cameras.width, rounding_mode="floor")
        return self.values[:, 3:6] - cameras.camera_to_world[:, :3, 3][view]

    def image(self, values: Float[Tensor, "p c"]) -> Float[Tensor, "v h w c"]:
        """As pictures, 0 elsewhere."""
        return image_of(values, self.index, self.shape)

    def pooled(self, values: Float[Tensor, "p c"], factor: int) -> tuple[Tensor, Tensor, Tensor]:
        """Over squares of pixels: which squares see something, the means of what they see, and how much they see."""
        views, height, width = self.shape
        row, column = self.index.div(width, rounding_mode="floor"), self.index.remainder(width)
        # Rows count through all views: the height of a view is a multiple of the factor.
        square = row.div(factor, rounding_mode="floor") * (width // factor) + column.div(factor, rounding_mode="floor")
        count = torch.bincount(square, minlength=views * height * width // factor**2)
        seeing = count.nonzero()[:, 0]
        number = torch.empty_like(count).index_copy_(0, seeing, torch.arange(len(seeing)))
        share = count[seeing, None].to(values.dtype)
        sums = values.new_zeros(len(seeing), values.shape[-1]).index_add_(0, number[square], values)
        return seeing, sums / share, share / factor**2


def image_of(values: Float[Tensor, "p c"], index: Int[Tensor, " p"], shape: Sequence[int]) -> Float[Tensor, "v h w c"]:
    """Values of some pixels as pictures, 0 elsewhere."""
    out = values.new_zeros(math.prod(shape), values.shape[-1])
    return out.index_copy_(0, index, values).view(*shape, -1)


def look(painted: PaintedMesh, cameras: Cameras) -> Seen:
    """What each pixel sees."""
    faces = painted.mesh.faces
    corners = torch.cat([painted.mesh.vertices, painted.local], dim=-1)[faces]
    known = torch.cat([painted.normals, corners], dim=-1).view(-1, 9)
    clip = clip_positions(cameras, painted.mesh.vertices)
    fragments = rasterize(clip, faces, cameras.height, cameras.width)
    mixed = interpolate(known, torch.arange(3 * len(faces)).view(-1, 3), fragments).view(-1, 9)
    flat = fragments.triangle.flatten()
    index = (flat >= 0).nonzero()[:, 0]
    return Seen(fragments.triangle.shape, index, flat[index], mixed[index])


def base_colors(painted: PaintedMesh, seen: Seen) -> Float[Tensor, "p 3"]:
    """Linear base colours: plain ones by table, patterns point by point."""
    plain = [material.plain for material in painted.materials]
    table = to_linear(torch.tensor([color.rgb if color else (0.0, 0.0, 0.0) for color in plain]))
    material = painted.material[seen.face]
    colors = table[material]
    for index, color in enumerate(plain):
        if color is None:
            at = (material == index).nonzero()[:, 0]
            colors[at] = to_linear(painted.materials[index].colors(seen.local[at]))
    return colors


def enlarged(cameras: Cameras, factor: int) -> Cameras:
    """The same views with more pixels."""
    intrinsics = cameras.intrinsics.clone()
    intrinsics[:, :2] *= factor
    return replace(cameras, intrinsics=intrinsics, height=factor * cameras.height, width=factor * cameras.width)


def see_colors(painted: PaintedMesh, cameras: Cameras, light: EnvironmentLight = DAYLIGHT) -> Pictures:
    """Colours of an object from some cameras."""
    fine = enlarged(cameras, SUPERSAMPLING)
    seen = look(painted, fine)
    finish = torch.tensor([(material.roughness, material.metallic) for material in painted.materials])
    known = [base_colors(painted, seen), seen.normals, seen.rays(fine), finish[painted.material[seen.face]]]
    pixels, mean, mask = seen.pooled(torch.cat(known, dim=-1), SUPERSAMPLING)
    base, normals, rays, roughness, metallic = mean.split([3, 3, 3, 1, 1], dim=-1)
    surface = Material(base_color=base, roughness=roughness, metallic=metallic)
    radiance = shade(surface, normalize(normals, dim=-1), -normalize(rays, dim=-1), light)
    shape = (len(cameras), cameras.height, cameras.width)
    return Pictures(
        color=image_of(to_srgb(radiance), pixels, shape),
        base_color=image_of(to_srgb(base), pixels, shape),
        mask=image_of(mask, pixels, shape),
    )


def see_geometry(painted: PaintedMesh, cameras: Cameras) -> Geometry:
    """Mask, depth, normals and canonical coordinates of an object from some cameras."""
    seen = look(painted, cameras)
    view = seen.index.div(cameras.height * cameras.width, rounding_mode="floor")
    depth = (seen.rays(cameras) * cameras.camera_to_world[:, :3, 2][view]).sum(-1, keepdim=True)
    owner = painted.owner[seen.face]
    return Geometry(
        mask=seen.image(torch.ones(len(seen.index), 1)),
        depth=seen.image(depth),
        normals=seen.image(seen.normals),
        canonical=seen.image((seen.local - painted.centers[owner]) / painted.radii[owner, None]),
    )
