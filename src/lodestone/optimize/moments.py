"""An optimizer's moments as named tensors, for checkpoints from which it goes on to the bit."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lodestone.storage import section

__all__ = ["moments", "set_moments"]


def moments(prefix: str, module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimizer's state by parameter name."""
    return {
        f"{prefix}.{name}.{key}": torch.as_tensor(value)
        for name, p in module.named_parameters()
        for key, value in optimizer.state.get(p, {}).items()
    }


@torch.no_grad()
def set_moments(
    prefix: str, module: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Gives an optimizer the state that `moments` returned."""
    fused = bool(optimizer.defaults.get("fused"))
    for name, p in module.named_parameters():
        kept = section(tensors, f"{prefix}.{name}")
        if kept:
            step = kept.pop("step")
            # A fused optimizer walks raw memory: moments are laid out as their parameter, and steps counted there.
            laid_out = {key: torch.empty_like(p).copy_(value) for key, value in kept.items()}
            optimizer.state[p] = {"step": step.to(p.device) if fused else step, **laid_out}
