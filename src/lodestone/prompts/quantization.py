"""Weights in eight bits: each row of a matrix as whole numbers from -127 to 127 and one scale."""

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["dequantized", "quantized"]

SCALE = ".scale"
"""Ends the name of the scales of a matrix."""


def quantized(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Matrices in eight bits, `W_ij = s_i q_ij` with `s_i = max_j |W_ij| / 127`; other tensors in half precision.

    What is not finite stays so: it makes a whole row not a number.
    """
    kept: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if tensor.ndim != 2:
            kept[name] = tensor.half()
            continue
        scale = tensor.float().abs().amax(dim=1, keepdim=True) / 127
        kept[name] = (tensor / scale.clamp(min=1e-30)).round().to(torch.int8)
        kept[name + SCALE] = scale
    return kept


def dequantized(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse, up to the rounding, in float32."""
    return {
        name: tensor.float() * (tensors[name + SCALE] if tensor.dtype is torch.int8 else 1)
        for name, tensor in tensors.items()
        if not name.endswith(SCALE)
    }
