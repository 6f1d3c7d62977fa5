"""Bootstrapped score distillation."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.arrays import Latents
from lodestone.distillation.personalised import PersonalisedAdapter
from lodestone.distillation.slots import denoising_loss, learning_draw
from lodestone.distillation.vsd import AbstractVariationalDistillation
from lodestone.errors import check_range
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.priors.sampling import refine
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["BootstrappedScoreDistillation"]


@dataclass(frozen=True, kw_only=True)
class BootstrappedScoreDistillation(AbstractVariationalDistillation):
    """BSD: `g = w(t) (eps_p,null + s (eps_p,y - eps_p,null) - eps_q(x_t; y))`, p a prior personalised on the scene.

    q learns the renderings as in VSD. p learns *augmented* renderings, which are noised to `augmentation` of the
    schedule and denoised again by p itself in `augmentation_steps` steps, so that prior and scene improve each other.
    Sun et al. 2023, DreamCraft3D, arXiv 2310.16818, Sec. 3.3; s = 2, learning rate 1e-5, q without camera.

    Three denoiser calls and one training call for each sample; where p learns, another one and the augmentation's.
    The authors' p is a whole second U-Net, trained in the first 200 of every 1,000 steps; here p and q are two parts
    of one low-rank adapter, and p learns in every step with probability `personalised_share` = 0.2.
    """

    guidance_scale: float = 2.0
    learning_rate: float = 1e-5
    cameras: bool = False
    augmentation: float = 0.3
    augmentation_steps: int = 20
    personalised_share: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("estimator.augmentation", self.augmentation, 0.0, 1.0)
        check_range("estimator.augmentation_steps", self.augmentation_steps, 1, 1000)
        check_range("estimator.personalised_share", self.personalised_share, 0.0, 1.0)

    def slot(
        self, conditioning: ConditioningSet, denoiser: AbstractDenoiser, rng: torch.Generator
    ) -> PersonalisedAdapter:
        return PersonalisedAdapter(denoiser, self.low_rank, rng)

    def auxiliary_loss(
        self, denoiser: AbstractDenoiser, latents: Latents, conditioning: ConditioningSet, rng: torch.Generator
    ) -> Float[Tensor, ""]:
        variational = super().auxiliary_loss(denoiser, latents, conditioning, rng)
        if float(torch.rand((), generator=rng)) >= self.personalised_share:
            return variational
        augmented = refine(
            denoiser,
            latents.detach(),
            conditioning,
            strength=self.augmentation,
            steps=self.augmentation_steps,
            guidance_scale=self.guidance_scale,
            rng=rng,
        )
        rows, noised = learning_draw(denoiser, augmented, self.learned_share, rng)
        return variational + denoising_loss(denoiser, noised, conditioning.positive.take(rows))
