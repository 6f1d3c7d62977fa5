"""Animals."""

import math

import torch
from torch import Tensor

from lodestone.data.worlds.categories.category import CategoryFunction
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import Paint, Pattern, dots, glossy, marks, matt, satin, speckles, split, stripes
from lodestone.data.worlds.shapes import (
    Real,
    Shape,
    both,
    capsule,
    cone,
    curve,
    cylinder,
    ellipsoid,
    extrude,
    lathe,
    superquadric,
    sweep,
    torus,
    union,
)
from lodestone.data.worlds.things import Part, Thing

__all__ = ["ANIMALS"]

BLACK = glossy("#17171a")
ORANGE = satin("#f08a1c")
ROSE = satin("#ee9fae")


def eyes(x: Real, y: Real, z: Real, radius: Real) -> list[Part]:
    """Two white eyes with black pupils that look ahead and aside."""
    white = both(ellipsoid(radius, segments=12).move(x, y, z))
    pupils = both(ellipsoid(0.66 * radius, segments=10).move(x + 0.5 * radius, y + 0.24 * radius, z))
    return [(white, glossy("#fbfbf8")), (pupils, BLACK)]


def legs(front: Real, back: Real, apart: Real, height: Real, radius: Real, foot: Real) -> Shape:
    """Four legs that stand on z = 0 and end at this height."""
    leg = capsule((0, apart, foot), (0, apart, height), foot, radius)
    return both(leg.move(front) + leg.move(back))


def spiral(color: Paint, line: Paint, pitch: Real, x: Real, z: Real) -> Pattern:
    """A line that winds out of a point around the y axis."""

    def weight(p: Tensor) -> Tensor:
        u, v = p[:, 0] - x, p[:, 2] - z
        phase = u.hypot(v) / pitch + torch.atan2(v, u) / (2 * math.pi)
        return ((phase.remainder(1) - 0.5).abs() * -12 + 2.5).clamp(0, 1)

    return Pattern(color, line, weight)


def cow(draw: Draw) -> Thing:
    """With patches, horns, a pink muzzle and an udder."""
    ground, patch, name = draw.choice([("#f3f1ea", "#1d1d20", None), ("#8a4f26", "#f3ead8", "brown")])
    coat = speckles(ground, patch, draw.uniform(0.13, 0.17), draw.uniform(0.3, 0.42))
    body = superquadric(0.46, draw.uniform(0.23, 0.27), 0.25, 0.75, 0.75).move(-0.08, 0, 0.57)
    neck = capsule((0.28, 0, 0.66), (0.44, 0, 0.84), 0.17, 0.13)
    limbs = legs(0.24, -0.4, 0.15, 0.5, 0.085, 0.07)
    head = ellipsoid(0.15, 0.14, 0.19).move(0.47, 0, 0.87)
    muzzle = ellipsoid(0.12, 0.13, 0.1, 16).move(0.57, 0, 0.76)
    nostrils = both(ellipsoid(0.028, segments=8).move(0.68, 0.055, 0.78))
    ears = both(ellipsoid(0.04, 0.11, 0.06, 12).turn(-15, "x").move(0.42, 0.22, 0.92))
    horns = both(sweep(curve([(0.44, 0.07, 1.0), (0.44, 0.17, 1.06), (0.46, 0.18, 1.18)], 3), [0.045, 0.04, 0.015], 8))
    tail = sweep(curve([(-0.52, 0, 0.72), (-0.62, 0, 0.66), (-0.64, 0, 0.36)], 3), 0.028, 8)
    tuft = ellipsoid(0.05, 0.05, 0.09, 10).move(-0.64, 0, 0.32)
    parts = [(union(body, neck, tail), matt(coat)), (limbs, matt(split("#2a2624", coat, 0.09)))]
    parts += [(union(head, ears), matt(patch if name is None else ground)), (muzzle, ROSE), (nostrils, BLACK)]
    parts += [(horns, satin("#e9ddbd")), (tuft, matt("#2a2624")), *eyes(0.57, 0.09, 0.92, 0.04)]
    return Thing("cow", [*parts, (ellipsoid(0.14, 0.12, 0.1, 14).move(-0.2, 0, 0.33), ROSE)], 2.4, color=name)


