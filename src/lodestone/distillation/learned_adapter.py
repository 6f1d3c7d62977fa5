"""A learned low-rank adapter of the denoiser, alone or with a camera embedding."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.distillation.slots import AbstractSlot
from lodestone.errors import SettingError
from lodestone.priors.adapters import LowRankSettings
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.prompts.conditioning import Conditioning, ConditioningSet

__all__ = ["CameraEmbedding", "LearnedAdapter"]


class LearnedAdapter(AbstractSlot):
    """The denoiser with a LoRA, under the null condition (or the negative prompt) or under the prompt.

    Args:
        denoiser: whose layers are adapted.
        settings: of the adapter.
        rng: draws the adapter's first weights.
        prompted: True learns under the prompt, False under what guidance moves away from.
        cameras: True also learns an embedding of `camera_to_world`, added to the time embedding where there is one.

    Raises: SettingError if the denoiser has no layers that could be adapted.
    """

    def __init__(
        self,
        denoiser: AbstractDenoiser,
        settings: LowRankSettings,
        rng: torch.Generator,
        *,
        prompted: bool,
        cameras: bool = False,
    ) -> None:
        super().__init__()
        self.adapter = denoiser.adapter(settings, rng)
        self.scale, self.prompted = settings.scale, prompted
        self.camera_embedding = CameraEmbedding(denoiser.time_width, rng) if cameras and denoiser.time_width else None

    def fill(self, conditioning: ConditioningSet) -> ConditioningSet:
        base = self.start(conditioning)
        scale = torch.full((len(base), 1), self.scale, dtype=base.tokens.dtype, device=base.tokens.device)
        offset = None
        if self.camera_embedding is not None:
            if conditioning.cameras is None:
                raise SettingError("estimator.cameras is true, but nothing here has a camera: set it to false")
            offset = self.camera_embedding(conditioning.cameras)
        learned = replace(base, adapter=self.adapter, adapter_scale=scale, time_offset=offset)
        return replace(conditioning, learned=learned)

    def start(self, conditioning: ConditioningSet) -> Conditioning:
        return conditioning.positive if self.prompted else conditioning.baseline

    def displacement(self) -> float:
        return self.adapter.displacement()


class CameraEmbedding(nn.Module):
    """A flattened camera-to-world matrix into an offset of the time embedding; zero at first.

    Wang et al. 2023, ProlificDreamer, arXiv 2305.16213, Sec. 3.2: 16 numbers through a two-layer network.
    """

    def __init__(self, width: int, rng: torch.Generator) -> None:
        super().__init__()
        self.first = nn.Linear(16, width)
        self.last = nn.Linear(width, width)
        with torch.no_grad():
            self.first.weight.copy_(torch.randn(width, 16, generator=rng) / 4)
            for zero in (self.first.bias, self.last.weight, self.last.bias):
                zero.zero_()

    def forward(self, cameras: Float[Tensor, "b 16"]) -> Float[Tensor, "b width"]:
        """The offset of each view."""
        offset: Tensor = self.last(nn.functional.silu(self.first(cameras)))
        return offset
