"""Low-rank adapters: small learned weights beside the frozen ones of a denoiser.

A frozen linear layer `W x` becomes `W x + up(c down(x))` with `down: in -> rank` and `up: rank -> out`
(LoRA, Hu et al. 2021, arXiv 2106.09685). The strength c belongs to each *row* of the batch, so that the frozen model
(c = 0) and the adapted one are evaluated in one call, and no switch is ever thrown between a forward pass and its
backward pass. An adapter may hold several independent parts, each with its own strength: several adapted models in one
call. Weights stay float32 whatever the network's dtype.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from lodestone.errors import check_range

__all__ = ["AdaptedAttention", "LowRankAdapter", "LowRankSettings", "gates"]


@dataclass(frozen=True, kw_only=True)
class LowRankSettings:
    """Size and strength of an adapter."""

    rank: int = 4
    scale: float = 1.0
    """c where the adapter acts at all."""
    targets: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")
    """Ends of the names of the adapted layers; a denoiser without attention ignores them."""

    def __post_init__(self) -> None:
        check_range("estimator.low_rank.rank", self.rank, 1, 4096)
        check_range("estimator.low_rank.scale", self.scale, 1e-9, 1e9)


class LowRankAdapter(nn.Module):
    """The learned weights, by layer name; `up` begins at zero, so that the adapter begins as the frozen model.

    Args:
        shapes: inputs and outputs of each adapted layer.
        rank: inner width of each part.
        rng: draws `down`, normal with standard deviation 1 / rank.
        parts: independent adapters in one.
    """

    def __init__(
        self, shapes: Mapping[str, tuple[int, int]], rank: int, rng: torch.Generator, *, parts: int = 1
    ) -> None:
        super().__init__()
        self.layers, self.parts = list(shapes), parts
        inner = [parts * min(rank, *shapes[layer]) for layer in self.layers]
        self.down = nn.ParameterList(
            torch.randn(r, shapes[layer][0], generator=rng) * parts / r
            for r, layer in zip(inner, self.layers, strict=True)
        )
        self.up = nn.ParameterList(
            torch.zeros(shapes[layer][1], r) for r, layer in zip(inner, self.layers, strict=True)
        )

    def weights(self) -> list[Tensor]:
        """`down` of every layer, then `up` of every layer."""
        return [*self.down, *self.up]

    def by_layer(self, weights: list[Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
        """What `weights` returned (perhaps in another dtype) by layer name."""
        downs, ups = weights[: len(self.layers)], weights[len(self.layers) :]
        return {layer: (down, up) for layer, down, up in zip(self.layers, downs, ups, strict=True)}

    @torch.no_grad()
    def displacement(self) -> float:
        """Frobenius norm of all `up down` together: how far the weights have moved from the frozen ones."""
        pairs = [
            (d, u)
            for down, up in zip(self.down, self.up, strict=True)
            for d, u in zip(down.chunk(self.parts), up.chunk(self.parts, dim=1), strict=True)
        ]
        squares = [((up.T @ up) * (down @ down.T)).sum() for down, up in pairs]
        return float(torch.stack(squares).sum().clamp(min=0).sqrt())


def gates(scale: Float[Tensor, "b parts"], rank: int) -> Float[Tensor, "b rank"]:
    """The strength of each inner column, from that of each part."""
    return scale.repeat_interleave(rank // scale.shape[1], dim=1)


def apply_low_rank(
    x: Float[Tensor, "b n inputs"],
    down: Float[Tensor, "r inputs"],
    up: Float[Tensor, "outputs r"],
    scale: Float[Tensor, "b parts"],
) -> Float[Tensor, "b n outputs"]:
    """`up(c down(x))` with strengths of each row's own."""
    return linear(linear(x, down) * gates(scale, len(down))[:, None].to(x.dtype), up)


class AdaptedAttention:
    """The attention processor of a diffusers transformer block that knows adapters.

    Without one it computes exactly what diffusers' own processor does. The adapter arrives through
    `cross_attention_kwargs`, call by call; nothing is stored in the network.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        adapter: Mapping[str, tuple[Tensor, Tensor]] | None = None,
        adapter_scale: Tensor | None = None,
    ) -> Tensor:
        def project(layer: str, module: nn.Module, x: Tensor) -> Tensor:
            projected: Tensor = module(x)
            low_rank = (adapter or {}).get(f"{self.name}.{layer}")
            if low_rank is None or adapter_scale is None:
                return projected
            return projected + apply_low_rank(x, *low_rank, adapter_scale)

        def heads(x: Tensor) -> Tensor:
            return x.unflatten(2, (attn.heads, -1)).transpose(1, 2)

        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        if encoder_hidden_states is not None and attn.norm_cross:
            context = attn.norm_encoder_hidden_states(context)
        query = heads(project("to_q", attn.to_q, hidden_states))
        key, value = heads(project("to_k", attn.to_k, context)), heads(project("to_v", attn.to_v, context))
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)
        return project("to_out.0", attn.to_out[0], mixed.transpose(1, 2).flatten(2))
