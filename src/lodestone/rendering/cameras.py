"""Cameras with OpenCV axes (x right, y down, z forward) in a right-handed world with z up.

Azimuth 0 looks at the object's front, which faces +x; azimuth grows counter-clockwise seen from above; elevation
grows upwards. Angles are in degrees at every interface; pixel centres lie at +0.5.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.errors import SettingError, check_range

__all__ = [
    "SMALL_CAMERA",
    "Cameras",
    "EvaluationCamera",
    "OrbitSampler",
    "Viewpoints",
    "look_at_origin",
    "turntable",
]

LIMITS = {"elevation": (-90.0, 90.0), "distance": (0.01, 1000.0), "field_of_view": (1.0, 179.0)}
"""What a camera on an orbit can do."""


@dataclass(frozen=True, kw_only=True)
class Cameras:
    """A batch of pinhole cameras that share one image size."""

    camera_to_world: Float[Tensor, "v 4 4"]
    intrinsics: Float[Tensor, "v 3 3"]
    height: int
    width: int

    def __len__(self) -> int:
        return self.camera_to_world.shape[0]

    def points(self, depth: Float[Tensor, "v h w 1"]) -> Float[Tensor, "v h w 3"]:
        """World positions of the pixels at the given camera depths."""
        rows, columns = (torch.arange(n, device=depth.device) + 0.5 for n in (self.height, self.width))
        x = (columns[None, :] - self.intrinsics[:, 0, 2, None]) / self.intrinsics[:, 0, 0, None]
        y = (rows[None, :] - self.intrinsics[:, 1, 2, None]) / self.intrinsics[:, 1, 1, None]
        shape = depth.shape[:3]
        rays = torch.stack([x[:, None].expand(shape), y[:, :, None].expand(shape), torch.ones_like(depth[..., 0])], -1)
        rotation, position = self.camera_to_world[:, :3, :3], self.camera_to_world[:, :3, 3]
        return torch.einsum("vij,vhwj->vhwi", rotation, rays * depth) + position[:, None, None]

    def to(self, device: torch.device) -> "Cameras":
        """The same cameras on another device."""
        return Cameras(
            camera_to_world=self.camera_to_world.to(device),
            intrinsics=self.intrinsics.to(device),
            height=self.height,
            width=self.width,
        )


@dataclass(frozen=True, kw_only=True)
class Viewpoints:
    """Where cameras stand on their orbit around the origin, in degrees and world units."""

    azimuth: Float[Tensor, " v"]
    elevation: Float[Tensor, " v"]
    distance: Float[Tensor, " v"]
    field_of_view: Float[Tensor, " v"]
    """Vertical opening angle."""

    def cameras(self, height: int, width: int) -> Cameras:
        """Cameras at these viewpoints that look at the origin."""
        focal = height / 2 / torch.tan(torch.deg2rad(self.field_of_view) / 2)
        intrinsics = torch.zeros(len(focal), 3, 3)
        intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = focal
        intrinsics[:, 0, 2], intrinsics[:, 1, 2], intrinsics[:, 2, 2] = width / 2, height / 2, 1.0
        pose = look_at_origin(self.azimuth, self.elevation, self.distance)
        return Cameras(camera_to_world=pose, intrinsics=intrinsics, height=height, width=width)


def look_at_origin(
    azimuth: Float[Tensor, " v"], elevation: Float[Tensor, " v"], distance: Float[Tensor, " v"]
) -> Float[Tensor, "v 4 4"]:
    """Camera-to-world matrices on the sphere; the columns are right, down, forward, position."""
    a, e = torch.deg2rad(azimuth), torch.deg2rad(elevation)
    outward = torch.stack([e.cos() * a.cos(), e.cos() * a.sin(), e.sin()], dim=-1)
    right = torch.stack([-a.sin(), a.cos(), torch.zeros_like(a)], dim=-1)
    down = torch.linalg.cross(-outward, right)
    pose = torch.eye(4).repeat(len(a), 1, 1)
    pose[:, :3] = torch.stack([right, down, -outward, distance[:, None] * outward], dim=-1)
    return pose


@dataclass(frozen=True, kw_only=True)
class OrbitSampler:
    """Draws viewpoints around the object; azimuths are stratified over the batch.

    Half of the elevations are uniform in angle, half uniform on the band of the sphere.
    """

    azimuth: tuple[float, float] = (-180.0, 180.0)
    elevation: tuple[float, float] = (-10.0, 45.0)
    distance: tuple[float, float] = (2.5, 4.0)
    field_of_view: tuple[float, float] = (40.0, 70.0)

    def __post_init__(self) -> None:
        for name, (low, high) in (("azimuth", (-3600.0, 3600.0)), *LIMITS.items()):
            bounds = getattr(self, name)
            for value in bounds:
                check_range(f"cameras.{name}", value, low, high)
            if bounds[0] > bounds[1]:
                raise SettingError(f"cameras.{name} is {bounds}: give the smaller number first")

    def sample(self, count: int, rng: torch.Generator) -> Viewpoints:
        """`count` viewpoints."""
        strata = (torch.arange(count) + torch.rand(count, generator=rng)) / count
        low, high = self.azimuth
        return Viewpoints(
            azimuth=low + (high - low) * strata,
            elevation=self.sample_elevation(count, rng),
            distance=uniform(self.distance, count, rng),
            field_of_view=uniform(self.field_of_view, count, rng),
        )

    def sample_elevation(self, count: int, rng: torch.Generator) -> Float[Tensor, " v"]:
        """The mixture of both laws."""
        by_angle = uniform(self.elevation, count, rng)
        low, high = (math.sin(math.radians(angle)) for angle in self.elevation)
        by_area = torch.rad2deg(torch.asin(uniform((low, high), count, rng)))
        return torch.where(torch.rand(count, generator=rng) < 0.5, by_angle, by_area)


def uniform(bounds: tuple[float, float], count: int, rng: torch.Generator) -> Float[Tensor, " n"]:
    """Uniform numbers between two bounds."""
    low, high = bounds
    return low + (high - low) * torch.rand(count, generator=rng)


def turntable(count: int, *, elevation: float, distance: float, field_of_view: float) -> Viewpoints:
    """Evenly spaced viewpoints for a full turn that begins at the front."""
    full = torch.ones(count)
    return Viewpoints(
        azimuth=torch.arange(count) * (360.0 / count),
        elevation=elevation * full,
        distance=distance * full,
        field_of_view=field_of_view * full,
    )


@dataclass(frozen=True, kw_only=True)
class EvaluationCamera:
    """From where finished scenes are shown and judged."""

    elevation: float = 15.0
    distance: float = 3.0
    field_of_view: float = 50.0

    def __post_init__(self) -> None:
        for name, limits in LIMITS.items():
            check_range(f"evaluation.{name}", getattr(self, name), *limits)

    def viewpoints(self, count: int) -> Viewpoints:
        """A full turn of `count` views that begins at the front."""
        return turntable(count, elevation=self.elevation, distance=self.distance, field_of_view=self.field_of_view)

    def at(self, elevation: float) -> "EvaluationCamera":
        """The same from another height."""
        return replace(self, elevation=elevation)


SMALL_CAMERA = EvaluationCamera(elevation=10.0, distance=3.0, field_of_view=25.0)
"""From where the small priors know things, and drafts look at their scenes."""
