"""What drives, sails and flies."""

from lodestone.data.worlds.categories.category import CategoryFunction
from lodestone.data.worlds.colors import Color
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import Material, glossy, marks, matt, metal, satin, split, stripes, wood
from lodestone.data.worlds.shapes import (
    Real,
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
    sweep,
    torus,
    union,
)
from lodestone.data.worlds.things import Part, Thing

__all__ = ["VEHICLES"]

RUBBER = matt("#26262a")
LAMP = glossy("#fff2b8")
TAIL_LAMP = glossy("#d81818")


def panes(color: Color) -> Material:
    """Glass that stands out from the paint around it."""
    return glossy("#cbe4f2" if color.name in ("black", "blue", "purple", "brown") else "#2a3a4a")


def accent(color: Color) -> str:
    """White, or red on white."""
    return "red" if color.name == "white" else "white"


def wheels(radius: Real, places: tuple[Real, ...], out: Real, width: Real = 0.1) -> list[Part]:
    """Pairs of tyres with hubs, at these x and at both sides."""
    half = width / 2
    tyre = lathe([(0.88 * radius, -half), (radius, -0.6 * half), (radius, 0.6 * half), (0.88 * radius, half)], 20)
    hub = lathe([(0.55 * radius, -half - 0.015), (0.55 * radius, half + 0.015)], 14)
    rubber, chrome = (union(*(both(shape.turn(90, "x").move(x, out, radius)) for x in places)) for shape in (tyre, hub))
    return [(rubber, RUBBER), (chrome, metal("silver"))]


def car(draw: Draw) -> Thing:
    """A small car with its bonnet in front."""
    color, end, tall = draw.color(), draw.uniform(0.48, 0.54), draw.uniform(0.19, 0.23)
    paint, back = glossy(color), draw.uniform(-0.12, -0.06)
    side = [(-end, 0.1), (end, 0.1), (end + 0.03, 0.18), (end - 0.02, 0.27), (0.24, 0.33), (-end, 0.34)]
    body = extrude([*side, (-end - 0.03, 0.22)], 0.46, "y")
    rectangle = [(-0.34, -0.21), (0.34, -0.21), (0.34, 0.21), (-0.34, 0.21)]
    cabin = extrude(rectangle, tall, taper=0.72).move(back, 0, 0.32 + tall / 2)
    pillar = extrude([(0.08 * x, 1.04 * y) for x, y in rectangle], tall, taper=0.72).move(back, 0, 0.32 + tall / 2)
    roof = box(0.53, 0.34, 0.05, 0.02).move(back, 0, 0.32 + tall)
    front = both(ellipsoid(0.03, 0.055, 0.04, 12).move(end + 0.01, 0.15, 0.22))
    grille = box(0.04, 0.16, 0.06).move(end + 0.01, 0, 0.19)
    rear = both(box(0.04, 0.1, 0.06).move(-end - 0.02, 0.16, 0.26))
    bumpers = box(2 * end + 0.1, 0.42, 0.05, 0.02).move(z=0.125)
    parts = [(union(body, pillar, roof), paint), (cabin, panes(color)), (front, LAMP), (grille, RUBBER)]
    parts += [(rear, TAIL_LAMP), (bumpers, metal("silver")), *wheels(0.13, (0.31, -0.31), 0.19, 0.12)]
    return Thing("car", parts, 4.2, color=color.name)


