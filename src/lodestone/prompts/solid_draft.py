"""The draft of a prior that knows cameras: a small volume for each caption, seen from the camera.

A perceptron that reads the camera as eight numbers learns each view of each thing by itself, and from 200,000 views it
learned little more than visual hulls. Here a caption gives one volume of densities and colours, and the camera decides
how it is seen, by emission and absorption along the pixels' rays (Max 1995, doi 10.1109/2945.468400). So every view
teaches all views, and drafts from all sides agree. Where no camera is told, the draft is a flat picture.

A caption of two things ("a cat beside a blue chair") is two volumes, each the one that its thing has alone, moved and
scaled: what is learned of a thing is known of it in all company.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import grid_sample, pad, softplus

from lodestone.prompts.caption_parts import take_apart
from lodestone.prompts.draft import DRAFT_SIDE, AbstractDraft, Embedding, Residual

__all__ = ["VOLUME_SIDE", "Matter", "SolidDraft", "pixel_rays", "see_volume"]

VOLUME_SIDE = 16
"""Voxels along a side of the volume."""
REACH = 0.62
"""Half the side of the volume in world units: things of the world have radius 0.6."""
SAMPLES = 24
"""Along a ray."""
STEP = 2.1 * REACH / SAMPLES
"""Between them."""
DISTANCE = 3.0
"""Of the camera. A prior is told `d tan(f / 2)` alone, which fixes all but the perspective."""
DENSITY, EMPTINESS = 12.0, -2.0
"""Density per world unit is `DENSITY softplus(v + EMPTINESS)` of the volume's first channel v."""
BESIDE = (0.0, 0.0, 0.0, -0.4, 0.0, 0.0, 0.0, -0.4, -0.28, 0.28)
"""Placement of two things before anything is learned: centre and log scale of both, and how far along the direction."""
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


@dataclass(frozen=True)
class Matter:
    """What is found along rays."""

    density: Float[Tensor, "b r s"]
    """Per world unit."""
    color: Float[Tensor, "b 3 r s"]
    """In [-1, 1]."""

    def joined(self, chosen: Bool[Tensor, " b"], other: "Matter") -> "Matter":
        """With the other in the same places of the chosen rows; colours are averaged by density."""
        mine, theirs = self.density[chosen], other.density
        share = (theirs / (mine + theirs).clamp(min=1e-6))[:, None]
        color = torch.lerp(self.color[chosen], other.color, share)
        rows = (chosen,)
        return Matter(self.density.index_put(rows, mine + theirs), self.color.index_put(rows, color))

    def over_white(self) -> Float[Tensor, "b 3 r"]:
        """`sum_i T_i (1 - exp(-sigma_i delta)) c_i + T_n`, where T is what passes."""
        passed = pad((-STEP * self.density.cumsum(dim=-1)).exp(), (1, 0), value=1.0)
        return ((passed[..., :-1] - passed[..., 1:])[:, None] * self.color).sum(dim=-1) + passed[:, None, :, -1]


def sample_points(camera: Float[Tensor, "b 8"], pixels: Int[Tensor, "b r"]) -> Float[Tensor, "b r s 3"]:
    """Where rays are looked at."""
    origin, direction = pixel_rays(camera, pixels)
    depth = DISTANCE + STEP * (torch.arange(SAMPLES, device=camera.device) + 0.5 - SAMPLES / 2)
    return origin[:, None, None] + depth[:, None] * direction[:, :, None]


def find(volume: Float[Tensor, "b 4 n n n"], points: Float[Tensor, "b r s 3"]) -> Matter:
    """What a volume has at some points.

    The volume's channels are density and colour before their nonlinearities; its axes are z, y, x.
    """
    found = grid_sample(volume, points[:, :, :, None] / REACH, align_corners=False)[..., 0]
    inside = (points.abs() < REACH).all(dim=-1)
    return Matter(DENSITY * softplus(found[:, 0] + EMPTINESS) * inside, 2 * found[:, 1:].sigmoid() - 1)


def see_volume(
    volume: Float[Tensor, "b 4 n n n"], camera: Float[Tensor, "b 8"], pixels: Int[Tensor, "b r"]
) -> Float[Tensor, "b 3 r"]:
    """Some pixels of the picture of a volume over white, in [-1, 1]."""
    return find(volume, sample_points(camera, pixels)).over_white()


@dataclass(frozen=True)
class Captions:
    """What the network reads of some captions: sentence embeddings of the whole and its two things, and a direction.

    The embedding of the second thing is zero where there is none, and the first is then the whole.
    """

    whole: Float[Tensor, "b dim"]
    first: Float[Tensor, "b dim"]
    second: Float[Tensor, "b dim"]
    direction: Float[Tensor, "b 3"]
    """To the second thing, see `lodestone.prompts.caption_parts`."""
    camera: Float[Tensor, "b 8"]

    @classmethod
    def parse(cls, read: Float[Tensor, "b dim_read"], width: int) -> "Captions":
        """The columns apart."""
        return cls(*read.split([width, width, width, 3, read.shape[1] - 3 * width - 3], dim=1))

    def take(self, rows: Bool[Tensor, " b"]) -> "Captions":
        """Some rows."""
        return Captions(*(part[rows] for part in vars(self).values()))

    @property
    def told(self) -> Bool[Tensor, " b"]:
        """Where a camera is told."""
        return self.camera[:, -1] != 0

    @property
    def two(self) -> Bool[Tensor, " b"]:
        """Where there are two things."""
        return (self.second != 0).any(dim=1)


