"""Clothing and what people wear or carry."""

import math

import torch
from torch import Tensor

from lodestone.data.worlds.categories.category import CategoryFunction
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import glossy, matt, metal, satin, sectors, split
from lodestone.data.worlds.shapes import (
    Shape,
    arc,
    both,
    box,
    capsule,
    curve,
    cylinder,
    ellipsoid,
    extrude,
    lathe,
    ring,
    superquadric,
    sweep,
    torus,
    union,
)
from lodestone.data.worlds.things import Symmetry, Thing

__all__ = ["CLOTHING"]

WHITE = "#f4f3ee"


def lifted(p: Tensor, z: Tensor) -> Tensor:
    """Points at other heights."""
    return torch.stack([p[:, 0], p[:, 1], z], dim=1)


def top_hat(draw: Draw) -> Thing:
    """A tall cylinder with a band, its brim curled up at the sides."""
    color, height = draw.color(), draw.uniform(0.6, 0.72)
    band = satin("red" if color.name not in ("red", "orange", "pink", "brown") else "#222225")
    tall = lathe([(0.3, 0.02), (0.28, 0.3 * height), (0.33, height - 0.03), (0.3, height)], 28)
    brim = lathe([(0.3, 0.0), (0.52, 0.0), (0.54, 0.025), (0.52, 0.05), (0.3, 0.05)], 32)
    brim = brim.warp(lambda p: lifted(p, p[:, 2] + 0.35 * p[:, 1] ** 2))
    ribbon = lathe([(0.305, 0.03), (0.3, 0.17)], 28)
    parts = [(tall + brim, satin(color)), (ribbon, band)]
    return Thing("top hat", parts, 0.35, color.name, symmetry=Symmetry.ROUND)


def baseball_cap(draw: Draw) -> Thing:
    """Its visor towards the front, a badge above it, a gap with a strap behind."""
    color = draw.color()
    second = draw.color("white", "black", "blue") if color.name not in ("white", "black", "blue") else draw.color("red")
    dome = lathe(curve([(0.4, 0.0), (0.41, 0.12), (0.34, 0.32), (0.2, 0.42), (0.0, 0.45)], 4), 28).scale(1.08, 1.0, 1.0)
    rim = curve([(0.2, 0.36), (0.5, 0.37), (0.78, 0.2), (0.84, 0.0), (0.78, -0.2), (0.5, -0.37), (0.2, -0.36)], 3)
    visor = extrude(rim, 0.045).warp(lambda p: lifted(p, p[:, 2] - 0.8 * p[:, 1] ** 2)).move(z=0.135)
    button = ellipsoid(0.055, 0.055, 0.035, 12).move(z=0.455)
    badge = ellipsoid(0.05, 0.13, 0.11, 16).turn(-24, "y").move(0.4, 0, 0.26)
    gap = ellipsoid(0.05, 0.15, 0.1, 16).turn(10, "y").move(-0.425, 0, 0.11)
    strap = box(0.06, 0.3, 0.05).move(-0.44, 0, 0.035)
    parts = [(dome, matt(color)), (union(visor, button, badge, strap), matt(second)), (gap, matt("#2a241f"))]
    return Thing("baseball cap", parts, 0.28, color.name)


def foot(length: float, width: float, toe: float, heel: float) -> Shape:
    """The upper of a shoe on z = 0, toe towards +x: as high as `toe` in front, as `heel` behind."""
    dome = superquadric(length / 2, width / 2, 1.0, 0.7, 0.75)

    def form(p: Tensor) -> Tensor:
        s = (p[:, 0] / length + 0.5).clamp(0, 1)
        height = heel + (toe - heel) * (s * s * (3 - 2 * s))
        slim = 1.0 - 0.2 * torch.exp(-((s - 0.35) ** 2) / 0.03)
        return torch.stack([p[:, 0], p[:, 1] * slim, p[:, 2].clamp(min=0.0) * height], dim=1)

    return dome.warp(form)


