"""The world: an endless list of captioned scenes, each a function of (version, seed, index) alone.

A caption is held out if a hash of its plain form falls in a tenth of all; that does not depend on the seed, so worlds
of different seeds agree on what a prior trained on one of them has never been told. Captions of one object without a
colour word ("a banana") are never held out: nothing else says what the object is.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from lodestone.data.worlds.captions import Attributes, Kind, paraphrase, plain_caption
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.data.worlds.draw import Draw, fraction
from lodestone.data.worlds.meshes import PaintedMesh, assemble
from lodestone.data.worlds.scenes import Request, Scene, build, draw_request
from lodestone.data.worlds.surroundings import SURROUNDINGS
from lodestone.errors import SettingError

__all__ = ["HELD_OUT", "WORLD_VERSION", "World", "WorldSample", "is_held_out"]

WORLD_VERSION = 1
"""Raised with every change of what an index shows; caches of another version are refused."""
HELD_OUT = 0.1
"""Share of the captions that training leaves out."""
ATTEMPTS = 50
"""Requests that are drawn until one can be built."""


def is_held_out(attributes: Attributes) -> bool:
    """Whether training leaves scenes with this plain caption out."""
    first = attributes.items[0]
    if attributes.kind is Kind.SINGLE and first.said_color is None:
        return False
    return fraction("held out", plain_caption(attributes)) < HELD_OUT


@dataclass(frozen=True)
class WorldSample:
    """One scene of the world."""

    key: tuple[object, ...]
    """What its random choices depend on."""
    attributes: Attributes
    mesh: PaintedMesh

    @property
    def caption(self) -> str:
        """The plain caption."""
        return plain_caption(self.attributes)

    @property
    def held_out(self) -> bool:
        """Whether training leaves it out."""
        return is_held_out(self.attributes)

    def paraphrase(self, number: int) -> str:
        """Another way to say the caption; the same for the same number."""
        return paraphrase(self.attributes, Draw(*self.key, "paraphrase", number))

    def draw(self, purpose: str) -> Draw:
        """Choices that belong to this scene, such as those of a light or of cameras."""
        return Draw(*self.key, purpose)


@dataclass(frozen=True)
class World:
    """All scenes of one seed."""

    seed: int = 0
    version: int = WORLD_VERSION

    def __post_init__(self) -> None:
        if self.version != WORLD_VERSION:
            raise SettingError(
                f"world.version is {self.version}: this Lodestone makes version {WORLD_VERSION}; install the one that "
                "made the other"
            )

    @property
    def digest(self) -> str:
        """Changes with the lists of categories and surroundings, which an index also depends on."""
        return hashlib.sha256("/".join([*CATEGORIES, *SURROUNDINGS]).encode()).hexdigest()[:16]

    def key(self, index: int) -> tuple[object, ...]:
        """What the choices of a sample depend on."""
        return ("world", self.version, self.seed, index)

    def scene(self, index: int) -> tuple[tuple[object, ...], Scene]:
        """A scene before it is one mesh, and the key of its choices."""
        for attempt in range(ATTEMPTS):
            key = (*self.key(index), attempt)
            try:
                return key, build(draw_request(Draw(*key, "request")), Draw(*key, "scene"))
            except SettingError:  # one object has no room on the other
                continue
        raise RuntimeError(f"sample {index} of the world cannot be built in {ATTEMPTS} attempts")

    def sample(self, index: int) -> WorldSample:
        """The scene of an index."""
        key, scene = self.scene(index)
        return WorldSample(key, scene.attributes, assemble(scene.objects))

    def attributes(self, index: int) -> Attributes:
        """What the scene of an index shows, without its mesh."""
        return self.scene(index)[1].attributes

    def make(self, request: Request, number: int = 0) -> WorldSample:
        """A scene that shows what is asked for; another one for each number.

        Raises: SettingError if a category or colour does not exist, or one object has no room on the other.
        """
        key = ("world", self.version, self.seed, "request", number)
        scene = build(request, Draw(*key, "scene"))
        return WorldSample(key, scene.attributes, assemble(scene.objects))

    def captions(self, count: int, *, held_out: bool, start: int = 0) -> list[str]:
        """So many different plain captions that are held out, or are not."""
        found: dict[str, None] = {}
        for index in self.indices(held_out=held_out, start=start):
            found.setdefault(plain_caption(self.attributes(index)))
            if len(found) == count:
                break
        return list(found)

    def indices(self, *, held_out: bool, start: int = 0) -> Iterator[int]:
        """Indices in order whose captions are held out, or are not."""
        index = start
        while True:
            if is_held_out(self.attributes(index)) is held_out:
                yield index
            index += 1
