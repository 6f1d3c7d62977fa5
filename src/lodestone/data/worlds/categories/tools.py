"""Tools and instruments of work."""

import torch
from torch import Tensor

from lodestone.data.worlds.categories.category import CategoryFunction
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import glossy, matt, metal, satin, split, wood
from lodestone.data.worlds.shapes import (
    arc,
    both,
    box,
    capsule,
    circle,
    cone,
    curve,
    cylinder,
    disc,
    ellipsoid,
    extrude,
    lathe,
    sweep,
    torus,
    union,
)
from lodestone.data.worlds.things import Symmetry, Thing

__all__ = ["TOOLS"]

UPRIGHT_WOOD = wood("#c08f56", "#9a6a38", 0.2, "z")
RUBBER = matt("#29292c")


def hammer(draw: Draw) -> Thing:
    """Upright, its face towards +y, its claw towards -y."""
    color, height = draw.color("brown", "red", "yellow", "blue", "green", "orange"), draw.uniform(0.78, 0.92)
    grip = satin(UPRIGHT_WOOD if color.name == "brown" else split(color, UPRIGHT_WOOD, 0.62 * height))
    shaft = lathe(curve([(0.08, 0.0), (0.095, 0.1), (0.07, 0.3), (0.06, height)], 4), 14).scale(0.9, 1.0, 1.0)
    block = box(0.19, 0.22, 0.2, 0.03)
    neck = capsule((0, 0.08, 0), (0, 0.24, 0), 0.08)
    face = lathe([(0.1, 0.0), (0.12, 0.02), (0.12, 0.1), (0.1, 0.12)]).turn(-90, "x").move(y=0.22)
    line = curve([(0.03, -0.08, 0.02), (0.05, -0.24, 0.03), (0.08, -0.36, -0.03), (0.1, -0.45, -0.13)], 4)
    claw = both(sweep(line, [0.085, 0.075, 0.06, 0.04], 8), "x")
    head = union(block, neck, face, claw).move(z=height)
    parts = [(shaft, grip), (head, metal("#a9adb3", 0.3))]
    return Thing("hammer", parts, 0.33, color=color.name, symmetry=Symmetry.TWO_SIDED, chiral=True)


def screwdriver(draw: Draw) -> Thing:
    """On the end of its fluted handle, the blade above."""
    color, length = draw.color("red", "yellow", "blue", "green", "orange", "black"), draw.uniform(0.48, 0.58)
    flutes = [(r * c, r * s) for i, (c, s) in enumerate(circle(1.0, 24)) for r in [0.15 - 0.03 * (i % 4 > 1)]]
    handle = extrude(flutes, 0.34).move(z=0.23)
    end = lathe(curve([(0.1, 0.0), (0.145, 0.05), (0.145, 0.1)], 3))
    collar = lathe([(0.14, 0.38), (0.12, 0.42), (0.075, 0.48), (0.1, 0.53), (0.075, 0.56)])
    shaft = cylinder(0.04, length, 12).move(z=0.54)
    top = 0.5 + length
    tip = extrude([(-0.035, 0.0), (0.035, 0.0), (0.085, 0.1), (0.07, 0.22), (-0.07, 0.22), (-0.085, 0.1)], 0.04, "x")
    parts = [(handle, glossy(color)), (end, satin("#2b2b2e" if color.name != "black" else "red"))]
    parts += [(collar, glossy(color)), (shaft + tip.move(z=top), metal("silver", 0.3))]
    return Thing("screwdriver", parts, 0.22, color=color.name, symmetry=Symmetry.TWO_SIDED)


def saw(draw: Draw) -> Thing:
    """On its teeth, the handle at the right of a picture of its front."""
    color, teeth = draw.color("brown", "red", "yellow", "blue", "green", "orange"), draw.integer(9, 12)
    width = 1.0 / teeth
    zigzag = [(-0.65 + width * (i + j / 2), 0.08 * j) for i in range(teeth) for j in (0, 1)]
    blade = extrude([*zigzag, (0.35, 0.0), (0.38, 0.42), (-0.65, draw.uniform(0.2, 0.26))], 0.04, "x")
    line = curve([(0.32, 0.09), (0.3, 0.25), (0.34, 0.44), (0.52, 0.5), (0.66, 0.44), (0.62, 0.27), (0.7, 0.1)], 4)
    loop = sweep([(0.0, y, z) for y, z in [*line, (0.5, 0.075)]], 0.075, 10, loop=True)
    cheek = extrude([(0.2, 0.06), (0.36, 0.04), (0.36, 0.4), (0.26, 0.4)], 0.1, "x")
    rivets = both(union(*(ellipsoid(0.03, segments=8).move(0.05, 0.29, z) for z in (0.14, 0.3))), "x")
    grip = satin(wood("#8f5a2c", "#6d411d") if color.name == "brown" else color)
    parts = [(blade, metal("#c2c6ca", 0.3)), (loop + cheek, grip), (rivets, metal("gold"))]
    return Thing("saw", parts, 0.55, color=color.name, symmetry=Symmetry.TWO_SIDED, chiral=True)


