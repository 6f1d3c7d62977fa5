"""What people live, work and camp in."""

from lodestone.data.worlds.categories.category import CategoryFunction
from lodestone.data.worlds.colors import Color
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import Pattern, glossy, matt, metal, satin, sectors, split, stripes
from lodestone.data.worlds.shapes import (
    Real,
    Shape,
    both,
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
    union,
)
from lodestone.data.worlds.things import Thing

__all__ = ["BUILDINGS"]

GLASS = glossy("#9fd0ee")
WHITE = satin("white")
DOOR = satin("#5a371e")


def roof_color(draw: Draw, wall: Color) -> Color:
    """Tiles or slate, duller than the wall and lighter or darker than it."""
    dark, light = draw.color("dark red", "brown", "#4a5058"), draw.color("#b5563c", "#b0aa9c", "#c98a4e")
    return light if wall.name in ("brown", "black", "gray", "purple", "green", "blue", "red") else dark


def gable(length: Real, half: Real, height: Real, thickness: Real = 0.06) -> Shape:
    """Two slopes whose ridge runs along x and whose lower edges lie at z = 0, `half` to either side."""
    outline = [(-half, 0.0), (0.0, height), (half, 0.0), (half, thickness), (0.0, height + 1.3 * thickness)]
    return extrude([*outline, (-half, thickness)], length, "x")


def arch(width: Real, height: Real, thickness: Real) -> Shape:
    """A door or window with a round top that looks along x and stands on z = 0."""
    top = [(y, z + height - width / 2) for y, z in circle(width / 2, 16)[:9]]
    return extrude([(-width / 2, 0.0), (width / 2, 0.0), *top[1:-1]], thickness, "x")


def house(draw: Draw) -> Thing:
    """Gable, door and windows in front; the chimney is at the right of a picture of the front."""
    color, half, high = draw.color(), draw.uniform(0.4, 0.46), draw.uniform(0.54, 0.62)
    length, rise, roof = draw.uniform(0.9, 1.05), draw.uniform(0.3, 0.38), roof_color(draw, color)
    walls = extrude([(-half, 0), (half, 0), (half, high), (0, high + rise), (-half, high)], length, "x")
    tiles = gable(length + 0.14, half + 0.09, rise * (half + 0.09) / half).move(z=high - 0.09 * rise / half)
    chimney = box(0.13, 0.13, 0.4).move(-0.1, 0.24, high + 0.75 * rise)
    front = length / 2
    door, frame = (box(thick, w, h).move(front, 0, h / 2) for thick, w, h in ((0.06, 0.2, 0.32), (0.04, 0.26, 0.36)))
    places = [(x, y, 0.3) for x in (-front, front) for y in (-0.26, 0.26)] + [(front, 0, high + 0.06)]
    sides = [(x, y, 0.3) for x in (-0.22, 0.22) for y in (-half, half)]
    glass, rims = (
        union(*(box(a, b, b).move(*at) for at in places), *(box(b + 0.04, a, b).move(*at) for at in sides))
        for a, b in ((0.06, 0.15), (0.04, 0.2))
    )
    parts = [(walls, matt(color)), (tiles, matt(roof)), (chimney, matt("#9a4a35")), (frame + rims, WHITE)]
    parts += [(door, satin(draw.color("brown", "red", "blue", "green"))), (glass, GLASS)]
    return Thing("house", parts, 10.0, color=color.name, chiral=True)


def barn(draw: Draw) -> Thing:
    """A roof with two slopes on either side, and a large door with white crosses in front."""
    color = draw.color("red", "red", "dark red", "brown", "green", "blue")
    half, length, high = draw.uniform(0.42, 0.47), draw.uniform(1.0, 1.15), draw.uniform(0.36, 0.42)
    gambrel = [(half, high), (0.68 * half, high + 0.27), (0, high + 0.42), (-0.68 * half, high + 0.27), (-half, high)]
    walls = extrude([(-half, 0), (half, 0), *gambrel], length, "x")
    over = [(1.18 * y, 1.1 * (z - high) + high - 0.03) for y, z in gambrel]
    roof = extrude([*over, *((0.98 * y, z - 0.02) for y, z in gambrel[::-1])], length + 0.1, "x")
    front, bar = length / 2, 0.035
    upright = union(*(box(0.07, bar, 0.38).move(front, y, 0.19) for y in (-0.19, 0, 0.19)))
    level = union(*(box(0.065, 0.4, bar).move(front, 0, z) for z in (0.02, 0.36)))
    cross = both(union(*(box(0.06, 0.37, 0.035).turn(t, "x").move(front, 0.095, 0.19) for t in (62, -62))))
    hatch, frame = (both(box(a, b, b).move(front, 0, high + 0.17), "x") for a, b in ((0.05, 0.15), (0.03, 0.21)))
    corners = union(*(both(box(0.06, 0.06, high).move(x, half, high / 2)) for x in (-front, front)))
    sills, sides = (
        both(union(*(box(b, a, b).move(x, half, 0.2) for x in (-0.3, 0, 0.3)))) for a, b in ((0.04, 0.19), (0.06, 0.14))
    )
    turret = box(0.16, 0.16, 0.2).move(z=high + 0.48)
    hat = cone(0.17, 0.0, 0.13, 4).turn(45).move(z=high + 0.58)
    parts = [(walls, matt(color)), (roof + hat, matt("#5b6068")), (hatch + sides, matt("#3a3430"))]
    parts += [(union(upright, level, cross, frame, corners, sills, turret), WHITE)]
    return Thing("barn", parts, 14.0, color=color.name)


