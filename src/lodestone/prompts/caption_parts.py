"""A caption taken apart: the things that it names, how they stand to each other, and the view that it asks for.

`a photo of a cat beside two blue chairs, back view` is `a cat`, `a blue chair`, `a blue chair` and the back. A draft is
composed of the things that a caption names, and a prior that knows cameras reads words for a view as one. Things with
other names of the world's categories are called by their nouns: the volume of an automobile is that of a car.
"""

import re
from dataclasses import dataclass

from lodestone.data.worlds.captions import OTHER_NAMES, with_article, without_frame
from lodestone.prompts.view_dependent import Direction, ViewWording

__all__ = ["READING", "RELATIONS", "THINGS", "CaptionParts", "Vector", "take_apart", "without_view"]

Vector = tuple[float, float, float]
RELATIONS = {
    "to the left of": (0.0, 1.0, 0.0),
    "to the right of": (0.0, -1.0, 0.0),
    "left of": (0.0, 1.0, 0.0),
    "right of": (0.0, -1.0, 0.0),
    "in front of": (-1.0, 0.0, 0.0),
    "behind": (1.0, 0.0, 0.0),
    "next to": (0.0, 1.0, 0.0),
    "beside": (0.0, 1.0, 0.0),
    "on top of": (0.0, 0.0, -1.0),
    "on": (0.0, 0.0, -1.0),
    "under": (0.0, 0.0, 0.0),
    "in": (0.0, 0.0, 0.0),
    "by": (0.0, 1.0, 0.0),
    "and": (0.0, 1.0, 0.0),
}
"""Words between two things, longer ones first, and in which direction the second thing is, seen from the first.

The front of the scene looks along +x; in a picture of the front +y is at the right; z is up.
"""
READING = 4
"""Part of the key under which read captions are kept: a change of how they are read must change this number."""
THINGS = 3
"""The most that are told apart; what is named after them is not."""
COPIES = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
"""Where the second and the third of several equal things are, seen from the first."""
NUMBERS = {"two": 2, "three": 3, "2": 2, "3": 3}

NOUNS = {name: noun for noun, names in OTHER_NAMES.items() for name in names}
OTHER = re.compile(rf"(?:\b(an?) )?\b({'|'.join(sorted(NOUNS, key=len, reverse=True))})$", re.IGNORECASE)
"""Another name of a category at the end of a phrase, and an article before it."""
BETWEEN = re.compile(rf"^(.+?) ({'|'.join(RELATIONS)}) (.+)$", re.IGNORECASE)
AROUND = re.compile(r"^(.+) with (.+) (on|in) it$", re.IGNORECASE)
"""`a wooden table with a red mug on it`."""
RELATIVE = re.compile(r"^(\S+) (.+) that (?:is|are) (.+)$", re.IGNORECASE)
"""`a mug that is red`."""
IRREGULAR = {
    "knives": "knife", "wolves": "wolf", "leaves": "leaf", "shelves": "shelf", "bookshelves": "bookshelf",
    "loaves": "loaf", "cacti": "cactus", "snowmen": "snowman", "men": "man", "women": "woman", "children": "child",
    "people": "person", "mice": "mouse", "geese": "goose", "feet": "foot", "teeth": "tooth", "sheep": "sheep",
    "fish": "fish", "dice": "dice", "cookies": "cookie", "scissors": "scissors", "buses": "bus", "axes": "axe",
    "tomatoes": "tomato", "potatoes": "potato",
}  # fmt: skip


@dataclass(frozen=True)
class CaptionParts:
    """What a caption says."""

    subject: str
    """The caption without a frame such as "a photo of", and without words for the view."""
    things: tuple[str, ...]
    """One to three of them, several equal ones one by one; the whole subject if it names no others."""
    directions: tuple[Vector, ...]
    """Where each thing after the first is, seen from the first; zeros if the words do not say."""
    view: Direction | None
    """From where the words say that it is seen."""


def take_apart(text: str) -> CaptionParts:
    """The parts of a caption, in whatever words: what is not understood is one thing."""
    text, view = without_view(" ".join(text.split()))
    subject = AROUND.sub(r"\2 \3 \1", without_frame(text))
    found = BETWEEN.match(subject)
    things = copies(found[1] if found else subject)
    directions = COPIES[: len(things) - 1]
    if found is not None:
        others = copies(found[3])
        things += others
        directions += (RELATIONS[found[2].lower()], *COPIES[1:] * (len(others) - 1))
    return CaptionParts(subject, things[:THINGS], directions[: THINGS - 1], view)


def copies(phrase: str) -> tuple[str, ...]:
    """The things of a phrase one by one: `two red mugs`, `a mug that is red`, `one mug`."""
    phrase = RELATIVE.sub(r"\1 \3 \2", phrase)
    number, _, rest = phrase.partition(" ")
    if number.lower() in NUMBERS and rest:
        return (with_article(by_noun(singular(rest))),) * NUMBERS[number.lower()]
    return (by_noun(with_article(rest) if number.lower() == "one" and rest else phrase),)


def by_noun(phrase: str) -> str:
    """`an automobile` to `a car`, `a red automobile` to `a red car`; what the world has no noun for stays."""
    found = OTHER.search(phrase)
    if found is None:
        return phrase
    noun = NOUNS[found[2].lower()]
    return phrase[: found.start()] + (with_article(noun) if found[1] else noun)


def singular(words: str) -> str:
    """`red mugs` to `red mug`, `bowls of soup` to `bowl of soup`."""
    head, of, rest = words.partition(" of ")
    before, space, noun = head.rpartition(" ")
    return before + space + IRREGULAR.get(noun.lower(), regular(noun)) + of + rest


def regular(noun: str) -> str:
    """The singular of a regular plural."""
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "xes", "sses")):
        return noun[:-2]
    return noun.removesuffix("s")


def without_view(text: str) -> tuple[str, Direction | None]:
    """The text before words for a view, and the view."""
    for view, suffix in zip(Direction, ViewWording().word(""), strict=True):
        if text.endswith(suffix):
            return text.removesuffix(suffix), view
    return text, None