def axe(draw: Draw) -> Thing:
    """Upright, its edge towards the right of a picture of its front."""
    color, height = draw.color("red", "gray", "blue", "black", "green"), draw.uniform(1.0, 1.15)
    line = curve([(0, 0.06, 0.03), (0, 0.01, 0.3), (0, 0.0, 0.7), (0, 0.0, height + 0.1)], 4)
    haft = sweep(line, [0.075, 0.055, 0.055, 0.055], 10).scale(0.8, 1.0, 1.0).stand()
    edge = curve([(0.36, -0.26), (0.42, -0.08), (0.42, 0.1), (0.34, 0.24)], 4)
    outline = [(-0.16, -0.09), (0.06, -0.1), (0.2, -0.14), *edge, (0.18, 0.13), (0.06, 0.1), (-0.16, 0.1)]

    def narrow(points: Tensor) -> Tensor:
        return points * torch.stack([1.05 - 2.2 * points[:, 1].clamp(min=0.0), *torch.ones(2, len(points))], 1)

    head = extrude(outline, 0.19, "x").warp(narrow).move(z=height - 0.06)
    parts = [(haft, satin(UPRIGHT_WOOD)), (head, satin(split(color, "#d8dbde", 0.3, "y")))]
    return Thing("axe", parts, 0.7, color=color.name, symmetry=Symmetry.TWO_SIDED, chiral=True)


def shovel(draw: Draw) -> Thing:
    """On the tip of its blade, the hollow towards the front, a grip above."""
    color, height = draw.color(), draw.uniform(1.15, 1.3)
    side = curve([(0.0, 0.0), (0.13, 0.1), (0.22, 0.26), (0.24, 0.52)], 3)
    outline = [*side, (0.14, 0.57), (-0.14, 0.57), *[(-y, z) for y, z in side[:0:-1]]]
    blade = extrude(outline, 0.05, "x").warp(lambda p: p + torch.outer(2 * p[:, 1] ** 2, torch.eye(3)[0]))
    socket = cone(0.075, 0.06, 0.3, 12).move(z=0.42)
    shaft = cylinder(0.05, height - 0.45, 12).move(z=0.5)
    bow = [(0, -0.13, 0.13), (0, -0.1, 0.04), (0, 0.0, -0.06), (0, 0.1, 0.04), (0, 0.13, 0.13)]
    fork = sweep(curve(bow, 3), 0.045, 8)
    grip = capsule((0, -0.16, 0.14), (0, 0.16, 0.14), 0.055)
    parts = [(blade + socket, satin(color)), (shaft, satin(UPRIGHT_WOOD))]
    parts += [((fork + grip).move(z=height + 0.08), RUBBER)]
    return Thing("shovel", parts, 1.1, color=color.name)


def broom(draw: Draw) -> Thing:
    """Upright on its fanned bristles."""
    color, height = draw.color("yellow", "beige", "red", "blue", "green", "turquoise"), draw.uniform(1.2, 1.35)
    wide, count = draw.uniform(0.28, 0.34), 7
    spread = [2 * i / (count - 1) - 1 for i in range(count)]
    tufts = [sweep([(0, 0.1 * t, 0.52), (0, wide * t, 0.0)], [0.05, 0.08, 0.08], 8) for t in spread]
    fan = union(*tufts).scale(1.5, 1.0, 1.0).stand()
    band = box(0.21, 1.2 * wide + 0.12, 0.06, 0.02).move(z=0.27)
    cap = lathe([(0.15, 0.42), (0.15, 0.52), (0.06, 0.62)], 16).scale(0.75, 1.0, 1.0)
    stick = capsule((0, 0, 0.5), (0, 0, height), 0.045)
    parts = [(fan, matt(color)), (band + cap, satin("#a8321f" if color.name != "red" else "#2a2a2d"))]
    return Thing("broom", [*parts, (stick, satin(UPRIGHT_WOOD))], 1.4, color.name, symmetry=Symmetry.TWO_SIDED)


def bucket(draw: Draw) -> Thing:
    """Open, with its handle up."""
    color, height = draw.color(), draw.uniform(0.68, 0.8)
    outside = [(0.32, 0.0), (0.33, 0.02), (0.44, height), (0.48, height), (0.48, height + 0.05), (0.42, height + 0.05)]
    body = lathe([*outside, (0.3, 0.05), (0.0, 0.05)], 32)
    ribs = union(*(torus(0.34 + 0.11 * z / height, 0.02, 32, 6).move(z=z) for z in (0.14, 0.2)))
    wire = sweep(arc(0.47, 0, 180, 16, (0.0, 0.0, height - 0.02)), 0.028, 8)
    ears = both(cylinder(0.06, 0.06, 12).turn(90, "x").move(y=0.51, z=height - 0.03))
    grip = sweep(arc(0.47, 62, 118, 6, (0.0, 0.0, height - 0.02)), 0.055, 10)
    parts = [(body + ribs, satin(color)), (wire + ears, metal("#b5b9be")), (grip, RUBBER)]
    return Thing("bucket", parts, 0.38, color=color.name, symmetry=Symmetry.TWO_SIDED)