def boot(draw: Draw) -> Thing:
    """A rubber boot, its toe towards the front."""
    color, height = draw.color(), draw.uniform(0.9, 1.05)
    upper = foot(0.78, 0.36, 0.2, 0.42).move(0.12, 0, 0.06)
    outside = [(0.17, 0.08), (0.175, 0.4), (0.22, height)]
    shaft = lathe([*outside, (0.18, height), (0.17, height - 0.3), (0.0, height - 0.3)], 24).scale(1.1, 0.92, 1.0)
    shaft = shaft.move(-0.06)
    cuff = torus(0.215, 0.035, 24, 8).scale(1.1, 0.92, 1.3).move(-0.06, 0, height - 0.03)
    outline = curve([(-0.3, 0.0), (-0.22, 0.17), (0.05, 0.19), (0.3, 0.205), (0.5, 0.14), (0.56, 0.0)], 4)
    edge = [*outline, *[(x, -y) for x, y in outline[-2:0:-1]]]
    sole = extrude(edge, 0.07).move(z=0.075)
    heel = extrude([(-0.3, 0.0), (-0.22, 0.15), (-0.02, 0.17), (-0.02, -0.17), (-0.22, -0.15)], 0.1).stand()
    front = extrude([(x, y) for x, y in edge if x > 0.1], 0.08).stand()
    tread = "#2a2a2c" if color.name not in ("black", "brown") else "#c9a66a"
    light = WHITE if color.name not in ("white", "yellow") else "#cc1f1f"
    parts = [(upper + shaft, glossy(color)), (cuff, satin(light)), (union(sole, heel, front), matt(tread))]
    return Thing("boot", parts, 0.35, color.name)


def sneaker(draw: Draw) -> Thing:
    """Its toe towards the front: a thick sole, a toe cap, laces."""
    color = draw.color()
    light = WHITE if color.name != "white" else draw.color("blue", "red", "black")
    upper = foot(1.0, 0.44, 0.18, draw.uniform(0.46, 0.52)).move(z=0.1)
    outline = curve(
        [(-0.54, 0.0), (-0.46, 0.18), (-0.2, 0.21), (0.1, 0.235), (0.3, 0.24), (0.48, 0.16), (0.55, 0.0)], 4
    )
    sole = extrude([*outline, *[(x, -y) for x, y in outline[-2:0:-1]]], 0.13).stand()
    collar = torus(0.14, 0.05, 24, 8).scale(1.35, 0.85, 1.0).turn(8, "y").move(-0.22, 0, 0.55)
    dark = ellipsoid(0.16, 0.1, 0.04, 16).turn(8, "y").move(-0.22, 0, 0.57)
    rows = [(0.06 + 0.09 * i, 0.48 - 0.085 * i) for i in range(4)]
    laces = union(*(capsule((x, -0.1, z), (x, 0.1, z), 0.03, segments=8) for x, z in rows))
    stripe = both(capsule((-0.1, 0.19, 0.3), (0.1, 0.21, 0.19), 0.03, segments=8))
    parts = [(upper, matt(split(color, light, 0.34, "x"))), (union(sole, laces, stripe), satin(light))]
    return Thing("sneaker", [*parts, (collar, matt(color)), (dark, matt("#26262a"))], 0.3, color.name)


