"""A mesh that stays as it is, under a texture that is learned (DreamGaussian's second stage, arXiv 2309.16653).

    texel = sigmoid(logit);  a pixel sees the texture bilinearly at its (u, v), or between two levels of a mipmap

u points right, v down, (0, 0) is the corner of the texture, texel centres lie at +0.5, as in pictures.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, grid_sample

from lodestone.errors import SettingError, check_range
from lodestone.kernels.rasterization import interpolate
from lodestone.rendering.cameras import Cameras
from lodestone.rendering.rasterize import VisibleSurface, see
from lodestone.rendering.samples import TriangleMesh
from lodestone.scenes.scene import (
    AbstractMesher,
    AbstractScene,
    AbstractSceneSettings,
    ParameterGroup,
    Rendering,
    StructureState,
)
from lodestone.scenes.surface import TexturedMesh

__all__ = ["TexturedMeshScene", "TexturedMeshSettings", "mapped_sphere"]

SEEN = (0.002, 0.998)
"""Texels begin within these bounds: the sigmoid reaches neither 0 nor 1."""


class TexturedMeshScene(AbstractScene):
    """The mesh as a scene. Vertices that a seam doubles are welded, so that seams are no silhouettes."""

    vertices: Tensor
    faces: Tensor
    uv: Tensor
    welded: Tensor
    welded_faces: Tensor

    def __init__(self, surface: TexturedMesh, *, mipmap: bool = True) -> None:
        super().__init__()
        self.mipmap = mipmap
        self.texels = nn.Parameter(surface.texture.detach().clamp(*SEEN).logit().contiguous())
        self.register_buffer("vertices", surface.vertices.detach().clone())
        self.register_buffer("faces", surface.faces.clone())
        self.register_buffer("uv", surface.uv.detach().clone())
        welded, names = torch.unique(self.vertices, dim=0, return_inverse=True)
        self.register_buffer("welded", welded, persistent=False)
        self.register_buffer("welded_faces", names[self.faces], persistent=False)

    @property
    def texture(self) -> Float[Tensor, "h w 3"]:
        """The texture, sRGB values."""
        return self.texels.sigmoid()

    def render(
        self, cameras: Cameras, background: Float[Tensor, "v 3"], rng: torch.Generator | None = None
    ) -> Rendering:
        surface = see(TriangleMesh(vertices=self.welded, faces=self.welded_faces), cameras)
        seen = surface.seen
        places = interpolate(self.uv, self.faces, surface.fragments)[seen]
        level = self.level(surface) if self.mipmap else places.new_zeros(len(places))
        mask = seen[..., None].to(places.dtype)
        image = surface.image(sample(self.texture, places, level)) + (1 - mask) * background[:, None, None]
        color, opacity = surface.antialias(torch.cat([image, mask], dim=-1)).split([3, 1], dim=-1)
        return Rendering(
            color=color,
            opacity=opacity,
            depth=surface.depth(),
            normals=surface.image(surface.flat_normals()),
            mesh=surface.mesh,
        )

    def level(self, surface: VisibleSurface) -> Float[Tensor, " p"]:
        """`log2` of the texels along a pixel's side, from the areas of its triangle in the texture and in the image."""
        height, width = surface.seen.shape[1:]
        clip = surface.clip.clamp(-1e6, 1e6)
        screen = clip[..., :2] / clip[..., 3:].clamp(min=1e-3) * clip.new_tensor([width / 2, height / 2])
        texels = self.uv[self.faces] * self.uv.new_tensor([self.texels.shape[1], self.texels.shape[0]])
        ratio = area(texels) / area(screen[:, self.welded_faces]).clamp(min=1e-9)
        view = surface.seen.nonzero()[:, 0]
        return 0.5 * ratio[view, surface.fragments.triangle[surface.seen]].clamp(min=1e-9).log2()

    def coverage(self) -> float:
        return float(len(self.faces) > 0)

    @torch.no_grad()
    def surface(self) -> TexturedMesh:
        return TexturedMesh(vertices=self.vertices, faces=self.faces, uv=self.uv, texture=self.texture)


def area(corners: Float[Tensor, "*batch 3 2"]) -> Float[Tensor, "*batch"]:
    """Twice the area of plane triangles."""
    a, b = corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]
    return (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]).abs()


