"""One object of the world: parts with materials, and the words that a caption needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from lodestone.data.worlds.materials import Material
from lodestone.data.worlds.shapes import Real, Shape

__all__ = ["Part", "Stand", "Symmetry", "Thing"]

Part = tuple[Shape, Material]


class Symmetry(Enum):
    """What turning an object about the vertical does to its looks."""

    FRONT = "front"
    """It has a front, towards +x, which differs from its back."""
    TWO_SIDED = "two-sided"
    """The back looks like the front, mirrored if left and right differ: a table, a fork, a frying pan."""
    ROUND = "round"
    """No turn changes anything that matters: a bottle, an apple."""


@dataclass(frozen=True)
class Stand:
    """A level place of an object on which another one can stand, in the object's own units."""

    z: Real
    radius: Real
    """Of the largest disc that is free there."""
    x: Real = 0.0
    y: Real = 0.0


@dataclass(frozen=True)
class Thing:
    """One object. It stands on z = 0 with its front towards +x, in any unit (about 1 from end to end)."""

    noun: str
    """With spaces, as its function is called with underscores."""
    parts: Sequence[Part]
    size: Real
    """Of the real thing, in metres: the longest side of its bounding box. Scenes use it."""
    color: str | None = None
    """The word for the colour of its main part; None where no word fits."""
    natural: bool = False
    """Whether the colour goes without saying (a banana): the plain caption leaves it out."""
    symmetry: Symmetry = Symmetry.FRONT
    chiral: bool = False
    """Whether left and right differ seen from the front: a mug with its handle at +y, the right of a picture."""
    plural: str = ""
    """Where it is not regular."""
    stand: Stand | None = None
    """Where another object can stand on it."""