def bus(draw: Draw) -> Thing:
    """Long and high, with a row of windows along either side."""
    color, half, high = draw.color(), draw.uniform(0.56, 0.64), draw.uniform(0.44, 0.5)
    body = box(2 * half, 0.42, high, 0.05).move(z=0.1 + high / 2)
    top = high - 0.05
    count = draw.integer(4, 5)
    step = 2 * (half - 0.08) / count
    row = union(
        *(box(0.76 * step, 0.45, 0.17, 0.02).move(-half + 0.08 + step * (i + 0.5), 0, top - 0.04) for i in range(count))
    )
    windscreen = box(0.06, 0.36, 0.22, 0.02).move(half - 0.02, 0, top - 0.07)
    rear = box(0.06, 0.24, 0.12, 0.02).move(-half + 0.02, 0, top - 0.04)
    sign = box(0.06, 0.24, 0.06).move(half - 0.015, 0, top + 0.085)
    belt = box(2 * half + 0.03, 0.45, 0.05).move(z=0.24)
    lamps = both(ellipsoid(0.03, 0.05, 0.04, 12).move(half, 0.13, 0.17))
    tails = both(box(0.04, 0.06, 0.08).move(-half, 0.14, 0.32))
    parts = [(body, glossy(color)), (union(row, windscreen, rear), panes(color)), (belt, satin(accent(color)))]
    parts += [(sign, satin("#f6a81c")), (lamps, LAMP), (tails, TAIL_LAMP)]
    return Thing("bus", [*parts, *wheels(0.11, (0.6 * half, -0.6 * half), 0.18, 0.1)], 11.0, color=color.name)


def truck(draw: Draw) -> Thing:
    """A cab in front of a large box for the load."""
    color, half, high = draw.color(), draw.uniform(0.36, 0.42), draw.uniform(0.46, 0.54)
    cab = extrude([(0, 0.1), (0.27, 0.1), (0.28, 0.3), (0.2, 0.52), (0, 0.52)], 0.4, "y").move(x=half)
    load = box(2 * half, 0.46, high, 0.02).move(-0.09, 0, 0.18 + high / 2)
    frame = box(2 * half + 0.3, 0.3, 0.1).move(x=0.05, z=0.13)
    stripe = box(2 * half - 0.08, 0.48, 0.12).move(-0.09, 0, 0.18 + 0.5 * high)
    doors = both(box(0.04, 0.17, high - 0.1).move(-half - 0.09, 0.1, 0.18 + high / 2))
    windscreen = box(0.03, 0.34, 0.19, 0.01).turn(-20, "x").turn(20, "x").turn(-20, "y").move(half + 0.235, 0, 0.4)
    windows = box(0.12, 0.43, 0.15, 0.02).move(half + 0.11, 0, 0.41)
    lamps = both(ellipsoid(0.03, 0.05, 0.04, 12).move(half + 0.275, 0.13, 0.2))
    grille = box(0.05, 0.16, 0.09).move(half + 0.265, 0, 0.22)
    parts = [(union(cab, load), glossy(color)), (frame, RUBBER), (stripe, satin(accent(color)))]
    parts += [(union(windscreen, windows), panes(color)), (doors, metal("silver")), (lamps, LAMP), (grille, RUBBER)]
    return Thing("truck", [*parts, *wheels(0.12, (half + 0.1, -0.13, -half + 0.05), 0.18)], 7.5, color=color.name)


def fire_engine(draw: Draw) -> Thing:
    """Red with a white belt, blue lights on the cab and a ladder on the roof."""
    color, half, tilt = draw.color("red"), draw.uniform(0.38, 0.44), draw.uniform(4, 9)
    cab = extrude([(0, 0.1), (0.29, 0.1), (0.29, 0.3), (0.24, 0.54), (0, 0.54)], 0.42, "y").move(x=half - 0.02)
    body = box(2 * half, 0.44, 0.36, 0.02).move(-0.02, 0, 0.29)
    belt = box(2 * half + 0.32, 0.46, 0.06).move(0.12, 0, 0.2)
    shutters = union(*(box(0.46 * half, 0.47, 0.17).move(-0.02 + 0.62 * half * i, 0, 0.35) for i in (-1, 0, 1)))
    windscreen = box(0.03, 0.36, 0.18).turn(-12, "y").move(half + 0.245, 0, 0.41)
    windows = box(0.15, 0.445, 0.15).move(half + 0.11, 0, 0.41)
    rear = box(0.04, 0.24, 0.2).move(-half - 0.02, 0, 0.35)
    tails = both(box(0.04, 0.06, 0.12).move(-half - 0.02, 0.17, 0.33))
    blue = both(cylinder(0.05, 0.07, 12).move(half + 0.1, 0.13, 0.53))
    rungs = union(*(box(0.03, 0.2, 0.03).move(-0.5 + 0.125 * i) for i in range(9)))
    ladder = union(both(box(1.16, 0.035, 0.05).move(y=0.1)), rungs).turn(tilt, "y").move(-0.08, 0, 0.6)
    rest = box(0.08, 0.14, 0.14).move(-0.25, 0, 0.53)
    lamps = both(ellipsoid(0.03, 0.05, 0.04, 12).move(half + 0.265, 0.13, 0.27))
    parts = [(union(cab, body), glossy(color)), (belt, satin("white")), (union(shutters, rest, rear), metal("silver"))]
    parts += [(union(windscreen, windows), glossy("#2a3a4a")), (blue, glossy("#2b6cf0")), (ladder, metal("silver"))]
    parts += [(lamps, LAMP), (tails, glossy("#f0a020")), *wheels(0.12, (half + 0.1, -0.55 * half), 0.18)]
    return Thing("fire engine", parts, 8.0, color="red", natural=True)


