"""The colour that a thing has if nobody says one: the first of those that its category comes in, as red for a car."""

import functools
from collections.abc import Sequence
from typing import TypeVar

from lodestone.data.worlds.captions import Attributes
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.data.worlds.draw import Draw

__all__ = ["has_typical_colors", "typical_color"]

T = TypeVar("T")


class FirstDraw(Draw):
    """Chooses the first of all options."""

    def choice(self, options: Sequence[T]) -> T:
        return options[0]


@functools.cache
def typical_color(noun: str) -> str | None:
    """The colour of a category; None if it has no one colour."""
    return CATEGORIES[noun](FirstDraw("typical", noun)).color


def has_typical_colors(attributes: Attributes) -> bool:
    """Whether each item has the colour that its category has if nobody says one."""
    return all(item.color == typical_color(item.noun) for item in attributes.items)
