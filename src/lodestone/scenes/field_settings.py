"""Settings that every volumetric scene shares."""

import enum
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.errors import SettingError, check_range

__all__ = [
    "Activation",
    "Backdrop",
    "Blob",
    "DensityBias",
    "Normals",
    "Shading",
    "ShadingSettings",
    "Space",
    "VolumeSettings",
]


class Space(enum.StrEnum):
    """What the field holds, and what the prior is shown."""

    COLOR = "color"
    """Colours: pictures."""
    LATENT = "latent"
    """Latents of the prior, shown to it as they are (Latent-NeRF's first stage, SJC)."""
    REFINED = "refined"
    """The same, through a linear map to colours that is learned too: pictures (Latent-NeRF's second stage)."""


class Normals(enum.StrEnum):
    """How surface normals are found: minus the direction in which the density rises."""

    NONE = "none"
    ANALYTIC = "analytic"
    """The derivative of the field."""
    FINITE_DIFFERENCE = "finite_difference"
    """Central differences, six more queries of the density for each sample: smoother than the derivative."""


class Backdrop(enum.StrEnum):
    """What stands behind the field in training; pictures of a finished scene have the background that is asked for."""

    PLAIN = "plain"
    """The plan's colours."""
    LEARNED = "learned"
    """A network of the direction, in a share of the views given by `plain_share` replaced by the plan's colours."""


