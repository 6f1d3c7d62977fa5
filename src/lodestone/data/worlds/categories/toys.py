"""Toys and games."""

import math
from itertools import product

import torch
from torch import Tensor

from lodestone.data.worlds.categories.category import CategoryFunction
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import Pattern, core, glossy, marks, matt, metal, satin, sectors, split
from lodestone.data.worlds.shapes import (
    both,
    box,
    capsule,
    cone,
    curve,
    cylinder,
    ellipsoid,
    extrude,
    lathe,
    rotation,
    sweep,
    torus,
    union,
)
from lodestone.data.worlds.things import Symmetry, Thing

__all__ = ["TOYS"]

BLACK = satin("#1f1f22")
WHITE = "#f6f6f2"
GOLDEN = (1 + math.sqrt(5)) / 2


def robot(draw: Draw) -> Thing:
    """Made of boxes, with round eyes, an aerial and a panel of buttons."""
    color, wide = draw.color(), draw.uniform(0.5, 0.6)
    side, steel = wide / 2 + 0.09, metal("#b9bdc2")
    trunk, head = box(0.36, wide, 0.46, 0.05).move(z=0.5), box(0.34, 0.44, 0.3, 0.05).move(z=0.94)
    feet = both(box(0.32, 0.2, 0.12, 0.04).move(0.04, 0.14, 0.06))
    shoulders = capsule((0, -side, 0.62), (0, side, 0.62), 0.05)
    arms = both(capsule((0, side, 0.62), (0.04, side + 0.02, 0.34), 0.06))
    hands = both(torus(0.06, 0.035, 14, 8).turn(90, "y").move(0.04, side + 0.02, 0.26))
    legs, neck = both(cylinder(0.07, 0.3, 12).move(y=0.13, z=0.04)), cylinder(0.09, 0.12, 12).move(z=0.7)
    aerial = cylinder(0.025, 0.16, 8).move(z=1.06)
    ears = both(cylinder(0.07, 0.06, 12).turn(-90, "x").move(0, 0.2, 0.94))
    eyes = both(cylinder(0.085, 0.05, 16).turn(90, "y").move(0.15, 0.11, 0.98))
    pupils = both(cylinder(0.045, 0.05, 12).turn(90, "y").move(0.165, 0.11, 0.98))
    mouth, panel = box(0.04, 0.24, 0.05).move(0.165, 0, 0.85), box(0.04, 0.7 * wide, 0.26, 0.01).move(0.175, 0, 0.53)
    lamps = [(ellipsoid(0.045, segments=10).move(0.195, 0.12 * i, 0.53), i) for i in (-1, 0, 1)]
    knob = ellipsoid(0.055, segments=12).move(z=1.24)
    joints = union(shoulders, arms, hands, legs, neck, aerial, ears)
    parts = [(union(trunk, head, feet), satin(color)), (joints, steel), (eyes, glossy("#fbf6d8"))]
    parts += [(pupils + mouth, BLACK), (panel, satin("#3a3d44" if color.name != "black" else "#d8dade"))]
    parts += [(lamp, glossy(("red", "yellow", "green")[i + 1])) for lamp, i in lamps]
    parts += [(knob, glossy("red" if color.name != "red" else "yellow"))]
    return Thing("robot", parts, 0.3, color.name)


def teddy_bear(draw: Draw) -> Thing:
    """Sitting, its soles towards the front, a ribbon round its neck."""
    color = draw.color("brown", "beige", "white", "gray", "pink", "light blue")
    ribbon = satin(draw.color("red", "blue", "green", "purple"))
    fur, pale = matt(color), matt("#efd9b4" if color.name != "beige" else "#f8f0e0")
    body = ellipsoid(0.27, 0.3, 0.34).move(z=0.34)
    head = ellipsoid(0.26, 0.3, 0.26).move(0.03, 0, 0.83)
    ears = both(ellipsoid(0.06, 0.12, 0.12, 14).move(0, 0.23, 1.03))
    legs = both(capsule((0.08, 0.17, 0.14), (0.4, 0.26, 0.14), 0.12, 0.13))
    arms = both(capsule((0.04, 0.24, 0.54), (0.2, 0.38, 0.32), 0.1, 0.1))
    muzzle = ellipsoid(0.12, 0.14, 0.1, 16).move(0.24, 0, 0.77)
    soles = both(ellipsoid(0.04, 0.1, 0.1, 14).move(0.515, 0.285, 0.14))
    inner = both(ellipsoid(0.04, 0.07, 0.07, 12).move(0.045, 0.23, 1.03))
    belly = ellipsoid(0.1, 0.19, 0.22).move(0.2, 0, 0.34)
    eyes = both(ellipsoid(0.04, segments=10).move(0.26, 0.11, 0.9))
    nose = ellipsoid(0.04, 0.06, 0.04, 12).move(0.345, 0, 0.82)
    bow = both(ellipsoid(0.05, 0.1, 0.08, 12).move(0.27, 0.1, 0.6)) + ellipsoid(0.06, segments=10).move(0.28, 0, 0.6)
    collar = torus(0.2, 0.05, 24, 8).move(z=0.6)
    parts = [(union(body, head, ears, legs, arms), fur), (union(muzzle, soles, inner, belly), pale)]
    parts += [(eyes + nose, BLACK), (bow + collar, ribbon)]
    return Thing("teddy bear", parts, 0.3, color.name)