def castle(draw: Draw) -> Thing:
    """Four towers with pointed roofs, battlements, and a gate in front."""
    color = draw.color("gray", "beige", "pink", "white", "brown", "light blue")
    roof, out, high = draw.color("blue", "red", "purple", "green"), draw.uniform(0.38, 0.43), draw.uniform(0.6, 0.72)
    tower = lathe([(0.15, 0), (0.14, high - 0.06), (0.17, high), (0.17, high + 0.05)], 18)
    hat = cone(0.2, 0.0, 0.36, 18).move(z=high + 0.05)
    ball = ellipsoid(0.03, segments=8).move(z=high + 0.42)
    at = [(out, out), (out, -out), (-out, out), (-out, -out)]
    towers, hats, balls = (union(*(shape.move(x, y) for x, y in at)) for shape in (tower, hat, ball))
    wall = box(0.12, 2 * out, 0.4).move(out, 0, 0.2)
    teeth = union(*(box(0.13, 0.09, 0.09).move(out, y, 0.44) for y in (-0.16, 0, 0.16)))
    keep = box(0.36, 0.36, 0.84).move(0, 0, 0.42)
    merlons = ring(4, union(*(box(0.08, 0.09, 0.1).move(0.16, y, 0.88) for y in (-0.145, 0.0))))
    gate = arch(0.28, 0.34, 0.16).move(x=out)
    slits = union(*(both(box(0.06, 0.06, 0.14).move(x + 0.13, out, 0.42)) for x in (out, -out - 0.26)))
    keep_windows = ring(4, arch(0.09, 0.16, 0.06).move(0.17, 0, 0.58))
    parts = [(union(towers, ring(4, wall + teeth), keep, merlons), matt(color)), (hats, satin(roof))]
    parts += [(gate, DOOR), (slits + keep_windows, matt("#2c3038")), (balls, metal("gold"))]
    return Thing("castle", parts, 40.0, color=color.name)


def lighthouse(draw: Draw) -> Thing:
    """A tall striped tower with a lantern, and a door in front."""
    color, foot, count = (
        draw.color("red", "blue", "green", "black", "orange", "turquoise"),
        draw.uniform(0.23, 0.27),
        draw.choice([5, 7]),
    )
    second = draw.color("white", variation=0.01)
    tower = lathe([(foot, 0.08), (0.66 * foot, 1.0)], 24)
    rock = cylinder(1.25 * foot, 0.09, 24)
    floor = lathe([(0.7 * foot, 0.98), (1.02 * foot, 1.03), (1.02 * foot, 1.07)], 24)
    rail = ring(10, cylinder(0.016, 0.1, 6).move(0.95 * foot)).move(z=1.06)
    bar = lathe([(0.92 * foot, 1.15), (0.99 * foot, 1.15), (0.99 * foot, 1.18), (0.92 * foot, 1.18)], 24, loop=True)
    lantern = cylinder(0.48 * foot, 0.22, 16).move(z=1.05)
    cap = lathe([(0.68 * foot, 1.26), (0.5 * foot, 1.34), (0.04, 1.42), (0.03, 1.5)], 20)
    door = arch(0.15, 0.24, 0.1).move(foot - 0.05, 0, 0.08)
    windows = union(*(arch(0.09, 0.13, 0.1).move(foot * (1 - 0.34 * z) - 0.035, 0, z) for z in (0.5, 0.78)))
    bands = stripes(second, color, 1.84 / count, share=0.5)
    parts = [(tower, matt(bands)), (rock, matt("#84888c")), (union(floor, rail, bar, cap), satin(color))]
    parts += [(lantern, glossy("#ffe27a")), (door, DOOR), (windows, matt("#2c3038"))]
    return Thing("lighthouse", parts, 30.0, color=color.name)


