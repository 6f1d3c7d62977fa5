"""A surface as the zero level of signed distances on a deformable tetrahedral grid (DMTet, Shen et al. 2021).

    s_i in cells, negative inside;  vertex i at x_i + a d tanh(v_i), d the side of a cell, a = `Deformable.reach`;
    mesh = marching tetrahedra of (x, s), differentiable in s and v (arXiv 2111.04276)

Magic3D (Lin et al. 2022, arXiv 2211.10440) optimizes s and v themselves, as here; Fantasia3D (Chen et al. 2023, arXiv
2303.13873) has a network give them. Distances are cut off a few cells from the surface, so that a vertex far from it
can change sides in as few steps as one nearby. Vertices of the cube's surface are always outside: the mesh is closed.
"""

import copy
import enum
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, max_pool3d

from lodestone.errors import SettingError
from lodestone.rendering.cameras import Cameras
from lodestone.rendering.lighting import STUDIO
from lodestone.rendering.materials import Material, shade
from lodestone.rendering.rasterize import VisibleSurface, see
from lodestone.rendering.samples import TriangleMesh
from lodestone.rendering.shading import normal_colors, to_linear, to_srgb
from lodestone.scenes.scene import AbstractScene, Rendering
from lodestone.scenes.surface import ColoredMesh
from lodestone.scenes.tetrahedra import TetrahedralGrid, march
from lodestone.scenes.texture_field import AbstractTextureField

__all__ = ["Appearance", "Deformable", "Shows", "TetMesh", "without_small_parts"]

OUTSIDE = 0.5
"""The least distance, in cells, of what is made to lie outside."""


class Shows(enum.StrEnum):
    """What the prior sees of the mesh."""

    COLOR = "color"
    NORMALS = "normals"
    """World normals as colours on the background (Fantasia3D's geometry stage)."""
    NORMALS_AND_MASK_LATENT = "normals_and_mask_latent"
    """First normals in [-1, 1] and the mask, shrunk, as if they were the prior's latents; then as `normals`."""


class Appearance(enum.StrEnum):
    """What makes a colour of the texture."""

    UNLIT = "unlit"
    """The texture is what is seen."""
    PHYSICALLY_BASED = "physically_based"
    """Base colour, roughness and metallic under a fixed light."""

    @property
    def channels(self) -> int:
        """Of the texture."""
        return 3 if self is Appearance.UNLIT else 5


@dataclass(frozen=True)
class Deformable:
    """The grid, and how far its vertices move along each axis, in cells."""

    grid: TetrahedralGrid
    reach: float = 0.5


