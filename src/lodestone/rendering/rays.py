"""Rays through the pixels of cameras."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.rendering.cameras import Cameras

__all__ = ["Rays", "rays_of", "shrink"]


@dataclass(frozen=True)
class Rays:
    """Rays through the centres of all pixels, view after view and row by row in each."""

    origins: Float[Tensor, "r 3"]
    directions: Float[Tensor, "r 3"]
    """Unit vectors in the world."""
    depth_rate: Float[Tensor, " r"]
    """Camera depth gained for each unit of distance along the ray: the cosine of its angle to the camera's axis."""

    def __len__(self) -> int:
        return self.origins.shape[0]

    def split(self, count: int) -> "list[Rays]":
        """The same rays in groups of at most so many."""
        parts = (part.split(count) for part in (self.origins, self.directions, self.depth_rate))
        return [Rays(*group) for group in zip(*parts, strict=True)]


def rays_of(cameras: Cameras) -> Rays:
    """The rays of every pixel."""
    pose = cameras.camera_to_world
    forward = torch.ones(len(cameras), cameras.height, cameras.width, 1, dtype=pose.dtype, device=pose.device)
    position = pose[:, None, None, :3, 3].expand(-1, cameras.height, cameras.width, -1)
    toward = cameras.points(forward) - position  # at camera depth 1
    length = toward.norm(dim=-1, keepdim=True)
    flat = [tensor.reshape(-1, tensor.shape[-1]) for tensor in (position, toward / length, 1 / length)]
    return Rays(flat[0], flat[1], flat[2][:, 0])


def shrink(cameras: Cameras, factor: int) -> Cameras:
    """The same views with so many times fewer pixels along each side."""
    if factor == 1:
        return cameras
    intrinsics = cameras.intrinsics.clone()
    intrinsics[:, :2] /= factor
    height, width = max(1, cameras.height // factor), max(1, cameras.width // factor)
    return replace(cameras, intrinsics=intrinsics, height=height, width=width)