def sample(
    texture: Float[Tensor, "h w 3"], places: Float[Tensor, "p 2"], level: Float[Tensor, " p"]
) -> Float[Tensor, "p 3"]:
    """The texture at (u, v), bilinear in its mipmap and linear between the levels; sharper than level 0 is level 0."""
    picture = texture.permute(2, 0, 1)[None]
    coarsest = int(math.log2(min(texture.shape[:2])))
    level = level.clamp(0, coarsest)
    last = math.ceil(float(level.amax())) if len(level) else 0
    total = texture.new_zeros(len(places), 3)
    for index in range(last + 1):
        weight = (1 - (level - index).abs()).clamp(min=0)
        if bool(weight.any()):
            grid = (2 * places - 1)[None, None]
            found = grid_sample(picture, grid, padding_mode="border", align_corners=False)[0, :, 0].T
            total = total + weight[:, None] * found
        picture = avg_pool2d(picture, 2) if index < last else picture
    return total


@dataclass(frozen=True, kw_only=True)
class TexturedMeshSettings(AbstractSceneSettings):
    """How a texture is learned. Alone it begins on a sphere; `begin_as` puts it on a given mesh."""

    texture_size: int = 512
    """Side of the texture of a mesh that has none yet. DreamGaussian: 1024."""
    brightness: float = 0.5
    """Of every texel at the beginning, where no texture is given."""
    radius: float = 0.5
    """Of the sphere."""
    learning_rate: float = 0.2
    """Adam's, for the logits of the texels (DreamGaussian)."""
    mipmap: bool = True
    """Whether texels smaller than a pixel are averaged, so that all that a pixel covers learn from it."""

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {"texture_size": (4, 8192), "brightness": (0.0, 1.0)}
        limits |= {"radius": (1e-3, 1e3), "learning_rate": (0.0, 1e3)}
        for name, bounds in limits.items():
            check_range(f"scene.{name}", getattr(self, name), *bounds)

    def create(self, rng: torch.Generator) -> TexturedMeshScene:
        vertices, faces, uv = mapped_sphere(48, 24)
        size = self.texture_size
        texture = torch.full((size, size, 3), self.brightness)
        return self.begin_as(TexturedMesh(vertices=self.radius * vertices, faces=faces, uv=uv, texture=texture))

    def begin_after(self, previous: AbstractScene, mesher: AbstractMesher, rng: torch.Generator) -> TexturedMeshScene:
        return self.begin_as(mesher.mesh(previous, texture_size=self.texture_size))

    def begin_as(self, surface: TexturedMesh) -> TexturedMeshScene:
        """The scene with another one's mesh and texture.

        Raises: SettingError if the mesh has no triangle or a number that is not finite.
        """
        finite = all(bool(part.isfinite().all()) for part in (surface.vertices, surface.uv, surface.texture))
        if not len(surface.faces) or not finite:
            raise SettingError("the mesh to texture has no triangles, or numbers that are not finite: repair it first")
        return TexturedMeshScene(surface, mipmap=self.mipmap)

    def restore(self, tensors: Mapping[str, Tensor]) -> TexturedMeshScene:
        columns = {name: tensors[name] for name in ("vertices", "faces", "uv")}
        scene = TexturedMeshScene(TexturedMesh(**columns, texture=tensors["texels"].sigmoid()), mipmap=self.mipmap)
        scene.load_state_dict(tensors)
        return scene

    def parameter_groups(self, scene: AbstractScene, progress: float) -> list[ParameterGroup]:
        return [ParameterGroup(name, p, self.learning_rate) for name, p in scene.named_parameters()]

    def adapt(self, scene: AbstractScene, state: StructureState, step: int, rng: torch.Generator) -> StructureState:
        return StructureState(state.optimizer, {})


def mapped_sphere(columns: int, rows: int) -> tuple[Float[Tensor, "n 3"], Int[Tensor, "f 3"], Float[Tensor, "n 2"]]:
    """A unit sphere of meridians and parallels with its vertices, faces and (u, v); u is azimuth, v is from the top."""
    v, u = torch.meshgrid(torch.linspace(0, 1, rows + 1), torch.linspace(0, 1, columns + 1), indexing="ij")
    # The last meridian is the first one again, to the bit.
    azimuth = 2 * math.pi * torch.arange(columns + 1).remainder(columns).expand_as(u) / columns
    ring = (math.pi * v).sin()
    ring[0], ring[-1] = 0, 0
    vertices = torch.stack([ring * azimuth.cos(), ring * azimuth.sin(), (math.pi * v).cos()], dim=-1)
    number = torch.arange(vertices[..., 0].numel()).reshape(u.shape)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]
    lower, upper = torch.stack([a, b, c], dim=-1)[:-1], torch.stack([a, c, d], dim=-1)[1:]
    faces = torch.cat([lower.reshape(-1, 3), upper.reshape(-1, 3)])
    return vertices.reshape(-1, 3), faces, torch.stack([u, v], dim=-1).reshape(-1, 2)
