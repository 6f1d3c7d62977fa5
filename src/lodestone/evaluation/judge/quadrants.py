"""Which side of an object a camera sees."""

from enum import IntEnum

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Quadrant", "quadrant_of"]


class Quadrant(IntEnum):
    """The quarter turn of azimuth that a camera stands in, counter-clockwise; the values index log probabilities.

    Right and left are those of a picture of the front: a camera at azimuth 90 sees the right side, +y.
    """

    FRONT = 0
    RIGHT = 1
    BACK = 2
    LEFT = 3


def quadrant_of(azimuth: Float[Tensor, " v"]) -> Int[Tensor, " v"]:
    """The `Quadrant` of each azimuth, as a number; borders belong to front and back, as in `ViewWording`."""
    turn = torch.remainder(azimuth, 360.0)
    quadrant = torch.full_like(turn, Quadrant.FRONT, dtype=torch.long)
    quadrant[(turn > 45) & (turn < 135)] = Quadrant.RIGHT
    quadrant[(turn >= 135) & (turn <= 225)] = Quadrant.BACK
    quadrant[(turn > 225) & (turn < 315)] = Quadrant.LEFT
    return quadrant