def pig(draw: Draw) -> Thing:
    """Round and pink, with a flat snout and a curly tail."""
    color, fat = draw.color("pink", "#f2a6a6"), draw.uniform(0.27, 0.31)
    skin, dark = satin(color), satin("#d9748c")
    body = ellipsoid(0.46, fat, fat).move(-0.05, 0, 0.42)
    head = ellipsoid(0.22, 0.23, 0.22).move(0.36, 0, 0.52)
    snout = cylinder(0.115, 0.16, 16).turn(90, "y").move(0.48, 0, 0.48)
    nostrils = both(ellipsoid(0.02, 0.025, 0.04, 8).move(0.64, 0.045, 0.48))
    ears = both(cone(0.11, 0.0, 0.2, 10).scale(0.4, 1, 1).turn(28, "y").turn(-25, "x").move(0.36, 0.13, 0.66))
    limbs = legs(0.24, -0.3, 0.16, 0.3, 0.09, 0.075)
    curl = [(-0.5 - 0.02 * i, 0.06 * math.sin(0.9 * i), 0.5 + 0.06 * math.cos(0.9 * i)) for i in range(12)]
    parts = [(union(body, head), skin), (limbs, matt(split("#9c4f58", color, 0.08))), (snout, dark)]
    parts += [(nostrils, BLACK), (ears, dark), (sweep(curve(curl, 2), 0.028, 8), dark)]
    return Thing("pig", [*parts, *eyes(0.54, 0.11, 0.6, 0.042)], 1.2, color="pink", natural=True)


def sheep(draw: Draw) -> Thing:
    """A ball of wool on four thin legs, with a bare face."""
    color = draw.color("white", "white", "white", "black", "brown")
    face = matt("#3a3230" if color.name == "white" else "#d9c3a2")
    wide, tufts = draw.uniform(0.25, 0.29), []
    for i in range(38):
        z, angle = 1 - (2 * i + 1) / 38, 2.39996 * i
        out = math.sqrt(1 - z * z)
        place = (0.36 * out * math.cos(angle), wide * out * math.sin(angle), 0.58 + 0.24 * z)
        tufts.append(ellipsoid(0.12, segments=8).move(*place))
    wool = ellipsoid(0.4, wide + 0.03, 0.28).move(z=0.58)
    cap = union(*(ellipsoid(0.08, segments=8).move(0.44 - 0.04 * abs(i), 0.07 * i, 0.99) for i in (-1, 0, 1)))
    head = ellipsoid(0.15, 0.13, 0.18).turn(35, "y").move(0.47, 0, 0.84)
    ears = both(ellipsoid(0.04, 0.11, 0.05, 12).turn(-10, "x").move(0.42, 0.2, 0.9))
    tail = ellipsoid(0.1, 0.09, 0.12, 10).move(-0.5, 0, 0.6)
    limbs = legs(0.2, -0.22, 0.14, 0.4, 0.06, 0.06)
    parts = [(union(wool, *tufts, cap, tail), matt(color)), (union(head, ears, limbs), face)]
    parts += eyes(0.56, 0.09, 0.9, 0.042)
    return Thing("sheep", parts, 1.2, color=color.name, natural=color.name == "white", plural="sheep")


