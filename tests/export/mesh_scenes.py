"""Bodies whose shape and colour are known, as scenes, rendered as fine meshes with the colour of each point."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.export.isosurface import extract, sample_grid
from lodestone.export.visibility import look
from lodestone.kernels.rasterization import interpolate
from lodestone.rendering.cameras import Cameras
from lodestone.scenes.scene import AbstractScene, Rendering
from lodestone.scenes.surface import Color, Surface, Volume

BOUND = 0.8
Distance = Callable[[Tensor], Tensor]


def sphere(points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
    """Signed distance to a ball of radius 0.6."""
    return points.norm(dim=-1) - 0.6


def cube(points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
    """Signed distance to a cube of side 0.9."""
    outside = points.abs() - 0.45
    return outside.clamp(min=0).norm(dim=-1) + outside.amax(dim=-1).clamp(max=0)


def torus(points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
    """Signed distance to a lying torus of radii 0.5 and 0.2."""
    return torch.stack([points[:, :2].norm(dim=-1) - 0.5, points[:, 2]], dim=-1).norm(dim=-1) - 0.2


BODIES = {
    "sphere": (sphere, 4 / 3 * math.pi * 0.6**3),
    "cube": (cube, 0.9**3),
    "torus": (torus, 2 * math.pi**2 * 0.5 * 0.2**2),
}


def rainbow(points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """A smooth colour that differs everywhere."""
    return 0.5 + 0.4 * torch.sin(3 * points + torch.tensor([0.0, 1.0, 2.0]))


class Body(AbstractScene):
    """A solid with a colour; its density is a steep step unless it is `exact`, minus the signed distance."""

    def __init__(
        self,
        distance: Distance,
        *,
        exact: bool,
        color: Color | None = None,
        bound: float = BOUND,
        mesh: Distance | None = None,
    ) -> None:
        super().__init__()
        self.distance, self.exact, self.known = distance, exact, color
        self.place = nn.Parameter(torch.zeros(1))
        corner = torch.full((3,), bound)
        drawn = mesh or distance
        self.mesh = extract(sample_grid(Volume(density=lambda p: -drawn(p), low=-corner, high=corner), 80), 0.0)

    def render(
        self, cameras: Cameras, background: Float[Tensor, "v 3"], rng: torch.Generator | None = None
    ) -> Rendering:
        seen = look(self.mesh, cameras)
        hit = (seen.fragments.triangle >= 0)[..., None].float()
        points = interpolate(self.mesh.vertices, self.mesh.faces, seen.fragments)
        color = rainbow(points.flatten(0, 2)).view(points.shape) * hit + background[:, None, None] * (1 - hit)
        return Rendering(color=color, opacity=hit, depth=seen.depth[..., None].where(hit > 0, 0.0))

    def coverage(self) -> float:
        return 1.0

    def surface(self) -> Surface:
        corner = torch.full((3,), BOUND)
        if self.exact:
            return Volume(density=lambda p: -self.distance(p), low=-corner, high=corner, level=0.0, color=self.known)
        return Volume(density=self.step, low=-corner, high=corner, color=self.known)

    def step(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """A density of 40 inside that falls to nothing within some hundredths of a unit."""
        return 40 * torch.sigmoid(-self.distance(points) / 0.004)


def uv_sphere(rows: int = 24, columns: int = 48, radius: float = 0.6) -> tuple[Tensor, Tensor]:
    """Vertices and outward faces of a closed ball: two poles, and rings between them."""
    polar = torch.linspace(0, math.pi, rows + 1)[1:-1]
    azimuth = torch.arange(columns) * (2 * math.pi / columns)
    p, a = torch.meshgrid(polar, azimuth, indexing="ij")
    ring = radius * torch.stack([p.sin() * a.cos(), p.sin() * a.sin(), p.cos()], dim=-1).reshape(-1, 3)
    vertices = torch.cat([ring, torch.tensor([[0.0, 0.0, radius], [0.0, 0.0, -radius]])])
    faces, north, south = [], len(ring), len(ring) + 1
    for c in range(columns):
        d = (c + 1) % columns
        faces.append([north, c, d])
        for r in range(rows - 2):
            one, two = r * columns, (r + 1) * columns
            faces += [[one + c, two + c, two + d], [one + c, two + d, one + d]]
        last = (rows - 2) * columns
        faces.append([south, last + d, last + c])
    return vertices, torch.tensor(faces)
