"""The loss of the network, and its mean over the ranges of noise."""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pixel_unshuffle

from lodestone.data.training.mixture import Batch
from lodestone.data.training.settings import TrainingSettings
from lodestone.prompts.draft import AbstractDraft, draft_channels
from lodestone.threads import over_threads

__all__ = [
    "LEVELS",
    "LossMeter",
    "NoisyBatch",
    "add_noise",
    "denoising_losses",
    "draw_times",
    "mean_loss_gradients",
    "noise_schedule",
]

LEVELS = 5
"""Equal ranges of the times 0..999 for which losses are told apart."""


def noise_schedule() -> Any:
    """The diffusers scheduler of the embedded prior."""
    from diffusers import DDPMScheduler

    return DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="sample", clip_sample=False)


def draw_times(count: int, power: float, rng: torch.Generator) -> Int[Tensor, " b"]:
    """Training times 0..999 with density proportional to `t^(1/power - 1)`."""
    return (1000 * torch.rand(count, generator=rng) ** power).long().clamp(max=999)


@dataclass(frozen=True)
class NoisyBatch:
    """What the network sees of a batch, and what it is to say."""

    inputs: Float[Tensor, "b c h w"]
    """Noisy latents, and the channels of the drafts."""
    t: Int[Tensor, " b"]
    tokens: Float[Tensor, "b length dim"]
    pooled: Float[Tensor, "b dim_pooled"]
    clean: Float[Tensor, "b depth h w"]
    weight: Float[Tensor, " b"]

    def split(self, parts: int) -> list["NoisyBatch"]:
        """At most so many parts of nearly equal size, one after the other."""
        fields = (self.inputs, self.t, self.tokens, self.pooled, self.clean, self.weight)
        return [NoisyBatch(*some) for some in zip(*(field.tensor_split(parts) for field in fields), strict=True)]


@torch.no_grad()
def add_noise(
    draft: AbstractDraft,
    batch: Batch,
    alphas_cumprod: Float[Tensor, " 1000"],
    settings: TrainingSettings,
    rng: torch.Generator,
) -> NoisyBatch:
    """`x_t = sqrt(abar_t) x + sqrt(1 - abar_t) eps` for drawn times and noise, and the drafts of what is told."""
    clean = pixel_unshuffle(batch.pictures, settings.space_to_depth)
    noise = torch.randn(clean.shape, generator=rng).to(clean.device)
    t = draw_times(len(clean), settings.time_power, rng).to(clean.device)
    alpha_bar = alphas_cumprod[t][:, None, None, None]
    noisy = alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * noise
    drawn = draft(batch.draft_read)
    drawn = torch.where(batch.mirrored[:, None, None, None], drawn.flip(-1), drawn)
    picture = draft_channels(drawn, clean.shape[-1]) * batch.kept[:, None, None, None]
    inputs = torch.cat([noisy, picture], dim=1)
    weight = (1 / (1 - alphas_cumprod[t])).clamp(max=5)
    return NoisyBatch(inputs, t, batch.tokens, batch.pooled, clean, weight)


def denoising_losses(unet: Any, noisy: NoisyBatch) -> Float[Tensor, " b"]:
    """`min(1 / sigma_t^2, 5) || D(x_t, t, y, c) - x ||^2` of each picture, averaged over entries."""
    inputs = noisy.inputs.contiguous(memory_format=torch.channels_last)
    predicted = unet(inputs, noisy.t, encoder_hidden_states=noisy.tokens, class_labels=noisy.pooled).sample
    return noisy.weight * (predicted - noisy.clean).square().flatten(1).mean(1)


def mean_loss_gradients(
    unet: nn.Module, noisy: NoisyBatch, workers: int
) -> tuple[Float[Tensor, " b"], list[Tensor | None]]:
    """The loss of each picture and the gradient of their mean, computed by so many threads that share the batch."""
    parameters = list(unet.parameters())

    def learn(part: NoisyBatch) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        losses = denoising_losses(unet, part)
        total = losses.sum() / len(noisy.t)
        return losses.detach(), torch.autograd.grad(total, parameters, allow_unused=True)

    parts = noisy.split(min(workers, len(noisy.t)))
    learned = over_threads(learn, parts, len(parts))
    sums = [None if some[0] is None else sum(some[1:], some[0]) for some in zip(*(g for _, g in learned), strict=True)]
    return torch.cat([losses for losses, _ in learned]), sums


@dataclass
class LossMeter:
    """Mean losses since the last report."""

    sums: Float[Tensor, " 5"] = field(default_factory=lambda: torch.zeros(LEVELS, dtype=torch.float64))
    counts: Float[Tensor, " 5"] = field(default_factory=lambda: torch.zeros(LEVELS, dtype=torch.float64))

    def add(self, losses: Float[Tensor, " b"], t: Int[Tensor, " b"]) -> None:
        """Takes in some pictures' losses."""
        level = (t.cpu() * LEVELS).div(1000, rounding_mode="floor")
        self.sums.index_add_(0, level, losses.detach().double().cpu())
        self.counts.index_add_(0, level, torch.ones(len(level), dtype=torch.float64))

    @property
    def mean(self) -> float:
        """Over all times."""
        return float(self.sums.sum() / self.counts.sum())

    @property
    def by_noise(self) -> list[float | None]:
        """From the range of least noise to that of most; None where nothing fell."""
        pairs = zip(self.sums.tolist(), self.counts.tolist(), strict=True)
        return [round(total / count, 6) if count else None for total, count in pairs]

    def clear(self) -> None:
        """Forgets everything."""
        self.sums.zero_()
        self.counts.zero_()