def cat(draw: Draw) -> Thing:
    """Sitting, with pointed ears, its tail raised."""
    color = draw.color("orange", "gray", "black", "white", "brown")
    fur = matt(color)
    band = {"orange": "#c25f10", "gray": "#5a5d61", "brown": "#4d2c14"}.get(color.name or "")
    coat = matt(stripes(color, band, 0.13, "z", 0.35)) if band and draw.chance(0.7) else fur
    light = matt("#f6f1e8" if color.name != "white" else "#f4d3c8")
    body = ellipsoid(0.24, draw.uniform(0.21, 0.24), 0.36).turn(18, "y").move(-0.04, 0, 0.36)
    hips = both(ellipsoid(0.2, 0.1, 0.19, 14).move(-0.1, 0.19, 0.19))
    arms = both(capsule((0.2, 0.09, 0.05), (0.14, 0.09, 0.42), 0.055, 0.06))
    paw = ellipsoid(0.1, 0.065, 0.05, 12)
    paws = both(paw.move(0.24, 0.09, 0.05) + paw.move(0.1, 0.25, 0.05))
    head = ellipsoid(0.2, 0.25, 0.2).move(0.12, 0, 0.82)
    ears = both(cone(0.11, 0.0, 0.22, 12).scale(0.5, 1, 1).turn(-18, "x").move(0.1, 0.13, 0.94))
    inner = both(cone(0.065, 0.0, 0.14, 12).scale(0.5, 1, 1).turn(-18, "x").move(0.145, 0.135, 0.95))
    tail = sweep(curve([(-0.2, 0, 0.1), (-0.44, 0, 0.12), (-0.5, 0, 0.4), (-0.4, 0, 0.6), (-0.5, 0, 0.76)], 4), 0.05)
    muzzle = both(ellipsoid(0.06, 0.065, 0.05, 12).move(0.29, 0.045, 0.75))
    whiskers = both(union(*(capsule((0.3, 0.06, 0.75), (0.3, 0.3, z), 0.01, segments=5) for z in (0.7, 0.77))))
    parts = [(union(body, hips, arms, tail), coat), (head, coat), (ears, fur), (union(paws, muzzle), light)]
    parts += [(inner, ROSE), (ellipsoid(0.03, 0.035, 0.025, 8).move(0.34, 0, 0.79), satin("#d9647a"))]
    irises, slits = ellipsoid(0.03, 0.052, 0.052, 12).move(0.28), ellipsoid(0.02, 0.02, 0.045, 8).move(0.302)
    parts += [(both(irises.move(y=0.1, z=0.87)), glossy("#b9d94a")), (both(slits.move(y=0.1, z=0.87)), BLACK)]
    parts.append((whiskers, matt("#8f8f8f")))
    return Thing("cat", parts, 0.5, color=color.name)


def dog(draw: Draw) -> Thing:
    """Standing, with hanging ears, a collar and its tail up."""
    color = draw.color("brown", "beige", "white", "black", "#c98a3e")
    dark = {"brown": "#4a2a12", "beige": "#8a6238", "white": "#7a4a26", "black": "#3b3b40"}.get(
        color.name or "", "#7a4a1c"
    )
    fur, ear = matt(color), matt(dark)
    light = matt("#efe3cd" if color.name != "white" else "#e2d6c2")
    body = capsule((-0.34, 0, 0.5), (0.2, 0, 0.53), 0.17, draw.uniform(0.19, 0.22), segments=18)
    neck = capsule((0.24, 0, 0.58), (0.36, 0, 0.8), 0.14, 0.12)
    limbs = legs(0.22, -0.36, 0.12, 0.42, 0.085, 0.06)
    paws = both(union(*(ellipsoid(0.1, 0.07, 0.05, 10).move(x + 0.03, 0.12, 0.05) for x in (0.22, -0.36))))
    head = ellipsoid(0.19, 0.18, 0.18).move(0.38, 0, 0.9)
    snout = capsule((0.48, 0, 0.85), (0.66, 0, 0.82), 0.105, 0.085)
    ears = both(ellipsoid(0.09, 0.045, 0.19, 14).turn(14, "x").move(0.34, 0.2, 0.84))
    tail = sweep(curve([(-0.46, 0, 0.56), (-0.6, 0, 0.66), (-0.64, 0, 0.88), (-0.58, 0, 1.0)], 4), [0.06, 0.05, 0.03])
    collar = torus(0.14, 0.035, 20, 8).turn(30, "y").move(0.3, 0, 0.69)
    tongue = ellipsoid(0.06, 0.045, 0.02, 10).turn(50, "y").move(0.65, 0, 0.72)
    parts = [(union(body, neck, limbs, head, tail), fur), (ears, ear), (union(snout, paws), light)]
    parts += [(ellipsoid(0.05, 0.06, 0.045, 12).move(0.735, 0, 0.87), BLACK), (tongue, satin("#e8607a"))]
    parts += [(collar, satin(draw.color("red", "blue", "green", "purple"))), *eyes(0.53, 0.085, 0.96, 0.042)]
    return Thing("dog", parts, 0.8, color=color.name)


