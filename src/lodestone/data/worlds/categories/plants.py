"""Plants and trees."""

from lodestone.data.worlds.categories.category import CategoryFunction
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import dots, gradient, marks, matt, satin, speckles, split, stripes
from lodestone.data.worlds.shapes import (
    Real,
    Shape,
    both,
    capsule,
    circle,
    curve,
    cylinder,
    ellipsoid,
    extrude,
    lathe,
    ring,
    sweep,
    union,
)
from lodestone.data.worlds.things import Symmetry, Thing

__all__ = ["PLANTS"]

BARK = matt(stripes("#7a4f2a", "#5c3919", 0.07, "x", 0.4))
SOIL = matt(speckles("#4a3220", "#2f2014", 0.05))
STEM = satin("#4d9a35")


def blade(out: Real, rise: Real, drop: Real, width: Real, thickness: Real = 0.04) -> Shape:
    """A leaf that rises from the origin, bends over towards +x and ends in a tip."""
    line = curve([(0.0, 0.0, 0.0), (0.3 * out, 0.0, 0.8 * rise), (0.65 * out, 0.0, rise), (out, 0.0, rise - drop)], 4)
    section = [(thickness * u, width * v) for u, v in circle(1.0, 6)]
    return sweep(line, [0.3, 0.8, 1.0, 0.7, 0.12], section=section)


def sand(radius: Real) -> Shape:
    """A flat heap."""
    return lathe(curve([(radius, 0.0), (0.75 * radius, 0.05), (0.0, 0.08)], 4), 20)


def star(points: int, depth: Real) -> list[tuple[float, float]]:
    """A jagged circle of radius 1, cut in by a share of it."""
    corners = circle(1.0, 2 * points)
    return [((1 - depth * (k % 2)) * x, (1 - depth * (k % 2)) * y) for k, (x, y) in enumerate(corners)]


def tree(draw: Draw) -> Thing:
    """A crown of leaves on a trunk with boughs."""
    color, wide = draw.color("green", "green", "green", "orange", "pink", "yellow"), draw.uniform(0.26, 0.32)
    shade = {"green": "#257a2e", "orange": "#d8631a", "pink": "#e57fa6", "yellow": "#e3ae1c"}[color.name or "green"]
    count = draw.integer(5, 7)
    trunk = lathe(curve([(0.13, 0.0), (0.08, 0.1), (0.07, 0.4), (0.06, 0.66)], 4), 14)
    boughs = ring(3, capsule((0.02, 0, 0.4), (0.2, 0, 0.62), 0.04, 0.03, 8))
    crown = [ellipsoid(0.3, segments=16).move(z=0.98), ellipsoid(0.2, segments=14).move(z=1.2)]
    for i in range(count):
        size = draw.uniform(0.2, 0.25)
        crown.append(
            ellipsoid(size, size, 0.9 * size, 14).move(wide).turn(360 * i / count).move(z=0.78 + 0.1 * (i % 2))
        )
    leaves = speckles(color, shade, 0.045, 0.3)
    natural = color.name == "green"
    parts = [(union(trunk, boughs), BARK), (union(*crown), matt(leaves))]
    return Thing("tree", parts, 7.0, color=color.name, natural=natural, symmetry=Symmetry.ROUND)


def fir_tree(draw: Draw) -> Thing:
    """Tiers of needles with jagged rims; some carry snow."""
    color, tiers, wide = draw.color("#1f6a3c", "#23703a", "#2f7a4a"), draw.integer(4, 5), draw.uniform(0.38, 0.44)
    snow, high = draw.chance(0.3), 0.86 / tiers
    parts = [(cylinder(0.09, 0.5, 12), BARK)]
    for i in range(tiers):
        share, low = 1 - i / (tiers + 0.5), 0.34 + high * i
        rim = [(wide * share * x, wide * share * y) for x, y in star(9, 0.2)]
        bough = extrude(rim, 1.5 * high, taper=0.25 if i < tiers - 1 else 0.02).stand(low).turn(20 * i)
        needles = gradient("#5fae5c", color, low - 0.02, low + 0.6 * high)
        parts.append((bough, matt(split(needles, "#f4f7fa", low + 0.5 * high) if snow else needles)))
    return Thing("fir tree", parts, 8.0, color="green", natural=True, symmetry=Symmetry.ROUND)


