"""Instruments of music."""

from collections.abc import Sequence

from lodestone.data.worlds.categories.category import CategoryFunction
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import glossy, matt, metal, satin, stripes, wood
from lodestone.data.worlds.shapes import (
    Shape,
    arc,
    both,
    box,
    capsule,
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

__all__ = ["INSTRUMENTS"]

BLACK = satin("#1e1e21")
STICK = satin("#d2a566")


def sound_box(side: Sequence[tuple[float, float]], thickness: float) -> Shape:
    """A body of wood from the right half (y, z) of its front, bottom to top."""
    line = curve(side, 4)
    return extrude([*line, *[(-y, z) for y, z in line[-2:0:-1]]], thickness, "x")


def guitar(draw: Draw) -> Thing:
    """Upright, with a round hole, strings and six pegs."""
    color, waist = draw.color(), draw.uniform(0.21, 0.25)
    side = [(0.0, 0.0), (0.22, 0.03), (0.38, 0.2), (0.35, 0.4), (waist, 0.54), (0.28, 0.7), (0.22, 0.82), (0.0, 0.86)]
    body = sound_box(side, 0.2)
    rose = cylinder(0.135, 0.03).turn(90, "y").move(0.085, 0, 0.56)
    hole = cylinder(0.1, 0.04).turn(90, "y").move(0.085, 0, 0.56)
    bridge, board = box(0.06, 0.28, 0.07, 0.02).move(0.1, 0, 0.24), box(0.05, 0.11, 0.6, 0.01).move(0.095, 0, 0.98)
    neck = box(0.08, 0.11, 0.5, 0.03).move(0.07, 0, 1.04)
    head = extrude([(-0.06, 1.24), (0.06, 1.24), (0.1, 1.5), (-0.1, 1.5)], 0.06, "x").move(0.07)
    pegs = union(*(both(ellipsoid(0.03, 0.05, 0.03, 10).move(0.07, 0.12, z)) for z in (1.31, 1.38, 1.45)))
    strings = box(0.02, 0.07, 1.04).move(0.122, 0, 0.76)
    parts = [(body, glossy(color)), (rose, satin("#f0dfb0")), (hole, matt("#17130f")), (bridge, satin("#3a2413"))]
    parts += [(neck + head, satin("#6d421f")), (board, satin(stripes("#3a2413", "#d9d2bd", 0.1, "z", 0.16)))]
    parts += [(pegs, metal("gold")), (strings, metal(stripes("#5b4630", "#efe9d6", 0.0233, "y", 0.4)))]
    return Thing("guitar", parts, 1.0, color.name)


def violin(draw: Draw) -> Thing:
    """Upright, black board and tail, f-holes; its bow stands at the right of a picture of its front."""
    color, waist = draw.color("#9c4516", "#8a3a14", "#b05a1e"), draw.uniform(0.15, 0.18)
    low = [(0.0, 0.0), (0.2, 0.02), (0.29, 0.13), (0.26, 0.27), (0.28, 0.33)]
    high = [(waist, 0.38), (waist, 0.47), (0.25, 0.54), (0.21, 0.6), (0.24, 0.68), (0.16, 0.78), (0.0, 0.81)]
    line = [(0.085, 0.12, 0.29), (0.085, 0.16, 0.34), (0.085, 0.125, 0.42), (0.085, 0.09, 0.5), (0.085, 0.13, 0.55)]
    f_holes = both(sweep(curve(line, 3), 0.022, 6))
    board = extrude([(-0.055, 0.48), (0.055, 0.48), (0.04, 1.12), (-0.04, 1.12)], 0.05, "x").move(0.12)
    tail = extrude([(-0.03, 0.02), (0.03, 0.02), (0.065, 0.27), (-0.065, 0.27)], 0.05, "x").move(0.11)
    chin = ellipsoid(0.04, 0.11, 0.08, 14).move(0.1, -0.14, 0.09)
    bridge, strings = box(0.09, 0.18, 0.04, 0.01).move(0.12, 0, 0.38), box(0.02, 0.045, 0.9).move(0.15, 0, 0.7)
    neck = capsule((0.07, 0, 0.76), (0.07, 0, 1.16), 0.05, segments=10)
    scroll = cylinder(0.08, 0.1, 16).turn(90, "x").move(0.06, 0.05, 1.24)
    pegs = both(union(*(capsule((0.07, 0, z), (0.07, 0.15, z), 0.028, segments=8) for z in (1.09, 1.17))))
    stick = sweep(curve([(0, 0.46, 0.0), (0, 0.42, 0.6), (0, 0.46, 1.26)], 5), 0.028, 8).stand()
    frog = union(box(0.05, 0.11, 0.12).move(0, 0.5, 0.12), box(0.04, 0.1, 0.05).move(0, 0.49, 1.22))
    hair = box(0.03, 0.035, 1.1).move(0, 0.53, 0.66)
    black = union(board, tail, chin, pegs, f_holes, frog)
    parts = [(sound_box([*low, *high], 0.18), glossy(color)), (neck + scroll, glossy(color)), (black, BLACK)]
    parts += [(bridge, STICK), (strings, metal("#e8e4d8")), (stick, satin("#4a2712")), (hair, matt("#f3efe2"))]
    return Thing("violin", parts, 0.6, "brown", natural=True, chiral=True)


def piano(draw: Draw) -> Thing:
    """A grand piano: keys in front, its lid open towards the right of a picture of its front."""
    color, long = draw.color("black", "white", "brown", "red", "blue"), draw.uniform(0.62, 0.74)
    bend = curve([(0.1, 0.45), (-0.1, 0.41), (-0.24, 0.24), (-0.42, 0.12), (-long + 0.08, 0.02), (-long, -0.2)], 4)
    tail = [(-long + 0.05, -0.4), (-long + 0.2, -0.45)]
    case = extrude([(0.42, -0.45), (0.42, 0.45), *bend, *tail], 0.2).move(z=0.52)
    lid = extrude([(0.2, -0.45), (0.2, 0.45), *bend, *tail], 0.04).move(y=0.45).turn(38, "x").move(y=-0.45, z=0.645)
    prop = capsule((0.1, 0.36, 0.6), (0.1, 0.2, 1.1), 0.02, segments=8)
    rim = [(0.16, -0.38), (0.16, 0.39), *[(0.86 * x, 0.86 * y - 0.02) for x, y in bend], (-0.45, -0.38)]
    strings = extrude(rim, 0.04).move(z=0.61)
    cheeks = both(box(0.2, 0.06, 0.16, 0.02).move(0.51, 0.43, 0.53))
    shelf, desk = (
        box(0.26, 0.92, 0.06, 0.01).move(0.51, 0, 0.45),
        box(0.03, 0.5, 0.22).turn(-20, "y").move(0.3, 0, 0.72),
    )
    keys, width = box(0.2, 0.8, 0.06).move(0.51, 0, 0.495), 0.8 / 15
    places = [width * (i + 1) - 0.4 for i in range(14) if i % 7 not in (2, 6)]
    sharps = union(*(box(0.11, 0.035, 0.05).move(0.46, y, 0.54) for y in places))
    feet = ((0.4, 0.36), (0.4, -0.36), (0.16 - long, -0.22))
    legs = union(*(cone(0.045, 0.07, 0.46, 10).move(x, y) for x, y in feet))
    parts = [(union(case, lid, shelf, cheeks, legs, desk), glossy(color)), (prop, BLACK)]
    parts += [(strings, metal("#c99a3c")), (keys, satin(stripes("#fbfaf4", "#8a8a88", width, "y", 0.14)))]
    return Thing("piano", [*parts, (sharps, BLACK)], 1.8, color.name, chiral=True)


def drum(draw: Draw) -> Thing:
    """With a zigzag of cord between its rims and two sticks on its skin."""
    color, height, count = draw.color(), draw.uniform(0.5, 0.6), draw.integer(7, 9)
    shell = cylinder(0.45, height - 0.04, 32).move(z=0.02)
    rim = lathe([(0.4, 0.0), (0.49, 0.0), (0.49, 0.09), (0.4, 0.09)], 32)
    skin = cylinder(0.44, 0.03, 32).move(z=height)
    up = sweep([(0.47, 0.0, 0.06), (0.43, 0.18, height - 0.05)], 0.022, 6)
    stick = capsule((-0.42, 0.0, 0.0), (0.36, 0.0, 0.0), 0.035, 0.028, 10) + ellipsoid(0.07, 0.05, 0.05, 12).move(0.4)
    sticks = stick.turn(35).move(y=0.07, z=height + 0.06) + stick.turn(-40).move(y=-0.08, z=height + 0.12)
    light = "#f7f3e6" if color.name not in ("white", "yellow") else "#b02a22"
    parts = [(shell, glossy(color)), (rim + rim.move(z=height - 0.07), metal("gold")), (skin, matt("#f6f1e4"))]
    parts += [(ring(count, up + up.mirror("y")), matt(light)), (sticks, STICK)]
    return Thing("drum", parts, 0.4, color.name, symmetry=Symmetry.ROUND)


def trumpet(draw: Draw) -> Thing:
    """On its three valves, its bell at the right of a picture of its front, its mouthpiece at the left."""
    color, flare = draw.color("gold", "gold", "silver", "red", "blue", "green"), draw.uniform(0.19, 0.23)
    brass = metal(color, 0.3) if color.name in ("gold", "silver") else glossy(color)
    back, fore = arc(0.12, 90, 270, 8, (0.05, -0.32, 0.36)), arc(0.12, 90, -90, 8, (-0.05, 0.42, 0.36))
    tubes = sweep([(0.05, 0.42, 0.48), *back, (0.05, 0.1, 0.24)], 0.042)
    tubes += sweep([(-0.05, -0.68, 0.48), *fore, (-0.05, 0.1, 0.24)], 0.042)
    line = curve([(0.042, 0.0), (0.055, 0.2), (0.085, 0.36), (0.13, 0.44), (flare, 0.5)], 4)
    bell = lathe([*line, (flare - 0.01, 0.53), (0.1, 0.44), (0.05, 0.3), (0.0, 0.28)], 28)
    bell = bell.turn(-90, "x").move(0.05, 0.36, 0.48)
    cup = lathe([(0.04, 0.0), (0.05, 0.08), (0.09, 0.15), (0.09, 0.18)], 14).turn(90, "x").move(-0.05, -0.64, 0.48)
    valve, cap = cylinder(0.06, 0.42, 14).move(z=0.06), lathe([(0.05, 0.0), (0.07, 0.03), (0.07, 0.09)], 14)
    button = cylinder(0.025, 0.12, 8).move(z=0.46) + cylinder(0.055, 0.04, 12).move(z=0.57)
    valves, ends = (union(*(one.move(y=0.05 + 0.14 * i) for i in (-1, 0, 1))) for one in (valve, cap + button))
    parts = [(union(tubes, bell, cup, valves), brass), (ends, metal("#e6e8ea" if color.name != "silver" else "gold"))]
    return Thing("trumpet", parts, 0.5, color.name, symmetry=Symmetry.TWO_SIDED, chiral=True)


def xylophone(draw: Draw) -> Thing:
    """Bars of all colours, shorter towards the right of a picture of its front, and two mallets."""
    count, short = draw.integer(7, 8), draw.uniform(0.45, 0.55)
    names = ["red", "orange", "yellow", "light green", "green", "turquoise", "blue", "purple"][:count]
    names = names[::-1] if draw.chance(0.3) else names
    step, parts = 1.1 / count, []
    for i, name in enumerate(names):
        long, y = 0.8 * (1 - (1 - short) * i / (count - 1)), -0.55 + step * (i + 0.5)
        parts.append((box(long, 0.82 * step, 0.1, 0.025).move(0, y, 0.15), glossy(name)))
        parts.append((both(cylinder(0.028, 0.03, 8).move(0.3 * long, y, 0.185), "x"), metal("silver")))
    beam = [(0.27, -0.62), (0.27 * short + 0.02, 0.62), (0.27 * short - 0.06, 0.62), (0.19, -0.62)]
    frame = both(extrude(beam, 0.12).stand(), "x")
    mallets = union(*(capsule((0.24, y, 0.23), (-0.2, y + 0.22, 0.27), 0.025, segments=8) for y in (-0.4, 0.0)))
    heads = union(*(ellipsoid(0.065, segments=12).move(-0.22, y + 0.23, 0.27) for y in (-0.4, 0.0)))
    parts += [(frame, satin(wood())), (mallets, STICK), (heads, glossy("#f3f0e8"))]
    return Thing("xylophone", parts, 0.5, symmetry=Symmetry.TWO_SIDED, chiral=True)


def bell(draw: Draw) -> Thing:
    """Above its clapper, with a loop to hang it by."""
    color, wide = draw.color("gold", "gold", "silver", "red", "green", "blue"), draw.uniform(0.42, 0.48)
    bronze = metal(color, 0.3) if color.name in ("gold", "silver") else glossy(color)
    line = curve([(wide, 0.38), (0.86 * wide, 0.47), (0.33, 0.68), (0.29, 0.94), (0.19, 1.07), (0.0, 1.1)], 5)
    mantle = lathe([(0.3, 0.5), (wide - 0.03, 0.36), *line], 32) + torus(wide, 0.045, 32, 8).move(z=0.39)
    loop = torus(0.1, 0.045, 20, 10).turn(90, "x").turn(90).move(z=1.18)
    clapper = ellipsoid(0.16, segments=16).stand() + cylinder(0.05, 0.3, 8).move(z=0.24)
    dark = metal("#6b4a20" if color.name != "silver" else "#55585c")
    return Thing("bell", [(mantle + loop, bronze), (clapper, dark)], 0.2, color.name, symmetry=Symmetry.ROUND)


INSTRUMENTS: tuple[CategoryFunction, ...] = (
    guitar,
    violin,
    piano,
    drum,
    trumpet,
    xylophone,
    bell,
)