def rabbit(draw: Draw) -> Thing:
    """Sitting upright, with long ears and a white tail."""
    color = draw.color("white", "gray", "brown", "beige")
    fur, light = matt(color), matt("#faf6ee" if color.name != "white" else "#f3dcd8")
    body = ellipsoid(0.25, draw.uniform(0.22, 0.25), 0.3).turn(12, "y").move(0, 0, 0.3)
    thighs = both(ellipsoid(0.19, 0.09, 0.17, 14).move(-0.02, 0.2, 0.19))
    feet = both(ellipsoid(0.17, 0.07, 0.06, 12).move(0.15, 0.18, 0.06))
    arms = both(capsule((0.25, 0.08, 0.27), (0.16, 0.12, 0.42), 0.055, 0.06, 10))
    head = ellipsoid(0.2, 0.19, 0.18).move(0.1, 0, 0.68)
    tilt = draw.uniform(8, 16)
    ear, hollow = ellipsoid(0.06, 0.09, 0.27, 14), ellipsoid(0.04, 0.05, 0.2, 12).move(0.035)
    ears, inner = (both(shape.move(z=0.24).turn(-tilt, "x").move(0.04, 0.075, 0.8)) for shape in (ear, hollow))
    cheeks = both(ellipsoid(0.06, 0.065, 0.055, 12).move(0.27, 0.05, 0.62))
    teeth = both(ellipsoid(0.015, 0.022, 0.04, 8).move(0.31, 0.02, 0.55))
    parts = [(union(body, thighs, arms, head), fur), (ears, fur), (inner, ROSE), (union(cheeks, feet), light)]
    parts += [(teeth, glossy("#ffffff")), (ellipsoid(0.03, 0.04, 0.03, 8).move(0.32, 0, 0.68), satin("#d9647a"))]
    parts += [(ellipsoid(0.12, segments=14).move(-0.28, 0, 0.18), matt("#fbf9f4")), *eyes(0.25, 0.1, 0.75, 0.042)]
    return Thing("rabbit", parts, 0.4, color=color.name)


def elephant(draw: Draw) -> Thing:
    """With a trunk, tusks and big ears."""
    color, big = draw.color("gray"), draw.uniform(0.22, 0.26)
    skin = matt(color)
    body = ellipsoid(0.42, 0.3, 0.32).move(-0.14, 0, 0.6)
    limbs = legs(0.1, -0.36, 0.17, 0.45, 0.12, 0.11)
    head = ellipsoid(0.21, 0.2, 0.23).move(0.32, 0, 0.8)
    line = [(0.44, 0, 0.76), (0.6, 0, 0.62), (0.62, 0, 0.36), (0.68, 0, 0.2), (0.8, 0, 0.22)]
    trunk = sweep(curve(line, 5), [0.12, 0.09, 0.07, 0.06, 0.055], 12)
    ear = ellipsoid(0.035, big, 0.27, 16).move(y=0.9 * big).turn(-22).move(0.24, 0.14, 0.83)
    inner = ellipsoid(0.03, 0.75 * big, 0.2, 12).move(0.02, 0.9 * big).turn(-22).move(0.24, 0.14, 0.83)
    tusks = both(sweep(curve([(0.44, 0.11, 0.68), (0.58, 0.14, 0.56), (0.72, 0.14, 0.6)], 4), [0.045, 0.04, 0.015], 8))
    tail = sweep(curve([(-0.54, 0, 0.66), (-0.63, 0, 0.56), (-0.64, 0, 0.36)], 4), 0.026, 8)
    toes = union(*(ellipsoid(0.04, 0.04, 0.035, 6).move(x + 0.1, y, 0.04) for x in (0.1, -0.36) for y in (0.12, 0.2)))
    parts = [(union(body, limbs, head, trunk, tail, both(ear)), skin), (both(inner), matt("#b9949a"))]
    parts += [(tusks, glossy("#f7f0dc")), (both(toes), satin("#d8d2c8")), *eyes(0.47, 0.13, 0.88, 0.038)]
    return Thing(
        "elephant",
        [*parts, (ellipsoid(0.04, 0.04, 0.07, 8).move(-0.64, 0, 0.33), matt("#37363a"))],
        4.0,
        color="gray",
        natural=True,
    )


