"""The draft of a prior that knows cameras: a small volume for each caption, seen from the camera.

A perceptron that reads the camera as eight numbers learns each view of each thing by itself, and from 200,000 views it
learned little more than visual hulls. Here a caption gives one volume of densities and colours, and the camera decides
how it is seen, by emission and absorption along the pixels' rays (Max 1995, doi 10.1109/2945.468400). So every view
teaches all views, and drafts from all sides agree. Where no camera is told, the draft is a flat picture; where the
caption names what is known from flat pictures alone, it is so from every camera.

A caption of two or three things ("a cat beside two blue chairs") is as many volumes, each the one that its thing has
alone, moved and scaled: what is learned of a thing is known of it in all company.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import grid_sample, pad, softplus

from lodestone.prompts.caption_parts import THINGS, take_apart
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
SOLID = -4.0
"""Logit of flatness before anything is learned."""
BESIDE = ((0.0, 0.0, 0.0, -0.4, -0.28), (0.0, 0.0, 0.0, -0.4, 0.28), (0.05, -0.15, 0.0, -0.75, 0.25))
"""Placement of things before anything is learned: centre, log scale, and how far along the direction."""
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
    """What the network reads of some captions: sentence embeddings of the whole and of its things, and directions.

    The embedding of a thing is zero where there is none. See `lodestone.prompts.caption_parts`.
    """

    whole: Float[Tensor, "b dim"]
    things: Float[Tensor, "b k dim"]
    directions: Float[Tensor, "b k 3"]
    """From the first to each thing; for the first itself that to the second."""
    camera: Float[Tensor, "b 8"]

    @classmethod
    def parse(cls, read: Float[Tensor, "b dim_read"], width: int) -> "Captions":
        """The columns apart."""
        left = read.shape[1] - (THINGS + 1) * width - 3 * (THINGS - 1)
        whole, things, others, camera = read.split([width, THINGS * width, 3 * (THINGS - 1), left], dim=1)
        others = others.unflatten(1, (THINGS - 1, 3))
        return cls(whole, things.unflatten(1, (THINGS, width)), torch.cat([others[:, :1], others], dim=1), camera)

    def take(self, rows: Bool[Tensor, " b"]) -> "Captions":
        """Some rows."""
        return Captions(self.whole[rows], self.things[rows], self.directions[rows], self.camera[rows])

    @property
    def told(self) -> Bool[Tensor, " b"]:
        """Where a camera is told."""
        return self.camera[:, -1] != 0

    @property
    def named(self) -> Bool[Tensor, "b k"]:
        """Which things there are."""
        return (self.things != 0).any(dim=2)


@dataclass(frozen=True)
class Placement:
    """Where volumes are, and how large."""

    center: Float[Tensor, "*b 3"]
    scale: Float[Tensor, "*b"]

    def of(self, rows: Bool[Tensor, " b"], thing: int) -> "Placement":
        """That of one thing in some rows."""
        return Placement(self.center[rows, thing], self.scale[rows, thing])

    def inverse(self, points: Float[Tensor, "b r s 3"]) -> Float[Tensor, "b r s 3"]:
        """Points in the volume's own units."""
        return (points - self.center[:, None, None]) / self.scale[:, None, None, None]


class SolidDraft(AbstractDraft):
    """Sums of learned volumes, one for each thing, seen from the camera; where none is told, a sum of learned pictures.

    A learned share of the latter is in the former: all of it for what volumes do not know, none for what they do.

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
        self.flatness = nn.Linear(hidden, 1)
        nn.init.constant_(self.flatness.bias, SOLID)
        told, placed = (THINGS + 1) * hidden + 3 * THINGS, nn.Linear(hidden // 4, 5 * THINGS)
        self.placement = nn.Sequential(nn.Linear(told, hidden // 4), nn.SiLU(), placed)
        nn.init.zeros_(placed.weight)
        placed.bias.data.copy_(torch.tensor(BESIDE).flatten())

    @staticmethod
    def read(captions: list[str], embed: Embedding) -> Float[Tensor, "b dim_draft"]:
        parts = [take_apart(caption) for caption in captions]
        things = zip(*((*part.things, "", "")[:THINGS] for part in parts), strict=True)
        vectors = [embed(list(texts)) for texts in ([part.subject for part in parts], *things)]
        nowhere = (0.0, 0.0, 0.0)
        directions = torch.tensor([(*part.directions, nowhere, nowhere)[: THINGS - 1] for part in parts])
        return torch.cat([*vectors, directions.flatten(1).to(vectors[0])], dim=1)

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
        told, features = captions.told, self.features(captions)
        flat = picked(self.picture(features[:, 0]).unflatten(1, (3, PIXELS)), pixels)
        solid = self.matter(captions.take(told), features[told], pixels[told]).over_white()
        flatness = self.flatness(self.said(captions, features)[told]).sigmoid()[:, :, None]
        return flat.index_put((told,), torch.lerp(solid, flat[told], flatness))

    @staticmethod
    def said(captions: Captions, features: Float[Tensor, "b n hidden"]) -> Float[Tensor, "b hidden"]:
        """Of the one thing of a caption, called by the noun that the world has; of the whole if there are more."""
        return torch.where(captions.named[:, 1:2], features[:, 0], features[:, 1])

    def matter(self, captions: Captions, features: Float[Tensor, "b n hidden"], pixels: Int[Tensor, "b r"]) -> Matter:
        """What the rays of pixels meet: the thing of the caption, or all of them in their places."""
        points, named = sample_points(captions.camera, pixels), captions.named
        several = named[:, 1]
        placement = self.place(captions, features)
        first = points.index_put((several,), placement.of(several, 0).inverse(points[several]))
        found = find(self.volume_of(features[:, 1]), first)
        for thing in range(1, THINGS):
            rows = named[:, thing]
            there = placement.of(rows, thing).inverse(points[rows])
            found = found.joined(rows, find(self.volume_of(features[rows, thing + 1]), there))
        return found

    def features(self, captions: Captions) -> Float[Tensor, "b n hidden"]:
        """Of the whole and of each thing; zero where there is none."""
        things: Tensor = self.words(captions.things) * captions.named[..., None]
        return torch.cat([self.words(captions.whole)[:, None], things], dim=1)

    def place(self, captions: Captions, features: Float[Tensor, "b n hidden"]) -> Placement:
        """Where the things are; what is learned is added to a distance along the directions."""
        told = torch.cat([features.flatten(1), captions.directions.flatten(1)], dim=1)
        numbers = self.placement(told).unflatten(1, (THINGS, 5))
        center = numbers[..., :3] + numbers[..., 4:] * captions.directions
        return Placement(center, numbers[..., 3].exp())

    def volume_of(self, features: Float[Tensor, "b hidden"]) -> Float[Tensor, "b 4 n n n"]:
        """The volume of each thing."""
        grown: Tensor = self.volume(features)
        return grown.unflatten(1, (4, VOLUME_SIDE, VOLUME_SIDE, VOLUME_SIDE))


def picked(pictures: Float[Tensor, "b 3 n"], pixels: Int[Tensor, "b r"]) -> Float[Tensor, "b 3 r"]:
    """The colours of some pixels."""
    return pictures.gather(2, pixels[:, None].expand(-1, 3, -1))