class SolidDraft(AbstractDraft):
    """Sums of learned volumes, one for each thing, seen from the camera; where none is told, a sum of learned pictures.

    Args:
        width: of a sentence embedding.
        hidden: width of the layers; there are a quarter as many learned volumes, and pictures.
    """

    def __init__(self, width: int = 384, hidden: int = 512) -> None:
        super().__init__(width)
        between = [Residual(hidden) for _ in range(2)]
        self.words = nn.Sequential(nn.Linear(width, hidden), *between, nn.LayerNorm(hidden), nn.SiLU())
        self.picture = nn.Sequential(nn.Linear(hidden, hidden // 4), nn.Linear(hidden // 4, 3 * PIXELS))
        self.volume = nn.Sequential(nn.Linear(hidden, hidden // 4), nn.Linear(hidden // 4, 4 * VOLUME_SIDE**3))
        placed = nn.Linear(hidden // 4, len(BESIDE))
        self.placement = nn.Sequential(nn.Linear(3 * hidden + 3, hidden // 4), nn.SiLU(), placed)
        nn.init.zeros_(placed.weight)
        placed.bias.data.copy_(torch.tensor(BESIDE))

    @staticmethod
    def read(captions: list[str], embed: Embedding) -> Float[Tensor, "b dim_draft"]:
        parts = [take_apart(caption) for caption in captions]
        wholes, firsts, seconds = zip(*((part.subject, part.first, part.second) for part in parts), strict=True)
        vectors = [embed(list(texts)) for texts in (wholes, firsts, seconds)]
        direction = torch.tensor([part.direction for part in parts]).to(vectors[0])
        return torch.cat([*vectors, direction], dim=1)

    def forward(self, read: Float[Tensor, "b dim"]) -> Float[Tensor, "b 3 32 32"]:
        everywhere = torch.arange(PIXELS, device=read.device).expand(len(read), PIXELS)
        return self.see(read, everywhere).unflatten(2, (DRAFT_SIDE, DRAFT_SIDE))

    def squared_error(
        self, read: Float[Tensor, "b dim"], pictures: Float[Tensor, "b 3 32 32"], rng: torch.Generator
    ) -> Float[Tensor, ""]:
        pixels = torch.randint(PIXELS, (len(read), RAYS), generator=rng).to(read.device)
        return (self.see(read, pixels) - picked(pictures.flatten(2), pixels)).square().mean()

    def see(self, read: Float[Tensor, "b dim"], pixels: Int[Tensor, "b r"]) -> Float[Tensor, "b 3 r"]:
        """Some pixels of each draft."""
        captions = Captions.parse(read, self.width)
        told = captions.told
        solid = self.matter(captions.take(told), pixels[told]).over_white()
        drawn = self.picture(self.words(captions.whole[~told]))
        return merged(told, solid, picked(drawn.unflatten(1, (3, PIXELS)), pixels[~told]))

    def matter(self, captions: Captions, pixels: Int[Tensor, "b r"]) -> Matter:
        """What the rays of pixels meet: the thing of the caption, or both."""
        points, two = sample_points(captions.camera, pixels), captions.two
        first = self.words(captions.first)
        pair, second = captions.take(two), self.words(captions.second[two])
        before, behind = self.place(torch.cat([self.words(pair.whole), first[two], second], dim=1), pair.direction)
        there = before.inverse(points[two])
        alone = find(self.volume_of(first), points.index_put((two,), there))
        return alone.joined(two, find(self.volume_of(second), behind.inverse(points[two])))

    def place(self, features: Float[Tensor, "b dim"], direction: Float[Tensor, "b 3"]) -> "tuple[Placement, Placement]":
        """Where the two things are; what is learned is added to a distance along the direction."""
        numbers = self.placement(torch.cat([features, direction], dim=1))
        one, two, along = numbers.split([4, 4, 2], dim=1)
        return tuple(  # type: ignore[return-value]
            Placement(where[:, :3] + distance[:, None] * direction, where[:, 3].exp())
            for where, distance in zip((one, two), along.unbind(dim=1), strict=True)
        )

    def volume_of(self, features: Float[Tensor, "b hidden"]) -> Float[Tensor, "b 4 n n n"]:
        """The volume of each thing."""
        grown: Tensor = self.volume(features)
        return grown.unflatten(1, (4, VOLUME_SIDE, VOLUME_SIDE, VOLUME_SIDE))


@dataclass(frozen=True)
class Placement:
    """Where a volume is, and how large."""

    center: Float[Tensor, "b 3"]
    scale: Float[Tensor, " b"]

    def inverse(self, points: Float[Tensor, "b r s 3"]) -> Float[Tensor, "b r s 3"]:
        """Points in the volume's own units."""
        return (points - self.center[:, None, None]) / self.scale[:, None, None, None]


def picked(pictures: Float[Tensor, "b 3 n"], pixels: Int[Tensor, "b r"]) -> Float[Tensor, "b 3 r"]:
    """The colours of some pixels."""
    return pictures.gather(2, pixels[:, None].expand(-1, 3, -1))


def merged(
    chosen: Bool[Tensor, " b"], yes: Float[Tensor, "c 3 r"], no: Float[Tensor, "d 3 r"]
) -> Float[Tensor, "b 3 r"]:
    """Rows of the first where `chosen`, of the second elsewhere."""
    result = yes.new_empty(len(chosen), *yes.shape[1:])
    return result.index_put((chosen,), yes).index_put((~chosen,), no)
