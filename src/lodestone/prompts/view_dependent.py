"""View-dependent wording: the prompt says from where the camera looks (Poole et al. 2022, arXiv 2209.14988, Sec. 3.2).

Azimuth 0 is the object's front; angles are in degrees.

Perp-Neg (Armandpour et al. 2023, arXiv 2304.04968) interpolates between the wordings and opposes those of the other
views. With `r` falling from 1 to 0 over each quarter turn and `f(r) = a exp(-b r) + c`:

    front to side: r front + (1 - r) side, front weighs -f_fs(r) and side -f_sf(1 - r)
    side to back:  r side + (1 - r) back,  front weighs -f_fsb(r) and side -f_sb(r)
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lodestone.errors import SettingError

__all__ = ["Decay", "Direction", "Interpolation", "OrbitAngles", "ViewWording"]


class Direction(IntEnum):
    """From where the camera looks; the values index the rows of an encoded prompt."""

    FRONT = 0
    SIDE = 1
    BACK = 2
    OVERHEAD = 3


@runtime_checkable
class OrbitAngles(Protocol):
    """Anything that knows the angles of its cameras, such as `lodestone.rendering.cameras.Viewpoints`."""

    @property
    def azimuth(self) -> Float[Tensor, " v"]:
        """Counter-clockwise from the front, in degrees, of any period."""

    @property
    def elevation(self) -> Float[Tensor, " v"]:
        """Above the horizon, in degrees."""


@dataclass(frozen=True)
class Decay:
    """`f(r) = a exp(-b r) + c`."""

    a: float
    b: float
    c: float

    def __call__(self, r: Float[Tensor, " v"]) -> Float[Tensor, " v"]:
        return self.a * torch.exp(-self.b * r) + self.c


FRONT_TO_SIDE = SIDE_TO_FRONT = Decay(4.0, 0.5, -2.426)
"""f_fs and f_sf; nearly 0 where the view is the opposed one itself."""
SIDE_TO_BACK = Decay(1.0, 0.5, -0.606)
"""f_sb."""
FRONT_FROM_BACK = Decay(1.0, 0.5, 0.967)
"""f_fsb; continues f_fs, so that the front is opposed ever more on the way to the back."""


@dataclass(frozen=True)
class Interpolation:
    """Between which wordings each viewpoint lies, and how strongly the front and the side are opposed (Perp-Neg)."""

    nearer: Int[Tensor, " v"]
    """The `Direction` at the end of the quarter turn towards the front."""
    further: Int[Tensor, " v"]
    """The `Direction` at its other end."""
    share: Float[Tensor, " v"]
    """r, the share of `nearer` in the text."""
    front: Float[Tensor, " v"]
    """Weight of the front's wording; negative or 0."""
    side: Float[Tensor, " v"]
    """Weight of the side's wording; negative or 0."""


@dataclass(frozen=True, kw_only=True)
class ViewWording:
    """Which words belong to which view, and where one view ends and the next begins.

    A camera is overhead if its elevation is above `overhead`; otherwise it is in front if its azimuth is within `front`
    of 0, at the back if it is within `back` of 180, and at the side elsewhere. Borders belong to front and back.

    Raises: SettingError if front and back overlap or an angle is outside its range.
    """

    front: float = 45.0
    """Half-width of the front, degrees of azimuth."""
    back: float = 45.0
    """Half-width of the back, degrees of azimuth."""
    overhead: float = 60.0
    """Lowest elevation of the overhead view, in degrees."""
    front_suffix: str = ", front view"
    side_suffix: str = ", side view"
    back_suffix: str = ", back view"
    overhead_suffix: str = ", overhead view"

    def __post_init__(self) -> None:
        if not (self.front >= 0 and self.back >= 0 and self.front + self.back <= 180):
            raise SettingError(
                f"front {self.front:g} and back {self.back:g} must not be negative and may take 180 degrees together: "
                "lower one of them"
            )
        if not -90 <= self.overhead <= 90:
            raise SettingError(f"overhead {self.overhead:g} is no elevation: choose an angle from -90 to 90 degrees")

    def direction(self, viewpoints: OrbitAngles) -> Int[Tensor, " v"]:
        """The `Direction` of each viewpoint, as a number."""
        turn = from_front(viewpoints)
        direction = torch.full_like(turn, Direction.SIDE, dtype=torch.long)
        direction[turn >= 180 - self.back] = Direction.BACK
        direction[turn <= self.front] = Direction.FRONT
        direction[viewpoints.elevation > self.overhead] = Direction.OVERHEAD
        return direction

    def interpolate(self, viewpoints: OrbitAngles) -> Interpolation:
        """Perp-Neg's mixture of wordings; overhead views have their own wording and oppose nothing."""
        turn, overhead = from_front(viewpoints), viewpoints.elevation > self.overhead
        ahead = turn < 90
        r = torch.where(ahead, 1 - turn / 90, 2 - turn / 90)
        front = torch.where(ahead, FRONT_TO_SIDE(r), FRONT_FROM_BACK(r))
        side = torch.where(ahead, SIDE_TO_FRONT(1 - r), SIDE_TO_BACK(r))
        nearer = torch.where(ahead, Direction.FRONT.value, Direction.SIDE.value)
        return Interpolation(
            nearer=nearer.masked_fill(overhead, Direction.OVERHEAD),
            further=(nearer + 1).masked_fill(overhead, Direction.OVERHEAD),
            share=r.masked_fill(overhead, 1.0),
            front=-front.masked_fill(overhead, 0.0),
            side=-side.masked_fill(overhead, 0.0),
        )

    def word(self, text: str) -> list[str]:
        """The text in the wording of each `Direction`, in their order."""
        suffixes = (self.front_suffix, self.side_suffix, self.back_suffix, self.overhead_suffix)
        return [text + suffix for suffix in suffixes]


def from_front(viewpoints: OrbitAngles) -> Float[Tensor, " v"]:
    """How far each viewpoint is from the front, 0 to 180 degrees of azimuth."""
    return (torch.remainder(viewpoints.azimuth + 180, 360) - 180).abs()
