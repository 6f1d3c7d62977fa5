"""The draft of a prior that knows cameras: a small volume for each caption, seen from the camera.

A perceptron that reads the camera as eight numbers learns each view of each thing by itself, and from 200,000 views it
learned little more than visual hulls. Here a caption gives one volume of densities and colours, and the camera decides
how it is seen, by emission and absorption along the pixels' rays (Max 1995, doi 10.1109/2945.468400). So every view
teaches all views, and drafts from all sides agree. Where no camera is told, the draft is a flat picture.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import grid_sample, pad, softplus

from lodestone.prompts.draft import DRAFT_SIDE, AbstractDraft, Residual

__all__ = ["VOLUME_SIDE", "SolidDraft", "pixel_rays", "see_volume"]

VOLUME_SIDE = 16
"""Voxels along a side of the volume."""
REACH = 0.62
"""Half the side of the volume in world units: things of the world have radius 0.6."""
SAMPLES = 24
"""Along a ray."""
DISTANCE = 3.0
"""Of the camera. A prior is told `d tan(f / 2)` alone, which fixes all but the perspective."""
DENSITY, EMPTINESS = 12.0, -2.0
"""Density per world unit is `DENSITY softplus(v + EMPTINESS)` of the volume's first channel v."""
RAYS = 160
"""Pixels of each picture that one training step looks at."""
PIXELS = DRAFT_SIDE**2


def pixel_rays(
    camera: Float[Tensor, "b 8"], pixels: Int[Tensor, "b r"]
) -> tuple[Float[Tensor, "b 3"], Float[Tensor, "b r 3"]]:
    """Position of each camera, and the directions, of length 1 along its axis, in which it sees pixels of a draft.

    `camera` is what `lodestone.prompts.camera.camera_features` says.
    """
    sin_a, cos_a, _, _, sin_e, cos_e, shown, told = camera.unbind(dim=1)
    scale = told.clamp(min=1e-6)
    sin_a, cos_a, sin_e, cos_e = (number / scale for number in (sin_a, cos_a, sin_e, cos_e))
    outward = torch.stack([cos_e * cos_a, cos_e * sin_a, sin_e], dim=1)
    right = torch.stack([-sin_a, cos_a, torch.zeros_like(sin_a)], dim=1)
    down = torch.linalg.cross(-outward, right)
    half = (shown / scale).exp() / DISTANCE
    rows, columns = (2 * (part + 0.5) / DRAFT_SIDE - 1 for part in (pixels // DRAFT_SIDE, pixels % DRAFT_SIDE))
    x, y = ((half[:, None] * part)[..., None] for part in (columns, rows))
    return DISTANCE * outward, x * right[:, None] + y * down[:, None] - outward[:, None]


def see_volume(
    volume: Float[Tensor, "b 4 n n n"], camera: Float[Tensor, "b 8"], pixels: Int[Tensor, "b r"]
) -> Float[Tensor, "b 3 r"]:
    """Some pixels of a draft: `sum_i T_i (1 - exp(-sigma_i delta)) c_i` over white, in [-1, 1].

    The volume's channels are density and colour before their nonlinearities; its axes are z, y, x.
    """
    origin, direction = pixel_rays(camera, pixels)
    step = 2.1 * REACH / SAMPLES
    depth = DISTANCE + step * (torch.arange(SAMPLES, device=volume.device) + 0.5 - SAMPLES / 2)
    points = origin[:, None, None] + depth[:, None] * direction[:, :, None]
    found = grid_sample(volume, points[:, :, :, None] / REACH, align_corners=False)[..., 0]
    inside = (points.abs() < REACH).all(dim=-1)
    absorbed = step * DENSITY * softplus(found[:, 0] + EMPTINESS) * inside
    passed = pad((-absorbed.cumsum(dim=-1)).exp(), (1, 0), value=1.0)
    colors = 2 * found[:, 1:].sigmoid() - 1
    return ((passed[..., :-1] - passed[..., 1:])[:, None] * colors).sum(dim=-1) + passed[:, None, :, -1]


class SolidDraft(AbstractDraft):
    """A sum of learned volumes, seen from the camera; where none is told, a sum of learned pictures.

    Args:
        width: of the embedding, behind which 8 numbers tell the camera.
        hidden: width of the layers; there are a quarter as many learned volumes, and pictures.
    """

    def __init__(self, width: int = 384, hidden: int = 512) -> None:
        super().__init__()
        self.width = width
        between = [Residual(hidden) for _ in range(2)]
        self.words = nn.Sequential(nn.Linear(width, hidden), *between, nn.LayerNorm(hidden), nn.SiLU())
        self.picture = nn.Sequential(nn.Linear(hidden, hidden // 4), nn.Linear(hidden // 4, 3 * PIXELS))
        self.volume = nn.Sequential(nn.Linear(hidden, hidden // 4), nn.Linear(hidden // 4, 4 * VOLUME_SIDE**3))

    def forward(self, pooled: Float[Tensor, "b dim"]) -> Float[Tensor, "b 3 32 32"]:
        everywhere = torch.arange(PIXELS, device=pooled.device).expand(len(pooled), PIXELS)
        return self.see(pooled, everywhere).unflatten(2, (DRAFT_SIDE, DRAFT_SIDE))

    def squared_error(
        self, pooled: Float[Tensor, "b dim"], pictures: Float[Tensor, "b 3 32 32"], rng: torch.Generator
    ) -> Float[Tensor, ""]:
        pixels = torch.randint(PIXELS, (len(pooled), RAYS), generator=rng).to(pooled.device)
        return (self.see(pooled, pixels) - picked(pictures.flatten(2), pixels)).square().mean()

    def see(self, pooled: Float[Tensor, "b dim"], pixels: Int[Tensor, "b r"]) -> Float[Tensor, "b 3 r"]:
        """Some pixels of each draft."""
        features, camera = self.words(pooled[:, : self.width]), pooled[:, self.width :]
        told = camera[:, -1] != 0
        solid = see_volume(self.volume_of(features[told]), camera[told], pixels[told])
        flat = picked(self.picture(features[~told]).unflatten(1, (3, PIXELS)), pixels[~told])
        return merged(told, solid, flat)

    def volume_of(self, features: Float[Tensor, "b hidden"]) -> Float[Tensor, "b 4 n n n"]:
        """The volume of each caption."""
        grown: Tensor = self.volume(features)
        return grown.unflatten(1, (4, VOLUME_SIDE, VOLUME_SIDE, VOLUME_SIDE))


def picked(pictures: Float[Tensor, "b 3 n"], pixels: Int[Tensor, "b r"]) -> Float[Tensor, "b 3 r"]:
    """The colours of some pixels."""
    return pictures.gather(2, pixels[:, None].expand(-1, 3, -1))


def merged(
    chosen: Bool[Tensor, " b"], yes: Float[Tensor, "c 3 r"], no: Float[Tensor, "d 3 r"]
) -> Float[Tensor, "b 3 r"]:
    """Rows of the first where `chosen`, of the second elsewhere."""
    result = yes.new_empty(len(chosen), *yes.shape[1:])
    return result.index_put((chosen,), yes).index_put((~chosen,), no)
