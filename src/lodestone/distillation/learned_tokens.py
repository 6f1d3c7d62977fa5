"""A learned condition: one token sequence in the place of a prompt."""

from dataclasses import replace

import torch
from torch import nn

from lodestone.distillation.slots import AbstractSlot
from lodestone.prompts.conditioning import Conditioning, ConditioningSet

__all__ = ["LearnedTokens"]


class LearnedTokens(AbstractSlot):
    """One learnable token sequence, shared by all views and times; it begins as the given condition (one row)."""

    def __init__(self, beginning: Conditioning) -> None:
        super().__init__()
        self.beginning = beginning
        self.tokens = nn.Parameter(beginning.tokens.detach().clone())

    def fill(self, conditioning: ConditioningSet) -> ConditioningSet:
        learned = replace(self.beginning, tokens=self.tokens).expand(len(conditioning.positive))
        return replace(conditioning, learned=learned)

    def start(self, conditioning: ConditioningSet) -> Conditioning:
        return self.beginning.expand(len(conditioning.positive))

    @torch.no_grad()
    def displacement(self) -> float:
        return float((self.tokens - self.beginning.tokens).norm())
