"""Settings and a text encoder small enough for tests of training."""

import hashlib

import torch

from lodestone.data.training.mixture import Words
from lodestone.data.training.settings import TrainingSettings

CPU = torch.device("cpu")
EMOJI = TrainingSettings(
    steps=4, batch=2, warm_up=2, decay=2, channels=(32, 32), size=32, caption_variants=2, draft_steps=20,
    draft_hidden=32, draft_examples=64, report_every=2, save_every=2, validate_every=2, sheet_every=4,
    validation_scenes=2,
)  # fmt: skip


def states(texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """A pure function of each text, of MiniLM's shapes."""
    seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") for text in texts]
    rows = [torch.randn(17, 384, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    stacked = torch.stack(rows)
    return stacked[:, :16], stacked[:, 16]


words = Words(states)
