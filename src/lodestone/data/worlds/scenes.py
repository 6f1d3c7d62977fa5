"""Objects placed together: alone, in surroundings, or several by a relation.

Sizes are those of real things, drawn nearer to each other so that the small ones are seen: an object of s metres is
s^0.25 units long. Objects do not touch: their bounding boxes keep a gap, or one stands on the level place of another.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.data.worlds.captions import Attributes, Item, Kind, Relation
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.meshes import Placed
from lodestone.data.worlds.surroundings import SURROUNDINGS, Room
from lodestone.data.worlds.things import Thing
from lodestone.errors import SettingError

__all__ = ["Request", "Scene", "Wanted", "build", "draw_request", "fits", "make"]

COMPRESSION = 0.25
KINDS = (Kind.SINGLE, Kind.SINGLE, Kind.SURROUNDINGS, Kind.SEVERAL)
"""As often as they are drawn."""
TRIES = 120
"""Draws of an object until its colour is the one that is asked for."""
TURN = 15.0
"""Largest turn of an object among several, in degrees."""


@dataclass(frozen=True)
class Wanted:
    """Objects that are asked for; any colour if there is None."""

    noun: str
    color: str | None = None
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a scene is to show."""

    items: tuple[Wanted, ...]
    relation: Relation | None = None
    surroundings: str | None = None

    @property
    def kind(self) -> Kind:
        """Which of the three kinds of scenes it is."""
        if self.surroundings is not None:
            return Kind.SURROUNDINGS
        return Kind.SEVERAL if len(self.items) > 1 or self.items[0].count > 1 else Kind.SINGLE


@dataclass(frozen=True)
class Scene:
    """What stands where; surroundings come last."""

    attributes: Attributes
    objects: tuple[Placed, ...]


def make(wanted: Wanted, draw: Draw) -> Thing:
    """An object of a category, in the colour that is asked for.

    Raises: SettingError if there is no such category, or it does not come in that colour.
    """
    if wanted.noun not in CATEGORIES:
        raise SettingError(f"there is no category {wanted.noun!r}: choose among {', '.join(CATEGORIES)}")
    seen = set()
    for attempt in range(TRIES):
        # The main colour is not always the first that is drawn: every other attempt leaves it to chance.
        preferred = wanted.color if attempt % 2 == 0 else None
        thing = CATEGORIES[wanted.noun](draw.part(wanted.noun, attempt).preferring(preferred))
        if wanted.color in (None, thing.color):
            return thing
        seen.add(thing.color)
    colors = ", ".join(sorted(color for color in seen if color)) or "no colour at all"
    raise SettingError(f"a {wanted.noun} does not come in {wanted.color}: choose among {colors}")


def placed(thing: Thing, turn: float = 0.0) -> Placed:
    """An object in the scene's units, above the origin."""
    points = Placed(thing.parts).local()
    extent = float((points.amax(dim=0) - points.amin(dim=0)).amax())
    scale = thing.size**COMPRESSION / extent
    standing = Placed(thing.parts, scale, turn)
    low, high = bounds(standing)
    middle = (low + high) / 2
    return replace(standing, x=-float(middle[0]), y=-float(middle[1]), z=-float(low[2]))


def bounds(*objects: Placed) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """Opposite corners of the box around objects."""
    points = torch.cat([each.vertices() for each in objects])
    return points.amin(dim=0), points.amax(dim=0)


