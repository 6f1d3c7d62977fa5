"""View-dependent wording: the prompt says from where the camera looks (Poole et al. 2022, arXiv 2209.14988, Sec. 3.2).

Azimuth 0 is the object's front; angles are in degrees.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lodestone.errors import SettingError

__all__ = ["Direction", "OrbitAngles", "ViewWording"]


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
        turn = (torch.remainder(viewpoints.azimuth + 180, 360) - 180).abs()
        direction = torch.full_like(turn, Direction.SIDE, dtype=torch.long)
        direction[turn >= 180 - self.back] = Direction.BACK
        direction[turn <= self.front] = Direction.FRONT
        direction[viewpoints.elevation > self.overhead] = Direction.OVERHEAD
        return direction

    def word(self, text: str) -> list[str]:
        """The text in the wording of each `Direction`, in their order."""
        suffixes = (self.front_suffix, self.side_suffix, self.back_suffix, self.overhead_suffix)
        return [text + suffix for suffix in suffixes]