def windmill(draw: Draw) -> Thing:
    """A round tower with four large sails in front, each with its cloth on one side of its arm."""
    color, foot, start = draw.color(), draw.uniform(0.26, 0.31), draw.uniform(15, 75)
    tower = lathe([(foot, 0), (0.6 * foot, 0.78), (0.6 * foot, 0.84)], 20)
    cap = lathe(curve([(0.74 * foot, 0.8), (0.66 * foot, 0.9), (0.36 * foot, 1.0), (0.0, 1.04)], 3), 20)
    axle = capsule((0, 0, 0.86), (0.3, 0, 0.86), 0.045, segments=10)
    arm = box(0.035, 0.035, 0.64).move(0.01, 0, 0.34)
    sail = box(0.03, 0.15, 0.46).move(0, 0.085, 0.41)
    slats = union(*(box(0.045, 0.16, 0.022).move(0, 0.085, 0.2 + 0.105 * i) for i in range(5)))
    arms, sails, bars = (
        union(*(s.turn(start + 90 * i, "x") for i in range(4))).move(0.29, 0, 0.86) for s in (arm, sail, slats)
    )
    door = arch(0.17, 0.27, 0.1).move(foot - 0.05)
    windows = ring(4, arch(0.1, 0.14, 0.1).move(0.8 * foot - 0.035, 0, 0.45))
    dark, cloth = satin("#5a3a20"), matt("#f0e6cf" if color.name != "white" else "#d8b98a")
    parts = [
        (tower, matt(color)),
        (cap, matt(roof_color(draw, color))),
        (union(axle, arms, bars), dark),
        (sails, cloth),
    ]
    return Thing("windmill", [*parts, (door, DOOR), (windows, GLASS)], 15.0, color=color.name, chiral=True)


def church(draw: Draw) -> Thing:
    """A tower with a pointed roof and a cross in front, the nave behind."""
    color = draw.color("white", "beige", "gray", "yellow", "pink", "light blue", "brown", "orange")
    roof, high, half = roof_color(draw, color), draw.uniform(0.72, 0.84), draw.uniform(0.25, 0.29)
    nave = extrude([(-half, 0), (half, 0), (half, 0.4), (0, 0.66), (-half, 0.4)], 0.78, "x").move(x=-0.18)
    tiles = gable(0.82, half + 0.06, 0.26 * (half + 0.06) / half, 0.05).move(-0.2, 0, 0.345)
    tower = box(0.3, 0.3, high).move(0.3, 0, high / 2)
    spire = cone(0.26, 0.0, 0.46, 4).turn(45).move(0.3, 0, high)
    cross = (box(0.04, 0.04, 0.22) + box(0.04, 0.15, 0.04).move(z=0.03)).move(0.3, 0, high + 0.53)
    door = arch(0.15, 0.26, 0.06).move(x=0.45)
    frame = arch(0.21, 0.3, 0.03).move(x=0.45)
    rose = lathe([(0.065, -0.1), (0.065, 0.02)], 16).turn(90, "y").move(0.45, 0, 0.45)
    bells = ring(4, arch(0.09, 0.15, 0.06).move(x=0.15)).move(0.3, 0, high - 0.2)
    sides = union(*(both(arch(0.1, 0.23, 0.06).turn(90).move(x, half, 0.11)) for x in (-0.44, -0.22, 0.0)))
    altar = arch(0.14, 0.3, 0.06).move(-0.57, 0, 0.14)
    parts = [(nave + tower, matt(color)), (tiles + spire, matt(roof)), (cross, metal("gold")), (door, DOOR)]
    parts += [(frame, matt("#8b8f94")), (union(rose, sides, altar), glossy("#4a78b8")), (bells, matt("#2c3038"))]
    return Thing("church", parts, 25.0, color=color.name)


