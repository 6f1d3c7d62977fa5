"""The loss on captions that training never sees: held-out ones of a world with other objects."""

from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch

from lodestone.data.training.denoising import LossMeter, add_noise, denoising_losses
from lodestone.data.training.draft import draft_error
from lodestone.data.training.mixture import Batch, Words, batch_of, white
from lodestone.data.training.settings import TrainingSettings
from lodestone.data.training.sources import Drawn, premultiplied
from lodestone.data.training.state import Training
from lodestone.data.worlds.cache import ViewSettings, render_views
from lodestone.data.worlds.world import World
from lodestone.prompts.camera import CAMERA_FEATURES, camera_features
from lodestone.rendering.cameras import Viewpoints

__all__ = ["HELD_OUT_SEED", "HeldOut"]

HELD_OUT_SEED = 1_000_003
"""Of the world whose objects are never trained on; which captions are held out does not depend on it."""


@dataclass(frozen=True)
class HeldOut:
    """Two views on white of each of some scenes, with their plain captions and their cameras."""

    batch: Batch

    @classmethod
    def render(cls, settings: TrainingSettings, words: Words, device: torch.device) -> "HeldOut":
        """Takes some seconds."""
        world = World(HELD_OUT_SEED)
        indices = list(islice(world.indices(held_out=True), settings.validation_scenes))
        views = render_views(world, indices, ViewSettings(views=2, size=settings.size))
        orbit = (views.azimuth, views.elevation, views.distance, views.field_of_view)
        azimuth, elevation, distance, angle = (part.flatten() for part in orbit)
        viewpoints = Viewpoints(azimuth=azimuth, elevation=elevation, distance=distance, field_of_view=angle)
        rgba = premultiplied(views.rgba.flatten(0, 1).float() / 255)
        texts = [views.caption(row) for row in range(len(views)) for _ in range(2)]
        drawn = Drawn(rgba, texts, camera_features(viewpoints), torch.zeros(len(rgba), dtype=torch.bool))
        batch = batch_of(drawn, white(rgba), torch.ones(len(rgba)), words, settings)
        return cls(batch.map(lambda part: part.to(device)))

    @property
    def without_cameras(self) -> Batch:
        """The same, but no camera is told."""
        pooled = self.batch.pooled.clone()
        pooled[:, -CAMERA_FEATURES:] = 0
        return replace(self.batch, pooled=pooled)

    @torch.no_grad()
    def measure(self, training: Training, network: Any) -> dict[str, Any]:
        """Losses of a network, always with the same noise; the second is larger if cameras tell it something."""
        told, untold = (self.losses(training, network, batch) for batch in (self.batch, self.without_cameras))
        return {
            "validation": round(told.mean, 6),
            "validation_by_noise": told.by_noise,
            "validation_without_cameras": round(untold.mean, 6),
            "draft_error": round(draft_error(training.draft, self.batch), 6),
        }

    def losses(self, training: Training, network: Any, batch: Batch) -> LossMeter:
        """The loss over some pictures."""
        meter, rng = LossMeter(), torch.Generator().manual_seed(HELD_OUT_SEED)
        size, settings = training.settings.batch, training.settings
        for start in range(0, len(batch.pictures), size):
            some = batch.map(lambda part, start=start: part[start : start + size])  # type: ignore[misc]
            noisy = add_noise(training.draft, some, training.alphas_cumprod, settings, rng)
            meter.add(denoising_losses(network, noisy), noisy.t)
        return meter
