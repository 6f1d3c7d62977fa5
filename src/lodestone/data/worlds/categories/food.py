"""What people eat."""

import math

import torch

from lodestone.data.worlds.categories.category import CategoryFunction
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import (
    checks,
    core,
    dots,
    glossy,
    gradient,
    marks,
    matt,
    satin,
    speckles,
    split,
    stripes,
)
from lodestone.data.worlds.shapes import (
    arc,
    box,
    capsule,
    circle,
    cone,
    curve,
    cylinder,
    ellipsoid,
    extrude,
    lathe,
    ring,
    sweep,
    torus,
    union,
)
from lodestone.data.worlds.things import Symmetry, Thing

__all__ = ["FOOD"]

LAST = torch.tensor([2])
LEAF = satin("#3f8f2f")
STEM = matt("#6b4a26")


def hamburger(draw: Draw) -> Thing:
    """Bun, lettuce, tomato, cheese, patty, bun with sesame."""
    bun, width = draw.color("#d08a3c", "#c67a30", "#dca04c"), draw.uniform(0.46, 0.52)
    bottom = lathe(curve([(0.4, 0.0), (width, 0.06), (width, 0.14), (0.4, 0.17)], 3))
    patty = lathe(curve([(0.4, 0.17), (width + 0.03, 0.2), (width + 0.03, 0.28), (0.4, 0.3)], 3))
    cheese = box(0.8, 0.8, 0.03, 0.01).turn(45).move(z=0.32)
    wave = [width + 0.06 + 0.05 * math.sin(2.6 * i) for i in range(36)]
    leaf = [(r * math.cos(i * math.pi / 18), r * math.sin(i * math.pi / 18)) for i, r in enumerate(wave)]
    lettuce = extrude(leaf, 0.05)
    tomato = cylinder(width, 0.05).move(z=0.36)
    top = lathe(curve([(width, 0.42), (width + 0.02, 0.5), (0.36, 0.68), (0.0, 0.74)], 4), 28)
    seeds = [(2.4 * i, 0.08 + 0.09 * (i % 3)) for i in range(14)]
    grains = union(
        *(
            ellipsoid(0.028, 0.02, 0.02, 6).move(r * math.cos(a), r * math.sin(a), 0.745 - 1.05 * r * r)
            for a, r in seeds
        )
    )
    parts = [(bottom, matt(bun)), (patty, matt(speckles("#5a3018", "#452210", 0.1))), (cheese, satin("#f7c02c"))]
    parts += [
        (lettuce.move(z=0.39), matt("#62b03a")),
        (tomato, satin("red")),
        (top, satin(bun)),
        (grains, matt("#f6e8c4")),
    ]
    return Thing("hamburger", parts, 0.13, symmetry=Symmetry.ROUND)


def apple(draw: Draw) -> Thing:
    """With a stalk and a leaf."""
    color, wide = draw.color("red", "green", "yellow"), draw.uniform(0.47, 0.53)
    profile = [(0.0, 0.08), (0.16, 0.0), (0.38, 0.16), (wide, 0.55), (0.36, 0.86), (0.16, 0.9), (0.0, 0.76)]
    skin = gradient(color, {"red": "#d8501c", "green": "#a9cf4a", "yellow": "#e8a82c"}[color.name or "red"], 0.5, 1.3)
    stalk = sweep([(0, 0, 0.72), (0, 0.02, 0.95), (0, 0.08, 1.1)], 0.035, 8)
    leaf = ellipsoid(0.05, 0.2, 0.09, 12).turn(25, "x").move(y=0.24, z=1.06)
    parts = [(lathe(curve(profile, 5), 28), satin(skin)), (stalk, STEM), (leaf, LEAF)]
    return Thing("apple", parts, 0.09, color=color.name, symmetry=Symmetry.ROUND)


def pear(draw: Draw) -> Thing:
    """Slim above, wide below."""
    color, waist = draw.color("light green", "yellow", "green"), draw.uniform(0.2, 0.26)
    profile = [(0.0, 0.03), (0.2, 0.0), (0.42, 0.25), (0.38, 0.52), (waist, 0.82), (0.15, 1.0), (0.0, 1.03)]
    stalk = sweep([(0, 0, 0.98), (0, 0.02, 1.12), (0, 0.08, 1.24)], 0.03, 8)
    leaf = ellipsoid(0.04, 0.15, 0.07, 12).turn(25, "x").move(y=0.19, z=1.16)
    body = lathe(curve(profile, 5), 28)
    parts = [(body, satin(speckles(color, "#9a9a40", 0.04, 0.03))), (stalk, STEM), (leaf, LEAF)]
    return Thing("pear", parts, 0.11, color=color.name, symmetry=Symmetry.ROUND)


