"""Where an object can be: a table, a meadow, the shade of a tree.

Each function gets how much room its object takes and returns parts whose supporting surface is z = 0, in the units of
the scene.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import (
    Pattern,
    checks,
    core,
    glossy,
    gradient,
    matt,
    satin,
    speckles,
    stripes,
    wood,
)
from lodestone.data.worlds.shapes import box, capsule, cone, cylinder, ellipsoid, lathe, ring, union
from lodestone.data.worlds.things import Part

__all__ = ["SURROUNDINGS", "Room", "Surroundings"]


@dataclass(frozen=True)
class Room:
    """What an object takes."""

    radius: float
    """Of the upright cylinder around it."""
    height: float

    @property
    def reach(self) -> float:
        """A length for things of any proportion: the radius, but not much less than the height."""
        return max(self.radius, 0.45 * self.height)


@dataclass(frozen=True)
class Surroundings:
    """A place, and the sizes of real things that are found there, in metres."""

    phrase: str
    make: Callable[[Room, Draw], Sequence[Part]]
    smallest: float
    largest: float


def wooden_table(room: Room, draw: Draw) -> list[Part]:
    """A small table with four legs."""
    r, tall = 1.12 * room.reach + 0.03, draw.uniform(0.9, 1.2) * room.reach
    top = box(2 * r, 2.2 * r, 0.14 * r, 0.04 * r).move(z=-0.07 * r)
    legs = union(
        *(
            box(0.16 * r, 0.16 * r, tall).move(x * r, y * r, -tall / 2 - 0.1 * r)
            for x in (-0.8, 0.8)
            for y in (-0.9, 0.9)
        )
    )
    light, dark = draw.choice([("#b98a54", "#91632f"), ("#8a5a30", "#6a4020"), ("#d9b27a", "#bb8e52")])
    return [(top, satin(wood(light, dark, 0.35 * r, "y"))), (legs, satin(dark))]


def slab(radius: float, thickness: float = 0.14) -> list[tuple[float, float]]:
    """The profile of a round piece of ground with a soft edge."""
    t = thickness * radius
    return [
        (0.0, -t),
        (0.94 * radius, -t),
        (radius, -0.6 * t),
        (0.97 * radius, -0.1 * t),
        (0.9 * radius, 0.0),
        (0.0, 0.0),
    ]


def grass(room: Room, draw: Draw) -> list[Part]:
    """A round piece of meadow with tufts and flowers at its edge."""
    r = 1.35 * room.reach + 0.03
    tufts, flowers = [], []
    for i in range(12):
        angle, out = 2 * math.pi * (i + draw.uniform(0, 0.6)) / 12, r * draw.uniform(0.84, 0.92)
        x, y, tall = out * math.cos(angle), out * math.sin(angle), r * draw.uniform(0.1, 0.16)
        tufts += [
            cone(0.035 * r, 0.0, tall, 5).turn(lean, "y").turn(60 * lean).move(x, y, -0.01) for lean in (-20, 0, 20)
        ]
        if i % 3 == 0:
            flowers.append(ellipsoid(0.045 * r, segments=8).move(x, y, tall + 0.02))
    ground = matt(speckles("#5fa83c", "#549a36", 0.06 * r, 0.4))
    parts = [(lathe(slab(r), 32), ground), (union(*tufts), matt("#3f8529"))]
    return [*parts, (union(*flowers), matt(draw.color("white", "yellow", "red", "pink")))]


def sand(room: Room, draw: Draw) -> list[Part]:
    """Beach with a starfish."""
    r = 1.35 * room.reach + 0.03
    arm = capsule((0, 0, 0), (0.09 * r, 0, 0), 0.035 * r, 0.018 * r, 8)
    star = ring(5, arm).turn(draw.uniform(0, 72)).move(0.86 * r, 0.2 * r, 0.01 * r)
    stones = union(
        *(
            ellipsoid(0.06 * r, 0.05 * r, 0.04 * r, 8).turn(90 * i).move(-0.66 * r, y * r, 0.01)
            for i, y in enumerate((-0.56, 0.6))
        )
    )
    ground = matt(speckles("#e6cd92", "#dfc387", 0.05 * r, 0.35))
    return [(lathe(slab(r), 32), ground), (star, matt("#e2622e")), (stones, matt("#8d8a84"))]


def snow(room: Room, draw: Draw) -> list[Part]:
    """A round piece of snow with heaps."""
    r = 1.3 * room.reach + 0.03
    heaps = [
        ellipsoid(0.15 * r, 0.15 * r, 0.11 * r, 14).move(0.95 * r * math.cos(a), 0.95 * r * math.sin(a), 0.0)
        for a in (draw.uniform(1.2, 2.2), draw.uniform(2.8, 3.6), draw.uniform(4.2, 5.2))
    ]
    return [(lathe(slab(r, 0.2), 32), matt("#f1f5fa")), (union(*heaps), matt("#e4ecf6"))]


def rug(room: Room, draw: Draw) -> list[Part]:
    """Striped, with fringes on two sides."""
    r, color = 1.12 * room.reach + 0.03, draw.color("red", "blue", "purple", "turquoise")
    cloth = box(2 * r, 2.3 * r, 0.06 * r, 0.02 * r).move(z=-0.03 * r)
    fringe = union(
        *(
            box(1.96 * r / 18, 0.16 * r, 0.03 * r).move(-r + (2 * i + 1.5) * r / 10, s * 1.2 * r, -0.03 * r)
            for i in range(9)
            for s in (-1, 1)
        )
    )
    return [(cloth, matt(stripes(color, "#f0e3c0", 0.46 * r, "y", 0.35))), (fringe, matt("#f0e3c0"))]


def bowl(room: Room, draw: Draw) -> list[Part]:
    """Wide and shallow; its floor is as large as what lies in it."""
    r, color = 1.12 * room.radius, draw.color("white", "blue", "green", "brown", "turquoise")
    high = min(0.55 * room.radius, 0.5 * room.height)
    outside = [(0.55 * r, -0.14 * r), (0.6 * r, -0.1 * r), (1.12 * r, 0.02 * r), (1.5 * r, high)]
    inside = [(1.42 * r, high), (1.05 * r, 0.0), (0.0, 0.0)]
    paint = core(color, "#f4f1e6", 1.2 * r, "z") if color.name != "white" else color
    return [(lathe([*outside, *inside], 36), glossy(paint))]


def tree(room: Room, draw: Draw) -> list[Part]:
    """Grass, a trunk behind the object, and a crown above it."""
    r, top = 1.3 * room.reach + 0.1, 1.12 * room.height
    back, thick, crown = -room.radius - 0.3 * r, 0.13 * r, 0.85 * r
    trunk = capsule((back, 0, -0.1 * r), (back, 0, top + 0.5 * crown), thick, 0.8 * thick, 10)
    balls = [
        ellipsoid(0.62 * crown, segments=14).move(back + x * crown, y * crown, top + (0.62 + z) * crown)
        for x, y, z in ((0.35, 0.4, 0.0), (0.35, -0.4, 0.05), (-0.3, 0.0, 0.1), (0.1, 0.0, 0.5))
    ]
    leaves = draw.choice(["#3f8f35", "#5a9e2f", "#2f7a3c"])
    ground = lathe(slab(1.3 * r), 32).move(x=-0.35 * r)
    parts = [(ground, matt(speckles("#5fa83c", "#549a36", 0.06 * r, 0.4))), (trunk, matt("#6b4726"))]
    return [*parts, (union(*balls), matt(speckles(leaves, "#2b6a26", 0.14 * r, 0.25)))]


def crate(room: Room, draw: Draw) -> list[Part]:
    """A wooden crate of planks."""
    r, tall = 1.1 * room.radius + 0.03, draw.uniform(0.9, 1.2) * room.reach
    body = box(1.96 * r, 1.96 * r, tall).move(z=-tall / 2 - 0.005)
    rims = [box(2.08 * r, 2.08 * r, 0.18 * tall).move(z=z) for z in (-0.09 * tall, -0.91 * tall)]
    posts = [
        box(0.22 * r, 0.22 * r, 0.98 * tall).move(x * r, y * r, -0.5 * tall)
        for x in (-0.95, 0.95)
        for y in (-0.95, 0.95)
    ]
    planks: Pattern = stripes("#c79a5e", "#7d5527", tall / 5, "z", 0.14)
    return [(body, matt(planks)), (union(*rims, *posts), matt("#a87842"))]


def pedestal(room: Room, draw: Draw) -> list[Part]:
    """A column of stone."""
    r, tall = 1.12 * room.radius + 0.02, draw.uniform(1.2, 1.6) * room.reach
    profile = [
        (r, -tall),
        (r, -0.88 * tall),
        (0.78 * r, -0.82 * tall),
        (0.72 * r, -0.18 * tall),
        (r, -0.1 * tall),
        (r, 0.0),
    ]
    stone = draw.choice([("#e3e0d8", "#d9d5cb"), ("#b9bcc0", "#aeb2b6")])
    return [(lathe(profile, 32), matt(speckles(*stone, 0.1 * r, 0.3)))]


def road(room: Room, draw: Draw) -> list[Part]:
    """A piece of road along x, white dashes at its sides, green beside it."""
    r = 1.25 * room.radius + 0.05
    way = box(3.0 * r, 2.0 * r, 0.1 * r).move(z=-0.05 * r)
    verge = box(2.98 * r, 3.0 * r, 0.1 * r).move(z=-0.075 * r)
    dashes = union(
        *(
            box(0.36 * r, 0.08 * r, 0.02 * r).move(x * r, y * r, -0.002 * r)
            for x in (-1.05, -0.35, 0.35, 1.05)
            for y in (-0.9, 0.9)
        )
    )
    return [(way, matt("#55585c")), (verge, matt("#5c9c3c")), (dashes, matt("#f4f4f0"))]


def tiled_floor(room: Room, draw: Draw) -> list[Part]:
    """Black and white, or coloured, tiles."""
    r = 1.2 * room.reach + 0.03
    first, second = draw.choice([("#f2f0ea", "#2c2c30"), ("#f2f0ea", "#b5432e"), ("#e9eef2", "#4a7aa8")])
    floor = box(2.0 * r, 2.0 * r, 0.08 * r).move(z=-0.04 * r)
    return [(floor, glossy(checks(first, second, 0.5 * r)))]


def pond(room: Room, draw: Draw) -> list[Part]:
    """A round pond: water with lily pads, stones around it."""
    r = 1.32 * room.reach + 0.03
    water = cylinder(0.95 * r, 0.06 * r, 32).move(z=-0.06 * r)
    stones = union(
        *(ellipsoid(0.13 * r, 0.13 * r, 0.1 * r, 8).move(r).turn(30 * i + draw.uniform(-6, 6)) for i in range(12))
    )
    pads = union(*(cylinder(0.08 * r, 0.02 * r, 12).move(0.86 * r, 0, 0).turn(t) for t in (40, 170, 290)))
    blue = gradient("#3f86c8", "#6fb2e0", -r, r, "x")
    return [(water, glossy(blue)), (stones.move(z=-0.03 * r), matt("#8d9095")), (pads, satin("#3f9a45"))]


SURROUNDINGS = {
    place.phrase: place
    for place in (
        Surroundings("on a wooden table", wooden_table, 0.02, 0.9),
        Surroundings("on grass", grass, 0.05, 100.0),
        Surroundings("on sand", sand, 0.03, 100.0),
        Surroundings("on snow", snow, 0.1, 100.0),
        Surroundings("on a striped rug", rug, 0.05, 2.5),
        Surroundings("in a bowl", bowl, 0.02, 0.13),
        Surroundings("under a tree", tree, 0.2, 5.0),
        Surroundings("on a wooden crate", crate, 0.05, 1.2),
        Surroundings("on a stone pedestal", pedestal, 0.03, 2.0),
        Surroundings("on a road", road, 1.2, 30.0),
        Surroundings("on a tiled floor", tiled_floor, 0.05, 3.0),
        Surroundings("in a pond", pond, 0.1, 3.0),
    )
}
"""By their phrases."""