def ladder(draw: Draw) -> Thing:
    """A stepladder: steps in front, a prop behind."""
    color, count, foot = draw.color(), draw.integer(4, 5), draw.uniform(0.34, 0.42)
    top, front = 1.2, draw.uniform(0.3, 0.36)
    section = [(-1, -0.7), (1, -0.7), (1, 0.7), (-1, 0.7)]
    rails = both(sweep([(front, foot, 0.05), (0.04, 0.2, top)], 0.055, section=section))
    props = both(sweep([(-front, foot, 0.05), (-0.05, 0.2, top)], 0.045, 6))
    shares = [(i + 0.9) / (count + 0.8) for i in range(count)]
    places = [(front + (0.04 - front) * t, foot + (0.2 - foot) * t, top * t) for t in shares]
    steps = union(*(box(0.16, 2 * y, 0.05, 0.01).move(x + 0.02, 0, z) for x, y, z in places))
    bars = union(*(box(0.05, 2 * y, 0.05).move(-x, 0, z) for x, y, z in places[::2]))
    plate = box(0.3, 0.5, 0.06, 0.02).move(z=top)
    feet = union(*(ellipsoid(0.065, segments=10).move(x, y, 0.065) for x in (front, -front) for y in (foot, -foot)))
    parts = [(rails + plate, satin(color)), (steps, metal("#c9cdd1")), (props + bars, metal("#8d9196"))]
    return Thing("ladder", [*parts, (feet, RUBBER)], 1.8, color.name)


def wheelbarrow(draw: Draw) -> Thing:
    """Its wheel in front, its handles behind."""
    color, width = draw.color(), draw.uniform(0.3, 0.36)
    tray = lathe([(0.5, 0.0), (1.0, 1.0), (0.92, 1.0), (0.44, 0.14), (0.0, 0.14)], 4).turn(45)
    tray = tray.scale(0.56, 1.35 * width, 0.32).warp(lambda p: p + torch.outer(0.3 * p[:, 2], torch.eye(3)[0]))
    rails = both(sweep([(0.62, 0.06, 0.2), (0.2, 0.16, 0.27), (-0.4, width, 0.36), (-0.82, width, 0.48)], 0.04, 8))
    legs = both(sweep([(-0.2, 0.27, 0.34), (-0.34, 0.28, 0.04), (-0.26, 0.28, 0.04), (-0.1, 0.25, 0.32)], 0.035, 8))
    tire = torus(0.15, 0.06, 24, 10).turn(90, "x").move(0.6, 0, 0.21)
    hub = cylinder(0.12, 0.08, 16).turn(90, "x").move(0.6, 0.04, 0.21)
    axle = capsule((0.6, -0.1, 0.21), (0.6, 0.1, 0.21), 0.035, segments=8)
    grips = both(capsule((-0.68, width, 0.44), (-0.86, width, 0.49), 0.055))
    parts = [(tray.move(-0.02, 0, 0.32), satin(color)), (union(rails, legs, axle), metal("#8d9196"))]
    parts += [(tire + grips, RUBBER), (hub, metal("silver"))]
    return Thing("wheelbarrow", parts, 1.5, color.name)


def watering_can(draw: Draw) -> Thing:
    """Its spout, which ends in a rose, at the right of a picture of its front, its handle at the left."""
    color, h = draw.color(), draw.uniform(0.5, 0.6)
    body = lathe([(0.32, 0.0), (0.34, 0.02), (0.3, h), (0.27, h), (0.27, h - 0.05)], 28)
    bands = torus(0.335, 0.025, 28, 8).move(z=0.06) + torus(0.3, 0.03, 28, 8).move(z=h)
    spout = sweep([(0, 0.2, 0.12), (0, 0.74, h + 0.16)], [0.09, 0.05], 12)
    rose = cone(0.05, 0.15, 0.14, 20).turn(-42, "x").move(y=0.7, z=h + 0.12)
    plate = disc(0.135, 0.03, 20).move(z=0.13).turn(-42, "x").move(y=0.7, z=h + 0.12)
    line = [(0, 0.1, h), (0, 0.0, h + 0.26), (0, -0.3, h + 0.3), (0, -0.58, h - 0.05), (0, -0.3, 0.14)]
    can = union(body, bands, spout, rose, sweep(curve(line, 5), 0.05))
    parts = [(can, satin(color)), (plate, metal("gold")), (disc(0.28).move(z=h + 0.005), matt("#26323a"))]
    return Thing("watering can", parts, 0.4, color.name, symmetry=Symmetry.TWO_SIDED, chiral=True)


TOOLS: tuple[CategoryFunction, ...] = (
    hammer,
    screwdriver,
    saw,
    axe,
    shovel,
    broom,
    bucket,
    ladder,
    wheelbarrow,
    watering_can,
)