def train(draw: Draw) -> Thing:
    """A steam locomotive: boiler and chimney in front, the driver's cab behind."""
    color, thick, tall = draw.color(), draw.uniform(0.16, 0.19), draw.uniform(0.16, 0.24)
    trim = draw.color("red", "gold") if color.name not in ("red", "yellow", "orange") else draw.color("black", "gold")
    boiler = lathe([(thick, -0.15), (thick, 0.4), (0.9 * thick, 0.44)], 24).turn(90, "y").move(z=0.4)
    front = lathe([(0.8 * thick, 0.4), (0.8 * thick, 0.455), (0.0, 0.48)], 20).turn(90, "y").move(z=0.4)
    bands = union(*(lathe([(thick + 0.015, x), (thick + 0.015, x + 0.035)], 24) for x in (0.02, 0.2, 0.36)))
    cab = box(0.3, 0.42, 0.46).move(-0.3, 0, 0.43)
    windows = union(box(0.14, 0.45, 0.14), box(0.33, 0.28, 0.12)).move(-0.3, 0, 0.54)
    roof = box(0.4, 0.5, 0.05, 0.02).move(-0.3, 0, 0.68)
    chimney = lathe([(0.05, 0.5), (0.05, 0.56 + tall), (0.09, 0.64 + tall), (0.07, 0.64 + tall)], 16).move(x=0.32)
    dome = ellipsoid(0.07, 0.07, 0.11, 14).move(0.08, 0, 0.38 + thick)
    frame = box(0.96, 0.34, 0.1).move(z=0.2)
    catcher = extrude([(0.44, 0.03), (0.62, 0.03), (0.5, 0.19), (0.44, 0.19)], 0.32, "y")
    lamp = ellipsoid(0.04, 0.06, 0.06, 12).move(0.46, 0, 0.44 + thick)
    parts = [(union(boiler, cab), glossy(color)), (bands.turn(90, "y").move(z=0.4), satin(trim))]
    parts += [(union(chimney, frame, front, roof), satin("#2a2a2e")), (windows, panes(color)), (dome, metal("gold"))]
    parts += [
        (lamp, LAMP),
        (catcher, satin(stripes(trim, "#2a2a2e", 0.08, "y"))),
        *wheels(0.14, (-0.36, -0.04), 0.19, 0.07),
        *wheels(0.1, (0.2, 0.42), 0.19, 0.07),
    ]
    return Thing("train", parts, 9.0, color=color.name)


