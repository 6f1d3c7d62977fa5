"""Random choices that are the same on every machine: a number is a function of the key alone."""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

from lodestone.data.worlds.colors import ANY, COLORS, Color
from lodestone.data.worlds.shapes import Real

__all__ = ["Draw", "fraction"]

T = TypeVar("T")


def number(*key: object) -> int:
    """64 bits that depend on every part of the key."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, key)).encode()).digest()[:8], "big")


def fraction(*key: object) -> float:
    """A number in [0, 1) that depends on every part of the key."""
    return number(*key) / 2**64


class Draw:
    """Choices one after another; the same key gives the same ones. Only `Random.random` is used, which Python keeps."""

    def __init__(self, *key: object) -> None:
        self.key = key
        self.source = random.Random(number(*key))
        self.favorite: str | None = None

    def part(self, *name: object) -> "Draw":
        """Choices of their own under a name; what is drawn from them changes nothing here."""
        return Draw(*self.key, *name)

    def preferring(self, color: str | None) -> "Draw":
        """The same choices, but the first colour that may be this one is."""
        draw = Draw(*self.key)
        draw.favorite = color
        return draw

    def uniform(self, low: Real, high: Real) -> float:
        """A number from low to high."""
        return low + (high - low) * self.source.random()

    def integer(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int((high - low + 1) * self.source.random())

    def chance(self, probability: Real) -> bool:
        """True with this probability."""
        return self.source.random() < probability

    def choice(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[int(len(options) * self.source.random())]

    def color(self, *names: str, variation: Real = 0.03) -> Color:
        """One of the named colours or `#rrggbb` values, a little varied; of the twelve of `ANY` if none is named."""
        name = self.choice(names or ANY)
        if self.favorite in (names or ANY):
            name, self.favorite = str(self.favorite), None
        color = COLORS[name] if name in COLORS else Color.parse(name)
        lightness = self.uniform(-variation, variation)
        rgb = tuple(min(max(c + lightness + self.uniform(-variation, variation) / 2, 0.0), 1.0) for c in color.rgb)
        return Color(color.name, (rgb[0], rgb[1], rgb[2]))
