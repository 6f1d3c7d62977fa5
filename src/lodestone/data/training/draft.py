"""Fits the draft network: the mean picture of each caption and camera, by least squares."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate, pad

from lodestone.data.training.mixture import Batch, Mixture, Words, white
from lodestone.data.training.network import draft_kind
from lodestone.data.training.settings import TEXT_WIDTH, TrainingSettings
from lodestone.prompts.draft import DRAFT_SIDE, AbstractDraft
from lodestone.prompts.quantization import dequantized, quantized

__all__ = ["draft_error", "draft_examples", "fit_draft"]

BATCH = 256


@torch.no_grad()
def draft_examples(
    mixture: Mixture, count: int, words: Words, rng: torch.Generator
) -> tuple[Float[Tensor, "n dim"], Float[Tensor, "n 3 32 32"]]:
    """What the draft network reads, and the small white pictures that it is to draw; both in half precision."""
    kind, read, targets = draft_kind(mixture.settings), [], []
    for start in range(0, count, BATCH):
        drawn = mixture.draw(min(BATCH, count - start), rng, plain=True)
        targets.append(interpolate(white(drawn.rgba), size=DRAFT_SIDE, mode="area").half())
        read.append(torch.cat([kind.read(drawn.texts, words.embed), drawn.camera], dim=1).half())
    return torch.cat(read), torch.cat(targets)


def fit_draft(draft: AbstractDraft, mixture: Mixture, words: Words, settings: TrainingSettings) -> float:
    """Regresses white, unmoved pictures on their captions and cameras; returns the last mean loss.

    Without steps it stays what the training began with.

    The text vectors are blurred by noise, which makes the error on captions that it has not seen smaller (by 15 % in a
    trial with 1,500 scenes). The network's own device is used; it is frozen afterwards, and has the precision in which
    it is stored.
    """
    error = regress(draft, mixture, words, settings) if settings.draft_steps else 0.0
    draft.requires_grad_(False)
    draft.load_state_dict(dequantized(quantized(draft.state_dict())))  # as it is stored
    return error


def regress(draft: AbstractDraft, mixture: Mixture, words: Words, settings: TrainingSettings) -> float:
    """The steps of `fit_draft`; returns the last mean loss."""
    rng = torch.Generator().manual_seed(settings.seed)
    device = next(draft.parameters()).device
    known, targets = (part.to(device) for part in draft_examples(mixture, settings.draft_examples, words, rng))
    optimizer = torch.optim.Adam(draft.parameters(), lr=settings.draft_learning_rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.draft_steps)
    recent = 0.0
    for step in range(settings.draft_steps):
        chosen = torch.randint(len(known), (BATCH,), generator=rng).to(device)
        loss = draft.squared_error(blurred(known[chosen].float(), settings, rng), targets[chosen].float(), rng)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        falling.step()
        recent += (float(loss.detach()) - recent) / min(step + 1, 50)
    return recent


def blurred(read: Float[Tensor, "b dim"], settings: TrainingSettings, rng: torch.Generator) -> Float[Tensor, "b dim"]:
    """With noise on the embeddings of what is said; directions and cameras stay."""
    width = read.shape[1] // TEXT_WIDTH * TEXT_WIDTH
    noise = settings.draft_noise * torch.randn(len(read), width, generator=rng).to(read)
    return read + pad(noise * (read[:, :width] != 0), (0, read.shape[1] - width))


@torch.no_grad()
def draft_error(draft: AbstractDraft, batch: Batch) -> float:
    """Mean squared error of the drafts of some pictures on white."""
    small = interpolate(batch.pictures, size=DRAFT_SIDE, mode="area")
    return float((draft(batch.draft_read) - small).square().mean())