def lemon(draw: Draw) -> Thing:
    """Lying, with a nipple at either end."""
    color, wide = draw.color("yellow"), draw.uniform(0.3, 0.36)
    profile = [
        (0.0, -0.56),
        (0.06, -0.52),
        (0.1, -0.44),
        (0.27, -0.25),
        (wide, 0.0),
        (0.27, 0.25),
        (0.1, 0.44),
        (0.06, 0.52),
    ]
    body = lathe(curve([*profile, (0.0, 0.56)], 4), 24).turn(90, "x").stand()
    leaf = ellipsoid(0.09, 0.17, 0.03, 12).turn(-30, "x").move(y=0.5, z=0.45)
    parts = [(body, satin(color)), (leaf, LEAF)]
    return Thing("lemon", parts, 0.09, color="yellow", natural=True, symmetry=Symmetry.TWO_SIDED)


def orange(draw: Draw) -> Thing:
    """A ball with dimples and a leaf."""
    color = draw.color("orange")
    body = ellipsoid(0.5, 0.5, draw.uniform(0.45, 0.5), 24).stand()
    top = body.high[2]
    stalk = cylinder(0.05, 0.08, 8).move(z=top - 0.03)
    leaf = union(*(ellipsoid(0.1, 0.2, 0.03, 12).turn(20, "x").move(y=0.2).turn(t) for t in (60, 200))).move(
        z=top + 0.04
    )
    parts = [(body, satin(dots(color, "#d96c10", 0.13, 0.03))), (stalk, matt("#4d6b26")), (leaf, LEAF)]
    return Thing("orange", parts, 0.08, color=None, symmetry=Symmetry.ROUND)


def banana(draw: Draw) -> Thing:
    """A crescent that lies on its back."""
    color, bend = draw.color("yellow"), draw.uniform(55, 68)
    line = arc(0.6, -90 - bend, -90 + bend, 18)
    body = sweep(line, [0.05, 0.11, 0.135, 0.145, 0.14, 0.13, 0.1, 0.05], 6)
    (y0, z0), (y1, z1) = line[0][1:], line[-1][1:]
    stem = capsule((0, y1, z1), (0, y1 - 0.02, z1 + 0.14), 0.05, 0.045, 8)
    tip = ellipsoid(0.05, segments=8).move(0, y0, z0)
    lift = -body.low[2]
    body, stem, tip = (shape.move(z=lift) for shape in (body, stem, tip))
    parts = [(body, satin(color)), (stem, satin("#a89a2e")), (tip, matt("#4a3418"))]
    return Thing("banana", parts, 0.2, color="yellow", natural=True, symmetry=Symmetry.TWO_SIDED, chiral=True)


def strawberry(draw: Draw) -> Thing:
    """Standing on its tip, with seeds and a green crown."""
    wide = draw.uniform(0.38, 0.44)
    profile = [(0.0, 0.0), (0.12, 0.06), (0.3, 0.35), (wide, 0.68), (0.3, 0.88), (0.0, 0.92)]
    rows = ((0.22, 0.18, 5), (0.42, 0.84 * wide, 7), (0.62, 0.98 * wide, 8), (0.8, 0.9 * wide, 8))
    places = [
        (r * math.cos(6.2832 * (i + 0.5 * row) / n), r * math.sin(6.2832 * (i + 0.5 * row) / n), z)
        for row, (z, r, n) in enumerate(rows)
        for i in range(n)
    ]
    seeds = marks(draw.color("red"), "#f4d860", places, 0.045)
    crown = ring(6, extrude([(0, -0.1), (0.36, 0), (0, 0.1)], 0.04).turn(14, "y")).move(z=0.94)
    stalk = cylinder(0.04, 0.16, 8).move(z=0.92)
    parts = [(lathe(curve(profile, 5), 24), satin(seeds)), (crown + stalk, LEAF)]
    return Thing("strawberry", parts, 0.04, color="red", natural=True, symmetry=Symmetry.ROUND, plural="strawberries")