def tractor(draw: Draw) -> Thing:
    """Huge wheels behind, small ones in front of a narrow bonnet."""
    color, high = draw.color(), draw.uniform(0.3, 0.36)
    hub = "yellow" if color.name not in ("yellow", "orange", "white") else "red"
    tread = [0.29 if i % 4 < 2 else 0.26 for i in range(56)]
    tyre = extrude([(r * x, r * y) for r, (x, y) in zip(tread, circle(1.0, 56), strict=True)], 0.15, "y")
    rim = lathe([(0.16, -0.09), (0.16, 0.09)], 18).turn(90, "x")
    bonnet = box(0.54, 0.24, 0.24, 0.04).move(0.28, 0, 0.38)
    base = box(0.5, 0.24, 0.24, 0.03).move(-0.22, 0, 0.34)
    fenders = both(box(0.36, 0.17, 0.06, 0.02).move(-0.26, 0.25, 0.6))
    cab = extrude([(-0.42, 0.44), (-0.02, 0.44), (-0.07, 0.5 + high), (-0.38, 0.5 + high)], 0.32, "y")
    ends = [((-0.42, 0.15, 0.44), (-0.38, 0.15, 0.5 + high)), ((-0.02, 0.15, 0.44), (-0.07, 0.15, 0.5 + high))]
    posts = both(union(*(capsule(low, top, 0.025, segments=8) for low, top in ends)))
    roof = box(0.46, 0.42, 0.06, 0.025).move(-0.23, 0, 0.52 + high)
    pipe = cylinder(0.03, 0.3, 10).move(0.38, 0, 0.48)
    grille = box(0.05, 0.18, 0.16).move(0.54, 0, 0.37)
    lamps = both(ellipsoid(0.03, 0.04, 0.04, 10).move(0.56, 0.07, 0.44))
    parts = [(union(bonnet, base, fenders, posts, roof), glossy(color)), (cab, panes(color)), (grille + pipe, RUBBER)]
    parts += [(both(tyre.move(-0.26, 0.26, 0.29)), RUBBER), (both(rim.move(-0.26, 0.26, 0.29)), satin(hub))]
    front, chrome = wheels(0.15, (0.4,), 0.2, 0.1)
    parts += [front, (chrome[0], satin(hub)), (box(0.08, 0.36, 0.08).move(0.4, 0, 0.2), RUBBER), (lamps, LAMP)]
    return Thing("tractor", parts, 4.0, color=color.name)


def bicycle(draw: Draw) -> Thing:
    """Two thin wheels, a frame, a saddle, and a handlebar in front."""
    color, radius = draw.color(), draw.uniform(0.25, 0.28)
    hub, crank, seat, head = (-0.36, 0, radius), (-0.07, 0, 0.24), (-0.17, 0, 0.58), (0.24, 0, 0.58)
    front, bar = (0.38, 0, radius), (0.2, 0, 0.7)
    pairs = ((hub, crank), (hub, seat), (crank, seat), (crank, head), (seat, head), (front, head))
    frame = union(*(capsule(a, b, 0.028, segments=8) for a, b in pairs))
    posts = union(capsule(seat, (-0.195, 0, 0.68), 0.022, segments=8), capsule(head, bar, 0.025, segments=8))
    saddle = ellipsoid(0.13, 0.065, 0.04, 14).move(-0.18, 0, 0.7)
    grip = both(sweep(curve([(0.2, 0, 0.7), (0.22, 0.12, 0.72), (0.12, 0.2, 0.71), (0.07, 0.21, 0.7)], 3), 0.025, 8))
    tyre = torus(radius - 0.03, 0.03, 28, 8).turn(90, "x")
    spokes = ring(8, capsule((0, 0, 0), (radius - 0.03, 0, 0), 0.011, segments=6)).turn(90, "x")
    cog = lathe([(0.07, -0.02), (0.07, 0.02)], 16).turn(90, "x").move(*crank)
    pedal = capsule((0, 0.05, 0), (0.1, 0.05, -0.06), 0.018, segments=6) + box(0.09, 0.08, 0.03).move(0.1, 0.09, -0.06)
    pedals = (pedal + pedal.turn(180, "y").mirror("y")).move(*crank)
    parts = [(frame, glossy(color)), (union(*(tyre.move(*at) for at in (hub, front))), RUBBER)]
    parts += [(union(posts, grip, cog, *(spokes.move(*at) for at in (hub, front))), metal("silver"))]
    return Thing("bicycle", [*parts, (saddle + pedals, matt("#35302e"))], 1.7, color=color.name)


