"""The frame of splat files.

Inside Lodestone z is up and the object's front faces +x. Splat files name no frame, but their viewers follow the camera
convention of structure from motion: +y points down and +z away from the first camera, and most of them turn the asset
by 180 degrees about z on loading. A file with up = -y and front = +z therefore stands upright there, and its front is
the glTF front (+z) after that turn.

    (x, y, z) inside  =  (-y, -z, x) in the file,    det = +1

The map P permutes and negates axes, so a Gaussian can be carried over without arithmetic: from

    P R S^2 R^T P^T = (P R P^T) (P S^2 P^T) (P R P^T)^T

the scales are permuted, and P R P^T is the same turn about a mapped axis: a quaternion keeps w, its vector part is
mapped as a point is. Reading what was written gives back every bit.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.scenes.gaussians import RawGaussians

__all__ = ["from_file_frame", "points_to_file_frame", "to_file_frame"]


def points_to_file_frame(points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Points or directions, inside -> file: `(x, y, z) -> (-y, -z, x)`."""
    x, y, z = points.unbind(-1)
    return torch.stack([-y, -z, x], dim=-1)


def points_from_file_frame(points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Points or directions, file -> inside: `(x, y, z) -> (z, -x, -y)`."""
    x, y, z = points.unbind(-1)
    return torch.stack([z, -x, -y], dim=-1)


def to_file_frame(raw: RawGaussians) -> RawGaussians:
    """The same Gaussians as a splat file describes them, exact to the bit under `from_file_frame`."""
    return replace(
        raw,
        means=points_to_file_frame(raw.means),
        log_scales=raw.log_scales[:, [1, 2, 0]],
        quaternions=torch.cat([raw.quaternions[:, :1], points_to_file_frame(raw.quaternions[:, 1:])], dim=-1),
    )


def from_file_frame(raw: RawGaussians) -> RawGaussians:
    """The inverse of `to_file_frame`."""
    return replace(
        raw,
        means=points_from_file_frame(raw.means),
        log_scales=raw.log_scales[:, [2, 0, 1]],
        quaternions=torch.cat([raw.quaternions[:, :1], points_from_file_frame(raw.quaternions[:, 1:])], dim=-1),
    )
