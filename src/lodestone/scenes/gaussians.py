"""3D Gaussians (Kerbl et al. 2023, arXiv 2308.04079): raw parameters, their activations, and how they are seen.

    covariance = R S S^T R^T,  S = diag(exp(log_scales)),  R from the unit quaternion w, x, y, z
    opacity = sigmoid(opacity_logits),  colour = 0.5 + C0 * colors

Colours are degree-0 spherical harmonics, the form that every splat file stores.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.errors import SettingError
from lodestone.kernels.splatting import SplattingOutput, splat
from lodestone.rendering.cameras import Cameras
from lodestone.scenes.gaussian_density import GaussianDensity
from lodestone.scenes.scene import AbstractScene, Rendering, RenderStatistics
from lodestone.scenes.surface import Volume

__all__ = ["C0", "GaussianScene", "RawGaussians"]

C0 = 0.28209479177387814
"""The constant spherical harmonic, 1 / (2 sqrt(pi))."""


@dataclass(frozen=True, kw_only=True)
class RawGaussians:
    """Parameters before activation, in the form that optimizers and files hold."""

    means: Float[Tensor, "n 3"]
    log_scales: Float[Tensor, "n 3"]
    quaternions: Float[Tensor, "n 4"]
    opacity_logits: Float[Tensor, " n"]
    colors: Float[Tensor, "n 3"]

    def __len__(self) -> int:
        return self.means.shape[0]

    @property
    def scales(self) -> Float[Tensor, "n 3"]:
        """Standard deviations along the principal axes, in world units."""
        return self.log_scales.exp()

    @property
    def opacities(self) -> Float[Tensor, " n"]:
        """Peak opacity in (0, 1)."""
        return self.opacity_logits.sigmoid()

    @property
    def rgb(self) -> Float[Tensor, "n 3"]:
        """Colour, unclamped."""
        return 0.5 + C0 * self.colors


class GaussianScene(AbstractScene):
    """Gaussians as a scene. The parameters are named as in `RawGaussians`; density control replaces them whole."""

    def __init__(self, raw: RawGaussians) -> None:
        super().__init__()
        self.means = nn.Parameter(raw.means)
        self.log_scales = nn.Parameter(raw.log_scales)
        self.quaternions = nn.Parameter(raw.quaternions)
        self.opacity_logits = nn.Parameter(raw.opacity_logits)
        self.colors = nn.Parameter(raw.colors)

    @property
    def raw(self) -> RawGaussians:
        """The current parameters, with their graph."""
        return RawGaussians(
            means=self.means,
            log_scales=self.log_scales,
            quaternions=self.quaternions,
            opacity_logits=self.opacity_logits,
            colors=self.colors,
        )

    def render(
        self, cameras: Cameras, background: Float[Tensor, "v 3"], rng: torch.Generator | None = None
    ) -> Rendering:
        raw = self.raw
        probe = torch.zeros(len(cameras), len(raw), 2, device=self.means.device, requires_grad=torch.is_grad_enabled())
        seen = splat(
            raw.means,
            raw.quaternions,
            raw.scales,
            raw.opacities,
            raw.rgb,
            cameras.camera_to_world,
            cameras.intrinsics,
            cameras.height,
            cameras.width,
            screen_offset=probe,
        )
        return composite(seen, background, RenderStatistics(screen_offset=probe, radii=seen.radii))

    @torch.no_grad()
    def coverage(self) -> float:
        """The largest opacity of any Gaussian."""
        return float(self.opacity_logits.sigmoid().max()) if len(self.opacity_logits) else 0.0

    @torch.no_grad()
    def surface(self) -> Volume:
        raw = self.raw
        columns = (raw.means, raw.quaternions, raw.scales, raw.opacities[:, None], raw.rgb)
        seen = torch.cat(columns, dim=-1).isfinite().all(dim=-1) & (raw.opacities >= 1 / 255)
        if not seen.any():
            raise SettingError(f"none of the scene's {len(raw)} Gaussians is visible: optimize it before you export it")
        field = GaussianDensity.of(*(column[seen] for column in columns))
        size = float(raw.scales[seen].amax(dim=-1).median())
        return Volume(density=field.density, low=field.low, high=field.high, smoothing=size)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> "GaussianScene":
        """The scene that `state_dict` described, whatever its number of Gaussians."""
        return cls(RawGaussians(**tensors))


def composite(seen: SplattingOutput, background: Float[Tensor, "v 3"], statistics: RenderStatistics) -> Rendering:
    """Lays accumulated colours over a background and turns accumulated depth into expected depth."""
    color = seen.color + (1 - seen.opacity) * background[:, None, None, :]
    depth = seen.depth / seen.opacity.clamp(min=1e-6)
    return Rendering(color=color, opacity=seen.opacity, depth=depth, statistics=statistics)
