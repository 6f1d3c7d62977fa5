"""A first, blurred guess at the picture from the words alone.

At the highest noise the best prediction of a diffusion model is the mean picture of its caption, `E[x | y]`, which a
small convolutional network is slow to learn: it would have to paint a layout from channel-wise modulation.
`DraftNetwork` regresses that mean from the sentence embedding; the denoiser receives it, and its mirror image, as
extra channels. This is a two-part prior as in unCLIP (Ramesh et al. 2022, arXiv 2204.06125), with a 32 x 32 picture in
the place of an image embedding. `lodestone.prompts.solid_draft` is the draft of a prior that knows cameras.
"""

import abc
from collections.abc import Callable
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle, silu

from lodestone.arrays import Latents
from lodestone.prompts.conditioning import Conditioning
from lodestone.prompts.text_encoder import AbstractTextEncoder

__all__ = ["DRAFT_SIDE", "AbstractDraft", "DraftNetwork", "DraftedText", "Embedding", "Residual", "draft_channels"]

Embedding = Callable[[list[str]], Float[Tensor, "n dim"]]
"""Texts to sentence embeddings."""
DRAFT_SIDE = 32
"""Side of a draft in pixels."""


class Residual(nn.Module):
    """`x + W silu(norm(x)) + b`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(width), nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "*b dim"]) -> Float[Tensor, "*b dim"]:
        """Adds to `x`."""
        changed: Tensor = self.linear(silu(self.norm(x)))
        return x + changed


class AbstractDraft(nn.Module, abc.ABC):
    """What it reads of captions, and camera if the prior knows cameras, to a 32 x 32 picture on white, in [-1, 1].

    Args:
        width: of a sentence embedding.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @staticmethod
    def read(captions: list[str], embed: Embedding) -> Float[Tensor, "b dim_draft"]:
        """What the network reads of captions: their sentence embeddings, which are zero for the empty text."""
        return embed(captions)

    @abc.abstractmethod
    def forward(self, read: Float[Tensor, "b dim"]) -> Float[Tensor, "b 3 32 32"]:
        """The mean picture of each caption, from its camera where one is told behind what is read."""

    @abc.abstractmethod
    def squared_error(
        self, read: Float[Tensor, "b dim"], pictures: Float[Tensor, "b 3 32 32"], rng: torch.Generator
    ) -> Float[Tensor, ""]:
        """Mean squared distance to pictures, or an unbiased estimate of it, to be made small by training."""


class DraftNetwork(AbstractDraft):
    """A draft that is a sum of 256 learned pictures: a perceptron with residual layers, the last two of them linear.

    Args:
        width: of the embedding.
        hidden: width of the layers.
    """

    def __init__(self, width: int = 384, hidden: int = 512) -> None:
        super().__init__(width)
        between = [Residual(hidden) for _ in range(3)]
        drawn = nn.Linear(hidden, hidden // 2), nn.Linear(hidden // 2, 3 * DRAFT_SIDE**2)
        self.layers = nn.Sequential(nn.Linear(width, hidden), *between, nn.LayerNorm(hidden), nn.SiLU(), *drawn)

    def forward(self, read: Float[Tensor, "b dim"]) -> Float[Tensor, "b 3 32 32"]:
        drawn: Tensor = self.layers(read)
        return drawn.unflatten(1, (3, DRAFT_SIDE, DRAFT_SIDE))

    def squared_error(
        self, read: Float[Tensor, "b dim"], pictures: Float[Tensor, "b 3 32 32"], rng: torch.Generator
    ) -> Float[Tensor, ""]:
        return (self(read) - pictures).square().mean()


def draft_channels(draft: Float[Tensor, "b 3 32 32"], side: int) -> Latents:
    """A draft and its mirror image as channels beside latents of the given side."""
    return pixel_unshuffle(torch.cat([draft, draft.flip(-1)], dim=1), DRAFT_SIDE // side)


class DraftedText(AbstractTextEncoder):
    """Adds a draft to what another text encoder says; the empty text has an all-zero draft.

    Args:
        inner: an encoder with a pooled vector.
        network: the frozen draft network.
        side: of the denoiser's latents.
    """

    def __init__(self, inner: AbstractTextEncoder, network: AbstractDraft, side: int) -> None:
        self.inner, self.network, self.side = inner, network.eval().requires_grad_(False), side

    def encode(self, texts: list[str]) -> Conditioning:
        words = self.inner.encode(texts)
        assert words.pooled is not None
        read = self.network.read(texts, self.embed)
        # One row at a time: a batched product could give a text other bits beside other neighbours.
        rows = torch.cat([read, words.pooled[:, self.network.width :]], dim=1).split(1)
        drafts = torch.cat([self.network(row) * float(bool(text)) for row, text in zip(rows, texts, strict=True)])
        return replace(words, picture=draft_channels(drafts, self.side), draft_words=read)

    def embed(self, texts: list[str]) -> Float[Tensor, "n dim"]:
        """The sentence embeddings alone."""
        pooled = self.inner.encode(texts).pooled
        assert pooled is not None
        return pooled[:, : self.network.width]