def giraffe(draw: Draw) -> Thing:
    """With a long neck and brown patches."""
    net, size = draw.color("#f2cf7c", "#efc466"), draw.uniform(0.13, 0.16)
    coat = dots(net, draw.color("#9a5a20", "#84481a"), size, 0.42 * size)
    body = ellipsoid(0.27, 0.16, 0.17).turn(-14, "y").move(-0.1, 0, 0.52)
    neck = capsule((0.08, 0, 0.56), (0.28, 0, 1.16), 0.12, 0.075)
    limbs = legs(0.06, -0.26, 0.1, 0.46, 0.062, 0.05)
    head = capsule((0.26, 0, 1.22), (0.44, 0, 1.14), 0.1, 0.065)
    muzzle = ellipsoid(0.08, 0.08, 0.07, 14).move(0.46, 0, 1.13)
    horns = both(capsule((0.24, 0.045, 1.28), (0.22, 0.06, 1.4), 0.02, 0.022, 8))
    knobs = both(ellipsoid(0.035, segments=8).move(0.22, 0.06, 1.42))
    ears = both(ellipsoid(0.03, 0.085, 0.04, 10).turn(20, "x").move(0.2, 0.15, 1.27))
    mane = sweep([(-0.06, 0, 0.68), (0.18, 0, 1.2)], 0.035, 8)
    tail = sweep(curve([(-0.35, 0, 0.54), (-0.42, 0, 0.44), (-0.42, 0, 0.3)], 3), 0.02, 8)
    parts = [(union(body, neck), matt(coat)), (limbs, matt(split("#4a3020", split(net, coat, 0.2), 0.06)))]
    parts += [(union(head, ears, tail, horns), matt(net)), (muzzle, matt("#c99b5c")), (mane, matt("#8a4a1c"))]
    parts += [(knobs, matt("#3c2414")), (ellipsoid(0.035, 0.035, 0.06, 8).move(-0.42, 0, 0.26), matt("#3c2414"))]
    return Thing("giraffe", [*parts, *eyes(0.34, 0.075, 1.23, 0.032)], 5.0, natural=True, color="yellow")


def penguin(draw: Draw) -> Thing:
    """Black behind and white before."""
    wide, fat = draw.uniform(0.27, 0.31), draw.uniform(0.25, 0.29)
    black, white = satin(draw.color("black", "#25303f")), satin("#f7f7f4")
    profile = curve([(0.0, 0.04), (0.2, 0.06), (1.0, 0.36), (0.86, 0.62), (0.55, 0.78), (0.0, 0.84)], 4)
    body = lathe(profile, 24).scale(fat, wide, 1)
    belly = ellipsoid(0.2, 0.23, 0.31).move(0.12, 0, 0.4)
    head = ellipsoid(0.2, 0.2, 0.19).move(0.02, 0, 0.88)
    face = both(ellipsoid(0.11, 0.1, 0.11, 14).move(0.12, 0.07, 0.87))
    beak = cone(0.065, 0.0, 0.2, 12).turn(90, "y").scale(1, 1, 0.8).move(0.18, 0, 0.84)
    wings = both(
        ellipsoid(0.1, 0.035, 0.26, 14).move(z=-0.22).turn(draw.uniform(20, 40), "x").move(0, wide - 0.05, 0.66)
    )
    feet = both(ellipsoid(0.15, 0.09, 0.04, 12).move(0.16, 0.12, 0.04))
    tail = cone(0.12, 0.02, 0.2, 8).turn(-120, "y").scale(1, 1, 0.5).move(-0.16, 0, 0.16)
    parts = [(union(body, head, wings, tail), black), (union(belly, face), white), (union(beak, feet), ORANGE)]
    return Thing(
        "penguin",
        [*parts, (both(ellipsoid(0.035, segments=10).move(0.215, 0.09, 0.91)), BLACK)],
        0.8,
        natural=True,
        color="black",
    )


