"""Rendered views of the world for training: made once, kept in a folder of shards.

Shard k holds the views of the scenes with indices `k * shard` to `(k + 1) * shard - 1` that training may see (or of
those that it may not). A shard is written whole or not at all; what is finished is kept when the work goes on. Each
says which world and which settings made it, and anything else is refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from lodestone.data.worlds.captions import Attributes, Item, Kind, Relation, paraphrase, plain_caption
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.views import DAYLIGHT, draw_light, see_colors
from lodestone.data.worlds.world import World, WorldSample
from lodestone.errors import SettingError, check_range
from lodestone.rendering.cameras import Cameras, OrbitSampler, Viewpoints
from lodestone.storage import load_tensors, save_tensors
from lodestone.threads import over_threads

__all__ = ["RenderedViews", "ViewSettings", "cameras_of", "read_cache", "render_views", "write_cache"]

REMEDY = "delete it and write the cache again, which keeps the finished files"


@dataclass(frozen=True, kw_only=True)
class ViewSettings:
    """How scenes are seen. Cameras and light are drawn for each scene, by its own choices."""

    views: int = 8
    """Of each scene, in one light."""
    own_light: float = 1.0
    """Share of the scenes that have a sun of their own; the others are seen in `DAYLIGHT`. Where all are lit from
    elsewhere, the mean picture of a caption has no shading left."""
    size: int = 64
    """Side of the pictures in pixels."""
    radius: float = 0.6
    """Of the ball that holds a scene, where a scene of the world itself fills a ball of radius 1. The cameras are told
    in units in which assets that are made for a prior of these views come out as large."""
    cameras: OrbitSampler = field(
        default_factory=lambda: OrbitSampler(elevation=(-10.0, 50.0), distance=(2.8, 3.4), field_of_view=(23.0, 29.0))
    )

    def __post_init__(self) -> None:
        check_range("world.views", self.views, 1, 256)
        check_range("world.size", self.size, 8, 1024)
        check_range("world.radius", self.radius, 1e-3, 1e3)
        check_range("world.own_light", self.own_light, 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class RenderedViews:
    """Views of n scenes, v of each; row i of every field belongs to scene i."""

    rgba: UInt8[Tensor, "n v 4 h w"]
    """Straight (not premultiplied) colour and mask, as `lodestone.data.emoji.composite` takes them."""
    azimuth: Float[Tensor, "n v"]
    elevation: Float[Tensor, "n v"]
    distance: Float[Tensor, "n v"]
    field_of_view: Float[Tensor, "n v"]
    index: Int[Tensor, " n"]
    """Of the scenes in their world."""
    attributes: tuple[Attributes, ...]

    def __len__(self) -> int:
        return len(self.attributes)

    def caption(self, row: int) -> str:
        """The plain caption of a scene."""
        return plain_caption(self.attributes[row])

    def paraphrase(self, row: int, number: int) -> str:
        """Another way to say it; the same for the same number."""
        return paraphrase(self.attributes[row], Draw("cache", int(self.index[row]), number))

    @property
    def tensors(self) -> dict[str, Tensor]:
        """What a shard holds."""
        return {name: getattr(self, name) for name in TENSORS}


TENSORS = ("rgba", "azimuth", "elevation", "distance", "field_of_view", "index")


def viewpoints_of(sample: WorldSample, settings: ViewSettings) -> Viewpoints:
    """The cameras of a scene."""
    rng = torch.Generator().manual_seed(sample.draw("cameras").integer(0, 2**40))
    return settings.cameras.sample(settings.views, rng)


def cameras_of(viewpoints: Viewpoints, settings: ViewSettings) -> Cameras:
    """Cameras that see a scene of the world, of radius 1, as these viewpoints would see it in a ball of the radius."""
    nearer = replace(viewpoints, distance=viewpoints.distance / settings.radius)
    return nearer.cameras(settings.size, settings.size)


def render_scene(sample: WorldSample, settings: ViewSettings) -> tuple[Tensor, Viewpoints]:
    """All views of a scene as bytes."""
    viewpoints = viewpoints_of(sample, settings)
    own = sample.draw("own light").chance(settings.own_light)
    light = draw_light(sample.draw("light")) if own else DAYLIGHT
    seen = see_colors(sample.mesh, cameras_of(viewpoints, settings), light)
    rgba = torch.cat([seen.color, seen.mask], dim=-1).permute(0, 3, 1, 2)
    return (rgba * 255).round().to(torch.uint8), viewpoints


def render_views(
    world: World, indices: Sequence[int], settings: ViewSettings, *, held_out: bool | None = None, workers: int = 2
) -> RenderedViews:
    """Views of the scenes with these indices; the same for any number of worker threads.

    Args:
        world: Where the scenes come from.
        indices: Which scenes.
        settings: How they are seen.
        held_out: Keep only those whose captions are held out, or are not; all of them if None.
        workers: Threads, each of which renders whole scenes.
    """

    def work(index: int) -> tuple[int, Attributes, Tensor, Viewpoints] | None:
        sample = world.sample(index)
        if held_out is not None and sample.held_out is not held_out:
            return None
        return index, sample.attributes, *render_scene(sample, settings)

    rows = [row for row in over_threads(work, indices, workers) if row is not None]
    if not rows:
        raise SettingError(f"none of the {len(indices)} scenes may be used: choose more scenes of the world")
    numbers, attributes, rgba, viewpoints = zip(*rows, strict=True)
    return RenderedViews(
        rgba=torch.stack(rgba),
        **{name: torch.stack([getattr(v, name) for v in viewpoints]) for name in TENSORS[1:5]},
        index=torch.tensor(numbers),
        attributes=attributes,
    )


# -------------------------------------------------------------------------------------------------------- the files


def plain(attributes: Attributes) -> dict[str, Any]:
    """Attributes as JSON-able values."""
    words = asdict(attributes)
    words["kind"] = attributes.kind.value
    words["relation"] = attributes.relation.value if attributes.relation else None
    return words


def from_plain(words: dict[str, Any]) -> Attributes:
    """The inverse of `plain`."""
    return Attributes(
        kind=Kind(words["kind"]),
        items=tuple(Item(**item) for item in words["items"]),
        relation=Relation(words["relation"]) if words["relation"] else None,
        surroundings=words["surroundings"],
    )


def described(world: World) -> dict[str, Any]:
    """What a shard says of its world."""
    return {"version": world.version, "seed": world.seed, "categories": world.digest}


def origin(world: World, settings: ViewSettings, held_out: bool) -> dict[str, Any]:
    """What two shards must agree on."""
    settled = asdict(settings)
    settled["cameras"] = {name: list(bounds) for name, bounds in settled["cameras"].items()}
    return {"world": described(world), "settings": settled, "held_out": held_out}


def shard_path(folder: Path, number: int) -> Path:
    """Where a shard is."""
    return folder / f"views-{number:05d}.safetensors"


def read_shard(path: Path, expected: dict[str, Any] | None) -> tuple[RenderedViews, dict[str, Any]]:
    """One shard and what it says of its origin.

    Raises: SettingError if it is damaged or does not have the expected origin.
    """
    try:
        tensors, metadata = load_tensors(path)
        views = RenderedViews(**tensors, attributes=tuple(map(from_plain, metadata["attributes"])))
        found = metadata["origin"]
    except (SettingError, TypeError, KeyError, ValueError) as error:
        raise SettingError(f"{path} is no shard of a view cache, or it is damaged: {REMEDY}") from error
    if expected is not None and found != expected:
        raise SettingError(f"{path} was made by {difference(found, expected)}: {REMEDY}, or choose another folder")
    return views, found


def difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    """In a few words, what the maker of a shard did otherwise."""
    for name, words in (("version", "another version of the world"), ("seed", "a world of another seed")):
        if found.get("world", {}).get(name) != expected["world"][name]:
            return f"{words} ({found.get('world', {}).get(name)}, not {expected['world'][name]})"
    if found.get("world") != expected["world"]:
        return "a world with other categories"
    return "other settings"


def write_cache(
    folder: Path,
    world: World,
    settings: ViewSettings,
    *,
    scenes: int,
    shard: int = 128,
    held_out: bool = False,
    workers: int = 2,
    finished: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Writes the views of scenes 0 to `scenes - 1` whose captions are not held out, or are; returns the shards.

    Shards that are there are kept, so a run that was stopped goes on where it was. `finished` is told how many of all
    shards are there.

    Raises: SettingError if a shard is damaged or was made by another world or with other settings.
    """
    check_range("world.scenes", scenes, 1, 10**9)
    expected = {**origin(world, settings, held_out), "shard": shard}
    paths = [shard_path(folder, number) for number in range(-(-scenes // shard))]
    for number, path in enumerate(paths):
        if path.exists():
            read_shard(path, expected)
        else:
            indices = range(number * shard, min((number + 1) * shard, scenes))
            views = render_views(world, indices, settings, held_out=held_out, workers=workers)
            metadata = {"origin": expected, "attributes": [plain(one) for one in views.attributes]}
            save_tensors(path, views.tensors, metadata)
        finished(number + 1, len(paths))
    return paths


def read_cache(folder: Path, world: World | None = None) -> RenderedViews:
    """All views of a cache.

    Raises: SettingError if there is none, a shard is damaged or of another kind, or another world made them.
    """
    paths = sorted(folder.glob("views-*.safetensors"))
    if not paths:
        raise SettingError(f"there is no view cache in {folder}: write one with `write_cache`")
    first, found = read_shard(paths[0], None)
    made = found.get("world", {})
    own = described(world or World(made.get("seed", 0)))
    if made != own:
        raise SettingError(f"{paths[0]} was made by {difference(found, {'world': own})}: {REMEDY}")
    shards = [first, *(read_shard(path, found)[0] for path in paths[1:])]
    return RenderedViews(
        **{name: torch.cat([getattr(one, name) for one in shards]) for name in TENSORS},
        attributes=tuple(attributes for one in shards for attributes in one.attributes),
    )