def palm_tree(draw: Draw) -> Thing:
    """Long leaves at the top of a ringed trunk, with coconuts."""
    count, tall = draw.integer(8, 10), draw.uniform(0.8, 0.95)
    trunk = sweep([(0, 0, 0), (0, 0, 0.3 * tall), (0, 0, tall)], [0.11, 0.075, 0.065], 14)
    fronds = union(
        ring(count, blade(draw.uniform(0.5, 0.58), 0.16, 0.34, 0.1, 0.03)),
        ring(5, blade(0.36, 0.3, 0.12, 0.085, 0.03), 20),
    )
    nuts = ring(4, ellipsoid(0.06, segments=12).move(0.09), 30).move(z=tall - 0.05)
    mound = sand(0.28)
    parts = [(trunk, matt(stripes("#a8793f", "#7a5226", 0.09, "z", 0.3))), (nuts, satin("#5c3a1a"))]
    parts += [(fronds.move(z=tall), satin(draw.color("#3f9a35", "#2f8a3c"))), (mound, matt("#e6cf94"))]
    return Thing("palm tree", parts, 8.0, color="green", natural=True, symmetry=Symmetry.ROUND)


def cactus(draw: Draw) -> Thing:
    """A ribbed column with an arm on either side, the one at the right lower."""
    color, wide = draw.color("green", "#3f8a4a"), draw.uniform(0.15, 0.18)
    low, high = draw.uniform(0.3, 0.38), draw.uniform(0.5, 0.6)
    ribs = star(10, 0.16)
    rise = [(0.0, 1.0), (0.4, 1.0), (0.8, 1.0), (0.88, 0.94), (0.94, 0.8), (0.98, 0.55), (1.0, 0.15)]
    column = sweep([(0, 0, z) for z, _ in rise], [wide * r for _, r in rise], section=ribs)
    arms = []
    for side, base, tip in ((1, low, 0.75), (-1, high, 0.92)):
        line = curve([(0, 0, base), (0, 0.24 * side, base), (0, 0.34 * side, base + 0.12), (0, 0.34 * side, tip)], 5)
        arms.append(sweep(line, [0.1, 0.1, 0.1, 0.1, 0.09, 0.03], section=ribs))
    bloom = ring(6, ellipsoid(0.07, 0.04, 0.025, 8).turn(-35, "y").move(0.05)).move(z=1.01)
    parts = [(union(column, *arms), matt(dots(color, "#f0ecc4", 0.1, 0.018))), (sand(0.3), matt("#e2c890"))]
    parts.append((bloom, satin(draw.color("pink", "red", "yellow"))))
    return Thing("cactus", parts, 2.5, "green", True, Symmetry.TWO_SIDED, chiral=True, plural="cacti")


def tulip(draw: Draw) -> Thing:
    """One cup-shaped flower on a stem with two leaves."""
    color = draw.color("red", "yellow", "pink", "purple", "orange", "white")
    tall, wide = draw.uniform(0.62, 0.72), draw.uniform(0.17, 0.2)
    stem = sweep([(0, 0, 0), (0, 0, 0.5 * tall), (0, 0, tall)], 0.04, 10)
    leaf = sweep(
        curve([(0, 0.02, 0.03), (0, 0.16, 0.2), (0, 0.2, 0.4), (0, 0.3, 0.58)], 4),
        [0.5, 1.0, 0.8, 0.1],
        section=[(0.1 * u, 0.03 * v) for u, v in circle(1.0, 8)],
    )
    cup = lathe(curve([(0.04, 0.0), (wide, 0.1), (1.05 * wide, 0.2), (0.8 * wide, 0.32)], 4), 20).move(z=tall)
    petal = ellipsoid(0.05, 0.11, 0.2, 12).turn(-4, "y").move(0.86 * wide, 0, tall + 0.2)
    parts = [(stem, STEM), (ring(4, leaf), satin("#3f8a3a")), (cup, satin(color)), (ring(3, petal), satin(color))]
    tips = ring(3, ellipsoid(0.05, 0.1, 0.18, 12).move(0.7 * wide, 0, tall + 0.2), 60)
    return Thing("tulip", [*parts, (tips, satin(color))], 0.4, color=color.name, symmetry=Symmetry.ROUND)