def snowman(draw: Draw) -> Thing:
    """Three balls of snow, a carrot, a hat, a scarf and arms of twigs."""
    scarf, hat = matt(draw.color("red", "green", "blue", "purple", "orange")), draw.chance(0.7)
    low, middle, high = draw.uniform(0.38, 0.42), draw.uniform(0.28, 0.31), 0.2
    b, c = 1.42 * low + 0.62 * middle, 1.42 * low + 1.42 * middle + 0.1
    balls = ellipsoid(low, low, 0.9 * low).stand() + ellipsoid(middle).move(z=b) + ellipsoid(high).move(z=c)
    nose = cone(0.05, 0.01, 0.26, 10).turn(90, "y").move(high - 0.03, 0, c)
    eyes = both(ellipsoid(0.035, segments=8).move(0.17, 0.075, c + 0.08))
    rows = [(math.sqrt(middle**2 - z**2), z) for z in (-0.14, -0.01, 0.12)]
    coal = union(eyes, *(ellipsoid(0.04, segments=8).move(x, 0, b + z) for x, z in rows))
    twig = capsule((0, 0.2, b), (0, 0.62, b + 0.22), 0.03, 0.022, 8)
    twig += capsule((0, 0.5, b + 0.15), (0, 0.55, b + 0.32), 0.022, segments=6)
    end = box(0.07, 0.13, 0.3, 0.03).turn(12, "x").turn(-12, "y").move(0.26, 0.12, c - 0.33)
    wrap = torus(0.19, 0.065, 24, 10).move(z=c - 0.15) + end
    topper = cylinder(0.25, 0.04).move(z=c + 0.13) + lathe([(0.17, c + 0.15), (0.165, c + 0.42)], 20)
    cap = lathe(curve([(0.2, c + 0.08), (0.17, c + 0.2), (0.0, c + 0.28)], 4), 20)
    cap += ellipsoid(0.07, segments=10).move(z=c + 0.3)
    parts = [(balls, matt("#f4f6f8")), (nose, satin("orange")), (coal, BLACK), (both(twig), matt("#5b3a1e"))]
    parts += [(wrap, scarf), (topper, satin("#26262a")) if hat else (cap, scarf)]
    return Thing("snowman", parts, 1.6, "white", natural=True, plural="snowmen")


def dice(draw: Draw) -> Thing:
    """A cube with pips: one in front, six behind, five above."""
    color, u, h = draw.color(), draw.uniform(0.22, 0.26), 0.5
    two, four, middle = [(-u, -u), (u, u)], [(-u, -u), (-u, u), (u, -u), (u, u)], (0.0, 0.0)
    places = [(h, 0.0, h), *((-h, p, q + h) for p, q in [*four, (0.0, u), (0.0, -u)])]
    places += [(p, h, q + h) for p, q in [*two, middle]] + [(p, -h, q + h) for p, q in four]
    places += [(p, q, 2 * h) for p, q in [*four, middle]] + [(p, q, 0.0) for p, q in two]
    light = color.name in ("white", "yellow", "pink", "orange", "turquoise")
    pips = marks(color, "#1d1d20" if light else WHITE, places, 0.1)
    cube = box(1.0, 1.0, 1.0, draw.uniform(0.08, 0.14)).move(z=h)
    return Thing("dice", [(cube, glossy(pips))], 0.02, color.name, chiral=True, plural="dice")


def panels(light: str, dark: str, turn: Tensor) -> Pattern:
    """The twelve dark pentagons and twenty light hexagons of a ball around (0, 0, 0.5), with seams."""
    five = [(0.0, a, b * GOLDEN) for a, b in product((1, -1), repeat=2)]
    six = [(0.0, a * GOLDEN, b / GOLDEN) for a, b in product((1, -1), repeat=2)]
    fives = torch.tensor([p[i:] + p[:i] for p in five for i in range(3)])
    sixes = torch.tensor([*(p[i:] + p[:i] for p in six for i in range(3)), *product((1.0, -1.0), repeat=3)])
    axes = torch.cat([fives / fives[0].norm() / 2.327, sixes / sixes[0].norm() / 2.267]) @ turn

    def weight(p: Tensor) -> Tensor:
        p = (p - p.new_tensor((0.0, 0.0, 0.5))) / 0.5
        best = (p @ axes.T).topk(2, dim=1)
        seam = (best.values[:, 0] - best.values[:, 1]) < 0.008
        return ((best.indices[:, 0] < 12) | seam).float()

    return Pattern(light, dark, weight)