class Activation(enum.StrEnum):
    """What makes a density of an unbounded number."""

    SOFTPLUS = "softplus"
    EXPONENTIAL = "exponential"
    """Clamped below e^15."""
    RELU = "relu"

    def __call__(self, raw: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """The density, per world unit."""
        if self is Activation.EXPONENTIAL:
            return raw.clamp(max=15.0).exp()
        return torch.nn.functional.softplus(raw) if self is Activation.SOFTPLUS else raw.relu()


class Blob(enum.StrEnum):
    """Shapes of the density that a field begins with."""

    NONE = "none"
    CONE = "cone"
    """`scale (1 - |p| / radius)`: Magic3D (Lin et al. 2022, arXiv 2211.10440)."""
    GAUSSIAN = "gaussian"
    """`scale exp(-|p|^2 / (2 radius^2))`: DreamFusion (Poole et al. 2022, arXiv 2209.14988)."""


@dataclass(frozen=True, kw_only=True)
class DensityBias:
    """Added to the raw density before its activation, so that optimization begins with a body in the middle."""

    shape: Blob = Blob.CONE
    scale: float = 10.0
    radius: float = 0.5
    """World units."""
    offset: float = 0.0
    """Added everywhere: SJC in threestudio begins with -1."""

    def __post_init__(self) -> None:
        limits = {"scale": (0.0, 1e4), "radius": (1e-3, 1e3), "offset": (-1e4, 1e4)}
        for name, bounds in limits.items():
            check_range(f"scene.bias.{name}", getattr(self, name), *bounds)

    def __call__(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """The bias at each point."""
        if self.shape is Blob.NONE:
            return torch.full_like(points[:, 0], self.offset)
        if self.shape is Blob.CONE:
            return self.offset + self.scale * (1 - points.norm(dim=-1) / self.radius)
        return self.offset + self.scale * torch.exp(-points.square().sum(-1) / (2 * self.radius**2))

    def gradient(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Its derivative; zero at the tip of the cone."""
        if self.shape is Blob.NONE:
            return torch.zeros_like(points)
        if self.shape is Blob.CONE:
            return -self.scale / self.radius * torch.nn.functional.normalize(points, dim=-1)
        height = self.scale * torch.exp(-points.square().sum(-1, keepdim=True) / (2 * self.radius**2))
        return -height * points / self.radius**2


class Shading(enum.StrEnum):
    """How a view is lit."""

    ALBEDO = "albedo"
    LAMBERTIAN = "lambertian"
    TEXTURELESS = "textureless"
    """Lambertian with white instead of the colour: shape alone."""


@dataclass(frozen=True, kw_only=True)
class ShadingSettings:
    """A point light, drawn for each view in training (Poole et al. 2022, arXiv 2209.14988, appendix A.2).

    colour * (ambient + diffuse * max(0, <normal, toward the light>)); the light stands around the camera, in the
    direction of `camera + N(0, 1)` (both of unit length before they are added) at a distance from 0.8 to 1.5.
    """

    lit_share: float = 0.0
    """Share of the views that are lit; 0 shows the colours as they are. DreamFusion and threestudio: 0.75."""
    textureless_share: float = 0.5
    """Share of the lit views that are white."""
    begin: int = 1_000
    """Steps before the first lit view."""
    ambient: float = 0.1
    diffuse: float = 0.9

    def __post_init__(self) -> None:
        for name in ("lit_share", "textureless_share", "ambient", "diffuse"):
            check_range(f"scene.volume.shading.{name}", getattr(self, name), 0.0, 1.0)
        check_range("scene.volume.shading.begin", self.begin, 0, 10_000_000)


@dataclass(frozen=True, kw_only=True)
class VolumeSettings:
    """How a field is seen."""

    bound: float = 1.0
    """Half the side of the cube that holds the scene, in world units."""
    samples: int = 128
    """Samples on the cube's diagonal; rays keep those in occupied cells."""
    space: Space = Space.COLOR
    channels: int = 3
    """3 colours, or the latents' number of channels."""
    stride: int = 8
    """Latents only: pixels of a picture along the side of one latent."""
    activation: Activation = Activation.SOFTPLUS
    normals: Normals = Normals.NONE
    difference: float = 0.01
    """Distance of finite differences, world units."""
    nearby: float = 0.0
    """Standard deviation of the distance at which a second normal is taken in training, for `normal_smoothness_3d`;
    0: none. Threestudio's is 0.01."""
    backdrop: Backdrop = Backdrop.PLAIN
    plain_share: float = 0.5
    """Share of views with a plain background beside a learned one."""
    shading: ShadingSettings = ShadingSettings()

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {"bound": (1e-3, 1e3), "samples": (2, 4096), "channels": (1, 1024)}
        limits |= {"stride": (1, 64), "difference": (1e-6, 1.0), "nearby": (0.0, 1.0), "plain_share": (0.0, 1.0)}
        for name, bounds in limits.items():
            check_range(f"scene.volume.{name}", getattr(self, name), *bounds)
        if self.space is Space.COLOR and self.channels != 3:
            raise SettingError(
                f"scene.volume.channels is {self.channels}, but a colour has 3: choose 3 or scene.volume.space latent"
            )
        if self.shading.lit_share and (self.normals is Normals.NONE or self.space is not Space.COLOR):
            raise SettingError(
                "scene.volume.shading.lit_share needs colours and normals: "
                "choose scene.volume.space color and scene.volume.normals analytic, or 0"
            )
        if self.nearby and self.normals is Normals.NONE:
            raise SettingError("scene.volume.nearby needs normals: choose scene.volume.normals analytic, or 0")

    @property
    def step(self) -> float:
        """Distance between samples."""
        return 2 * math.sqrt(3) * self.bound / self.samples

    def check(self, image_size: int, latent_shape: tuple[int, int, int]) -> None:
        """Raises: SettingError if latents of this kind are not what the prior takes."""
        if self.space is Space.COLOR:
            return
        channels, height, width = latent_shape
        if self.channels != channels:
            raise SettingError(
                f"scene.volume.channels is {self.channels}, but the prior's latents have {channels}: choose {channels}"
            )
        if self.space is Space.LATENT and (height * self.stride, width * self.stride) != (image_size, image_size):
            raise SettingError(
                f"scene.volume.stride is {self.stride}, but the prior's latents are {height} x {width} for pictures of "
                f"size {image_size}: choose {image_size // height}"
            )