def pineapple(draw: Draw) -> Thing:
    """A chequered barrel under a tuft of leaves."""
    wide, tuft = draw.uniform(0.26, 0.3), draw.uniform(0.3, 0.4)
    body = lathe(curve([(0.0, 0.0), (0.17, 0.02), (wide, 0.3), (0.95 * wide, 0.5), (0.12, 0.68), (0.0, 0.7)], 4), 24)
    rind = checks("#d99a22", "#a9661a", 0.11)
    leaves = [
        ring(n, capsule((0.02, 0, 0.64), (out, 0, 0.68 + tuft * up), 0.045, 0.01, 6), start)
        for n, out, up, start in ((7, 0.3, 0.5, 0), (6, 0.2, 0.85, 25), (4, 0.08, 1.1, 10))
    ]
    parts = [(body, matt(rind)), (union(*leaves), satin("#3d8a35"))]
    return Thing("pineapple", parts, 0.3, symmetry=Symmetry.ROUND)


def watermelon_slice(draw: Draw) -> Thing:
    """Half a disc on its rind, red with seeds."""
    radius, thick = draw.uniform(0.5, 0.56), draw.uniform(0.2, 0.28)
    half = [(radius * math.cos(math.pi * (1 + i / 20)), radius * math.sin(math.pi * (1 + i / 20))) for i in range(21)]
    body = extrude(half, thick, "x").move(z=radius)
    seeds = [
        (side * thick / 2, r * math.cos(a), radius + r * math.sin(a))
        for side in (-1, 1)
        for r, turns in ((0.17, (3.7, 4.7, 5.7)), (0.32, (3.45, 4.0, 4.5, 5.0, 5.5, 6.0)))
        for a in turns
    ]
    flesh = marks(draw.color("#e23a3f", "#d92c3a"), "#1d1512", seeds, 0.035)
    inner = core(flesh, "#e9f0cf", radius - 0.09, "x", (0, 0, radius))
    rind = core(inner, "#2f7d32", radius - 0.045, "x", (0, 0, radius))
    return Thing("watermelon slice", [(body, satin(rind))], 0.3, symmetry=Symmetry.TWO_SIDED)


def carrot(draw: Draw) -> Thing:
    """Upright on its tip, with a tuft of green."""
    color, wide = draw.color("orange"), draw.uniform(0.14, 0.18)
    body = lathe(curve([(0.02, 0.0), (0.6 * wide, 0.3), (wide, 0.72), (0.8 * wide, 0.8), (0.0, 0.8)], 4), 20)
    tuft = union(
        *(
            capsule((0, 0, 0.76), (out * math.cos(a), out * math.sin(a), 0.8 + up), 0.02, 0.05, 6)
            for a, out, up in (
                (0.3, 0.12, 0.3),
                (1.8, 0.13, 0.26),
                (3.2, 0.1, 0.33),
                (4.6, 0.14, 0.27),
                (0, 0.01, 0.38),
            )
        )
    )
    skin = stripes(color, "#c65f10", 0.12, "z", 0.12)
    return Thing("carrot", [(body, satin(skin)), (tuft, matt("#4aa035"))], 0.2, symmetry=Symmetry.ROUND)


def boiled_egg(draw: Draw) -> Thing:
    """In an egg cup."""
    color, shell = draw.color(), draw.color("#f3e6d2", "#d9a878", variation=0.02)
    profile = [(0.0, 0.36), (0.2, 0.4), (0.29, 0.62), (0.25, 0.86), (0.12, 1.04), (0.0, 1.07)]
    cup = [(0.24, 0.0), (0.22, 0.05), (0.08, 0.12), (0.09, 0.24), (0.3, 0.42), (0.33, 0.62), (0.26, 0.62), (0.0, 0.4)]
    parts = [(lathe(curve(profile, 5), 24), satin(shell)), (lathe(cup, 24), glossy(color))]
    return Thing("boiled egg", parts, 0.1, symmetry=Symmetry.ROUND)


def cheese(draw: Draw) -> Thing:
    """A wedge with holes; its tip is at the front."""
    color, wide, height = draw.color("yellow", "#f2b32c"), draw.uniform(24, 32), draw.uniform(0.36, 0.46)
    body = lathe([(1.0, 0.0), (1.0, height)], 48, span=(180 - wide, 180 + wide)).move(x=0.55)
    places = [
        (draw.uniform(-0.4, 0.3), side * draw.uniform(0.1, 0.4), height * draw.uniform(0.1, 0.95))
        for side in (-1, 1)
        for _ in range(10)
    ]
    rind = core(marks(color, "#c98a1c", places, 0.1), "#b5301f", 0.96, "z", (0.55, 0, 0))
    return Thing("cheese", [(body, satin(rind))], 0.15, natural=True, color="yellow", plural="cheeses")


