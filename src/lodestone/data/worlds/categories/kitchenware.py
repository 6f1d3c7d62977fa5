"""What stands in a kitchen."""

from lodestone.data.worlds.categories.category import CategoryFunction
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import Pattern, core, glossy, marks, matt, metal, satin, split, wood
from lodestone.data.worlds.shapes import (
    both,
    box,
    capsule,
    curve,
    cylinder,
    ellipsoid,
    extrude,
    lathe,
    sweep,
    torus,
    union,
)
from lodestone.data.worlds.things import Stand, Symmetry, Thing

__all__ = ["KITCHENWARE"]


def mug(draw: Draw) -> Thing:
    """A cup with a handle, which is at the right of a picture of its front."""
    color, height, radius = draw.color(), draw.uniform(0.9, 1.1), draw.uniform(0.38, 0.46)
    glaze, wall = glossy(color), 0.06
    outside = [(0.9 * radius, 0.0), (radius, 0.06), (radius, height)]
    inside = [(radius - wall, height), (radius - wall, wall), (0.0, wall)]
    line = [(0.8, -0.03), (0.85, 0.2), (0.6, 0.31), (0.3, 0.2), (0.2, -0.03)]
    handle = sweep(curve([(0.0, radius + out, z * height) for z, out in line], 4), 0.07)
    coffee = cylinder(radius - 0.5 * wall, 0.02).move(z=0.85 * height)
    parts = [(lathe([*outside, *inside], 32), glaze), (handle, glaze), (coffee, satin("#4a2a14"))]
    return Thing("mug", parts, 0.1, color=color.name, chiral=True)


def teapot(draw: Draw) -> Thing:
    """Round, with its spout at the right of a picture of its front and its handle at the left."""
    color, width, height = draw.color(), draw.uniform(0.46, 0.54), draw.uniform(0.7, 0.85)
    glaze = glossy(color)
    profile = [(0.28, 0.0), (0.8 * width, 0.1), (width, 0.4 * height), (0.75 * width, 0.85 * height), (0.2, height)]
    lid = lathe(curve([(0.26, 0.97 * height), (0.2, height + 0.05), (0.04, height + 0.09)], 3))
    knob = ellipsoid(0.07, segments=10).move(z=height + 0.14)
    spout = sweep(curve([(0, 0.3, 0.22), (0, 0.62, 0.34), (0, 0.72, 0.6), (0, 0.86, 0.76)], 4), [0.16, 0.09, 0.07])
    handle = sweep(curve([(0, -0.3, 0.7), (0, -0.72, 0.72), (0, -0.82, 0.42), (0, -0.36, 0.16)], 4), 0.055)
    parts = [(lathe(curve(profile, 4), 28), glaze), (union(spout, handle), glaze), (lid, glaze)]
    return Thing("teapot", [*parts, (knob, glossy("#2a2a2c"))], 0.22, color=color.name, chiral=True)


def bowl_of_soup(draw: Draw) -> Thing:
    """A wide bowl, full of soup with something in it."""
    color, height = draw.color(), draw.uniform(0.34, 0.44)
    soup, bits = draw.choice([("#d2421c", "#3c8a2e"), ("#e2a52a", "#f5ead0"), ("#5f9a3a", "#f2efe2")])
    outside = [(0.2, 0.0), (0.22, 0.05), (0.42, 0.2), (0.5, height), (0.53, height)]
    bowl = lathe([*outside, (0.46, height - 0.02), (0.36, 0.2), (0.0, 0.12)], 32)
    filling = lathe([(0.44, height - 0.1), (0.455, height - 0.07)], 32)
    places = [(draw.uniform(-0.3, 0.3), draw.uniform(-0.3, 0.3), height - 0.07) for _ in range(7)]
    liquid = glossy(marks(soup, bits, places, 0.06))
    parts = [(bowl, glossy(color)), (filling, liquid)]
    return Thing("bowl of soup", parts, 0.2, color=color.name, symmetry=Symmetry.ROUND, plural="bowls of soup")


