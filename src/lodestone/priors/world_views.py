"""The views of the world that its empirical prior is made of: some scenes, each seen from a grid of cameras.

Cameras stand in rings around the scene. A camera that is told stands between them; near it are those views whose
cameras are within half the diagonal of a cell of the grid, at least the nearest, with weights of von Mises and Fisher

    w_v = exp((cos theta_v - 1) / s^2) / sum ,

theta_v being the angle between the told camera and that of the view, and s half the distance of two cameras in a ring.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lodestone.data.worlds.cache import ViewSettings, cameras_of
from lodestone.data.worlds.meshes import PaintedMesh
from lodestone.data.worlds.views import Pictures, see_colors
from lodestone.errors import check_range
from lodestone.rendering.cameras import SMALL_CAMERA, Viewpoints

__all__ = ["ViewGrid", "WorldViews", "see_on_white", "see_scene"]

ROUNDING = 0.1
"""Degrees by which two cameras may differ that are equally near."""


def see_scene(mesh: PaintedMesh, viewpoints: Viewpoints, size: int) -> Pictures:
    """A scene as large as the cameras of the drafts expect an asset, in daylight."""
    return see_colors(mesh, cameras_of(viewpoints, ViewSettings(size=size)))


def see_on_white(mesh: PaintedMesh, viewpoints: Viewpoints, size: int) -> Float[Tensor, "v 3 h w"]:
    """The same as pictures on white."""
    return see_scene(mesh, viewpoints, size).over(torch.ones(len(viewpoints.azimuth), 3)).permute(0, 3, 1, 2)


@dataclass(frozen=True, kw_only=True)
class ViewGrid:
    """Rings of cameras; each ring begins at the front."""

    azimuths: int = 36
    """Cameras in a ring."""
    elevations: tuple[float, ...] = (-10.0, 0.0, 10.0, 20.0, 30.0, 50.0, 70.0)
    """Of the rings, in degrees: closer to each other where runs look from; the last one is the overhead view."""
    distance: float = SMALL_CAMERA.distance
    field_of_view: float = SMALL_CAMERA.field_of_view
    size: int = 64
    """Side of the pictures in pixels."""

    def __post_init__(self) -> None:
        check_range("grid.azimuths", self.azimuths, 1, 360)
        check_range("grid.size", self.size, 4, 1024)

    @property
    def spacing(self) -> float:
        """Degrees between two cameras of a ring."""
        return 360 / self.azimuths

    def viewpoints(self) -> Viewpoints:
        """All cameras, ring after ring."""
        ring = torch.arange(self.azimuths) * self.spacing
        full = torch.ones(len(self.elevations) * self.azimuths)
        return Viewpoints(
            azimuth=ring.repeat(len(self.elevations)),
            elevation=torch.tensor(self.elevations).repeat_interleave(self.azimuths),
            distance=self.distance * full,
            field_of_view=self.field_of_view * full,
        )

    def see(self, mesh: PaintedMesh) -> Float[Tensor, "v 3 h w"]:
        """A scene from all cameras, ring after ring."""
        return see_on_white(mesh, self.viewpoints(), self.size)


@dataclass(frozen=True, kw_only=True)
class WorldViews:
    """k views of some captions' scenes, and where their cameras stand."""

    pictures: Float[Tensor, "k 3 h w"]
    azimuth: Float[Tensor, " k"]
    elevation: Float[Tensor, " k"]
    caption: Int[Tensor, " k"]
    """Which caption a view belongs to."""

    @classmethod
    def see(cls, mesh: PaintedMesh, grid: ViewGrid, caption: int) -> "WorldViews":
        """The views of one scene."""
        at, pictures = grid.viewpoints(), grid.see(mesh)
        number = torch.full((len(pictures),), caption)
        return cls(pictures=pictures, azimuth=at.azimuth, elevation=at.elevation, caption=number)

    @classmethod
    def concatenate(cls, parts: "list[WorldViews]") -> "WorldViews":
        """The views of all parts, one after another."""
        names = ("pictures", "azimuth", "elevation", "caption")
        return cls(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})

    def without_pictures(self) -> "WorldViews":
        """Where the cameras stand alone, for who keeps the pictures elsewhere."""
        return replace(self, pictures=self.pictures.new_zeros(len(self.caption), 3, 0, 0))

    def cosines(self, viewpoints: Viewpoints) -> Float[Tensor, "b k"]:
        """Of the angles between some cameras and those of the views, seen from the scene."""
        return directions(viewpoints.azimuth, viewpoints.elevation) @ directions(self.azimuth, self.elevation).T

    def log_weights(
        self, viewpoints: Viewpoints, among: Bool[Tensor, "b k"], spacing: float
    ) -> tuple[Float[Tensor, "b k"], Bool[Tensor, "b k"]]:
        """`log w` of every view up to its sum, and which views are near, for each told camera among some views."""
        cosine = self.cosines(viewpoints)
        angle = torch.rad2deg(cosine.clamp(-1, 1).acos())
        nearest = angle.masked_fill(~among, 360.0).amin(dim=1, keepdim=True)
        reach = (nearest + ROUNDING).clamp(min=spacing / math.sqrt(2) + ROUNDING)
        width = math.radians(spacing / 2)
        return (cosine - 1) / width**2, among & (angle <= reach)


def directions(azimuth: Float[Tensor, " n"], elevation: Float[Tensor, " n"]) -> Float[Tensor, "n 3"]:
    """Unit vectors from the scene to its cameras, in double precision."""
    a, e = torch.deg2rad(azimuth.double()), torch.deg2rad(elevation.double())
    return torch.stack([e.cos() * a.cos(), e.cos() * a.sin(), e.sin()], dim=-1)
