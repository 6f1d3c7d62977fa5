"""Which Gaussians are worth a place in a file."""

import math
from dataclasses import fields

import torch
from jaxtyping import Bool
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.scenes.gaussians import RawGaussians

__all__ = ["FAINTEST", "finite", "keep_visible", "select"]

FAINTEST = math.log(1 / 254)
"""The logit of opacity 1/255: what is fainter never reaches one step of an 8-bit picture."""


def finite(raw: RawGaussians) -> Bool[Tensor, " n"]:
    """Where every parameter is a finite number."""
    columns = [getattr(raw, field.name).unsqueeze(-1).flatten(1) for field in fields(raw)]
    return torch.cat(columns, dim=-1).isfinite().all(dim=-1)


def select(raw: RawGaussians, chosen: Tensor) -> RawGaussians:
    """The chosen Gaussians (a mask or indices)."""
    return RawGaussians(**{field.name: getattr(raw, field.name)[chosen] for field in fields(raw)})


def keep_visible(raw: RawGaussians) -> RawGaussians:
    """Drops Gaussians with a non-finite parameter or an opacity below 1/255; detached, on the CPU, in single precision.

    Raises: SettingError if nothing is left.
    """
    held = RawGaussians(**{field.name: getattr(raw, field.name).detach().cpu().float() for field in fields(raw)})
    visible = finite(held) & (held.opacity_logits >= FAINTEST)
    if not visible.any():
        raise SettingError(
            f"none of the scene's {len(raw)} Gaussians is visible, so there is nothing to export: "
            "export an earlier checkpoint or optimize again with a lower learning rate"
        )
    return select(held, visible)
