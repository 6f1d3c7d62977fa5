"""What a category is: a function from choices to an object, called as the object is."""

from collections.abc import Callable

from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.things import Thing

__all__ = ["CategoryFunction", "noun_of"]

CategoryFunction = Callable[[Draw], Thing]


def noun_of(function: CategoryFunction) -> str:
    """`ice_cream_cone` makes an ice cream cone."""
    return function.__name__.replace("_", " ")
