"""What stands in a room or a garden to sit, lie, work and keep things."""

from lodestone.data.worlds.categories.category import CategoryFunction
from lodestone.data.worlds.colors import Color
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import Material, matt, metal, satin, split, wood
from lodestone.data.worlds.shapes import (
    Shape,
    arc,
    both,
    box,
    capsule,
    curve,
    cylinder,
    ellipsoid,
    lathe,
    ring,
    sweep,
    torus,
    union,
)
from lodestone.data.worlds.things import Stand, Symmetry, Thing

__all__ = ["FURNITURE"]


def lacquer(color: Color, grain: str = "y") -> Material:
    """Paint, or wood whose grain runs along an axis if it is brown."""
    return satin(wood("#915c32", "#754722", 0.13, grain) if color.name == "brown" else color)


def four(shape: Shape) -> Shape:
    """A leg at each corner, from the one at +x and +y."""
    return both(both(shape, "x"))


def chair(draw: Draw) -> Thing:
    """A seat on four legs with a back of slats."""
    color, half, seat = draw.color(), draw.uniform(0.23, 0.27), draw.uniform(0.44, 0.5)
    top, leg = seat + draw.uniform(0.48, 0.58), 0.06
    board = box(2 * half + 0.04, 2 * half + 0.04, 0.06, 0.02).move(z=seat)
    legs = four(box(leg, leg, seat).move(half - 0.03, half - 0.03, seat / 2))
    posts = both(box(leg, leg, top - seat).move(-half + 0.03, half - 0.03, (seat + top) / 2))
    rail = box(0.05, 2 * half + 0.02, 0.13, 0.02).move(-half + 0.03, 0, top - 0.05)
    slats = union(
        *(box(0.035, 0.05, top - seat).move(-half + 0.03, y, (seat + top) / 2 - 0.03) for y in (-0.1, 0, 0.1))
    )
    bars = both(box(2 * half - 0.1, 0.035, 0.035).move(0, half - 0.03, 0.2))
    cushion = box(2 * half - 0.08, 2 * half - 0.08, 0.06, 0.03).move(0.02, 0, seat + 0.045)
    cloth = draw.color("white", "beige", "red", "blue") if color.name != "white" else draw.color("red", "blue")
    wooden = union(board, legs, posts, rail, slats, bars)
    parts = [(wooden, lacquer(color)), (cushion, matt(cloth if cloth.name != color.name else "white"))]
    return Thing("chair", parts, 0.95, color=color.name, stand=Stand(seat + 0.075, half - 0.06, x=0.02))


def table(draw: Draw) -> Thing:
    """A long board on four legs."""
    color, x, y, high = draw.color(), draw.uniform(0.32, 0.38), draw.uniform(0.52, 0.62), draw.uniform(0.52, 0.6)
    board = box(2 * x, 2 * y, 0.07, 0.02).move(z=high - 0.035)
    legs = four(box(0.085, 0.085, high - 0.05).move(x - 0.07, y - 0.07, (high - 0.05) / 2))
    apron = both(box(0.04, 2 * y - 0.16, 0.09).move(x - 0.07, 0, high - 0.1), "x")
    sides = both(box(2 * x - 0.16, 0.04, 0.09).move(0, y - 0.07, high - 0.1))
    parts = [(board, lacquer(color)), (union(legs, apron, sides), lacquer(color))]
    return Thing("table", parts, 1.5, color=color.name, symmetry=Symmetry.TWO_SIDED, stand=Stand(high, x - 0.02))


def bed(draw: Draw) -> Thing:
    """Its foot is in front, its head with the pillows behind."""
    color, wide, long = draw.color(), draw.uniform(0.36, 0.46), draw.uniform(0.6, 0.66)
    frame = satin(wood("#915c32", "#754722", 0.13, "y")) if color.name != "brown" else satin("#e4dccb")
    posts = both(
        box(0.08, 0.08, 0.56, 0.02).move(-long, wide, 0.28) + box(0.08, 0.08, 0.36, 0.02).move(long, wide, 0.18)
    )
    rods = union(*(box(0.04, 0.05, 0.34).move(-long, wide * (i / 3 - 1), 0.34) for i in range(7)))
    head = union(rods, box(0.06, 2 * wide, 0.07, 0.02).move(-long, 0, 0.51))
    boards = box(0.05, 2 * wide, 0.22, 0.02).move(long, 0, 0.2) + box(2 * long, 2 * wide + 0.03, 0.12).move(z=0.14)
    mattress = box(2 * long - 0.06, 2 * wide, 0.16, 0.05).move(z=0.25)
    blanket = box(1.35 * long, 2 * wide + 0.05, 0.2, 0.06).move(0.3 * long, 0, 0.26)
    fold = box(0.16, 2 * wide + 0.06, 0.06, 0.03).move(-0.36 * long, 0, 0.36)
    pillows = both(box(0.26, 0.86 * wide, 0.12, 0.06).turn(12, "y").move(-0.76 * long, 0.5 * wide, 0.37))
    parts = [(union(posts, head, boards), frame), (union(mattress, pillows, fold), matt("#f4f2ec"))]
    stand = Stand(0.36, wide - 0.04, x=0.3 * long)
    return Thing("bed", [*parts, (blanket, matt(color))], 2.1, color=color.name, stand=stand)