class TetMesh(AbstractScene):
    """The mesh with its texture; `step` counts optimizer steps."""

    step: Tensor
    lattice: Tensor
    border: Tensor

    def __init__(
        self,
        shape: Deformable,
        distances: Float[Tensor, " n"],
        texture: AbstractTextureField,
        *,
        appearance: Appearance = Appearance.UNLIT,
        shows: Shows = Shows.COLOR,
        latent_steps: int = 0,
        latent_size: int = 64,
        learn_geometry: bool = True,
    ) -> None:
        super().__init__()
        self.shape, self.appearance, self.shows = shape, appearance, shows
        self.latent_steps, self.latent_size, self.learn_geometry = latent_steps, latent_size, learn_geometry
        self.distances = nn.Parameter(distances.clone(), requires_grad=learn_geometry)
        self.deformation = nn.Parameter(torch.zeros(len(distances), 3), requires_grad=learn_geometry)
        self.texture = texture
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))
        self.register_buffer("lattice", shape.grid.positions(), persistent=False)
        self.register_buffer("border", shape.grid.border(), persistent=False)

    def signed_distances(self) -> Float[Tensor, " n"]:
        """In cells; the cube's surface is outside."""
        return torch.where(self.border, self.distances.clamp(min=OUTSIDE), self.distances)

    def mesh(self) -> TriangleMesh:
        """The surface, with its graph."""
        reach = self.shape.reach * self.shape.grid.cell
        positions = self.lattice + reach * self.deformation.tanh()
        return march(self.shape.grid, self.signed_distances(), positions)

    def render(
        self, cameras: Cameras, background: Float[Tensor, "v 3"], rng: torch.Generator | None = None
    ) -> Rendering:
        surface = see(self.mesh(), cameras)
        normals = surface.smooth_normals()
        values = normal_colors(normals) if self.shows is not Shows.COLOR else self.color(surface, normals, cameras)
        mask = surface.seen[..., None].to(values.dtype)
        behind = (1 - mask) * background[:, None, None]
        layers = torch.cat([surface.image(values) + behind, mask], dim=-1)
        if len(surface.mesh.faces):
            layers = surface.antialias(layers)
        else:  # so that a backward pass finds a graph, and the watchdog the reason
            layers = layers + 0 * sum(parameter.sum() for parameter in self.parameters())
        color, opacity = layers.split([3, 1], dim=-1)
        return Rendering(
            color=color,
            opacity=opacity,
            depth=surface.depth(),
            normals=surface.image(normals),
            latents=self.latents(color, opacity, background) if self.shows_latents else None,
            mesh=surface.mesh,
        )

    @property
    def shows_latents(self) -> bool:
        """Whether normals and mask stand for latents now."""
        return self.shows is Shows.NORMALS_AND_MASK_LATENT and int(self.step) < self.latent_steps

    def latents(
        self, color: Float[Tensor, "v h w 3"], opacity: Float[Tensor, "v h w 1"], background: Float[Tensor, "v 3"]
    ) -> Float[Tensor, "v 4 size size"]:
        """Normals in [-1, 1] over zero, and the mask."""
        normals = 2 * (color - (1 - opacity) * background[:, None, None]) - opacity
        planes = torch.cat([normals, opacity], dim=-1).permute(0, 3, 1, 2)
        return adaptive_avg_pool2d(planes, self.latent_size)

    def color(self, surface: VisibleSurface, normals: Float[Tensor, "p 3"], cameras: Cameras) -> Float[Tensor, "p 3"]:
        """sRGB values of the pixels that see the mesh."""
        points = surface.points()
        values: Tensor = self.texture(points)
        if self.appearance is Appearance.UNLIT:
            return values[:, :3]
        return to_srgb(shade(material_of(values), normals, surface.toward_eye(cameras, points), STUDIO))

    @torch.no_grad()
    def coverage(self) -> float:
        """1 if there is a surface, 0 if all distances have one sign."""
        return float((self.signed_distances() < 0).any())

    def unlit(self) -> "TetMesh":
        bare = copy.copy(self)
        bare.appearance, bare.shows = Appearance.UNLIT, Shows.COLOR
        return bare

    @torch.no_grad()
    def surface(self) -> ColoredMesh:
        mesh = self.mesh()
        if not len(mesh.faces):
            raise SettingError("the scene's signed distances have one sign, so it has no surface: optimize it first")
        return ColoredMesh(mesh=mesh, color=self.base_color)

    @torch.no_grad()
    def base_color(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """The texture's colour at points, sRGB values, without light."""
        values: Tensor = self.texture(points)
        return values[:, :3]

    @torch.no_grad()
    def tidy(self, cut_off: float, smallest_part: float) -> None:
        """Cuts distances off, and removes parts and cavities smaller than a share of the largest (0: none)."""
        self.distances.clamp_(-cut_off, cut_off)
        if smallest_part > 0:
            side = self.shape.grid.side
            inside = (self.signed_distances() < 0).reshape(side, side, side)
            solid = without_small_parts(inside, smallest_part)
            solid = ~without_small_parts(~solid, smallest_part)
            size = self.distances.abs().clamp(min=OUTSIDE)
            changed = (solid != inside).flatten()
            self.distances.copy_(torch.where(changed, torch.where(solid.flatten(), -size, size), self.distances))


def material_of(values: Float[Tensor, "p 5"]) -> Material:
    """Base colour as sRGB values, roughness, metallic."""
    return Material(base_color=to_linear(values[:, :3]), roughness=values[:, 3:4], metallic=values[:, 4:5])


def without_small_parts(inside: Bool[Tensor, "x y z"], share: float) -> Bool[Tensor, "x y z"]:
    """What is inside, less its connected parts with fewer vertices than a share of the largest part's."""
    names = torch.arange(1, inside.numel() + 1, device=inside.device).reshape(inside.shape)
    names = torch.where(inside, names, 0).double()  # every part takes the largest name in it
    while True:
        spread = max_pool3d(names[None, None], 3, stride=1, padding=1)[0, 0] * inside
        if torch.equal(spread, names):
            break
        names = spread
    sizes = torch.bincount(names.long().flatten(), minlength=inside.numel() + 1)
    sizes[0] = 0
    return inside & (sizes[names.long()] >= share * sizes.amax())