def skyscraper(draw: Draw) -> Thing:
    """A tall tower with rows of windows, an entrance in front and a mast on top."""
    color, half, tall = draw.color(), draw.uniform(0.21, 0.25), draw.uniform(1.08, 1.22)
    glass = "#bfe3f6" if color.name in ("black", "blue", "purple", "brown") else "#34506c"
    steps = [(half, 0.0, tall), (0.75 * half, tall, 0.2), (0.5 * half, tall + 0.2, 0.12)]
    walls = union(*(box(2 * r, 2 * r, h).move(z=z + h / 2) for r, z, h in steps))
    panes = []
    for (r, z, h), count in zip(steps, (4, 3, 2), strict=True):
        width, low = 2 * r / (count + 0.2), z + (0.24 if z == 0 else 0.05)
        pane = box(0.03, 0.62 * width, z + h - 0.04 - low).move(r, 0, (low + z + h - 0.04) / 2)
        panes += [ring(4, pane.move(y=width * (i - (count - 1) / 2))) for i in range(count)]
    base = box(2 * half + 0.04, 2 * half + 0.04, 0.05).move(z=0.025)
    portal = box(0.06, 1.3 * half, 0.22).move(half, 0, 0.11)
    doors = both(box(0.09, 0.5 * half, 0.16).move(half, 0.28 * half, 0.085))
    canopy = box(0.16, 1.5 * half, 0.035).move(half + 0.05, 0, 0.2)
    mast = cone(0.035, 0.015, 0.3, 8).move(z=tall + 0.31)
    parts = [(walls, satin(color)), (union(*panes), glossy(stripes(glass, color, 0.1, share=0.35)))]
    parts += [(base, matt("#7a7d82")), (doors, glossy("#22303c"))]
    parts += [(union(portal, canopy), WHITE if color.name != "white" else metal("gold")), (mast, metal("silver"))]
    return Thing("skyscraper", parts, 100.0, color=color.name)


def tent(draw: Draw) -> Thing:
    """Two slopes of cloth, open in front, and ropes to the ground."""
    color, half, high, long = draw.color(), draw.uniform(0.42, 0.48), draw.uniform(0.56, 0.66), draw.uniform(0.46, 0.54)
    second = (
        draw.color("white", "yellow", "orange")
        if color.name not in ("white", "yellow", "orange")
        else draw.color("red", "blue")
    )
    body = extrude([(-half, 0), (half, 0), (0, high)], 2 * long, "x")
    cover = gable(2 * long + 0.08, half + 0.035, high * (half + 0.035) / half, 0.02)
    inside = extrude([(-0.6 * half, 0.005), (0.6 * half, 0.005), (0, 0.78 * high)], 0.04, "x").move(x=long)
    flap = extrude([(0.78 * half, 0.005), (0.38 * half, 0.005), (0.0, 0.86 * high)], 0.09, "x").move(x=long)
    pole = both(capsule((long, 0, 0.03), (long, 0, high + 0.1), 0.028, segments=8), "x")
    anchors = [
        ((long, 0, high + 0.06), (long + 0.26, half + 0.14, 0.04)),
        ((0.0, 0.4 * half, 0.62 * high), (0, half + 0.22, 0.04)),
    ]
    ropes = union(*(both(both(capsule(a, b, 0.014, segments=6)), "x") for a, b in anchors))
    pegs = both(
        both(capsule((long + 0.26, half + 0.14, 0.03), (long + 0.28, half + 0.15, 0.1), 0.024, segments=6)), "x"
    )
    hem: Pattern = split(second, color, 0.09)
    parts = [(body, matt(color)), (cover, matt(hem)), (inside, matt("#2b2622")), (both(flap), matt(second))]
    return Thing("tent", [*parts, (union(pole, pegs, ropes), satin("#8a6a44"))], 3.5, color=color.name)


def igloo(draw: Draw) -> Thing:
    """A dome of snow blocks with a tunnel in front."""
    size, high, row = draw.uniform(0.48, 0.53), draw.uniform(0.54, 0.6), draw.uniform(0.13, 0.15)
    snow, line = draw.color("white", variation=0.015), "#a3bccd"
    bricks = stripes(sectors(snow, line, 12, 0.06), sectors(snow, line, 10, 0.05), 2 * row)
    profile = [
        (size, 0.0),
        (0.97 * size, 0.3 * high),
        (0.72 * size, 0.7 * high),
        (0.36 * size, 0.93 * high),
        (0.0, high),
    ]
    dome = lathe(curve(profile, 5), 32)
    bow = circle(1.0, 24)[:13]
    hall = extrude([(0.26 * y, 0.3 * z) for y, z in bow], 0.32, "x").move(x=size + 0.06)
    rim = extrude([(0.29 * y, 0.33 * z) for y, z in bow], 0.07, "x").move(x=size + 0.19)
    dark = extrude([(0.17 * y, 0.005 + 0.22 * z) for y, z in bow], 0.05, "x").move(x=size + 0.215)
    parts = [(dome, matt(stripes(line, bricks, row, share=0.9))), (hall, matt(stripes(snow, line, 0.15, "x", 0.12)))]
    return Thing("igloo", [*parts, (rim, matt(snow)), (dark, matt("#31465a"))], 4.0, color="white", natural=True)


BUILDINGS: tuple[CategoryFunction, ...] = (
    house,
    barn,
    castle,
    lighthouse,
    windmill,
    church,
    skyscraper,
    tent,
    igloo,
)