def airplane(draw: Draw) -> Thing:
    """An airliner on its wheels, with swept wings and an engine below either wing."""
    color, thick, span = draw.color(), draw.uniform(0.1, 0.115), draw.uniform(0.56, 0.64)
    line = [(0.02, -0.6), (0.6 * thick, -0.45), (thick, -0.2), (thick, 0.32), (0.75 * thick, 0.46), (0.0, 0.54)]
    body = lathe(curve(line, 3), 20).turn(90, "y").move(z=0.26)
    places = [(-0.25 + 0.1 * i, side * thick, 0.29) for i in range(6) for side in (-1, 1)]
    glass = "#2a3a4a" if color.name not in ("black", "blue", "purple", "brown") else "#e4f1f8"
    nose = [(0.5, 0.05, 0.32), (0.5, -0.05, 0.32), (0.5, 0, 0.32)]
    paint = split(accent(color), marks(marks(color, glass, places, 0.026), glass, nose, 0.05), 0.2)
    wing = extrude([(0.18, 0.05), (-0.1, 0.05), (-0.24, span), (-0.13, span)], 0.035).turn(6, "x").move(z=0.22)
    tail = extrude([(-0.42, 0.02), (-0.56, 0.02), (-0.64, 0.24), (-0.56, 0.24)], 0.03).move(z=0.3)
    fin = extrude([(-0.36, 0.3), (-0.56, 0.3), (-0.66, 0.6), (-0.55, 0.6)], 0.04, "y")
    engine = lathe([(0.035, -0.1), (0.06, -0.05), (0.06, 0.09), (0.045, 0.09), (0.04, 0.07)], 14).turn(90, "y")
    engines = both(engine.move(0.08, 0.25, 0.17))
    gear = union(box(0.04, 0.04, 0.16).move(0.36, 0, 0.12), both(box(0.04, 0.04, 0.2).move(-0.06, 0.1, 0.14)))
    tyre = lathe([(0.05, -0.025), (0.05, 0.025)], 12).turn(90, "x")
    tyres = tyre.move(0.36, 0, 0.05) + both(tyre.move(-0.06, 0.1, 0.05))
    parts = [(body, glossy(paint)), (both(wing), metal("silver")), (both(tail) + fin, glossy(color))]
    parts += [(engines, glossy(color)), (gear, metal("gray")), (tyres, RUBBER)]
    return Thing("airplane", parts, 35.0, color=color.name)


def helicopter(draw: Draw) -> Thing:
    """A glass nose, a large rotor above, a thin tail behind, and skids."""
    color, girth, count = draw.color(), draw.uniform(0.21, 0.24), draw.choice([2, 4])
    glass = panes(color).paint
    cabin = ellipsoid(0.34, girth, 0.23, 24).move(0.12, 0, 0.34)
    boom = capsule((-0.06, 0, 0.38), (-0.62, 0, 0.46), 0.11, 0.035, 12)
    fin = extrude([(-0.52, 0.42), (-0.64, 0.36), (-0.74, 0.64), (-0.66, 0.64)], 0.045, "y")
    tail = both(box(0.12, 0.18, 0.03).move(-0.5, 0.08, 0.45))
    spinner = ring(4, box(0.04, 0.16, 0.025).move(y=0.08).turn(20)).turn(90, "x").move(-0.66, 0.045, 0.52)
    mast = cone(0.09, 0.04, 0.16, 12).move(0.06, 0, 0.52)
    blades = ring(count, box(0.56, 0.08, 0.025).move(x=0.28), draw.uniform(20, 40)).move(0.06, 0, 0.68)
    cap = ellipsoid(0.07, 0.07, 0.035, 12).move(0.06, 0, 0.685)
    skid = sweep(curve([(-0.24, 0.2, 0.03), (0.3, 0.2, 0.03), (0.4, 0.2, 0.06), (0.45, 0.2, 0.13)], 3), 0.03, 8)
    struts = union(*(capsule((x, 0.2, 0.03), (x, 0.1, 0.24), 0.025, segments=8) for x in (-0.06, 0.24)))
    door = both(box(0.16, 0.03, 0.16, 0.01).move(0.08, 0.96 * girth, 0.38))
    parts = [(cabin, glossy(split(color, glass, 0.2, "x"))), (union(boom, fin, tail, mast), glossy(color))]
    parts += [(union(blades, cap, spinner, both(skid + struts)), satin("#3a3d42")), (door, glossy(glass))]
    return Thing("helicopter", parts, 12.0, color=color.name)


