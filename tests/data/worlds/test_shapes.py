"""Every shape is closed, looks outwards, and has the volume of its equation."""

import math

import pytest
import torch
from closed_shapes import check_closed

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
    ring,
    superquadric,
    sweep,
    torus,
    union,
)

L_PROFILE = [(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)]
KNOT = [
    (math.sin(t) + 2 * math.sin(2 * t), math.cos(t) - 2 * math.cos(2 * t), -math.sin(3 * t))
    for t in torch.linspace(0, 2 * math.pi, 61)[:-1].tolist()
]
HELIX = [(math.cos(t / 4), math.sin(t / 4), 0.1 * t) for t in range(40)]


def polygon_factor(sides):
    """Area of a regular polygon over that of its circle."""
    return sides / (2 * math.pi) * math.sin(2 * math.pi / sides)


def beta(a, b):
    return math.exp(math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))


def superquadric_volume(x, y, z, n, e):
    """Jaklic, Leonardis and Solina (2000)."""
    return 2 * x * y * z * e * n * beta(n / 2 + 1, n) * beta(e / 2, e / 2)


FINE = 128
VOLUMES = {
    "cylinder": (cylinder(0.5, 2.0, FINE), math.pi * 0.25 * 2),
    "frustum": (cone(1.0, 0.5, 2.0, FINE), math.pi * 2 / 3 * (1 + 0.5 + 0.25)),
    "cone": (cone(1.0, 0.0, 3.0, FINE), math.pi),
    "pyramid": (cone(math.sqrt(0.5), 0.0, 3.0, 4), 1.0),
    "disc": (disc(1.0, 0.1, FINE), 0.1 * math.pi),
    "torus": (torus(1.0, 0.3, FINE, 64), 2 * math.pi**2 * 0.09),
    "ball": (ellipsoid(1.0, segments=FINE), 4 / 3 * math.pi),
    "ellipsoid": (ellipsoid(1.0, 0.5, 2.0, FINE), 4 / 3 * math.pi),
    "superquadric": (superquadric(1.0, 2.0, 0.5, 0.6, 0.8, 256), superquadric_volume(1.0, 2.0, 0.5, 0.6, 0.8)),
    "box": (box(1.0, 2.0, 3.0), 6.0),
    "round box": (
        box(1.0, 2.0, 3.0, 0.2, 24),
        0.6 * 1.6 * 2.6
        + 0.4 * (0.6 * 1.6 + 0.6 * 2.6 + 1.6 * 2.6)
        + math.pi * 0.04 * (0.6 + 1.6 + 2.6)
        + 4 / 3 * math.pi * 0.008,
    ),
    "slice": (lathe([(1.0, 0.0), (1.0, 2.0)], FINE, span=(-30, 60)), math.pi / 2),
    "tube": (lathe([(0.5, 0), (1, 0), (1, 2), (0.5, 2)], FINE, loop=True), 2 * math.pi * 0.75),
    "half tube": (lathe([(0.5, 0), (1, 0), (1, 2), (0.5, 2)], FINE, span=(0, 180), loop=True), math.pi * 0.75),
    "extrusion": (extrude(L_PROFILE, 0.5), 1.5),
    "extrusion clockwise": (extrude(L_PROFILE[::-1], 0.5, axis="y"), 1.5),
    "extrusion along x": (extrude(L_PROFILE, 2.0, axis="x"), 6.0),
    "tapered": (extrude(circle(1.0, 4), 3.0, taper=0.5), 2 * (1 + 0.5 + 0.25)),
    "straight sweep": (sweep([(0, 0, 0), (0, 0, 1), (0, 0, 3)], 0.5, FINE), 0.75 * math.pi),
    "square sweep": (sweep([(0, 0, 0), (4, 0, 0)], 0.5, section=[(1, 1), (-1, 1), (-1, -1), (1, -1)]), 4.0),
    "closed sweep": (sweep(arc(1.0, 0, 360, 200)[:-1], 0.2, 64, loop=True), 2 * math.pi**2 * 0.04),
}
OTHERS = {
    "coarse cylinder": cylinder(1.0, 1.0, 5),
    "capsule": capsule((0, 0, 0), (1, 2, 3), 0.5, 0.2),
    "helix": sweep(HELIX, [0.05, 0.2, 0.05]),
    "knot": sweep(KNOT, 0.3, loop=True),
    "bowl": lathe([(0, 0), (0.5, 0), (1, 0.6), (0.9, 0.6), (0.45, 0.1), (0, 0.1)]),
    "star": extrude([p for i in range(5) for p in (circle(1.0, 5)[i], circle(0.4, 5, 36)[i])], 0.3),
    "union": union(box(1, 1, 1), ellipsoid(0.4).move(2)),
    "both": both(box(1, 1, 1, 0.1).move(y=2)),
    "ring": ring(5, box(0.2, 0.1, 0.1).move(1)),
    "smooth lathe": lathe(curve([(0, 0), (1, 0.2), (0.4, 1), (0.6, 2), (0, 2.1)])),
}