def pizza_slice(draw: Draw) -> Thing:
    """Held up a little so that its top is seen; the tip is at the front."""
    wide, tilt = draw.uniform(21, 26), draw.uniform(4, 10)
    base = lathe([(0.92, -0.03), (0.92, 0.03)], 60, span=(180 - wide, 180 + wide))
    topping = lathe([(0.86, 0.03), (0.86, 0.055)], 60, span=(180.0 - 0.97 * wide, 180.0 + 0.97 * wide))
    crust = lathe([(0.92 + x, z) for x, z in circle(0.085, 10)], 60, span=(179 - wide, 181 + wide), loop=True)
    spots = [(-0.68, 0.13), (-0.7, -0.14), (-0.45, -0.02), (-0.24, 0.03)]
    salami = union(*(cylinder(0.09, 0.035, 12).move(x, y, 0.04) for x, y in spots))
    leaves = [(-0.55, 0.16), (-0.57, -0.2), (-0.8, 0.0), (-0.34, 0.08)]
    basil = union(*(ellipsoid(0.06, 0.035, 0.02, 8).turn(70 * i).move(x, y, 0.07) for i, (x, y) in enumerate(leaves)))
    shapes = [shape.move(x=0.5).turn(tilt, "y") for shape in (base, crust, topping, salami, basil)]
    lift = -min(shape.low[2] for shape in shapes)
    paints = (matt("#d99a4e"), matt("#c47a34"), satin(speckles("#f4c243", "#e89a30", 0.2)), satin("#b3261e"), LEAF)
    parts = [(shape.move(z=lift), paint) for shape, paint in zip(shapes, paints, strict=True)]
    return Thing("pizza slice", parts, 0.22)


def doughnut(draw: Draw) -> Thing:
    """With icing and sprinkles."""
    icing, thick = draw.color("pink", "brown", "white", "light blue", "purple"), draw.uniform(0.17, 0.2)
    dough = torus(0.33, thick, 32, 14).scale(1, 1, 0.85).stand()
    middle = 0.85 * thick
    cover = torus(0.33, thick + 0.02, 32, 14).scale(1, 1, 0.85).move(z=middle)
    glaze = cover.warp(lambda v: v.clone().index_copy_(1, LAST, v[:, 2:].clamp(min=middle + 0.03)))
    sticks = []
    for i in range(26):
        a, r = 2.4 * i, 0.33 + thick * 0.7 * math.sin(1.9 * i)
        z = middle + 0.85 * math.sqrt((thick + 0.02) ** 2 - (r - 0.33) ** 2)
        start = (r * math.cos(a), r * math.sin(a), z)
        end = (start[0] + 0.06 * math.cos(5 * i), start[1] + 0.06 * math.sin(5 * i), z)
        sticks.append(capsule(start, end, 0.018, segments=6))
    tints = ("yellow", "turquoise", "red", "white") if icing.name != "white" else ("red", "blue", "green", "pink")
    parts = [(dough, matt("#d39a52")), (glaze, satin(icing))]
    parts += [(union(*sticks[i::4]), satin(tint)) for i, tint in enumerate(tints)]
    return Thing("doughnut", parts, 0.1, color=icing.name, symmetry=Symmetry.ROUND)


def ice_cream_cone(draw: Draw) -> Thing:
    """One or two balls on a waffle cone."""
    color, second = draw.color("pink", "brown", "white", "light green", "yellow", "red"), draw.chance(0.4)
    waffle = lathe([(0.02, 0.0), (0.25, 0.62), (0.27, 0.66), (0.0, 0.64)], 24)
    scoop = lathe(curve([(0.26, 0.63), (0.32, 0.7), (0.31, 0.85), (0.0, 1.06)], 4), 24)
    drip = ring(9, ellipsoid(0.06, 0.08, 0.06, 8).move(0.28)).move(z=0.66)
    parts = [(waffle, matt(checks("#dba75c", "#b9803a", 0.08))), (scoop + drip, satin(color))]
    top = 1.04
    if second:
        upper = draw.color("brown", "white", "pink")
        parts.append((ellipsoid(0.25, segments=20).move(z=1.12), satin(upper)))
        top = 1.35
    parts.append((ellipsoid(0.08, segments=12).move(z=top + 0.03), glossy("red")))
    return Thing("ice cream cone", parts, 0.2, color=color.name, symmetry=Symmetry.ROUND)