def sailboat(draw: Draw) -> Thing:
    """Bow in front; its sails are swung towards the right of a picture of its front."""
    color, tall, swing = draw.color(), draw.uniform(0.86, 0.98), draw.uniform(28, 40)
    deck = curve([(0.6, 0.0), (0.34, 0.19), (-0.1, 0.26), (-0.48, 0.19)], 4)
    outline = [(0.8 * x, 0.7 * y) for x, y in [*deck, *((x, -y) for x, y in deck[:0:-1])]]
    hull = extrude(outline, 0.26, taper=1.25).move(z=0.13)
    planks = extrude([(1.18 * x, 1.1 * y) for x, y in outline], 0.02).move(z=0.262)
    cabin = box(0.26, 0.2, 0.1, 0.03).move(-0.06, 0, 0.31)
    mast = cylinder(0.025, tall, 10).move(0.1, 0, 0.2)
    boom = capsule((0, 0, 0), (-0.5, 0, 0), 0.022, segments=8)
    main = extrude([(-0.02, 0.03), (-0.52, 0.03), (-0.34, 0.36), (-0.02, tall - 0.28)], 0.025, "y")
    rig = (boom + main).turn(-swing).move(0.1, 0, 0.42)
    jib = extrude([(0.0, 0.0), (-0.38, 0.04), (-0.36, tall - 0.36)], 0.025, "y").turn(-0.6 * swing).move(0.5, 0, 0.32)
    cloth = matt("white" if color.name != "white" else "beige")
    parts = [(hull, glossy(split("#f2f2ef" if color.name != "white" else "red", color, 0.06))), (jib, matt(color))]
    parts += [(planks, satin(wood())), (cabin, satin("white")), (mast, satin("#8a5f35")), (rig, cloth)]
    return Thing("sailboat", parts, 8.0, color=color.name, chiral=True)


def rocket(draw: Draw) -> Thing:
    """Upright on its fins, with a round window in front."""
    color, wide, tall = draw.color(), draw.uniform(0.19, 0.23), draw.uniform(1.0, 1.12)
    trim = (
        draw.color("red", "orange", "blue")
        if color.name in ("white", "gray", "black")
        else draw.color("white", "yellow")
    )
    if trim.name == color.name:
        trim = draw.color("white")
    line = [(0.7 * wide, 0.14), (wide, 0.45), (0.95 * wide, 0.7), (0.62 * wide, 0.92), (0.0, tall + 0.1)]
    body = lathe(curve(line, 5), 24)
    nozzle = lathe([(0.75 * wide, 0.04), (0.5 * wide, 0.16)], 18)
    fin = extrude(
        [(0.6 * wide, 0.2), (wide + 0.2, 0.0), (wide + 0.24, 0.0), (wide + 0.2, 0.22), (0.8 * wide, 0.48)], 0.045, "y"
    )
    window = lathe([(0.1, -0.1), (0.1, 0.015), (0.07, 0.015)], 20).turn(90, "y").move(wide, 0, 0.62)
    pane = lathe([(0.072, -0.1), (0.06, 0.03)], 20).turn(90, "y").move(wide, 0, 0.62)
    parts = [(body, glossy(split(color, trim, 0.86))), (ring(4, fin, 45), glossy(trim)), (nozzle, metal("gray"))]
    return Thing("rocket", [*parts, (window, metal("gold")), (pane, glossy("#8fd0f2"))], 30.0, color=color.name)


VEHICLES: tuple[CategoryFunction, ...] = (
    car,
    bus,
    truck,
    fire_engine,
    train,
    tractor,
    bicycle,
    airplane,
    helicopter,
    sailboat,
    rocket,
)