def crown(draw: Draw) -> Thing:
    """Golden points with pearls around a cap of velvet, jewels in the band."""
    color, points = draw.color("gold", "gold", "silver"), draw.integer(5, 8)
    high, velvet = draw.uniform(0.5, 0.6), draw.color("red", "blue", "purple", "green")

    def zigzag(p: Tensor) -> Tensor:
        turn = (torch.atan2(p[:, 1], p[:, 0]) * points / (2 * math.pi)).remainder(1)
        return lifted(p, torch.where(p[:, 2] > 0.4, 0.28 + (high - 0.28) * (2 * turn - 1).abs(), p[:, 2]))

    wall = [(0.4, 0.0), (0.41, 0.2), (0.5, 0.5), (0.45, 0.5), (0.37, 0.2), (0.36, 0.0)]
    body = lathe(wall, 8 * points, loop=True).warp(zigzag)
    band = torus(0.4, 0.045, 32, 8).move(z=0.045) + torus(0.415, 0.03, 32, 8).move(z=0.2)
    pearls = ring(points, ellipsoid(0.06, segments=12).move(0.475, 0, high + 0.02))
    jewels = ring(points, ellipsoid(0.03, 0.055, 0.055, 10).move(0.415, 0, 0.12))
    cap = lathe(curve([(0.37, 0.08), (0.34, 0.26), (0.2, 0.36), (0.0, 0.38)], 3), 24)
    stones = glossy(draw.color("red", "blue", "green"))
    parts = [(body + band, metal(color, 0.3)), (pearls, glossy(WHITE)), (jewels, stones), (cap, matt(velvet))]
    return Thing("crown", parts, 0.22, color.name, symmetry=Symmetry.ROUND)


def backpack(draw: Draw) -> Thing:
    """Its pocket towards the front, its straps behind."""
    color, high = draw.color(), draw.uniform(0.46, 0.54)
    second = draw.color("yellow", "gray", "red") if color.name not in ("yellow", "gray", "red") else draw.color("black")
    body = superquadric(0.2, 0.36, high, 0.4, 0.4).stand()
    flap = superquadric(0.225, 0.375, 0.2, 0.4, 0.4).move(0.015, 0, 2 * high - 0.17)
    pocket = superquadric(0.12, 0.28, 0.2, 0.4, 0.4).move(0.18, 0, 0.28)
    pouches = both(superquadric(0.12, 0.08, 0.16, 0.5, 0.5, 16).move(0, 0.36, 0.24))
    handle = sweep(curve([(-0.1, -0.1, 0), (-0.1, -0.08, 0.1), (-0.1, 0.08, 0.1), (-0.1, 0.1, 0)], 4), 0.035, 8)
    line = curve([(-0.16, 0.14, 0.92), (-0.3, 0.17, 0.78), (-0.32, 0.2, 0.5), (-0.17, 0.24, 0.14)], 4)
    straps = both(sweep(line, 1.0, section=[(-0.03, -0.07), (0.03, -0.07), (0.03, 0.07), (-0.03, 0.07)]))
    belts = both(box(0.05, 0.06, 0.34, 0.02).move(0.235, 0.17, 0.7))
    buckles = both(box(0.06, 0.1, 0.07, 0.02).move(0.245, 0.17, 0.56))
    black = satin("#3a3a3e" if color.name != "black" else "#8a6a48")
    parts = [(body + flap, matt(color)), (pocket + pouches, matt(second)), (buckles, metal("gold"))]
    return Thing("backpack", [*parts, (handle.move(z=2 * high - 0.02) + straps + belts, black)], 0.48, color.name)


def umbrella(draw: Draw) -> Thing:
    """Open, on the crook of its handle."""
    color, wide = draw.color(), draw.uniform(0.62, 0.7)
    second = WHITE if draw.chance(0.5) and color.name != "white" else color
    line = curve([(wide, 0.9), (0.8 * wide, 1.08), (0.45 * wide, 1.22), (0.0, 1.28)], 4)
    under = [(r, z - 0.05) for r, z in line[:0:-1]]
    canopy = lathe([*under, (wide - 0.02, 0.88), *line], 8)
    stick = cylinder(0.03, 1.14, 10).move(z=0.2) + cylinder(0.03, 0.16, 10).move(z=1.26)
    crook = sweep([(0, 0, 0.36), *arc(0.1, 0, -180, 10, (0, -0.1, 0.145))], 0.045)
    parts = [(canopy, satin(sectors(color, second, 4))), (stick, metal("#b9bdc2")), (crook, satin("#6b4020"))]
    return Thing("umbrella", parts, 1.0, color.name, symmetry=Symmetry.ROUND)


CLOTHING: tuple[CategoryFunction, ...] = (
    top_hat,
    baseball_cap,
    crown,
    boot,
    sneaker,
    backpack,
    umbrella,
)