def cake(draw: Draw) -> Thing:
    """Two tiers with icing that runs down, and candles."""
    color, height = draw.color("pink", "white", "brown", "light blue", "yellow"), draw.uniform(0.3, 0.36)
    body = draw.color("#f3e3bd") if color.name in ("brown", "pink", "light blue") else draw.color("brown")
    plate = cylinder(0.56, 0.03, 32)
    lower = lathe([(0.48, 0.03), (0.5, 0.06), (0.5, height), (0.46, height + 0.03)], 32)
    cover = split(body, color, height - 0.1, wave=0.05, count=9)
    upper = lathe([(0.3, height), (0.3, height + 0.2), (0.27, height + 0.23)], 28)
    cover_above = split(body, color, height + 0.13, wave=0.04, count=6)
    count = draw.integer(3, 6)
    candles = ring(count, cylinder(0.025, 0.2, 8).move(0.18)).move(z=height + 0.2)
    flames = ring(count, lathe(curve([(0.0, 0.0), (0.035, 0.04), (0.0, 0.12)], 3), 8).move(0.18)).move(z=height + 0.41)
    parts = [(plate, glossy("#e8e8ea")), (lower, satin(cover)), (upper, satin(cover_above))]
    parts += [(candles, satin(draw.color("red", "blue", "green", "purple"))), (flames, matt("#ffb020"))]
    return Thing("cake", parts, 0.3, color=color.name, symmetry=Symmetry.ROUND)


def cupcake(draw: Draw) -> Thing:
    """A whirl of cream in a paper case, a cherry on top."""
    color, case = draw.color("pink", "white", "brown", "light blue", "purple", "yellow"), draw.color()
    folds = [
        ((0.28 + 0.02 * (i % 2)) * math.cos(i * math.pi / 16), (0.28 + 0.02 * (i % 2)) * math.sin(i * math.pi / 16))
        for i in range(32)
    ]
    paper = extrude(folds, 0.36, taper=1.35).stand()
    whirl = union(
        *(torus(r, t, 24, 10).move(z=z) for r, t, z in ((0.25, 0.13, 0.42), (0.17, 0.12, 0.56), (0.08, 0.1, 0.69)))
    )
    cream = cone(0.3, 0.05, 0.38).move(z=0.36)
    parts = [
        (paper, matt(case)),
        (whirl + cream, satin(color)),
        (ellipsoid(0.1, segments=14).move(z=0.83), glossy("red")),
    ]
    return Thing("cupcake", parts, 0.09, color=color.name, symmetry=Symmetry.ROUND)


def hot_dog(draw: Draw) -> Thing:
    """A sausage with mustard in a bun."""
    bun, long = draw.color("#d9a052", "#cf8f40"), draw.uniform(0.42, 0.48)
    halves = union(
        capsule((0.15, -long, 0.17), (0.15, long, 0.17), 0.17, segments=14),
        capsule((-0.15, -long, 0.17), (-0.15, long, 0.17), 0.17, segments=14),
    ).scale(1, 1, 1.1)
    sausage = capsule((0, -long - 0.14, 0.34), (0, long + 0.14, 0.34), 0.125, segments=14)
    line = [(0.05 * (-1) ** i, -long + 2 * long * i / 10, 0.465) for i in range(11)]
    sauce = "#f2c418"
    parts = [(halves, matt(bun)), (sausage, satin("#a63c20")), (sweep(curve(line, 3), 0.032, 8), glossy(sauce))]
    return Thing(
        "hot dog", [(s.stand() if i == 0 else s, m) for i, (s, m) in enumerate(parts)], 0.2, symmetry=Symmetry.TWO_SIDED
    )


FOOD: tuple[CategoryFunction, ...] = (
    hamburger,
    hot_dog,
    pizza_slice,
    cheese,
    boiled_egg,
    doughnut,
    cupcake,
    cake,
    ice_cream_cone,
    apple,
    pear,
    banana,
    lemon,
    orange,
    strawberry,
    pineapple,
    watermelon_slice,
    carrot,
)