def duck(draw: Draw) -> Thing:
    """With a flat orange bill; brown ones have green heads."""
    color = draw.color("white", "yellow", "brown", "white")
    wild = color.name == "brown"
    head_paint = satin("#1f6b3a") if wild else matt(color)
    wing_paint = {"white": "#d9d9d2", "yellow": "#e0a418", "brown": "#a8927a"}[color.name or "white"]
    hull = [(-0.5, 0, 0.6), (-0.36, 0, 0.46), (-0.1, 0, 0.37), (0.18, 0, 0.4), (0.3, 0, 0.46)]
    body = sweep(curve(hull, 4), [0.03, 0.16, 0.25, 0.24, 0.1], 16)
    neck = capsule((0.2, 0, 0.46), (0.3, 0, 0.8), 0.13, 0.09)
    head = ellipsoid(0.17, 0.15, 0.15).move(0.33, 0, 0.86)
    bill = superquadric(0.13, 0.1, 0.035, 0.8, 0.8, 16).turn(8, "y").move(0.55, 0, 0.82)
    wings = both(ellipsoid(0.27, 0.06, 0.14, 14).turn(12, "y").move(-0.1, draw.uniform(0.22, 0.24), 0.43))
    shins = both(capsule((-0.02, 0.11, 0.03), (-0.02, 0.11, 0.24), 0.03, segments=8))
    webs = both(ellipsoid(0.12, 0.085, 0.03, 10).move(0.05, 0.11, 0.03))
    parts = [(body, matt(color)), (union(neck, head), head_paint), (wings, matt(wing_paint))]
    parts += [(union(bill, shins, webs), ORANGE), *eyes(0.42, 0.095, 0.92, 0.036)]
    if wild:
        parts.append((torus(0.11, 0.035, 20, 8).turn(15, "y").move(0.25, 0, 0.62), satin("#f6f6f0")))
    return Thing("duck", parts, 0.5, color=color.name)


def fish(draw: Draw) -> Thing:
    """Fat, with big fins and round lips."""
    color = draw.color("orange", "blue", "red", "yellow", "purple", "green", "turquoise")
    warm, high = color.name in ("orange", "red", "yellow"), draw.uniform(0.27, 0.33)
    fin = satin(draw.color("#f6a04a", "#e05a20") if warm else draw.color("yellow", "orange", "red"))
    scales = stripes(color, "#f7f4ea", 0.3, "x", 0.3) if draw.chance(0.5) else color
    body = lathe(curve([(0.0, -0.42), (0.4, -0.36), (0.95, -0.1), (1.0, 0.1), (0.6, 0.36), (0.0, 0.44)], 4), 24)
    body = body.turn(90, "y").scale(1, 0.23, high).move(0.08, 0, 0.42)
    tail = extrude([(0.0, 0.0), (-0.36, 0.32), (-0.3, 0.0), (-0.36, -0.32)], 0.06, "y")
    tail = tail.turn(16).move(-0.26, 0.02, 0.42)
    back = extrude([(0.24, 0.2), (0.0, 0.42), (-0.22, 0.4), (-0.2, 0.1)], 0.05, "y").move(z=0.46)
    belly = extrude([(0.1, -0.1), (-0.1, -0.42), (-0.22, -0.38), (-0.2, -0.08)], 0.05, "y").move(z=0.42)
    sides = both(ellipsoid(0.17, 0.035, 0.11, 12).move(-0.13).turn(-50).turn(25, "x").move(0.18, 0.18, 0.38))
    lips = torus(0.06, 0.03, 16, 8).turn(90, "y").scale(1, 1, 0.8).move(0.5, 0, 0.4)
    parts = [(body, satin(scales)), (union(both(tail), back, belly, sides).stand(), fin), (lips, satin("#e8787a"))]
    return Thing("fish", [*parts, *eyes(0.36, 0.145, 0.5, 0.075)], 0.3, color=color.name, plural="fish")


