"""The mixture of data sets, and the batches that are drawn from it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lodestone.data.training.network import draft_kind
from lodestone.data.training.settings import TEXT_WIDTH, TrainingSettings
from lodestone.data.training.sources import AbstractSource, Drawn, EmojiSource, WorldSource, open_world
from lodestone.prompts.text_encoder import MiniLM

__all__ = ["Batch", "Mixture", "Words", "batch_of", "open_mixture", "read_words", "white"]


@dataclass(frozen=True)
class Words:
    """The text encoder, which computes a sentence embedding once."""

    condition: Callable[[list[str]], tuple[Tensor, Tensor]]
    """Token states and pooled vectors of texts."""
    known: dict[str, Tensor] = field(default_factory=dict)

    def embed(self, texts: list[str]) -> Float[Tensor, "n dim"]:
        """Pooled vectors on the CPU, zero for the empty text.

        Each text is encoded alone: a batched product could give it other bits beside other neighbours.
        """
        for text in texts:
            if text not in self.known:
                self.known[text] = self.condition([text])[1][0].cpu() * float(bool(text))
        return torch.stack([self.known[text] for text in texts])


@dataclass(frozen=True)
class Batch:
    """What one optimization step sees; pictures in [-1, 1]."""

    pictures: Float[Tensor, "b c h w"]
    tokens: Float[Tensor, "b length dim"]
    pooled: Float[Tensor, "b dim_pooled"]
    """The pooled text vector, and behind it the camera."""
    draft_words: Float[Tensor, "b dim_draft"]
    """What the draft network reads of the captions."""
    kept: Float[Tensor, " b"]
    """0 where nothing is told, 1 elsewhere."""
    mirrored: Bool[Tensor, " b"]

    def map(self, function: Callable[[Tensor], Tensor]) -> "Batch":
        """Applies `function` to every tensor."""
        parts = (self.pictures, self.tokens, self.pooled, self.draft_words, self.kept, self.mirrored)
        return Batch(*(function(part) for part in parts))

    @property
    def draft_read(self) -> Float[Tensor, "b dim_read"]:
        """What the draft network reads of captions and cameras."""
        return torch.cat([self.draft_words, self.pooled[:, TEXT_WIDTH:]], dim=1)


def read_words(length: int, device: torch.device) -> Words:
    """The text encoder of the embedded prior, on a device."""
    encoder = MiniLM.load()
    placed = MiniLM(encoder.model.to(device), lambda texts, **how: encoder.tokenizer(texts, **how).to(device))
    return Words(lambda texts: placed.condition(texts, length))


def over(rgba: Float[Tensor, "b 4 h w"], background: Float[Tensor, "b 3"]) -> Float[Tensor, "b 3 h w"]:
    """Premultiplied pictures over plain colours, in [-1, 1]."""
    return 2 * (rgba[:, :3] + (1 - rgba[:, 3:]) * background[:, :, None, None]) - 1


def white(rgba: Float[Tensor, "b 4 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Premultiplied pictures on white, in [-1, 1]."""
    return over(rgba, torch.ones(len(rgba), 3))


def batch_of(
    drawn: Drawn,
    pictures: Float[Tensor, "b 3 h w"],
    kept: Float[Tensor, " b"],
    words: Words,
    settings: TrainingSettings,
) -> Batch:
    """A batch of pictures with what is said of those that are kept, on the CPU."""
    tokens, text = (part.cpu() for part in words.condition(drawn.texts))
    pooled = torch.cat([text, drawn.camera], dim=1) * kept[:, None]
    draft_words = draft_kind(settings).read(drawn.texts, words.embed) * kept[:, None]
    return Batch(pictures, tokens * kept[:, None, None], pooled, draft_words, kept, drawn.mirrored)


@dataclass(frozen=True)
class Mixture:
    """Data sets, and how likely a picture is of each."""

    sources: tuple[AbstractSource, ...]
    weights: tuple[float, ...]
    settings: TrainingSettings

    def draw(self, count: int, rng: torch.Generator, *, plain: bool = False) -> Drawn:
        """So many pictures of all data sets."""
        chosen = torch.multinomial(torch.tensor(self.weights), count, replacement=True, generator=rng)
        counts = chosen.bincount(minlength=len(self.sources)).tolist()
        parts = [source.draw(n, rng, plain=plain) for source, n in zip(self.sources, counts, strict=True) if n]
        return Drawn.join(parts)

    def batch(self, rng: torch.Generator, words: Words, device: torch.device) -> Batch:
        """Pictures on plain backgrounds with captions and cameras; of a share of them nothing is told (all zeros)."""
        count = self.settings.batch
        drawn = self.draw(count, rng)
        is_white = torch.rand(count, 1, generator=rng) < self.settings.white_share
        background = torch.where(is_white, torch.ones(count, 3), torch.rand(count, 3, generator=rng))
        kept = (torch.rand(count, generator=rng) >= self.settings.caption_drop).float()
        batch = batch_of(drawn, over(drawn.rgba, background), kept, words, self.settings)
        return batch.map(lambda part: part.to(device))


def open_mixture(settings: TrainingSettings) -> Mixture:
    """The emoji, and the world if the settings name one.

    Raises: SettingError if the view cache cannot be used.
    """
    emoji = EmojiSource.load(settings)
    if not settings.world:
        return Mixture((emoji,), (1.0,), settings)
    world = WorldSource(open_world(settings), settings)
    return Mixture((emoji, world), (1 - settings.world_share, settings.world_share), settings)
