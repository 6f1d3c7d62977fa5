"""The exact score of the world: the prior that knows viewpoints without training.

For a caption y of the world, N objects that it may mean are made (`World.make`, numbers 0 to N - 1) and seen from a
grid of cameras on white. With a camera c that is told,

    p(x | y, c) = 1/N sum_n sum_v w_v(c) N(x; picture_nv, s^2 I) ,

w being the weights of the views near c (`world_views`). Without a camera all views weigh the same; words for the view
(", back view") keep those of that side. The null condition is the mean over the captions of one prompt and of the
first scenes of the world, each caption with all of its views.

As in the prior of emoji, what a condition leaves out is excluded, not weighted down: in 12,288 dimensions the
likelihood swamps any log-weight.
"""

import functools
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.arrays import Latents, Times
from lodestone.data.worlds.meshes import PaintedMesh
from lodestone.data.worlds.requests import parse
from lodestone.data.worlds.scenes import Request
from lodestone.data.worlds.world import World
from lodestone.errors import SettingError, check_range
from lodestone.priors.adapters import LowRankAdapter, LowRankSettings
from lodestone.priors.analytic import EXCLUDED, GaussianMixture
from lodestone.priors.autoencoder import SpaceToDepth
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, Prior
from lodestone.priors.empirical import KERNEL_WIDTH
from lodestone.priors.noise import NoiseSchedule
from lodestone.priors.world_views import ViewGrid, WorldViews
from lodestone.prompts.conditioning import AbstractCameraConditioner, Conditioning
from lodestone.prompts.text_encoder import AbstractTextEncoder
from lodestone.prompts.view_dependent import Direction, ViewWording
from lodestone.rendering.cameras import Viewpoints

__all__ = ["Album", "ToldCamera", "WorldDenoiser", "WorldSettings", "WorldText", "load_world"]

ATTEMPTS = 50
"""Numbers of a caption that are tried for its objects: some objects have no room on others."""
WORLD = World(0)
WORDING = ViewWording()
SUFFIXES = (WORDING.front_suffix, WORDING.side_suffix, WORDING.back_suffix, WORDING.overhead_suffix)


@dataclass(frozen=True, kw_only=True)
class WorldSettings:
    """Which views there are."""

    objects: int = 4
    """That a caption may mean."""
    grid: ViewGrid = ViewGrid()
    """From where they are seen."""
    others: int = 24
    """Scenes beside those of the prompt, for the null condition."""
    others_grid: ViewGrid = ViewGrid(azimuths=12, elevations=(0.0, 20.0))

    def __post_init__(self) -> None:
        check_range("the number of objects in --prior world:N", self.objects, 1, 16)
        check_range("world.others", self.others, 0, 1000)


@dataclass(frozen=True)
class Meaning:
    """What a text says: nothing at all, or a caption, perhaps with words for the view."""

    request: Request | None
    direction: Direction | None

    @classmethod
    def of(cls, text: str) -> "Meaning":
        """Raises: SettingError if the text is no caption of the world."""
        words = " ".join(text.lower().split()).rstrip(".")
        if not words:
            return cls(None, None)
        direction = next((each for each in Direction if words.endswith(SUFFIXES[each])), None)
        if direction is not None:
            words = words.removesuffix(SUFFIXES[direction])
        try:
            return cls(parse(words), direction)
        except SettingError as error:
            raise SettingError(f"{error}; or choose --prior embedded, which takes any words") from error


@dataclass(frozen=True)
class Album:
    """The views that one prompt is about, and the mixture of them."""

    requests: tuple[Request, ...]
    """What its captions ask for; the views of other scenes come after theirs."""
    views: WorldViews
    mixture: GaussianMixture
    spacing: float
    """Of the cameras, in degrees."""

    @classmethod
    def make(cls, requests: tuple[Request, ...], settings: WorldSettings, device: torch.device) -> "Album":
        """Renders the views, some seconds.

        Raises: SettingError if the world has no such objects.
        """
        parts = [view for index, request in enumerate(requests) for view in views_of(request, index, settings)]
        others = [replace(view, caption=view.caption + len(requests)) for view in views_of_others(settings)]
        views = WorldViews.concatenate([*parts, *others])
        mixture = GaussianMixture(2 * views.pictures - 1, KERNEL_WIDTH**2, NoiseSchedule.scaled_linear())
        return cls(requests, views.without_pictures(), mixture.to(device), settings.grid.spacing)

    def logits(self, meaning: Meaning) -> Float[Tensor, " k"]:
        """The weights of a meaning's views before a camera is told."""
        if meaning.request is None:
            return -torch.bincount(self.views.caption)[self.views.caption].log()
        kept = self.views.caption == self.requests.index(meaning.request)
        if meaning.direction is not None:
            kept &= WORDING.direction(self.views) == meaning.direction
        return torch.zeros(len(kept)).masked_fill(~kept, EXCLUDED)

    def told(self, logits: Float[Tensor, "b k"], viewpoints: Viewpoints) -> Float[Tensor, "b k"]:
        """The weights once each row is told its camera: of the views that the words leave, those near it."""
        among = logits > logits.amax(dim=1, keepdim=True) + EXCLUDED / 2
        weights, near = self.views.log_weights(viewpoints, among.cpu(), self.spacing)
        return (logits + weights.to(logits)).masked_fill(~near.to(logits.device), EXCLUDED)