def soccer_ball(draw: Draw) -> Thing:
    """White, with black pentagons."""
    turn = rotation(draw.uniform(0, 360), "z") @ rotation(draw.uniform(0, 90), "x")
    ball = ellipsoid(0.5, segments=32).move(z=0.5)
    leather = satin(panels("#f4f4f1", "#1d1d20", turn))
    return Thing("soccer ball", [(ball, leather)], 0.22, "white", natural=True, symmetry=Symmetry.ROUND)


def beach_ball(draw: Draw) -> Thing:
    """Bright wedges between white ones, which meet at caps, tilted."""
    color, count = draw.color("red", "blue", "green", "orange", "purple", "pink", "turquoise"), draw.integer(3, 4)
    turn = rotation(draw.uniform(25, 45), "y") @ rotation(draw.uniform(-25, 25), "x")
    wedges, caps = sectors(color, WHITE, count), core(WHITE, color, 0.15, "z")

    def weight(p: Tensor) -> Tensor:
        q = (p - p.new_tensor((0.0, 0.0, 0.5))) @ turn
        return torch.maximum(wedges.weight(q), 1 - caps.weight(q))

    ball = ellipsoid(0.5, segments=32).move(z=0.5)
    parts = [(ball, glossy(Pattern(color, WHITE, weight)))]
    return Thing("beach ball", parts, 0.4, color.name, symmetry=Symmetry.ROUND)


def spinning_top(draw: Draw) -> Thing:
    """On its tip, with bands of colour and a knob to turn it by."""
    color, wide, z = draw.color(), draw.uniform(0.46, 0.54), 0.52
    band = draw.color("yellow", "white", "light blue") if color.name not in ("yellow", "white") else draw.color("red")
    line = [(0.05, 0.14), (0.26, 0.28), (wide, z), (0.86 * wide, z + 0.14), (0.3, z + 0.24), (0.08, z + 0.3)]
    paint = split(split(color, band, 0.24), split(color, split(band, color, z + 0.23), z + 0.11), 0.34)
    stem = cone(0.03, 0.08, 0.18, 12) + cylinder(0.06, 0.26, 12).move(z=z + 0.26)
    knob = ellipsoid(0.12, 0.12, 0.09, 16).move(z=z + 0.54)
    parts = [(lathe(curve(line, 4), 32), glossy(paint)), (stem, metal("gold")), (knob, glossy(color))]
    return Thing("spinning top", parts, 0.15, color.name, symmetry=Symmetry.ROUND)


def kite(draw: Draw) -> Thing:
    """A rhombus of cloth towards the front, its spars behind it, a tail with bows below."""
    color, wide, low, middle, high = draw.color(), draw.uniform(0.42, 0.5), 0.6, 1.16, 1.56
    second = draw.color("yellow", "white", "turquoise") if color.name not in ("yellow", "white") else draw.color("red")
    back = 0.4 * wide
    half = extrude([(0, low), (wide, middle), (0, high)], 0.05, "x")
    sail = both(half.warp(lambda p: p - torch.outer(0.4 * p[:, 1], torch.eye(3)[0])))
    across = [(-back - 0.05, -wide, middle), (-0.05, 0, middle), (-back - 0.05, wide, middle)]
    spars = capsule((-0.05, 0, low), (-0.05, 0, high), 0.035, segments=8) + sweep(across, 0.035, 8)
    quarters = split(split(color, second, 0.0, "y"), split(second, color, 0.0, "y"), middle)
    line = [(0, 0, low + 0.04), (0, 0.07, 0.45), (0, -0.07, 0.27), (0, 0.06, 0.1), (0, 0.0, 0.02)]
    bow = both(cone(0.02, 0.09, 0.14, 8).turn(-90, "x"))
    bows = union(*(bow.move(*place) for place in line[1:4]))
    parts = [(sail, matt(quarters)), (spars, satin("#8f6234")), (sweep(curve(line, 4), 0.028, 6), matt("#c9b48a"))]
    return Thing("kite", [*parts, (bows, matt(color))], 1.2, color.name)


def balloon(draw: Draw) -> Thing:
    """Blown up, on a ribbon that reaches the ground."""
    color, wide = draw.color(), draw.uniform(0.35, 0.4)
    profile = [(0.03, 0.6), (0.12, 0.68), (0.3, 0.88), (wide, 1.12), (0.26, 1.38), (0.0, 1.46)]
    skin = lathe(curve(profile, 5), 28)
    knot = cone(0.085, 0.03, 0.09, 12).move(z=0.54)
    ribbon = sweep(curve([(0, 0.02, 0.0), (0, 0.07, 0.15), (0, -0.06, 0.35), (0, 0.0, 0.56)], 5), 0.024, 8).stand()
    parts = [(skin, glossy(color)), (knot, glossy(color)), (ribbon, matt("#d9d4c8"))]
    return Thing("balloon", parts, 0.6, color.name, symmetry=Symmetry.ROUND)


TOYS: tuple[CategoryFunction, ...] = (
    robot,
    teddy_bear,
    snowman,
    dice,
    soccer_ball,
    beach_ball,
    spinning_top,
    kite,
    balloon,
)
