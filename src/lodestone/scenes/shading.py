"""Point lights for fields: one for each view, as DreamFusion lights them (Poole et al. 2022, arXiv 2209.14988)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import normalize

from lodestone.rendering.cameras import Cameras
from lodestone.rendering.shading import lambertian
from lodestone.scenes.field_settings import ShadingSettings

__all__ = ["Lights"]


@dataclass(frozen=True)
class Lights:
    """How each view is lit."""

    position: Float[Tensor, "v 3"]
    lit: Bool[Tensor, " v"]
    textureless: Bool[Tensor, " v"]
    settings: ShadingSettings

    @classmethod
    def draw(cls, cameras: Cameras, settings: ShadingSettings, rng: torch.Generator) -> "Lights":
        """One light for each camera."""
        views, device = len(cameras), cameras.camera_to_world.device
        direction = normalize(torch.randn(views, 3, generator=rng), dim=-1).to(device)
        distance = (0.8 + 0.7 * torch.rand(views, 1, generator=rng)).to(device)
        chance = torch.rand(2, views, generator=rng).to(device)
        toward = normalize(cameras.camera_to_world[:, :3, 3], dim=-1) + direction
        return cls(
            position=distance * normalize(toward, dim=-1),
            lit=chance[0] < settings.lit_share,
            textureless=chance[1] < settings.textureless_share,
            settings=settings,
        )

    def shade(
        self,
        color: Float[Tensor, "s 3"],
        normal: Float[Tensor, "s 3"],
        points: Float[Tensor, "s 3"],
        view: Int[Tensor, " s"],
    ) -> Float[Tensor, "s 3"]:
        """Each sample's colour in the light of its view."""
        light = lambertian(normal, points, self.position[view], self.settings.ambient, self.settings.diffuse)
        body = torch.where(self.textureless[view, None], torch.ones_like(color), color)
        return torch.where(self.lit[view, None], body * light, color)