def shifted(each: Placed, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Placed:
    """The same object somewhere else."""
    return replace(each, x=each.x + x, y=each.y + y, z=each.z + z)


def room_of(each: Placed) -> Room:
    """The upright cylinder around an object that stands above the origin."""
    points = each.vertices()
    return Room(float(points[:, :2].norm(dim=-1).amax()), float(points[:, 2].amax()))


def put(each: Placed, others: Sequence[Placed], direction: str, gap: float) -> Placed:
    """Moved along "x", "-x", "y" or "-y" until its box lies beyond the boxes of the others."""
    axis, sign = "xyz".index(direction[-1]), -1 if direction[0] == "-" else 1
    (low, high), (own_low, own_high) = bounds(*others), bounds(each)
    step = float(high[axis] - own_low[axis]) + gap if sign > 0 else float(low[axis] - own_high[axis]) - gap
    return shifted(each, **{direction[-1]: step})


def fits(above: Placed, below: Thing, support: Placed) -> bool:
    """Whether an object has room on the level place of another."""
    return below.stand is not None and room_of(above).radius <= below.stand.radius * support.scale


def put_on(above: Placed, below: Thing, support: Placed) -> Placed:
    """On the level place of another object."""
    assert below.stand is not None
    spot = torch.tensor([[below.stand.x, below.stand.y, below.stand.z]])
    x, y, z = support.place(spot)[0].tolist()
    return shifted(above, x, y, z)


SIDES = {
    Relation.AND: ("y",),
    Relation.BESIDE: ("y", "-y"),
    Relation.LEFT: ("y",),
    Relation.RIGHT: ("-y",),
    Relation.FRONT: ("-x",),
    Relation.BEHIND: ("x",),
}
"""Where the second item is put, seen from the first: the right of a picture of the front is +y."""


def arrange(things: Sequence[Thing], relation: Relation | None, draw: Draw) -> list[Placed]:
    """Several objects by their relation; those after the second stand on in the same row, or before the others."""
    objects = [placed(thing, draw.uniform(-TURN, TURN)) for thing in things]
    if relation is Relation.ON:
        return [put_on(objects[0], things[1], objects[1]), objects[1]]
    standing = objects[:1]
    side = draw.choice(SIDES[relation or Relation.AND])
    for index, each in enumerate(objects[1:]):
        low, high = bounds(*standing, each)
        gap = draw.uniform(0.03, 0.1) * float((high - low).amax())
        direction = side if index == 0 or draw.chance(0.25) else "x"
        standing.append(put(each, standing, direction, gap))
    return standing


def copies(wanted: Wanted, draw: Draw) -> list[Thing]:
    """So many objects of one category and one colour."""
    first = make(wanted, draw)
    alike = replace(wanted, color=first.color)
    return [first, *(make(alike, draw.part("copy", index)) for index in range(1, wanted.count))]


def build(request: Request, draw: Draw) -> Scene:
    """A scene that shows what is asked for.

    Raises: SettingError if a category or colour does not exist, or one object has no room on the other.
    """
    groups = [copies(wanted, draw.part("item", index)) for index, wanted in enumerate(request.items)]
    things = [thing for group in groups for thing in group]
    attributes = Attributes(
        kind=request.kind,
        items=tuple(Item.of(group[0], len(group)) for group in groups),
        relation=request.relation,
        surroundings=request.surroundings,
    )
    layout = draw.part("layout")
    if request.surroundings is not None:
        standing = placed(things[0])
        parts = SURROUNDINGS[request.surroundings].make(room_of(standing), layout)
        return Scene(attributes, (standing, Placed(parts)))
    if request.relation is Relation.ON and not fits(placed(things[0]), things[1], placed(things[1])):
        raise SettingError(
            f"a {things[0].noun} has no room on a {things[1].noun}: choose a smaller thing, or another to stand on"
        )
    return Scene(
        attributes, tuple(arrange(things, request.relation, layout)) if len(things) > 1 else (placed(things[0]),)
    )


# ------------------------------------------------------------------------------------------------ what is asked for


def draw_request(draw: Draw) -> Request:
    """A scene of any kind; every category is equally likely."""
    nouns = tuple(CATEGORIES)
    kind, noun = draw.choice(KINDS), draw.choice(nouns)
    if kind is Kind.SINGLE:
        return Request(items=(Wanted(noun),))
    if kind is Kind.SURROUNDINGS:
        size = typical(noun).size
        places = [place.phrase for place in SURROUNDINGS.values() if place.smallest <= size <= place.largest]
        return Request(items=(Wanted(noun),), surroundings=draw.choice(places))
    if draw.chance(0.25):
        return Request(items=(Wanted(noun, None, draw.integer(2, 3)),))
    relation = draw.choice(tuple(Relation))
    if relation is Relation.ON:
        return draw_stack(noun, draw)
    other = draw.choice([name for name in nouns if name != noun] or nouns)
    count = 2 if relation is Relation.AND and draw.chance(0.5) else 1
    return Request(items=(Wanted(noun), Wanted(other, None, count)), relation=relation)


@functools.cache
def typical(noun: str) -> Thing:
    """One object of a category, for what hardly differs between them."""
    return CATEGORIES[noun](Draw("typical", noun))


@functools.cache
def supports() -> tuple[str, ...]:
    """Categories on which something can stand."""
    return tuple(noun for noun in CATEGORIES if typical(noun).stand is not None)


@functools.cache
def likely_fits(above: str, below: str) -> bool:
    """Whether typical objects of two categories fit on each other."""
    return fits(placed(typical(above)), typical(below), placed(typical(below)))


def draw_stack(noun: str, draw: Draw) -> Request:
    """One object on another that offers a level place; something else than `noun` above if that has no room."""
    below = draw.choice(supports())
    for above in (noun, *(draw.choice(tuple(CATEGORIES)) for _ in range(20))):
        if above != below and likely_fits(above, below):
            return Request(items=(Wanted(above), Wanted(below)), relation=Relation.ON)
    return Request(items=(Wanted(noun), Wanted(below)), relation=Relation.BESIDE)
