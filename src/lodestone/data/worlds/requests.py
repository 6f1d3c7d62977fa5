"""From a caption to what it asks for: `a red mug on a wooden table`, `two lemons`, `a cat behind a blue chair`."""

import functools
import re

from lodestone.data.worlds.captions import NUMBERS, OTHER_NAMES, Relation, plural_of, without_frame
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.data.worlds.colors import COLORS
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.scenes import Request, Wanted
from lodestone.data.worlds.surroundings import SURROUNDINGS
from lodestone.errors import SettingError

__all__ = ["nouns", "parse"]

RELATIONS = {
    "to the left of": Relation.LEFT,
    "to the right of": Relation.RIGHT,
    "left of": Relation.LEFT,
    "right of": Relation.RIGHT,
    "in front of": Relation.FRONT,
    "behind": Relation.BEHIND,
    "next to": Relation.BESIDE,
    "beside": Relation.BESIDE,
    "on top of": Relation.ON,
    "on": Relation.ON,
    "by": Relation.BESIDE,
    "and": Relation.AND,
}
"""Longer words first."""


def parse(text: str) -> Request:
    """What a caption asks for.

    Raises: SettingError if it names a category, a colour or a place that is not of this world.
    """
    words = " ".join(text.lower().replace(".", " ").split())
    words = without_frame(words)
    for place in SURROUNDINGS:
        if words.endswith(" " + place):
            return Request(items=(wanted(words.removesuffix(" " + place)),), surroundings=place)
    for said, relation in RELATIONS.items():
        first, found, second = words.partition(f" {said} ")
        if found:
            return related(wanted(first), relation, second)
    return Request(items=(wanted(words),))


def related(first: Wanted, relation: Relation, second: str) -> Request:
    """Two items; where the second is no category, the places of the world are named, too."""
    try:
        return Request(items=(first, wanted(second)), relation=relation)
    except SettingError as error:
        if "category" not in str(error):
            raise
        places = ", ".join(SURROUNDINGS)
        raise SettingError(f"{error}; or one of the places: {places}") from error


@functools.cache
def nouns() -> dict[str, tuple[str, bool]]:
    """Every singular and plural with its category, and whether it is a plural; other names of categories as well."""
    known: dict[str, tuple[str, bool]] = {}
    for noun, make in CATEGORIES.items():
        plural = make(Draw("plural", noun)).plural or plural_of(noun)
        known[plural.lower()] = (noun, True)
        known[noun.lower()] = (noun, False)
        for name in OTHER_NAMES.get(noun, ()):
            known |= {plural_of(name): (noun, True), name: (noun, False)}
    return known


def wanted(words: str) -> Wanted:
    """An item: an article or a number, a colour, a noun."""
    known = nouns()
    relative = re.fullmatch(r"(.*) that (?:is|are) (.*)", words)
    if relative is not None:
        article, _, rest = relative[1].partition(" ")
        words = f"{article} {relative[2]} {rest}"
    ending = max((noun for noun in known if words == noun or words.endswith(" " + noun)), key=len, default=None)
    if ending is None:
        raise SettingError(f"there is no category in {words!r}: choose among {', '.join(CATEGORIES)}")
    noun, several = known[ending]
    before = words.removesuffix(ending).split()
    count = 2 if several and words == ending else 1
    if before and before[0] in ("a", "an", "the", *NUMBERS[1:]):
        count = NUMBERS.index(before[0]) if before[0] in NUMBERS else 1
        before = before[1:]
    color = " ".join(before) or None
    color = "gray" if color == "grey" else color
    if color is not None and color not in COLORS:
        raise SettingError(f"there is no colour {color!r}: choose among {', '.join(COLORS)}")
    return Wanted(noun, color, count)
