"""A prior personalised on the scene, and the scene's own score, as two parts of one adapter."""

from dataclasses import replace

import torch

from lodestone.distillation.slots import AbstractSlot
from lodestone.priors.adapters import LowRankSettings
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.prompts.conditioning import Conditioning, ConditioningSet

__all__ = ["PersonalisedAdapter"]


class PersonalisedAdapter(AbstractSlot):
    """Prompt, null and negative condition through the personalised prior p; `learned` is the score q of the renderings.

    Raises: SettingError if the denoiser has no layers that could be adapted.
    """

    personal: torch.Tensor
    variational: torch.Tensor

    def __init__(self, denoiser: AbstractDenoiser, settings: LowRankSettings, rng: torch.Generator) -> None:
        super().__init__()
        self.adapter = denoiser.adapter(settings, rng, parts=2)
        self.register_buffer("personal", torch.tensor([[settings.scale, 0.0]]), persistent=False)
        self.register_buffer("variational", torch.tensor([[0.0, settings.scale]]), persistent=False)

    def fill(self, conditioning: ConditioningSet) -> ConditioningSet:
        negative = conditioning.negative
        return replace(
            conditioning,
            positive=self.adapted(conditioning.positive, self.personal),
            null=self.adapted(conditioning.null, self.personal),
            negative=None if negative is None else self.adapted(negative, self.personal),
            learned=self.adapted(conditioning.positive, self.variational),
        )

    def adapted(self, condition: Conditioning, strengths: torch.Tensor) -> Conditioning:
        """A condition under one of the two parts."""
        scale = strengths.to(condition.tokens).expand(len(condition), 2)
        return replace(condition, adapter=self.adapter, adapter_scale=scale)

    def start(self, conditioning: ConditioningSet) -> Conditioning:
        return replace(conditioning.positive, adapter=None, adapter_scale=None)

    def displacement(self) -> float:
        return self.adapter.displacement()
