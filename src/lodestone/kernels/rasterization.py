"""Triangles seen by cameras: which one each pixel sees, attributes interpolated over it, antialiased silhouettes.

The one door to a native CPU kernel, plain torch on any device, and nvdiffrast's visibility on CUDA where it is
installed. `rasterization_reference.py` states the equations. What a pixel sees has no gradient; barycentrics,
interpolated attributes and silhouettes have one, so that a loss on pictures moves vertices.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from lodestone.kernels import rasterization_reference as reference
from lodestone.kernels.native_kernel import Implementation, NativeKernel, check_status, pointer
from lodestone.kernels.rasterization_cuda import cuda_available, rasterize_cuda
from lodestone.kernels.rasterization_reference import Edges

__all__ = ["Edges", "Fragments", "antialias", "edges_of", "interpolate", "rasterize"]


@dataclass(frozen=True)
class Fragments:
    """What each pixel sees."""

    triangle: Int[Tensor, "v h w"]
    """-1 where there is none."""
    barycentrics: Float[Tensor, "v h w 3"]
    """Perspective-correct weights of its three corners, with gradients to the positions; 0 where there is none."""
    depth: Float[Tensor, "v h w"]
    """z / w, without gradients; 1, the far plane, where there is no triangle."""


# ------------------------------------------------------------------------------------------------ the native kernel


class _Surface(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("views", "vertices", "faces", "height", "width", "threads")],
        *[(name, ctypes.c_void_p) for name in ("positions", "corners")],
    ]


class _Pixels(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("triangle", "barycentrics", "depth")]


class _Attributes(ctypes.Structure):
    _fields_ = [("channels", ctypes.c_int64), ("shared", ctypes.c_int64), ("values", ctypes.c_void_p)]


class _Edges(ctypes.Structure):
    _fields_ = [("count", ctypes.c_int64), ("ends", ctypes.c_void_p), ("of_face", ctypes.c_void_p)]


def _declare(library: ctypes.CDLL) -> None:
    surface, pixels, attributes, edges = map(ctypes.POINTER, (_Surface, _Pixels, _Attributes, _Edges))
    address, number = ctypes.c_void_p, ctypes.c_int64
    library.lodestone_rasterization_forward.argtypes = [surface, pixels]
    library.lodestone_rasterization_backward.argtypes = [surface, *[address] * 3]
    library.lodestone_interpolation_forward.argtypes = [surface, attributes, pixels, address]
    library.lodestone_interpolation_backward.argtypes = [surface, attributes, pixels, *[address] * 3]
    library.lodestone_antialiasing_forward.argtypes = [surface, edges, pixels, number, *[address] * 2]
    library.lodestone_antialiasing_backward.argtypes = [surface, edges, pixels, number, *[address] * 4]
    library.lodestone_rasterization_edges.argtypes = [address, number, number, *[address] * 2]
    library.lodestone_rasterization_edges.restype = number


NATIVE = NativeKernel("rasterization", version=1, declare=_declare)


def _surface(faces: Tensor, shape: torch.Size, vertices: int, positions: Tensor | None = None) -> _Surface:
    views, height, width = shape
    counts = (views, vertices, len(faces), height, width, torch.get_num_threads())
    return _Surface(*counts, pointer(positions), pointer(faces))


class _NativeRasterization(torch.autograd.Function):
    """The native kernel under autograd: barycentrics have gradients to positions."""

    @staticmethod
    def forward(ctx: Any, positions: Tensor, faces: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        shape = torch.Size((len(positions), height, width))
        triangle = faces.new_empty(shape)
        barycentrics, depth = positions.new_empty(*shape, 3), positions.new_empty(shape)
        surface = _surface(faces, shape, positions.shape[1], positions)
        pixels = _Pixels(*map(pointer, (triangle, barycentrics, depth)))
        check_status(NATIVE.library.lodestone_rasterization_forward(surface, pixels))
        ctx.save_for_backward(positions, faces, triangle)
        ctx.mark_non_differentiable(triangle, depth)
        ctx.set_materialize_grads(False)
        return triangle, barycentrics, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _: Any, gradient: Tensor | None, __: Any) -> tuple[Tensor | None, ...]:
        if gradient is None:
            return None, None, None, None
        positions, faces, triangle = ctx.saved_tensors
        out, gradient = torch.empty_like(positions), gradient.contiguous()
        surface = _surface(faces, triangle.shape, positions.shape[1], positions)
        run = NATIVE.library.lodestone_rasterization_backward
        check_status(run(surface, pointer(triangle), pointer(gradient), pointer(out)))
        return out, None, None, None


class _NativeInterpolation(torch.autograd.Function):
    """The native kernel under autograd: attributes and barycentrics get gradients."""

    @staticmethod
    def forward(ctx: Any, attributes: Tensor, barycentrics: Tensor, faces: Tensor, triangle: Tensor) -> Tensor:
        out = attributes.new_empty(*triangle.shape, attributes.shape[-1])
        given = (attributes, barycentrics, faces, triangle)
        ctx.save_for_backward(*given)
        run = NATIVE.library.lodestone_interpolation_forward
        check_status(run(*_NativeInterpolation.arguments(*given), pointer(out)))
        return out

    @staticmethod
    def arguments(
        attributes: Tensor, barycentrics: Tensor, faces: Tensor, triangle: Tensor
    ) -> tuple[_Surface, _Attributes, _Pixels]:
        """Everything that both passes read."""
        given = _Attributes(attributes.shape[-1], len(attributes) == 1, pointer(attributes))
        pixels = _Pixels(pointer(triangle), pointer(barycentrics), None)
        return _surface(faces, triangle.shape, attributes.shape[1]), given, pixels

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        attributes, barycentrics, _, triangle = ctx.saved_tensors
        gradient = gradient.contiguous()
        by_view = (len(triangle), *attributes.shape[1:])
        of_attributes = attributes.new_empty(by_view) if ctx.needs_input_grad[0] else None
        of_barycentrics = torch.empty_like(barycentrics) if ctx.needs_input_grad[1] else None
        outputs = map(pointer, (gradient, of_attributes, of_barycentrics))
        run = NATIVE.library.lodestone_interpolation_backward
        check_status(run(*_NativeInterpolation.arguments(*ctx.saved_tensors), *outputs))
        if of_attributes is not None and len(attributes) == 1:
            of_attributes = of_attributes.sum(dim=0, keepdim=True)
        return of_attributes, of_barycentrics, None, None


class _NativeAntialiasing(torch.autograd.Function):
    """The native kernel under autograd: colours and positions get gradients."""

    @staticmethod
    def forward(ctx: Any, color: Tensor, positions: Tensor, *given: Tensor) -> Tensor:
        out = torch.empty_like(color)
        given = (color, positions, *given)
        ctx.save_for_backward(*given)
        run = NATIVE.library.lodestone_antialiasing_forward
        check_status(run(*_NativeAntialiasing.arguments(*given), pointer(color), pointer(out)))
        return out

    @staticmethod
    def arguments(
        color: Tensor, positions: Tensor, faces: Tensor, triangle: Tensor, depth: Tensor, ends: Tensor, of_face: Tensor
    ) -> tuple[_Surface, _Edges, _Pixels, int]:
        """Everything that both passes read but the pictures."""
        edges = _Edges(len(ends), pointer(ends), pointer(of_face))
        pixels = _Pixels(pointer(triangle), None, pointer(depth))
        return _surface(faces, triangle.shape, positions.shape[1], positions), edges, pixels, color.shape[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        color, positions, *_ = ctx.saved_tensors
        gradient = gradient.contiguous()
        of_color, of_positions = torch.empty_like(color), torch.empty_like(positions)
        tensors = map(pointer, (color, gradient, of_color, of_positions))
        run = NATIVE.library.lodestone_antialiasing_backward
        check_status(run(*_NativeAntialiasing.arguments(*ctx.saved_tensors), *tensors))
        return of_color, of_positions, None, None, None, None, None


# ---------------------------------------------------------------------------------------------------- the operations


def _check_faces(faces: Tensor, vertices: int) -> None:
    if faces.dtype != torch.int64:
        raise ValueError(f"faces must be int64, not {faces.dtype}")
    if len(faces) and not (int(faces.amin()) >= 0 and int(faces.amax()) < vertices):
        raise ValueError(f"faces name a vertex outside 0 to {vertices - 1}")


def edges_of(faces: Int[Tensor, "f 3"], vertices: int) -> Edges:
    """Every edge of triangles among so many vertices, once.

    Raises:
        ValueError: If faces are not int64 or name a vertex that does not exist.
    """
    _check_faces(faces, vertices)
    if faces.device.type != "cpu" or not NATIVE.available:
        return reference.edges_reference(faces, vertices)
    faces = faces.contiguous()
    ends, of_face = faces.new_empty(3 * len(faces), 2), torch.empty_like(faces)
    count = NATIVE.library.lodestone_rasterization_edges(
        pointer(faces), vertices, len(faces), pointer(ends), pointer(of_face)
    )
    check_status(int(count < 0))
    return Edges(ends[:count], of_face)


def rasterize(
    positions: Float[Tensor, "v n 4"],
    faces: Int[Tensor, "f 3"],
    height: int,
    width: int,
    implementation: Implementation = Implementation.AUTO,
) -> Fragments:
    """The nearest triangle in every pixel of v images. Both sides of a triangle are seen.

    A pixel belongs to a triangle if its centre lies inside, or on an edge with the triangle to the right or below:
    where triangles share an edge there are neither holes nor double hits. Of equally near triangles the first is seen.
    A triangle with a corner that is not finite, or without area, is not seen. With the native kernel results and
    gradients are equal to the bit for any number of threads.

    Args:
        positions: Homogeneous. Row 0, column 0 is next to x / w = y / w = -1, so y points down the image; what has
            -1 <= z / w <= 1 and w > 0 is seen, the smallest z / w first.
        faces: Numbers of vertices, int64.
        height: Rows of the images.
        width: Columns of the images.
        implementation: The native kernel or its twin; AUTO also takes nvdiffrast on CUDA, if it is installed and both
            sides are multiples of 8.

    Raises:
        ValueError: If faces are not int64 or name a vertex that does not exist, or the image has no pixel; as
            SettingError, if the kernel asked for is not compiled.
    """
    _check_faces(faces, positions.shape[1])
    if height < 1 or width < 1:
        raise ValueError(f"the image must have at least one pixel, not {height} x {width}")
    if NATIVE.runs(implementation, positions):
        return Fragments(*_NativeRasterization.apply(positions.contiguous(), faces.contiguous(), height, width))
    plug_in = positions.is_cuda and height % 8 == width % 8 == 0 and cuda_available()
    if plug_in and implementation is Implementation.AUTO and positions.dtype == torch.float32:
        return Fragments(*rasterize_cuda(positions, faces, height, width))
    return Fragments(*reference.rasterize_reference(positions, faces, height, width))


def interpolate(
    attributes: Float[Tensor, "*views n c"],
    faces: Int[Tensor, "f 3"],
    fragments: Fragments,
    implementation: Implementation = Implementation.AUTO,
) -> Float[Tensor, "v h w c"]:
    """Attributes of corners mixed by each pixel's barycentrics, 0 where there is no triangle.

    Differentiable with respect to the attributes and, through the barycentrics, to the positions.

    Args:
        attributes: One set for all views (n c), or one for each (v n c).
        faces: As rasterized, or with other numbers for the same corners, such as those of texture coordinates.
        fragments: What `rasterize` returned.
        implementation: The native kernel or its twin.

    Raises:
        ValueError: If the numbers of views or triangles do not fit, or a number is not that of an attribute.
    """
    views = len(fragments.triangle)
    attributes = attributes[None] if attributes.ndim == 2 else attributes
    if len(attributes) not in (1, views):
        raise ValueError(f"attributes must be for all views or for each of {views}, not for {len(attributes)}")
    _check_faces(faces, attributes.shape[1])
    if len(faces) <= int(fragments.triangle.amax()):
        raise ValueError(f"there are only {len(faces)} faces, but triangle {int(fragments.triangle.amax())} is seen")
    if NATIVE.runs(implementation, attributes):
        given = (attributes, fragments.barycentrics, faces, fragments.triangle)
        mixed: Tensor = _NativeInterpolation.apply(*[tensor.contiguous() for tensor in given])
        return mixed
    return reference.interpolate_reference(attributes, faces, fragments.triangle, fragments.barycentrics)


def antialias(
    color: Float[Tensor, "v h w c"],
    fragments: Fragments,
    positions: Float[Tensor, "v n 4"],
    faces: Int[Tensor, "f 3"],
    edges: Edges | None = None,
    implementation: Implementation = Implementation.AUTO,
) -> Float[Tensor, "v h w c"]:
    """Pictures whose silhouettes pass through pixels instead of between them, and so have gradients to the positions.

    A silhouette is an edge with triangles on one side of it alone. Edges with an end behind the camera are left as they
    are. Where several silhouettes cross one pixel the sum of their changes may leave the range of the colours.

    Args:
        color: With the background behind it; any channels.
        fragments: What `rasterize` returned for these positions and faces.
        positions: As for `rasterize`.
        faces: As for `rasterize`.
        edges: What `edges_of` returned, if it is known already.
        implementation: The native kernel or its twin.
    """
    edges = edges_of(faces, positions.shape[1]) if edges is None else edges
    pixels = (fragments.triangle, fragments.depth)
    if NATIVE.runs(implementation, color):
        given = (color, positions, faces, *pixels, edges.ends, edges.of_face)
        smooth: Tensor = _NativeAntialiasing.apply(*[tensor.contiguous() for tensor in given])
        return smooth
    return reference.antialias_reference(color, *pixels, positions, faces, edges)