def sofa(draw: Draw) -> Thing:
    """Soft, with a back, two arms and two cushions."""
    color, wide, tall = draw.color(), draw.uniform(0.52, 0.64), draw.uniform(0.52, 0.6)
    base = box(0.5, 2 * wide, 0.2, 0.04).move(z=0.17)
    seats = both(box(0.46, 0.98 * wide - 0.06, 0.13, 0.05).move(0.04, 0.49 * wide - 0.03, 0.32))
    back = box(0.18, 2 * wide, tall - 0.07, 0.07).turn(-8, "y").move(-0.2, 0, 0.09 + tall / 2)
    rests = both(box(0.13, 0.98 * wide - 0.06, 0.26, 0.06).turn(-10, "y").move(-0.08, 0.49 * wide - 0.03, 0.48))
    arms = both(box(0.54, 0.15, 0.36, 0.07).move(0.01, wide, 0.26))
    legs = both(both(cylinder(0.035, 0.1, 8).move(0.2, wide - 0.04)), "x")
    second = draw.color("white", "yellow", "orange", "turquoise")
    toss = both(box(0.11, 0.22, 0.22, 0.05).turn(35, "x").turn(-15, "y").move(0.05, wide - 0.2, 0.5))
    cloth = matt(color)
    parts = [(union(base, back, arms), cloth), (seats + rests, cloth), (legs, satin("#5a3a20"))]
    parts += [(toss, matt(second if second.name != color.name else "beige"))]
    return Thing("sofa", parts, 2.0, color=color.name)


def lamp(draw: Draw) -> Thing:
    """A table lamp: a shade on a foot."""
    color, low, high = draw.color(), draw.uniform(0.32, 0.4), draw.uniform(0.16, 0.24)
    foot = draw.choice(
        [
            [(0.22, 0.0), (0.22, 0.04), (0.05, 0.08), (0.035, 0.6)],
            [(0.14, 0.0), (0.15, 0.05), (0.22, 0.2), (0.16, 0.38), (0.06, 0.46), (0.05, 0.6)],
        ]
    )
    shade = lathe([(low, 0.52), (high, 0.98), (high - 0.02, 0.96), (low - 0.02, 0.53)], 28, loop=True)
    bulb = ellipsoid(0.08, 0.08, 0.11, 14).move(z=0.66)
    rim = union(torus(low, 0.016, 28, 6).move(z=0.525), torus(high, 0.016, 28, 6).move(z=0.975))
    stem = cylinder(0.03, 0.42, 8).move(z=0.5) + ellipsoid(0.04, segments=8).move(z=0.95)
    brass = metal("gold") if color.name not in ("yellow", "orange", "brown") else metal("gray")
    parts = [(shade, matt(color)), (lathe(foot, 20) + stem, brass), (bulb, matt("#fff3b0")), (rim, brass)]
    return Thing("lamp", parts, 0.5, color=color.name, symmetry=Symmetry.ROUND)


def bookshelf(draw: Draw) -> Thing:
    """Boards between four posts, full of books whose backs are in front."""
    color, wide, tall, rows = draw.color(), draw.uniform(0.32, 0.4), draw.uniform(1.0, 1.2), draw.integer(3, 4)
    step = (tall - 0.1) / rows
    boards = union(*(box(0.3, 2 * wide, 0.05).move(z=0.08 + step * i) for i in range(rows)))
    posts = four(box(0.06, 0.06, tall).move(0.14, wide, tall / 2))
    top = box(0.38, 2 * wide + 0.1, 0.06, 0.02).move(z=tall)
    tints = [tint for tint in ("red", "yellow", "blue", "green", "white", "orange") if tint != color.name][:5]
    books: list[list[Shape]] = [[] for _ in tints]
    for row in range(rows):
        y = -wide + 0.045
        while y < wide - 0.12:
            thick, high = draw.uniform(0.055, 0.085), step * draw.uniform(0.62, 0.82)
            book = box(0.24, thick - 0.006, high).move(0.0, y + thick / 2, 0.1 + step * row + high / 2)
            draw.choice(books).append(book)
            y += thick
    parts = [(boards + top, lacquer(color)), (posts, lacquer(color, "z"))]
    parts += [(union(*e), matt(split("#efe4cb", t, -0.1, "x"))) for e, t in zip(books, tints, strict=True) if e]
    stand = Stand(tall + 0.03, 0.17)
    return Thing("bookshelf", parts, 1.9, color=color.name, plural="bookshelves", stand=stand)