def bottle(draw: Draw) -> Thing:
    """Glass with a label and a cap."""
    color, radius, neck = draw.color("green", "brown", "blue", "red", "turquoise"), draw.uniform(0.15, 0.19), 0.06
    profile = [(radius, 0.0), (radius, 0.52), (0.8 * radius, 0.62), (neck, 0.74), (neck, 0.96), (0.0, 0.97)]
    label = lathe([(radius + 0.01, 0.14), (radius + 0.01, 0.42)], 24)
    ring = torus(neck, 0.02, 16, 8).move(z=0.9)
    cap = cylinder(neck + 0.02, 0.09).move(z=0.93)
    paper = matt(split("#f1e8d2", draw.color("red", "gold", "black"), 0.33))
    parts = [(lathe(profile), glossy(color)), (label, paper), (union(ring, cap), metal("gold"))]
    return Thing("bottle", parts, 0.3, color=color.name, symmetry=Symmetry.ROUND)


def plate(draw: Draw) -> Thing:
    """Flat, with a rim in another colour."""
    color, rim = draw.color(), draw.uniform(0.1, 0.16)
    accent = "white" if color.name not in ("white", "yellow") else draw.choice(["blue", "red"])
    depth = draw.uniform(0.09, 0.13)
    profile = [(0.25, 0.0), (0.3, 0.0), (0.5, depth), (0.5, depth + 0.03), (0.3, 0.045), (0.0, 0.045)]
    inner = core(color, core(accent, color, 0.5 - 0.35 * rim, "z"), 0.5 - rim, "z")
    parts = [(lathe(profile, 40), glossy(inner))]
    return Thing("plate", parts, 0.26, color=color.name, symmetry=Symmetry.ROUND, stand=Stand(0.045, 0.29))


def frying_pan(draw: Draw) -> Thing:
    """Low and round; its handle points away from the viewer's left, at +y."""
    color, radius, height = draw.color(), draw.uniform(0.36, 0.42), draw.uniform(0.12, 0.16)
    outside = [(0.85 * radius, 0.0), (radius, height), (radius - 0.03, height)]
    pan = lathe([*outside, (0.82 * radius, 0.03), (0.0, 0.03)], 32)
    handle = capsule((0, radius - 0.04, height - 0.03), (0, radius + 0.52, height + 0.06), 0.04, 0.055)
    coating = core("#3a3a3e", color, 0.74 * radius, "z")
    parts = [(pan, satin(coating)), (handle, satin(draw.choice(["#262628", "#6b4322"])))]
    return Thing("frying pan", parts, 0.45, color=color.name, symmetry=Symmetry.TWO_SIDED, chiral=True)


def cooking_pot(draw: Draw) -> Thing:
    """Deep, with a lid and a handle on either side."""
    color, height = draw.color(), draw.uniform(0.4, 0.55)
    body = lathe([(0.38, 0.0), (0.4, 0.03), (0.4, height), (0.43, height), (0.43, height + 0.02)], 32)
    lid = lathe(curve([(0.42, height + 0.02), (0.3, height + 0.1), (0.0, height + 0.14)], 4), 32)
    knob = union(cylinder(0.03, 0.08, 10).move(z=height + 0.12), ellipsoid(0.08, 0.08, 0.04, 12).move(z=height + 0.21))
    grip = both(sweep(curve([(-0.12, 0.38, 0), (-0.1, 0.52, 0.0), (0.1, 0.52, 0), (0.12, 0.38, 0)], 4), 0.035))
    parts = [(body, glossy(color)), (lid, metal()), (knob + grip.move(z=0.75 * height), satin("#2a2a2c"))]
    return Thing("cooking pot", parts, 0.3, color=color.name, symmetry=Symmetry.TWO_SIDED)


