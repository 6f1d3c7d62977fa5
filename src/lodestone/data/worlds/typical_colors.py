"""The colour that a thing has if nobody says one.

Of what comes in any colour it is that of its emoji, or what most of its kind have; else the first of those that the
category comes in.
"""

import functools
from collections.abc import Sequence
from typing import TypeVar

from lodestone.data.worlds.captions import Attributes
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.data.worlds.draw import Draw

__all__ = ["has_typical_colors", "typical_color"]

T = TypeVar("T")


OF_ANY_COLOR = {
    "airplane": "blue",
    "baseball cap": "blue",
    "bed": "blue",
    "bench": "brown",
    "bookshelf": "brown",
    "boot": "brown",
    "bucket": "blue",
    "bus": "orange",
    "chair": "brown",
    "cooking pot": "gray",
    "desk": "brown",
    "dice": "white",
    "frying pan": "black",
    "helicopter": "orange",
    "house": "orange",
    "kite": "yellow",
    "ladder": "brown",
    "lamp": "yellow",
    "plate": "white",
    "robot": "gray",
    "rocket": "white",
    "rocking chair": "brown",
    "sailboat": "orange",
    "skyscraper": "gray",
    "sneaker": "white",
    "sofa": "blue",
    "stool": "brown",
    "table": "brown",
    "tent": "green",
    "top hat": "black",
    "tractor": "green",
    "train": "gray",
    "umbrella": "purple",
    "wardrobe": "brown",
    "watering can": "green",
    "windmill": "white",
}
"""Those of which nobody thinks in red, the first of all colours."""


class FirstDraw(Draw):
    """Chooses the first of all options."""

    def choice(self, options: Sequence[T]) -> T:
        return options[0]


@functools.cache
def typical_color(noun: str) -> str | None:
    """The colour of a category; None if it has no one colour."""
    return OF_ANY_COLOR.get(noun) or CATEGORIES[noun](FirstDraw("typical", noun)).color


def has_typical_colors(attributes: Attributes) -> bool:
    """Whether each item has the colour that its category has if nobody says one."""
    return all(item.color == typical_color(item.noun) for item in attributes.items)