def desk(draw: Draw) -> Thing:
    """A writing desk; its drawers and the room for the knees are in front."""
    color, y, high = draw.color(), draw.uniform(0.54, 0.62), draw.uniform(0.52, 0.6)
    top = box(0.64, 2 * y, 0.06, 0.015).move(z=high - 0.03)
    chests = both(box(0.54, 0.36, high - 0.18).move(0.0, y - 0.22, 0.14 + (high - 0.18) / 2))
    legs = four(box(0.07, 0.07, 0.2).move(0.23, y - 0.075, 0.1)) + four(box(0.07, 0.07, 0.2).move(0.23, y - 0.365, 0.1))
    panel = box(0.04, 2 * y - 0.5, 0.3).move(-0.22, 0, high - 0.19)
    count = draw.integer(2, 3)
    step = (high - 0.2) / count
    places = [(y - 0.22, 0.15 + step * (i + 0.5)) for i in range(count)]
    fronts = both(union(*(box(0.03, 0.3, step - 0.03).move(0.275, *at) for at in places)))
    knobs = both(union(*(ellipsoid(0.03, segments=8).move(0.305, *at) for at in places)))
    pale = "#e9dcc0" if color.name not in ("white", "yellow") else "#a87442"
    middle = box(0.03, 2 * y - 0.86, 0.09).move(0.25, 0, high - 0.1)
    parts = [(union(top, chests, panel, legs), lacquer(color)), (fronts + middle, satin(pale)), (knobs, metal("gray"))]
    return Thing("desk", parts, 1.4, color=color.name, stand=Stand(high, 0.28))


def stool(draw: Draw) -> Thing:
    """A round seat on four splayed legs with a ring between them."""
    color, high, wide = draw.color(), draw.uniform(0.7, 0.9), draw.uniform(0.25, 0.29)
    seat = lathe([(0.9 * wide, high - 0.08), (wide, high - 0.06), (wide, high - 0.02), (0.9 * wide, high)], 28)
    legs = ring(4, capsule((wide + 0.02, 0, 0.03), (0.6 * wide, 0, high - 0.06), 0.034, segments=10), 45)
    bar = torus(0.88 * wide, 0.022, 24, 8).move(z=0.34 * high)
    metallic = draw.chance(0.5)
    under = (
        metal("silver")
        if metallic and color.name not in ("gray", "white")
        else satin(wood("#b98a54", "#94683a", 0.1, "z"))
    )
    parts = [(seat, lacquer(color)), (legs, lacquer(color, "z")), (bar, under)]
    return Thing("stool", parts, 0.65, color=color.name, symmetry=Symmetry.ROUND, stand=Stand(high, 0.85 * wide))


def wardrobe(draw: Draw) -> Thing:
    """Tall, with two doors and a drawer in front."""
    color, wide, tall = draw.color(), draw.uniform(0.34, 0.4), draw.uniform(1.05, 1.2)
    body = box(0.4, 2 * wide, tall - 0.08).move(z=0.08 + (tall - 0.08) / 2)
    crown = box(0.48, 2 * wide + 0.1, 0.07, 0.02).move(z=tall)
    base = box(0.44, 2 * wide + 0.05, 0.07).move(z=0.12)
    feet = four(box(0.08, 0.08, 0.12).move(0.15, wide - 0.06, 0.06))
    high, middle = tall - 0.44, 0.37 + (tall - 0.44) / 2
    doors = both(box(0.03, wide - 0.05, high).move(0.2, wide / 2, middle))
    panels = both(box(0.05, wide - 0.15, high - 0.12).move(0.2, wide / 2, middle))
    drawer = box(0.03, 2 * wide - 0.07, 0.16).move(0.2, 0, 0.25)
    sides, fields = (
        both(box(x, y, tall - z).move(0, wide, middle - 0.06)) for x, y, z in ((0.3, 0.03, 0.32), (0.2, 0.05, 0.42))
    )
    backing = box(0.02, 1.84 * wide, tall - 0.26).move(-0.2, 0, 0.6 * tall - 0.04)
    plank = box(0.04, 0.42 * wide, tall - 0.26).move(-0.2, 0, 0.6 * tall - 0.04)
    planks = both(union(*(plank.move(y=share * wide) for share in (0.23, 0.69))))
    grips = both(box(0.07, 0.03, 0.16, 0.012).move(0.21, 0.06, 0.64))
    knobs = both(ellipsoid(0.028, segments=8).move(0.225, 0.5 * wide, 0.25))
    pale = satin("#e9dcc0" if color.name not in ("white", "yellow") else "#a87442")
    parts = [(union(body, crown, base, feet), lacquer(color, "z")), (union(doors, drawer, sides, backing), pale)]
    parts += [(union(panels, fields, planks), lacquer(color, "z")), (grips + knobs, metal("gold"))]
    return Thing("wardrobe", parts, 2.0, color=color.name)


