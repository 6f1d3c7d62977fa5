"""The mutable state of a training, and its step."""

import math

import torch
from torch import Tensor, nn

from lodestone.data.training.denoising import LossMeter, add_noise, mean_loss_gradients, noise_schedule
from lodestone.data.training.mixture import Mixture, Words
from lodestone.data.training.network import Start, begin_with, new_draft, new_unet
from lodestone.data.training.settings import TrainingSettings
from lodestone.optimize.moments import moments
from lodestone.threads import workers_for

__all__ = ["Training", "learning_rate"]


def learning_rate(step: int, settings: TrainingSettings, end: int | None) -> float:
    """Linear warm-up, then constant, then a fall to zero at the last step, `end`.

    The fall takes the share `decay / steps` of all steps. While nobody knows the last step, it has not begun.
    """
    rise = min(1.0, (step + 1) / max(1, settings.warm_up))
    if end is None:
        return settings.learning_rate * rise
    left = (end - step) / max(1, round(end * settings.decay / settings.steps))
    left = min(1.0, max(0.0, left))
    fall = (1 - math.cos(math.pi * left)) / 2 if settings.cosine else left
    return settings.learning_rate * min(rise, fall)


class Training:
    """Network, averaged network, draft network, optimizer, generator, step; all that the next step depends on."""

    def __init__(self, settings: TrainingSettings, device: torch.device, start: Start | None = None) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.device = settings, device
        unet, self.draft = new_unet(settings), new_draft(settings).to(device)
        if start is not None:
            begin_with(start, unet, self.draft, settings.draft_steps)
        self.unet = unet.to(device, memory_format=torch.channels_last)
        self.alphas_cumprod = noise_schedule().alphas_cumprod.to(device)
        self.average = {name: p.detach().clone() for name, p in self.unet.named_parameters()}
        self.optimizer = torch.optim.AdamW(
            self.unet.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
        )
        self.rng = torch.Generator().manual_seed(settings.seed)
        self.step = 0
        self.seconds = 0.0
        """Spent on the steps so far, and on what is due after them."""
        self.told = 0.0
        """`seconds` at the last report."""
        self.end: int | None = None if settings.minutes else settings.steps
        """The last step; None while a budget of minutes has not fixed it."""
        self.losses: list[tuple[int, float]] = []
        self.meter = LossMeter()

    @property
    def workers(self) -> int:
        """Threads that share a batch."""
        return workers_for(self.settings.batch, self.device)

    @property
    def finished(self) -> bool:
        """Whether no step is left."""
        return self.end is not None and self.step >= self.end

    def advance(self, mixture: Mixture, words: Words) -> float:
        """One optimization step; returns its loss."""
        batch = mixture.batch(self.rng, words, self.device)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.settings, self.end)
        noisy = add_noise(self.draft, batch, self.alphas_cumprod, self.settings, self.rng)
        losses, gradients = mean_loss_gradients(self.unet, noisy, self.workers)
        for parameter, gradient in zip(self.unet.parameters(), gradients, strict=True):
            parameter.grad = gradient
        nn.utils.clip_grad_norm_(self.unet.parameters(), 1.0)
        self.optimizer.step()
        self.update_average()
        self.meter.add(losses, noisy.t)
        self.step += 1
        return float(losses.mean())

    def spend(self, seconds: float) -> None:
        """Counts time, and fixes the last step once the share of a budget of minutes is spent after which it falls."""
        self.seconds += seconds
        settings = self.settings
        constant = 1 - settings.decay / settings.steps
        if self.end is None and self.seconds >= 60 * settings.minutes * constant:
            self.end = max(self.step + 1, round(self.step / constant))

    @torch.no_grad()
    def update_average(self) -> None:
        """Exponential moving average, faster in the beginning."""
        keep = min(self.settings.ema, (1 + self.step) / (10 + self.step))
        parameters = [p.detach() for p in self.unet.parameters()]
        torch._foreach_lerp_(list(self.average.values()), parameters, 1 - keep)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed training needs, as named tensors."""
        network = {f"unet.{name}": p for name, p in self.unet.named_parameters()}
        average = {f"average.{name}": p for name, p in self.average.items()}
        draft = {f"draft.{name}": p for name, p in self.draft.named_parameters()}
        meter = {"meter.sums": self.meter.sums, "meter.counts": self.meter.counts}
        known = moments("optimizer", self.unet, self.optimizer)
        return {**network, **average, **known, **draft, **meter, "generator": self.rng.get_state()}
