"""What is said of a scene: its plain caption, and the other ways to say the same.

Left and right are those of a picture of the front: the camera on the +x axis sees +y at the right. Words for the view
of the camera are not in here; prompts add them.
"""

import re
from dataclasses import dataclass, replace
from enum import Enum

from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.things import Thing

__all__ = [
    "NUMBERS",
    "OTHER_NAMES",
    "Attributes",
    "Item",
    "Kind",
    "Relation",
    "paraphrase",
    "plain_caption",
    "plural_of",
    "with_article",
    "without_frame",
]

NUMBERS = ("no", "one", "two", "three")


class Kind(Enum):
    """The three kinds of scenes that T3Bench distinguishes (He et al. 2023, arXiv 2310.02977)."""

    SINGLE = "single object"
    SURROUNDINGS = "object with surroundings"
    SEVERAL = "several objects"


class Relation(Enum):
    """Where the first item of a scene is, seen from the second one's front."""

    AND = "and"
    BESIDE = "beside"
    LEFT = "to the left of"
    RIGHT = "to the right of"
    FRONT = "in front of"
    BEHIND = "behind"
    ON = "on"


INVERSE = {
    Relation.AND: Relation.AND,
    Relation.BESIDE: Relation.BESIDE,
    Relation.LEFT: Relation.RIGHT,
    Relation.RIGHT: Relation.LEFT,
    Relation.FRONT: Relation.BEHIND,
    Relation.BEHIND: Relation.FRONT,
}
"""What is said where the second item is named first."""

OTHER_NAMES: dict[str, tuple[str, ...]] = {
    "airplane": ("aeroplane", "plane", "jet"),
    "axe": ("hatchet",),
    "backpack": ("rucksack",),
    "bicycle": ("bike",),
    "bookshelf": ("bookcase",),
    "bucket": ("pail",),
    "car": ("automobile",),
    "dice": ("game die", "die"),
    "doughnut": ("donut",),
    "fir tree": ("evergreen tree", "pine tree"),
    "fire engine": ("fire truck",),
    "frying pan": ("skillet",),
    "hamburger": ("burger", "cheeseburger"),
    "hot dog": ("hotdog",),
    "knife": ("kitchen knife",),
    "mushroom": ("toadstool",),
    "rabbit": ("bunny",),
    "sailboat": ("sailing boat",),
    "saw": ("handsaw", "carpentry saw"),
    "shovel": ("spade",),
    "sneaker": ("running shoe",),
    "sofa": ("couch",),
    "teddy bear": ("teddy", "stuffed bear"),
    "train": ("locomotive", "steam train"),
    "truck": ("lorry",),
    "turtle": ("tortoise",),
    "violin": ("fiddle",),
}
"""What else a category is called."""

SYNONYMS = {Relation.BESIDE: ("beside", "next to", "by"), Relation.ON: ("on", "on top of")}

FRAMES = (
    "{}",
    "{}",
    "a photo of {}",
    "a picture of {}",
    "a 3D render of {}",
    "a DSLR photo of {}",
    "an image of {}",
    "{}, 3D asset",
)
"""Around a whole caption."""
LEADING = re.compile(r"^(?:an? |one )?(?:3d render|dslr photo|dslr image|photo|picture|image) of ", re.IGNORECASE)
TRAILING = re.compile(r",? 3d asset$", re.IGNORECASE)


@dataclass(frozen=True)
class Item:
    """One or more objects of one category and colour."""

    noun: str
    plural: str
    color: str | None
    natural: bool
    count: int = 1

    @classmethod
    def of(cls, thing: Thing, count: int = 1) -> "Item":
        """The words for an object."""
        return cls(thing.noun, thing.plural or plural_of(thing.noun), thing.color, thing.natural, count)

    @property
    def said_color(self) -> str | None:
        """The colour word of the plain caption."""
        return None if self.natural else self.color


@dataclass(frozen=True, kw_only=True)
class Attributes:
    """All that a caption says, and what a judge asks for."""

    kind: Kind
    items: tuple[Item, ...]
    relation: Relation | None = None
    """Of the first item to the second."""
    surroundings: str | None = None
    """Such as "on a wooden table"."""


def plural_of(noun: str) -> str:
    """The regular plural."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def with_article(words: str) -> str:
    """`a mug`, `an apple`."""
    return f"{'an' if words[0] in 'aeiou' and not words.startswith(('uni', 'uku')) else 'a'} {words}"


def phrase(item: Item, color: str | None) -> str:
    """`a red mug`, `two lemons`."""
    words = " ".join([*([color] if color else []), item.plural if item.count > 1 else item.noun])
    return f"{NUMBERS[item.count]} {words}" if item.count > 1 else with_article(words)


def plain_caption(attributes: Attributes) -> str:
    """The one caption by which a scene is known."""
    first, *rest = [phrase(item, item.said_color) for item in attributes.items]
    if attributes.surroundings is not None:
        return f"{first} {attributes.surroundings}"
    if rest and attributes.relation is not None:
        return f"{first} {attributes.relation.value} {rest[0]}"
    return first


def renamed(item: Item, draw: Draw) -> Item:
    """One object is sometimes called by another name of its category."""
    names = OTHER_NAMES.get(item.noun, ())
    return replace(item, noun=draw.choice(names)) if names and item.count == 1 and draw.chance(0.35) else item


def varied(item: Item, draw: Draw, *, alone: bool) -> str:
    """Another way to say an item; a colour that goes without saying is sometimes said, a relative clause if alone."""
    item = renamed(item, draw.part("name"))
    color = item.color if item.natural and draw.chance(0.2) else item.said_color
    if color and alone and draw.chance(0.15):
        are = "are" if item.count > 1 else "is"
        return f"{phrase(item, None)} that {are} {color}"
    return (
        "one " + phrase(item, color).partition(" ")[2] if item.count == 1 and draw.chance(0.1) else phrase(item, color)
    )


def paraphrase(attributes: Attributes, draw: Draw) -> str:
    """One of the ways to say what the plain caption says."""
    alone = attributes.kind is Kind.SINGLE
    said = [varied(item, draw, alone=alone) for item in attributes.items]
    text = said[0]
    if attributes.surroundings is not None:
        preposition, _, place = attributes.surroundings.partition(" ")
        text = f"{text} {attributes.surroundings}"
        if preposition in ("on", "in") and place.startswith("a") and draw.chance(0.15):
            text = f"{place} with {said[0]} {preposition} it"
    elif len(said) > 1 and attributes.relation is not None:
        relation, order = attributes.relation, said
        if relation in INVERSE and draw.chance(0.3):
            relation, order = INVERSE[relation], said[::-1]
        text = f"{order[0]} {draw.choice(SYNONYMS.get(relation, (relation.value,)))} {order[1]}"
    return draw.choice(FRAMES).format(text)


def without_frame(text: str) -> str:
    """Without "a photo of" and its like."""
    return TRAILING.sub("", LEADING.sub("", text))
