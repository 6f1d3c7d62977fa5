r"""Gaussian splatting: images of a set of 3D Gaussians, differentiable with respect to all of their parameters.

The one door to three implementations: a native CPU kernel, gsplat on CUDA, and plain torch. `splatting_reference.py`
states the equations.

References:
    | 3D Gaussian Splatting for Real-Time Radiance Field Rendering (Kerbl et al., 2023), arXiv 2308.04079
    | EWA Volume Splatting (Zwicker et al., 2001)
    | gsplat: An Open-Source Library for Gaussian Splatting (Ye et al., 2024), arXiv 2409.06765
"""

import ctypes
import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from lodestone.errors import SettingError
from lodestone.kernels.native_kernel import NativeKernel, check_status, pointer
from lodestone.kernels.splatting_cuda import cuda_available, splat_cuda
from lodestone.kernels.splatting_reference import camera_from_world, splat_reference

__all__ = ["Backend", "SplattingOutput", "native_available", "native_status", "splat"]


class Backend(enum.Enum):
    """Which implementation renders.

    AUTO takes gsplat for float32 on CUDA if it is installed, the native kernel for float32 on the CPU if it is
    compiled, and plain torch otherwise.
    """

    AUTO = "auto"
    NATIVE = "native"
    REFERENCE = "reference"
    CUDA = "cuda"


@dataclass(frozen=True)
class SplattingOutput:
    r"""Images and screen radii, with :math:`w_i` the part of a pixel's light that comes from Gaussian i.

    Attributes:
        color: :math:`\sum_i w_i c_i`, premultiplied: no background is added.
        opacity: :math:`\sum_i w_i`.
        depth: :math:`\sum_i w_i z_i` with the depth z along the camera's axis, not divided by the opacity.
        radii: Half the longer side of a Gaussian's box on the screen in whole pixels, 0 where it is culled. They carry
            no gradient.
    """

    color: Float[Tensor, "v h w 3"]
    opacity: Float[Tensor, "v h w 1"]
    depth: Float[Tensor, "v h w 1"]
    radii: Float[Tensor, "v n"]


# ------------------------------------------------------------------------------------------------ the native kernel


class _Scene(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("gaussians", "views", "height", "width", "threads")],
        *[(name, ctypes.c_void_p) for name in ("means", "quaternions", "scales", "opacities", "colors")],
        *[(name, ctypes.c_void_p) for name in ("world_to_camera", "intrinsics", "screen_offset")],
    ]


class _Images(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("color", "opacity", "depth")]


class _Gradients(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_void_p) for name in ("means", "quaternions", "scales", "opacities", "colors", "screen_offset")
    ]


def _declare(library: ctypes.CDLL) -> None:
    library.lodestone_splatting_acquire.restype = ctypes.c_void_p
    library.lodestone_splatting_release.argtypes = [ctypes.c_void_p]
    library.lodestone_splatting_release.restype = None
    scene, images, gradients = (ctypes.POINTER(structure) for structure in (_Scene, _Images, _Gradients))
    library.lodestone_splatting_forward.argtypes = [ctypes.c_void_p, scene, images, ctypes.c_void_p]
    library.lodestone_splatting_backward.argtypes = [ctypes.c_void_p, scene, images, images, gradients]


NATIVE = NativeKernel("splatting", version=1, declare=_declare)


def native_available() -> bool:
    """Whether the native CPU kernel is compiled for this machine and loads."""
    return NATIVE.available


def native_status() -> str:
    """One sentence on which native kernel is in use, or why none is and what to do."""
    lanes = f", {NATIVE.library.lodestone_splatting_lanes()} lanes wide" if NATIVE.available else ""
    return NATIVE.status + lanes


