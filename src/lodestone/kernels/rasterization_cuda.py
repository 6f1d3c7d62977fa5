"""Which triangle each pixel sees, on CUDA, by nvdiffrast (arXiv 2011.03277).

nvdiffrast's licence allows research and evaluation alone, so this package neither contains nor requires it. It is
imported only here, and only visibility is asked of it: everything with a gradient is ours.
"""

import functools
import importlib.util
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.kernels.rasterization_reference import barycentrics_reference

__all__ = ["cuda_available", "rasterize_cuda"]


def cuda_available() -> bool:
    """Whether torch has a CUDA device and nvdiffrast is installed."""
    return torch.cuda.is_available() and importlib.util.find_spec("nvdiffrast") is not None


@functools.cache
def _context(device: torch.device) -> Any:
    import nvdiffrast.torch as nvdiffrast

    return nvdiffrast.RasterizeCudaContext(device=device)


def rasterize_cuda(
    positions: Float[Tensor, "v n 4"], faces: Int[Tensor, "f 3"], height: int, width: int
) -> tuple[Int[Tensor, "v h w"], Float[Tensor, "v h w 3"], Float[Tensor, "v h w"]]:
    """Triangle, barycentrics and depth as `lodestone.kernels.rasterization.rasterize` defines them.

    nvdiffrast rounds positions to parts of a pixel first, so pixels whose centre is next to an edge may differ.

    Raises:
        SettingError: If nvdiffrast is not installed.
    """
    try:
        import nvdiffrast.torch as nvdiffrast
    except ImportError as error:
        raise SettingError("the CUDA backend needs nvdiffrast: install it, or choose another backend") from error
    with torch.no_grad():
        seen, _ = nvdiffrast.rasterize(
            _context(positions.device), positions.detach().contiguous(), faces.int(), (height, width), grad_db=False
        )
        triangle = seen[..., 3].long() - 1
    return triangle, *barycentrics_reference(positions, faces, triangle)