def views_of(request: Request, caption: int, settings: WorldSettings) -> list[WorldViews]:
    """The objects that a request may mean, in the order of their numbers."""
    return [WorldViews.see(mesh, settings.grid, caption) for mesh in objects_of(request, settings.objects)]


def objects_of(request: Request, count: int) -> list[PaintedMesh]:
    """The first objects of a request that can be built.

    Raises: SettingError if the world has none.
    """
    made: list[PaintedMesh] = []
    problem: SettingError | None = None
    for number in range(ATTEMPTS):
        if len(made) == count:
            break
        try:
            made.append(WORLD.make(request, number).mesh)
        except SettingError as error:
            problem = error
    if problem is not None and not made:
        raise problem
    return made


@functools.cache
def views_of_others(settings: WorldSettings) -> tuple[WorldViews, ...]:
    """The first scenes of the world, rendered once for the life of the process."""
    meshes = (WORLD.sample(index).mesh for index in range(settings.others))
    return tuple(WorldViews.see(mesh, settings.others_grid, index) for index, mesh in enumerate(meshes))


class WorldDenoiser(AbstractDenoiser):
    """The exact denoiser of every prompt that was encoded.

    A row's `pooled` says which: it is the number of the mixture that its tokens weigh.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.schedule, self.latent_shape = NoiseSchedule.scaled_linear(), (3, size, size)
        self.mixtures: list[GaussianMixture] = []
        self.latest = 0

    def forward(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Prediction:
        prediction: Prediction = self.mixture(conditioning)(noisy, t, conditioning)
        return prediction

    def mixture(self, conditioning: Conditioning) -> GaussianMixture:
        """The mixture that these rows weigh."""
        return self.mixtures[number_of(conditioning)]

    def adapter(self, settings: LowRankSettings, rng: torch.Generator, *, parts: int = 1) -> LowRankAdapter:
        """A low-rank change of the views of the prompt that was encoded last."""
        return self.mixtures[self.latest].adapter(settings, rng, parts=parts)


def number_of(conditioning: Conditioning) -> int:
    """Which mixture some rows weigh.

    Raises: ValueError if they weigh several.
    """
    assert conditioning.pooled is not None
    first, last = (round(float(bound)) for bound in conditioning.pooled.aminmax())
    if first != last:
        raise ValueError("one denoiser call can use the views of one prompt")
    return first


class WorldText(AbstractTextEncoder):
    """Captions into the weights of their views, which are rendered when a prompt is first encoded.

    What is encoded in one call is one prompt: its null condition is about its own captions. The views of a prompt take
    about 80 MB and are kept as long as the prior.
    """

    def __init__(self, settings: WorldSettings, denoiser: WorldDenoiser, device: torch.device) -> None:
        self.settings, self.denoiser, self.device = settings, denoiser, device
        self.albums: list[Album] = []
        self.camera = ToldCamera(self.albums)

    def encode(self, texts: list[str]) -> Conditioning:
        """Raises: SettingError if a text is no caption of the world."""
        meanings = [Meaning.of(text) for text in texts]
        number = self.number(tuple(dict.fromkeys(each.request for each in meanings if each.request is not None)))
        logits = torch.stack([self.albums[number].logits(meaning) for meaning in meanings])
        return Conditioning(tokens=logits[:, None], pooled=torch.full((len(texts), 1), float(number)))

    def number(self, requests: tuple[Request, ...]) -> int:
        """Of the album with the views of these captions, which is made if there is none."""
        known = [album.requests for album in self.albums]
        if requests not in known:
            album = Album.make(requests, self.settings, self.device)
            self.albums.append(album)
            self.denoiser.mixtures.append(album.mixture)
            known.append(requests)
        self.denoiser.latest = known.index(requests)
        return self.denoiser.latest


class ToldCamera(AbstractCameraConditioner):
    """Weighs the views of each row by how near their cameras are; distance and lens are those of the views."""

    def __init__(self, albums: list[Album]) -> None:
        self.albums = albums

    def __call__(self, rows: Conditioning, viewpoints: Viewpoints) -> Conditioning:
        album = self.albums[number_of(rows)]
        return replace(rows, tokens=album.told(rows.tokens[:, 0], viewpoints)[:, None])


def load_world(settings: WorldSettings | None = None, *, device: torch.device) -> Prior:
    """The world on white in daylight; nothing is rendered before a prompt is encoded."""
    chosen = settings or WorldSettings()
    denoiser = WorldDenoiser(chosen.grid.size)
    return Prior(
        name="world",
        denoiser=denoiser,
        autoencoder=SpaceToDepth(1),
        text_encoder=WorldText(chosen, denoiser, device),
        image_size=chosen.grid.size,
        white_only=True,
    )
