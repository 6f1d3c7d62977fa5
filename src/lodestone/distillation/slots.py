"""What is learned beside the scene: the interface of adaptive estimators and of the slots that they learn."""

import abc
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.arrays import Latents
from lodestone.distillation.estimator import AbstractEstimator
from lodestone.distillation.noising import Noised, add_noise, standard_normal
from lodestone.errors import SettingError
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.prompts.conditioning import Conditioning, ConditioningSet

__all__ = ["AbstractAdaptiveEstimator", "AbstractSlot", "denoising_loss", "learning_draw"]


class AbstractSlot(nn.Module, abc.ABC):
    """What is learned on the side, and how it enters the conditioning."""

    @abc.abstractmethod
    def fill(self, conditioning: ConditioningSet) -> ConditioningSet:
        """The conditioning with the learned part as `learned`."""

    @abc.abstractmethod
    def start(self, conditioning: ConditioningSet) -> Conditioning:
        """What `learned` was before the first step."""

    @abc.abstractmethod
    def displacement(self) -> float:
        """L2 distance from the start: how far the slot has moved."""


@dataclass(frozen=True, kw_only=True)
class AbstractAdaptiveEstimator(AbstractEstimator, abc.ABC):
    """An estimator that learns along with the scene to denoise its renderings.

    On the side: `min E ||eps_learned(x_t', t') - eps'||^2` at `t' ~ U{0..T-1}` and `eps'`, independent of the scene's
    step, on detached renderings; one step for each step of the scene.
    """

    learning_rate: float = 1e-4
    """Adam's learning rate for the slot."""
    learned_share: float = 1.0
    """Share of the batch that the slot is trained on in each step; the papers use all of it."""

    def __post_init__(self) -> None:
        if not 0 < self.learned_share <= 1:
            raise SettingError(f"estimator.learned_share is {self.learned_share}: choose a share above 0, at most 1")
        if not 0 <= self.learning_rate < math.inf:
            raise SettingError(f"estimator.learning_rate is {self.learning_rate}: choose a number from 0")

    @abc.abstractmethod
    def slot(self, conditioning: ConditioningSet, denoiser: AbstractDenoiser, rng: torch.Generator) -> AbstractSlot:
        """The learnable part in its initial state.

        Raises: SettingError if the denoiser has nothing that could learn.
        """

    def auxiliary_loss(
        self, denoiser: AbstractDenoiser, latents: Latents, conditioning: ConditioningSet, rng: torch.Generator
    ) -> Float[Tensor, ""]:
        """The loss of the learnable part on detached latents; `conditioning` has been filled by the slot."""
        rows, noised = learning_draw(denoiser, latents, self.learned_share, rng)
        assert conditioning.learned is not None
        return denoising_loss(denoiser, noised, conditioning.learned.take(rows))


def learning_draw(
    denoiser: AbstractDenoiser, latents: Latents, share: float, rng: torch.Generator
) -> tuple[Tensor, Noised]:
    """Rows of the batch, and those rows noised at uniform times: what a slot is trained on."""
    count = max(1, math.ceil(share * len(latents)))
    rows = torch.randperm(len(latents), generator=rng)[:count].to(latents.device)
    t = torch.randint(denoiser.schedule.length, (count,), generator=rng).to(latents.device)
    chosen = latents.detach()[rows]
    return rows, add_noise(chosen, standard_normal(chosen, rng), t, denoiser.schedule)


def denoising_loss(denoiser: AbstractDenoiser, noised: Noised, conditioning: Conditioning) -> Float[Tensor, ""]:
    """`mean ||eps(x_t, t) - eps||^2` over all entries."""
    return (denoiser(noised.noisy, noised.t, conditioning).noise - noised.noise).square().mean()


@torch.no_grad()
def compare_with_start(
    denoiser: AbstractDenoiser, latents: Latents, conditioning: ConditioningSet, slot: AbstractSlot, seed: int
) -> dict[str, float]:
    """Displacement, and the denoising loss of the slot against its start at the same times and noise.

    The draw has a generator of its own, so that reporting changes nothing. A slot has learned something exactly if
    the first loss is below the second.
    """
    rows, noised = learning_draw(denoiser, latents, 1.0, torch.Generator().manual_seed(seed))
    assert conditioning.learned is not None
    return {
        "slot_displacement": slot.displacement(),
        "slot_loss": float(denoising_loss(denoiser, noised, conditioning.learned.take(rows))),
        "slot_loss_at_start": float(denoising_loss(denoiser, noised, slot.start(conditioning).take(rows))),
    }