def bench(draw: Draw) -> Thing:
    """A garden bench: slats for seat and back between two iron sides."""
    color, wide, seat = draw.color(), draw.uniform(0.55, 0.65), draw.uniform(0.34, 0.38)
    iron = satin("#2c2f33" if color.name != "black" else "#9a9da2")
    slats = union(*(box(0.09, 2 * wide, 0.045, 0.012).move(x, 0, seat) for x in (-0.14, -0.03, 0.08, 0.19)))
    back = union(
        *(box(0.045, 2 * wide, 0.09, 0.012).move(-0.2 - 0.2 * (z - 0.1), 0, seat + z) for z in (0.13, 0.26, 0.39))
    )
    leg = union(
        capsule((0.19, 0, 0.03), (0.16, 0, seat - 0.04), 0.032, segments=8),
        capsule((-0.24, 0, 0.03), (-0.16, 0, seat - 0.04), 0.032, segments=8),
    )
    post = capsule((-0.17, 0, seat - 0.04), (-0.28, 0, seat + 0.42), 0.03, segments=8)
    arm = sweep(
        curve([(-0.22, 0, seat + 0.2), (0.1, 0, seat + 0.2), (0.22, 0, seat + 0.15), (0.17, 0, seat - 0.04)], 3),
        0.03,
        8,
    )
    bar = capsule((-0.17, 0, seat - 0.045), (0.18, 0, seat - 0.045), 0.03, segments=8)
    sides = both(union(leg, post, arm, bar).move(y=wide - 0.06))
    parts = [(slats + back, lacquer(color)), (sides, iron)]
    return Thing("bench", parts, 1.6, color=color.name, plural="benches", stand=Stand(seat + 0.022, 0.17, x=0.04))


def rocking_chair(draw: Draw) -> Thing:
    """An armchair of rods on two curved rockers."""
    color, half, tall = draw.color(), draw.uniform(0.24, 0.28), draw.uniform(0.6, 0.7)
    rocker = both(sweep(arc(0.9, -125, -55, 12, (0, half, 0.935), "y"), 0.035, 8))
    seat = box(0.5, 2 * half + 0.06, 0.06, 0.025).turn(4, "y").move(0.02, 0, 0.4)
    lines = [((0.2, half - 0.02, 0.05), (0.2, half, 0.6)), ((-0.2, half - 0.02, 0.05), (-0.2, half - 0.02, 0.4))]
    lines += [((-0.2, half - 0.02, 0.38), (-0.4, half - 0.02, 0.4 + tall)), ((-0.26, half, 0.6), (0.24, half, 0.6))]
    rods = both(union(*(capsule(a, b, 0.032, segments=8) for a, b in lines)))
    slats = union(*(capsule((-0.2, y, 0.4), (-0.39, y, 0.36 + tall), 0.024, segments=8) for y in (-0.11, 0, 0.11)))
    rail = box(0.06, 2 * half, 0.16, 0.025).turn(-16, "y").move(-0.4, 0, 0.37 + tall)
    cushion = box(0.42, 2 * half - 0.04, 0.07, 0.035).turn(4, "y").move(0.03, 0, 0.445)
    cloth = draw.color("red", "blue", "green", "white")
    parts = [(union(rocker, seat, rods, slats, rail), lacquer(color))]
    parts += [(cushion, matt(cloth if cloth.name != color.name else "beige"))]
    return Thing("rocking chair", parts, 1.1, color=color.name)


FURNITURE: tuple[CategoryFunction, ...] = (
    chair,
    table,
    bed,
    sofa,
    lamp,
    bookshelf,
    desk,
    stool,
    wardrobe,
    bench,
    rocking_chair,
)