def sunflower(draw: Draw) -> Thing:
    """Its face of seeds looks to the front, a little up."""
    color, count, size = draw.color("yellow", "#f7b81c"), draw.integer(15, 18), draw.uniform(0.2, 0.24)
    petal = ellipsoid(0.03, 0.075, 0.14, 8).move(z=size + 0.08)
    petals = union(*(petal.turn(360 * i / count, "x") for i in range(count)))
    behind = union(*(petal.turn(360 * (i + 0.5) / count, "x").move(-0.03) for i in range(count)))
    face = ellipsoid(0.07, size, size, 24).move(0.02)
    calyx = lathe([(0.05, -0.2), (0.8 * size, -0.08), (0.85 * size, -0.02)], 16).turn(90, "y")
    head = [(petals + behind, satin(color)), (face, matt(speckles("#4a2a12", "#7a4a1c", 0.03, 0.4))), (calyx, STEM)]
    stem = sweep(curve([(0, 0, 0), (0, 0, 0.5), (-0.06, 0, 0.85), (-0.05, 0, 1.05)], 4), 0.04, 10)
    leaf = ellipsoid(0.13, 0.22, 0.025, 14).move(y=0.22).turn(draw.uniform(15, 30), "x")
    parts = [(shape.turn(-15, "y").move(0.06, 0, 1.05), paint) for shape, paint in head]
    parts += [(stem, STEM), (both(leaf.move(z=0.34)), satin("#3f8a3a"))]
    return Thing("sunflower", parts, 1.6, color="yellow", natural=True)


def mushroom(draw: Draw) -> Thing:
    """A cap on a thick stalk; red and orange ones have white spots."""
    color = draw.color("red", "red", "brown", "beige", "orange")
    wide, tall = draw.uniform(0.36, 0.42), draw.uniform(0.5, 0.6)
    profile = curve([(0.12, 0.0), (0.19, 0.06), (0.14, 0.3), (0.12, tall + 0.06)], 4)
    hood = curve([(wide, tall), (0.95 * wide, tall + 0.14), (0.6 * wide, tall + 0.32), (0.0, tall + 0.4)], 4)
    cap = lathe([(0.1, tall + 0.05), (0.9 * wide, tall - 0.03), *hood], 28)
    spots = []
    for out, lift, count in ((0.93, 0.13, 8), (0.6, 0.32, 5), (0.0, 0.4, 1)):
        spots += [(x, y, tall + lift) for x, y in circle(out * wide, count)]
    skin = marks(color, "#faf6ea", spots, 0.065) if color.name in ("red", "orange") else color
    gills = split("#f0e2c4", skin, tall + 0.005)
    collar = lathe([(0.12, tall - 0.1), (0.21, tall - 0.17), (0.22, tall - 0.15), (0.12, tall - 0.05)], 18)
    parts = [(lathe(profile, 18), matt("#f4ecd8")), (cap, satin(gills)), (collar, matt("#e2d4b2"))]
    return Thing("mushroom", parts, 0.15, color=color.name, symmetry=Symmetry.ROUND)


def potted_plant(draw: Draw) -> Thing:
    """Broad leaves that bend out of a flowerpot."""
    color, count = draw.color("#c1663a", "white", "blue", "red", "yellow", "turquoise"), draw.integer(7, 9)
    pot = lathe([(0.2, 0.0), (0.28, 0.34), (0.32, 0.34), (0.32, 0.44), (0.27, 0.44), (0.26, 0.38)], 24)
    soil = cylinder(0.265, 0.02).move(z=0.39)
    outer = ring(count, blade(draw.uniform(0.46, 0.54), 0.34, 0.12, 0.12, 0.03))
    inner = ring(count - 2, blade(0.34, 0.58, 0.04, 0.11, 0.03), 25) + ring(3, blade(0.1, 0.66, 0.0, 0.09, 0.03), 10)
    young = gradient("#2f7a34", draw.color("#7cc653", "#62b050"), 0.4, 1.0)
    parts = [
        (pot, matt(color)),
        (soil, SOIL),
        (outer.move(z=0.38), satin("#2a7a35")),
        (inner.move(z=0.38), satin(young)),
    ]
    return Thing("potted plant", parts, 0.5, symmetry=Symmetry.ROUND)


PLANTS: tuple[CategoryFunction, ...] = (
    tree,
    fir_tree,
    palm_tree,
    cactus,
    tulip,
    sunflower,
    mushroom,
    potted_plant,
)
