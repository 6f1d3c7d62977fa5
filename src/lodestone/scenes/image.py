"""Particles that are pictures, or latents of a prior: the scene of the two-dimensional playground.

    view i = particle i

Nothing is rendered, so whatever is wrong with the result is the estimator's doing. The start of latents follows the
official LODS scripts (Yang et al. 2023, arXiv 2312.04820): they optimize 512 x 512 maps, uniform in [-1, 1], that are
resized to 64 x 64 before every use; each entry is then the mean of four uniform numbers, with standard deviation
`sqrt(1/12) = 0.29`.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.errors import SettingError, check_range
from lodestone.rendering.cameras import Cameras
from lodestone.scenes.learning_rates import decay
from lodestone.scenes.scene import AbstractScene, AbstractSceneSettings, ParameterGroup, Rendering, StructureState

__all__ = ["ImageScene", "ImageSettings", "Space"]


class Space(enum.StrEnum):
    """What the numbers of a particle are."""

    PICTURE = "picture"
    """sRGB values; the prior's autoencoder is part of every step."""
    LATENT = "latent"
    """What the denoiser sees; the autoencoder is needed to look at the result alone."""


class ImageScene(AbstractScene):
    """Flat particles. An edit also keeps the latents that it began with, for estimators that compare with them."""

    source_latents: Tensor | None

    def __init__(
        self,
        particles: Float[Tensor, "n c h w"],
        space: Space,
        source_latents: Float[Tensor, "1 channels height width"] | None = None,
    ) -> None:
        super().__init__()
        self.space = space
        self.particles = nn.Parameter(particles)
        self.register_buffer("source_latents", source_latents)

    def __len__(self) -> int:
        return self.particles.shape[0]

    def render(
        self, cameras: Cameras, background: Float[Tensor, "v 3"], rng: torch.Generator | None = None
    ) -> Rendering:
        if len(cameras) != len(self):
            raise SettingError(matching(len(cameras), len(self)))
        count, _, height, width = self.particles.shape
        flat = self.particles.new_ones(1, 1, 1, 1).expand(count, height, width, 1)
        source = self.source_latents
        return Rendering(
            color=self.particles.permute(0, 2, 3, 1)
            if self.space is Space.PICTURE
            else 0.5 * flat.expand(-1, -1, -1, 3),
            opacity=flat,
            depth=torch.zeros_like(flat),
            latents=self.particles if self.space is Space.LATENT else None,
            source_latents=None if source is None else source.expand(count, *source.shape[1:]),
        )

    def coverage(self) -> float:
        return 1.0

    @torch.no_grad()
    def begin_as(self, picture: Float[Tensor, "1 3 side side"], latents: Float[Tensor, "1 c h w"]) -> None:
        """Makes every particle this picture, given as a picture and as latents, and keeps it as the source."""
        begin = picture if self.space is Space.PICTURE else latents
        self.particles.copy_(begin.expand_as(self.particles))
        self.source_latents = latents.clone()


@dataclass(frozen=True, kw_only=True)
class ImageSettings(AbstractSceneSettings):
    """How many particles, what they are, how they begin and how fast they learn.

    Raises: SettingError if a number is outside its range or a picture has no three channels.
    """

    particles: int = 6
    space: Space = Space.PICTURE
    size: int = 64
    """Side of a picture, or of the prior's latents."""
    channels: int = 3
    initial_mean: float = 0.5
    """0.5 is the grey of a picture, 0 that of latents."""
    initial_std: float = 0.1
    learning_rate: float = 3e-2
    """Adam's; a step moves an entry by about so much."""
    epsilon: float = 1e-15
    """Adam's; entries with smaller gradients take smaller steps, in proportion."""
    final: float = 1.0
    """The rate falls exponentially to this share of itself."""
    source: str = ""
    """Picture that every particle begins as and that an edit compares with; empty: begin with noise around grey."""

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {"particles": (1, 256), "size": (2, 4096), "channels": (1, 1024)}
        limits |= {"initial_mean": (-100.0, 100.0), "initial_std": (0.0, 100.0)}
        limits |= {"learning_rate": (0.0, 1e3), "epsilon": (0.0, 1e6), "final": (1e-6, 1.0)}
        for name, bounds in limits.items():
            check_range(f"scene.{name}", getattr(self, name), *bounds)
        if self.space is Space.PICTURE and self.channels != 3:
            raise SettingError(
                f"scene.channels is {self.channels}, but a picture has 3: choose 3 or scene.space latent"
            )

    def check(self, views: int, image_size: int, latent_shape: tuple[int, int, int]) -> None:
        if views != self.particles:
            raise SettingError(matching(views, self.particles))
        picture = self.space is Space.PICTURE
        channels, size = (3, image_size) if picture else latent_shape[:2]
        if (self.channels, self.size) != (channels, size):
            raise SettingError(
                f"scene.size is {self.size} with {self.channels} channels, but the prior takes a {self.space} of size "
                f"{size} with {channels}: choose --scene.size {size} --scene.channels {channels}"
            )

    def create(self, rng: torch.Generator) -> ImageScene:
        shape = (self.particles, self.channels, self.size, self.size)
        return ImageScene(self.initial_mean + self.initial_std * torch.randn(shape, generator=rng), self.space)

    def restore(self, tensors: Mapping[str, Tensor]) -> ImageScene:
        return ImageScene(tensors["particles"], self.space, tensors.get("source_latents"))

    def parameter_groups(self, scene: AbstractScene, progress: float) -> list[ParameterGroup]:
        rate = self.learning_rate * decay(self.final, progress)
        named = scene.named_parameters()
        return [ParameterGroup(name, parameter, rate, self.epsilon) for name, parameter in named]

    def adapt(self, scene: AbstractScene, state: StructureState, step: int, rng: torch.Generator) -> StructureState:
        return StructureState(state.optimizer, {})


def matching(views: int, particles: int) -> str:
    """The sentence for views that are not the particles."""
    return f"plan.views is {views}, but view i is particle i and there are {particles}: give scene.particles as many"