class _Workspace:
    """What a forward pass of the native kernel leaves for its backward passes; goes back to the kernel when dropped."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library
        self.handle = library.lodestone_splatting_acquire()
        if not self.handle:
            raise MemoryError("no memory for a splatting workspace")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self.library.lodestone_splatting_release(self.handle)


def _scene(inputs: Sequence[Tensor | None], height: int, width: int, threads: int) -> _Scene:
    means, world_to_camera = inputs[0], inputs[5]
    assert means is not None and world_to_camera is not None
    pointers = [pointer(tensor) for tensor in inputs]
    return _Scene(means.shape[0], world_to_camera.shape[0], height, width, threads, *pointers)


class _NativeSplatting(torch.autograd.Function):
    """The native kernel under autograd: all but the cameras get gradients."""

    @staticmethod
    def forward(ctx: Any, height: int, width: int, *inputs: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        library = NATIVE.library
        inputs = tuple(None if tensor is None else tensor.contiguous() for tensor in inputs)
        means, cameras = inputs[0], inputs[5]
        assert means is not None and cameras is not None
        shape = (cameras.shape[0], height, width)
        color, opacity, depth = (means.new_empty(*shape, channels) for channels in (3, 1, 1))
        radii = means.new_empty(cameras.shape[0], means.shape[0])
        ctx.workspace, ctx.threads = _Workspace(library), torch.get_num_threads()
        ctx.height, ctx.width = height, width
        scene, images = _scene(inputs, height, width, ctx.threads), _Images(*map(pointer, (color, opacity, depth)))
        check_status(library.lodestone_splatting_forward(ctx.workspace.handle, scene, images, radii.data_ptr()))
        ctx.save_for_backward(*inputs, color, opacity, depth)
        ctx.mark_non_differentiable(radii)
        # Gradients of zeros are left out: for many Gaussians torch would fill them with OpenMP, whose threads go on
        # spinning for milliseconds and take the cores from the kernel's.
        ctx.set_materialize_grads(False)
        return color, opacity, depth, radii

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *image_gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        *inputs, color, opacity, depth = ctx.saved_tensors
        gradients = [torch.empty_like(tensor) for tensor in inputs[:5]]
        offset_gradient = torch.empty_like(inputs[7]) if ctx.needs_input_grad[9] else None
        incoming = [None if gradient is None else gradient.contiguous() for gradient in image_gradients[:3]]
        status = ctx.workspace.library.lodestone_splatting_backward(
            ctx.workspace.handle,
            _scene(inputs, ctx.height, ctx.width, ctx.threads),
            _Images(*map(pointer, (color, opacity, depth))),
            _Images(*map(pointer, incoming)),
            _Gradients(*map(pointer, (*gradients, offset_gradient))),
        )
        check_status(status)
        return None, None, *gradients, None, None, offset_gradient


def _splat_native(*inputs: Tensor, height: int, width: int, screen_offset: Tensor | None) -> tuple[Tensor, ...]:
    *gaussians, camera_to_world, intrinsics = inputs
    world_to_camera = camera_from_world(camera_to_world.double()).float()
    outputs: tuple[Tensor, ...] = _NativeSplatting.apply(
        height, width, *gaussians, world_to_camera, intrinsics, screen_offset
    )
    return outputs


# -------------------------------------------------------------------------------------------------------- the operation


def _check_shapes(arguments: dict[str, tuple[Tensor, tuple[int, ...]]]) -> None:
    means = arguments["means"][0]
    for name, (tensor, shape) in arguments.items():
        if tensor.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, not {tuple(tensor.shape)}")
        if tensor.dtype != means.dtype or not tensor.is_floating_point():
            raise ValueError(
                f"{name} must be floating point and of one dtype with means ({means.dtype}), not {tensor.dtype}"
            )
        if tensor.device != means.device:
            raise ValueError(f"{name} must be on {means.device} with means, not on {tensor.device}")


def _is_rigid(pose: Tensor) -> bool:
    """Whether the axes are orthonormal to three digits and right-handed, over a last row of 0, 0, 0, 1."""
    x, y, z = pose[:, :3, :3].unbind(-1)
    axes = torch.stack([x, y, z, torch.linalg.cross(x, y)], dim=-1)
    products = (axes[:, :, :, None] * axes[:, :, None, :]).sum(dim=1)
    identity = torch.eye(4, dtype=pose.dtype, device=pose.device)
    expected = identity.clone()
    expected[2, 3] = expected[3, 2] = 1.0  # the cross product of x and y is z
    return bool(
        ((products - expected).abs() < 1e-3).all() and torch.equal(pose[:, 3], identity[3].expand(len(pose), 4))
    )


def _check_cameras(camera_to_world: Tensor, intrinsics: Tensor, height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise ValueError(f"the image must have at least one pixel, not {height} x {width}")
    if camera_to_world.requires_grad or intrinsics.requires_grad:
        raise ValueError("cameras get no gradient from splatting: detach camera_to_world and intrinsics")
    if not (camera_to_world.isfinite().all() and intrinsics.isfinite().all()):
        raise ValueError("camera_to_world and intrinsics must be finite")
    if not _is_rigid(camera_to_world):
        raise ValueError("camera_to_world must be a rotation and a translation, without scale or reflection")
    fx, fy = intrinsics[:, 0, 0], intrinsics[:, 1, 1]
    if (torch.stack([fx, fy]) <= 0).any():
        raise ValueError("intrinsics must have positive focal lengths")
    plain = torch.zeros_like(intrinsics)
    plain[:, 0, 0], plain[:, 1, 1], plain[:, :2, 2], plain[:, 2, 2] = fx, fy, intrinsics[:, :2, 2], 1.0
    if not torch.equal(plain, intrinsics):
        raise ValueError("intrinsics must have the form ((fx, 0, cx), (0, fy, cy), (0, 0, 1))")


def _choose(backend: Backend, means: Tensor) -> Backend:
    single = means.dtype == torch.float32
    if backend is Backend.AUTO:
        if means.is_cuda and single and cuda_available():
            return Backend.CUDA
        return Backend.NATIVE if means.device.type == "cpu" and single and NATIVE.available else Backend.REFERENCE
    if backend is Backend.NATIVE and (means.device.type != "cpu" or not single):
        raise ValueError(f"the native backend takes float32 tensors on the cpu, not {means.dtype} on {means.device}")
    if backend is Backend.NATIVE and not NATIVE.available:
        raise SettingError(NATIVE.status)
    if backend is Backend.CUDA and not (means.is_cuda and single):
        raise ValueError(
            f"the CUDA backend takes float32 tensors on a CUDA device, not {means.dtype} on {means.device}"
        )
    return backend


def splat(
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
    backend: Backend = Backend.AUTO,
) -> SplattingOutput:
    r"""Renders v images: :math:`\sum_i w_i (c_i, 1, z_i)`, :math:`w_i = \alpha_i \prod_{j<i} (1 - \alpha_j)`.

    Parameters are the activated values. Every output image is differentiable, once, with respect to means, quaternions,
    scales, opacities, colors and screen_offset. With the native kernel results are equal to the bit for any number of
    threads.

    Args:
        means: Centres in world units.
        quaternions: Rotations w, x, y, z of any length; they are normalised, and the gradient passes through that.
        scales: Standard deviations along the Gaussians' axes, positive, in world units.
        opacities: In (0, 1).
        colors: Any real values.
        camera_to_world: OpenCV axes (x right, y down, z forward), a rotation and a translation.
        intrinsics: ((fx, 0, cx), (0, fy, cy), (0, 0, 1)) in pixels; pixel centres lie at + 0.5.
        height: Rows of the images.
        width: Columns of the images.
        screen_offset: Added to the projected means, in pixels. Pass zeros that require a gradient to read the gradient
            with respect to the screen positions, which density control needs.
        backend: The implementation.

    Raises:
        ValueError: If shapes, dtypes or devices disagree, or a camera is not finite, is no pinhole or requires a
            gradient; as SettingError, if the backend asked for is not installed.
    """
    gaussians, views = means.shape[0], camera_to_world.shape[0]
    arguments = {
        "means": (means, (gaussians, 3)),
        "quaternions": (quaternions, (gaussians, 4)),
        "scales": (scales, (gaussians, 3)),
        "opacities": (opacities, (gaussians,)),
        "colors": (colors, (gaussians, 3)),
        "camera_to_world": (camera_to_world, (views, 4, 4)),
        "intrinsics": (intrinsics, (views, 3, 3)),
    }
    if screen_offset is not None:
        arguments["screen_offset"] = (screen_offset, (views, gaussians, 2))
    _check_shapes(arguments)
    _check_cameras(camera_to_world, intrinsics, height, width)
    inputs = (means, quaternions, scales, opacities, colors, camera_to_world, intrinsics)
    chosen = _choose(backend, means)
    if chosen is Backend.NATIVE:
        return SplattingOutput(*_splat_native(*inputs, height=height, width=width, screen_offset=screen_offset))
    implementation = splat_cuda if chosen is Backend.CUDA else splat_reference
    return SplattingOutput(*implementation(*inputs, height, width, screen_offset))