@pytest.mark.parametrize("name", VOLUMES)
def test_a_shape_has_the_volume_of_its_equation(name):
    shape, volume = VOLUMES[name]
    assert shape.volume == pytest.approx(volume, rel=3e-3)


@pytest.mark.parametrize("name", [name for name in VOLUMES if name != "superquadric"])
def test_a_shape_is_closed(name):
    check_closed(VOLUMES[name][0])


@pytest.mark.parametrize("name", OTHERS)
def test_an_odd_shape_is_closed(name):
    check_closed(OTHERS[name])


def test_a_superquadric_of_usual_fineness_is_closed():
    check_closed(superquadric(1.0, 2.0, 0.5, 0.4, 0.3))
    check_closed(superquadric(1.0, 2.0, 0.5, 1.5, 2.0))


def test_capsule_volume():
    height = math.sqrt(14)
    exact = math.pi * 0.25 * height + 4 / 3 * math.pi * 0.125
    assert capsule((0, 0, 0), (1, 2, 3), 0.5, segments=128).volume == pytest.approx(exact, rel=0.03)


def test_a_coarse_prism_has_the_volume_of_its_polygon():
    assert cylinder(1.0, 2.0, 5).volume == pytest.approx(2 * math.pi * polygon_factor(5), rel=1e-5)


@pytest.mark.parametrize(
    "move",
    [
        lambda s: s.move(1, 2, 3),
        lambda s: s.turn(33, "x").turn(-120, "z"),
        lambda s: s.mirror("x"),
        lambda s: s.stand(2.0),
        lambda s: s.scale(2.0, 0.5, 1.0),
    ],
)
def test_placing_keeps_volume_and_closedness(move):
    shape = move(OTHERS["star"])
    assert shape.volume == pytest.approx(OTHERS["star"].volume, rel=1e-4)
    check_closed(shape)


def test_turns_are_counter_clockwise():
    point = box(0.1, 0.1, 0.1).move(1)
    assert point.turn(90).vertices.mean(0).tolist() == pytest.approx([0, 1, 0], abs=1e-6)
    assert point.turn(90, "y").vertices.mean(0).tolist() == pytest.approx([0, 0, -1], abs=1e-6)
    upright = point.turn(90).turn(90, "x")
    assert upright.vertices.mean(0).tolist() == pytest.approx([0, 0, 1], abs=1e-6)


def test_a_capsule_ends_where_it_should():
    shape = capsule((1, 1, 0), (1, 1, 2), 0.5, 0.1, segments=24)
    assert shape.low == pytest.approx((0.5, 0.5, -0.5), abs=1e-5)
    assert shape.high == pytest.approx((1.5, 1.5, 2.1), abs=1e-5)


def test_an_extrusion_shows_its_polygon_along_each_axis():
    assert extrude(L_PROFILE, 0.5, "z").high == pytest.approx((2, 2, 0.25))
    assert extrude(L_PROFILE, 0.5, "y").high == pytest.approx((2, 0.25, 2))
    assert extrude(L_PROFILE, 0.5, "x").high == pytest.approx((0.25, 2, 2))
