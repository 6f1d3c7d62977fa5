"""What parts are made of: a paint (one colour, or a pattern of two) and a finish.

A pattern is a function of the point in the object's own frame, in the units of its category function. It is evaluated
at every pixel, so it does not depend on how finely the part is cut into triangles.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.data.worlds.colors import Color
from lodestone.data.worlds.shapes import Real

__all__ = [
    "Material",
    "Paint",
    "Pattern",
    "checks",
    "core",
    "dots",
    "glossy",
    "gradient",
    "marks",
    "matt",
    "metal",
    "rings",
    "satin",
    "sectors",
    "speckles",
    "split",
    "stripes",
    "wood",
]

Weight = Callable[[Float[Tensor, "p 3"]], Float[Tensor, " p"]]
"""Points to the share of the second paint, 0 to 1."""


@dataclass(frozen=True)
class Pattern:
    """Two paints and where the second is."""

    first: "Paint"
    second: "Paint"
    weight: Weight


Paint = Color | Pattern | str
"""A colour, a pattern, or the name or `#rrggbb` value of a colour."""


@dataclass(frozen=True)
class Material:
    """A paint and a finish."""

    paint: Paint
    roughness: Real = 0.8
    metallic: Real = 0.0

    def colors(self, points: Float[Tensor, "p 3"]) -> Float[Tensor, "p 3"]:
        """Base colours as sRGB values."""
        return paint_at(self.paint, points)

    @property
    def plain(self) -> Color | None:
        """The only colour; None of a pattern."""
        if isinstance(self.paint, Pattern):
            return None
        return self.paint if isinstance(self.paint, Color) else Color.parse(self.paint)


def paint_at(paint: Paint, points: Float[Tensor, "p 3"]) -> Float[Tensor, "p 3"]:
    """sRGB values of a paint at points."""
    if isinstance(paint, Pattern):
        share = paint.weight(points).clamp(0, 1)[:, None]
        return torch.lerp(paint_at(paint.first, points), paint_at(paint.second, points), share)
    color = paint if isinstance(paint, Color) else Color.parse(paint)
    return points.new_tensor(color.rgb).expand(len(points), 3)


# ---------------------------------------------------------------------------------------------------------- finishes


def matt(paint: Paint) -> Material:
    """Cloth, bread, unglazed clay, rubber."""
    return Material(paint, roughness=0.95)


def satin(paint: Paint) -> Material:
    """Skin of fruit, plastic, varnished wood."""
    return Material(paint, roughness=0.5)


def glossy(paint: Paint) -> Material:
    """Glaze, lacquer, glass."""
    return Material(paint, roughness=0.25)


def metal(paint: Paint = "silver", roughness: Real = 0.35) -> Material:
    """Steel, brass, gold."""
    return Material(paint, roughness=roughness, metallic=0.4)


# ---------------------------------------------------------------------------------------------------------- patterns


def edge(signed: Tensor, width: Real) -> Tensor:
    """0 below, 1 above, with a ramp of this width."""
    return (signed / width + 0.5).clamp(0, 1)


def along(points: Tensor, axis: str) -> Tensor:
    """One coordinate of points."""
    return points[:, "xyz".index(axis)]


def stripes(first: Paint, second: Paint, width: Real, axis: str = "z", share: Real = 0.5) -> Pattern:
    """Slabs across an axis, `width` from one stripe to the next; `share` of them is the second paint."""
    return Pattern(first, second, lambda p: edge(share - (along(p, axis) / width).remainder(1), 0.01))


def sectors(first: Paint, second: Paint, count: int, share: Real = 0.5, axis: str = "z") -> Pattern:
    """Wedges around an axis, as on a beach ball."""
    u, v = ("xyz".replace(axis, "")[i] for i in (0, 1))

    def weight(p: Tensor) -> Tensor:
        return edge(share - (torch.atan2(along(p, v), along(p, u)) * count / (2 * math.pi)).remainder(1), 0.01)

    return Pattern(first, second, weight)


def rings(first: Paint, second: Paint, width: Real, axis: str = "z", share: Real = 0.5) -> Pattern:
    """Circles around an axis, as on a target."""
    u, v = ("xyz".replace(axis, "")[i] for i in (0, 1))
    return Pattern(first, second, lambda p: edge(share - (along(p, u).hypot(along(p, v)) / width).remainder(1), 0.01))


def split(low: Paint, high: Paint, at: Real, axis: str = "z", wave: Real = 0.0, count: int = 6) -> Pattern:
    """One paint below a height and another above it; the border may wave `count` times around the z axis."""

    def weight(p: Tensor) -> Tensor:
        border = at + wave * torch.sin(count * torch.atan2(p[:, 1], p[:, 0])) if wave else at
        return edge(along(p, axis) - border, 0.01)

    return Pattern(low, high, weight)


def core(inner: Paint, outer: Paint, radius: Real, axis: str = "", center: Sequence[Real] = (0.0, 0.0, 0.0)) -> Pattern:
    """One paint near an axis, or near the centre if there is none, and another around it: rinds, yolks, targets."""

    def weight(p: Tensor) -> Tensor:
        apart = (p - p.new_tensor(center)) * p.new_tensor([float(name != axis) for name in "xyz"])
        return edge(apart.norm(dim=-1) - radius, 0.01)

    return Pattern(inner, outer, weight)


def gradient(low: Paint, high: Paint, start: Real, stop: Real, axis: str = "z") -> Pattern:
    """From one paint to another between two heights."""
    return Pattern(low, high, lambda p: (along(p, axis) - start) / (stop - start))


def checks(first: Paint, second: Paint, width: Real) -> Pattern:
    """A chessboard in three dimensions, offset so that the coordinate planes are not borders."""

    def weight(p: Tensor) -> Tensor:
        return ((p / width + 0.5).floor().sum(-1)).remainder(2)

    return Pattern(first, second, weight)


def dots(ground: Paint, spot: Paint, spacing: Real, radius: Real) -> Pattern:
    """Balls on a body-centred lattice: round spots where a surface passes through them."""

    def weight(p: Tensor) -> Tensor:
        near = [((p / spacing + shift).remainder(1) - 0.5).norm(dim=-1) for shift in (0.25, 0.75)]
        return edge(radius - spacing * torch.minimum(*near), 0.1 * radius)

    return Pattern(ground, spot, weight)


def marks(ground: Paint, spot: Paint, places: Sequence[Sequence[Real]], radius: Real) -> Pattern:
    """Spots of this radius around given points: pips, eyes, seeds."""

    def weight(p: Tensor) -> Tensor:
        nearest = (p[:, None] - p.new_tensor(places)).norm(dim=-1).amin(dim=1)
        return edge(radius - nearest, 0.1 * radius)

    return Pattern(ground, spot, weight)


def speckles(ground: Paint, spot: Paint, size: Real, amount: Real = 0.3) -> Pattern:
    """Irregular spots, about `amount` of the surface: crumbs, cork, stone, salami."""

    def weight(p: Tensor) -> Tensor:
        q = p * (2 * math.pi / size)
        a = torch.sin(q[:, 0] * 0.53 + 1.7 * torch.sin(q[:, 1] * 0.41)) + torch.sin(q[:, 1] * 0.47 + q[:, 2] * 0.38 + 1)
        b = torch.sin(q[:, 2] * 0.59 + 1.3 * torch.sin(q[:, 0] * 0.37 + 2)) + torch.sin((q[:, 0] - q[:, 1]) * 0.31 + 3)
        return edge((a + b) / 4 - 0.5 * (1 - 2 * amount), 0.1)

    return Pattern(ground, spot, weight)


def wood(light: Paint = "#b98a54", dark: Paint = "#84572c", grain: Real = 0.12, axis: str = "x") -> Pattern:
    """Grain along an axis: wavy rings of a trunk that lies beside the part."""
    u, v = ("xyz".replace(axis, "")[i] for i in (0, 1))

    def weight(p: Tensor) -> Tensor:
        s = along(p, axis)
        distance = (along(p, u) + 0.37).hypot(2.0 * along(p, v) + 0.81) + 0.25 * grain * torch.sin(3 * s / grain * 0.2)
        return 0.5 + 0.5 * torch.sin(distance * 2 * math.pi / grain)

    return Pattern(light, dark, weight)