def fork(draw: Draw) -> Thing:
    """Upright, four tines above; its handle may be coloured."""
    color, bend = draw.color("silver", "gold", "red", "blue", "green", "black"), draw.uniform(0.02, 0.05)
    steel = metal(color if color.name in ("silver", "gold") else "silver")
    handle = box(0.05, 0.1, 0.52, 0.02).move(z=0.26)
    neck = capsule((0, 0, 0.48), (0, 0, 0.66), 0.035, segments=8)
    outline = [(-0.03, 0.62), (0.03, 0.62), (0.14, 0.7), (0.15, 0.78), (-0.15, 0.78), (-0.14, 0.7)]
    tines = union(*(box(0.04, 0.045, 0.28, 0.015).move(y=-0.12 + 0.08 * i, z=0.88) for i in range(4)))
    head = (extrude(outline, 0.045, "x") + tines).move(x=bend)
    grip = steel if color.name in ("silver", "gold") else satin(color)
    parts = [(handle, grip), (union(neck, head), steel)]
    return Thing("fork", parts, 0.2, color=color.name, symmetry=Symmetry.TWO_SIDED)


def spoon(draw: Draw) -> Thing:
    """Upright, its hollow towards the front."""
    color, width = draw.color("silver", "gold", "brown", "red", "blue", "green"), draw.uniform(0.15, 0.18)
    head_material = {"brown": satin(wood("#a8743f", "#7a4a26", 0.15, "z")), "gold": metal("gold")}.get(
        color.name or "", metal("silver")
    )
    grip = head_material if color.name in ("silver", "gold", "brown") else satin(color)
    handle = box(0.05, 0.09, 0.54, 0.02).move(z=0.27) + capsule((0, 0, 0.5), (0, 0, 0.62), 0.035, segments=8)
    profile = [(0.0, -0.08), (0.6, -0.06), (1.0, 0.0), (0.95, 0.0), (0.55, -0.035), (0.0, -0.05)]
    hollow = lathe(profile, 24).turn(90, "y").scale(1.0, width, 0.22).move(x=0.05, z=0.84)
    return Thing("spoon", [(handle, grip), (hollow, head_material)], 0.19, color=color.name)


def knife(draw: Draw) -> Thing:
    """A kitchen knife, upright, its blade above."""
    color, length = draw.color("black", "brown", "red", "blue", "green"), draw.uniform(0.5, 0.6)
    handle = box(0.07, 0.13, 0.4, 0.03).move(z=0.2)
    top = 0.36 + length
    blade = extrude([(-0.07, 0.36), (0.12, 0.36), (0.13, 0.5), (0.09, 0.85 * top), (-0.06, top)], 0.035, "x")
    rivets = union(*(both(ellipsoid(0.02, segments=8).move(x=0.035, z=z), "x") for z in (0.1, 0.2, 0.3)))
    parts = [(handle, satin(color)), (blade, metal("silver", 0.3)), (rivets, metal("silver"))]
    return Thing("knife", parts, 0.32, color=color.name, symmetry=Symmetry.TWO_SIDED, chiral=True, plural="knives")


def wine_glass(draw: Draw) -> Thing:
    """Half full, on a stem."""
    wine, bowl = draw.choice([("#6e0f22", 0.22), ("#e8d27a", 0.19), ("#e58a8f", 0.2)])
    color = draw.color("#dcebf2", "#e9f0ea", variation=0.01)
    foot = [(0.2, 0.0), (0.2, 0.02), (0.04, 0.05), (0.03, 0.4)]
    cup = curve([(0.05, 0.42), (bowl, 0.58), (bowl + 0.01, 0.72), (0.8 * bowl, 0.95)], 4)
    inner = [(0.8 * bowl - 0.015, 0.95), (bowl - 0.02, 0.76)]
    glass: Pattern = split(split(color, wine, 0.45), color, 0.74)
    liquid = cylinder(bowl - 0.015, 0.02).move(z=0.74)
    parts = [(lathe([*foot, *cup, *inner, (0.0, 0.75)], 28), glossy(glass)), (liquid, glossy(wine))]
    return Thing("wine glass", parts, 0.2, symmetry=Symmetry.ROUND, plural="wine glasses")


KITCHENWARE: tuple[CategoryFunction, ...] = (
    mug,
    teapot,
    bowl_of_soup,
    bottle,
    plate,
    frying_pan,
    cooking_pot,
    fork,
    spoon,
    knife,
    wine_glass,
)