def turtle(draw: Draw) -> Thing:
    """With a domed shell of plates."""
    skin, wide = satin(draw.color("#7fae4a", "#8fb56a")), draw.uniform(0.34, 0.38)
    ground, plate = draw.choice([("#3a5a24", "#7f9a3a"), ("#4f3419", "#a8763a"), ("#2f4a2c", "#b59a48")])
    places = [(0.0, 0.0, 0.5)] + [
        (0.26 * math.cos(i), 0.24 * math.sin(i), 0.4) for i in (0.0, 1.05, 2.1, 3.14, 4.19, 5.24)
    ]
    places += [(0.42 * math.cos(0.4 + 0.628 * i), 0.36 * math.sin(0.4 + 0.628 * i), 0.22) for i in range(10)]
    dome = lathe(curve([(1.0, 0.14), (0.94, 0.28), (0.62, 0.45), (0.0, 0.52)], 4), 28).scale(0.44, wide, 1)
    rim = torus(0.95, 0.08, 28, 8).scale(0.46, wide + 0.02, 0.5).move(z=0.15)
    paws = both(union(*(capsule((x, 0.3, 0.14), (1.25 * x, 0.4, 0.07), 0.1, 0.07) for x in (0.27, -0.27))))
    neck = capsule((0.36, 0, 0.17), (0.56, 0, 0.29), 0.09, 0.08)
    head = ellipsoid(0.15, 0.12, 0.12).move(0.62, 0, 0.34)
    tail = capsule((-0.4, 0, 0.12), (-0.56, 0, 0.06), 0.06, 0.02, 8)
    parts = [(dome, satin(marks(ground, plate, places, 0.115))), (rim, satin("#c9a94e"))]
    parts += [(union(paws, neck, head, tail).stand(), skin), *eyes(0.69, 0.085, 0.39, 0.042)]
    return Thing("turtle", parts, 0.4, natural=True, color="green")


def snail(draw: Draw) -> Thing:
    """A spiral shell on a soft foot, eyes on stalks."""
    color, size = draw.color("brown", "orange", "yellow", "red", "purple", "blue"), draw.uniform(0.36, 0.42)
    skin = satin(draw.color("#d9b98a", "#c9b07a"))
    shell = ellipsoid(size, 0.21, size, 28).move(-0.12, 0, 0.56)
    lip = torus(0.13, 0.07, 16, 8).turn(90, "y").scale(1, 1, 1.1).move(0.14, 0, 0.34)
    foot = sweep(
        curve([(-0.64, 0, 0.04), (-0.3, 0, 0.08), (0.1, 0, 0.09), (0.38, 0, 0.12)], 4), [0.03, 0.11, 0.14, 0.11], 12
    )
    neck = capsule((0.34, 0, 0.12), (0.5, 0, 0.38), 0.12, 0.1)
    stalks = both(capsule((0.5, 0.05, 0.42), (0.58, 0.25, 0.74), 0.03, 0.025, 8))
    feelers = both(capsule((0.56, 0.04, 0.34), (0.68, 0.08, 0.3), 0.025, 0.02, 8))
    line = {"yellow": "#9a5a14", "orange": "#7a3408", "brown": "#e0b070"}.get(color.name or "", "#f4e6c0")
    paint = spiral(color, line, 0.48 * size, -0.12, 0.56)
    parts = [(shell, glossy(paint)), (lip, glossy(line)), (union(foot.stand(), neck, stalks, feelers), skin)]
    return Thing("snail", [*parts, *eyes(0.58, 0.25, 0.76, 0.058)], 0.06, color=color.name)


ANIMALS: tuple[CategoryFunction, ...] = (
    cow,
    pig,
    sheep,
    cat,
    dog,
    rabbit,
    elephant,
    giraffe,
    penguin,
    duck,
    fish,
    turtle,
    snail,
)
