"""Colours have the values of their names; patterns are where they say."""

import math

import pytest
import torch

from lodestone.data.worlds.colors import ANY, COLORS, Color
from lodestone.data.worlds.draw import Draw, fraction
from lodestone.data.worlds.materials import (
    Material,
    checks,
    core,
    dots,
    glossy,
    gradient,
    marks,
    matt,
    metal,
    rings,
    sectors,
    speckles,
    split,
    stripes,
    wood,
)


def ball(count=4000):
    points = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.normalize(points, dim=-1)


def share(pattern):
    """How much of the unit sphere is the second paint, if the first is black and the second white."""
    return float(matt(pattern).colors(ball())[:, 0].mean())


BLACK, WHITE = "#000000", "#ffffff"


def test_there_are_enough_colors_and_they_differ():
    assert len(COLORS) >= 16 and set(ANY) <= set(COLORS)
    values = torch.tensor([color.rgb for color in COLORS.values()])
    apart = torch.cdist(values, values) + 10 * torch.eye(len(values))
    assert float(apart.min()) > 0.1
    assert Color.parse("#ff0080") == Color(None, (1.0, 0.0, 128 / 255))


def test_a_drawn_color_is_near_its_name():
    draw = Draw("colors")
    for _ in range(50):
        color = draw.color()
        apart = [abs(a - b) for a, b in zip(color.rgb, COLORS[color.name].rgb, strict=True)]
        assert max(apart) <= 0.046
        assert all(0 <= c <= 1 for c in color.rgb)


def test_choices_depend_on_the_key_alone():
    def several(draw):
        return [draw.uniform(0, 1), draw.integer(1, 6), draw.choice("abc"), draw.chance(0.5), draw.color()]

    assert several(Draw("a", 1)) == several(Draw("a", 1)) != several(Draw("a", 2))
    draw = Draw("a", 1)
    before = several(draw.part("x"))
    draw.uniform(0, 1)
    assert several(draw.part("x")) == before == several(Draw("a", 1, "x"))


def test_a_preferred_color_is_drawn_once_where_it_may_be():
    draw = Draw("favorite").preferring("pink")
    plain = Draw("favorite")
    assert draw.color("red", "blue") == plain.color("red", "blue")
    assert plain.color().name != draw.color().name == "pink"
    assert draw.color() == plain.color()


def test_draws_are_pinned_for_all_machines():
    draw = Draw("world", 1, 0)
    assert [draw.integer(0, 999) for _ in range(4)] == [287, 976, 483, 46]
    assert fraction("held out", "a red mug") == pytest.approx(0.531224, abs=1e-6)


def test_integers_are_evenly_spread():
    draw = Draw("dice")
    counts = torch.bincount(torch.tensor([draw.integer(1, 6) for _ in range(6000)]), minlength=7)
    assert counts[0] == 0 and float((counts[1:] - 1000).abs().max()) < 5 * math.sqrt(1000)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (stripes(BLACK, WHITE, 0.1, "z"), 0.5),
        (stripes(BLACK, WHITE, 0.1, "x", 0.2), 0.2),
        (sectors(BLACK, WHITE, 6), 0.5),
        (checks(BLACK, WHITE, 0.1), 0.5),
        (split(BLACK, WHITE, 0.5), 0.25),
        (split(BLACK, WHITE, 0.0, wave=0.1), 0.5),
        (gradient(BLACK, WHITE, -1, 1), 0.5),
        (core(BLACK, WHITE, math.sqrt(0.75), "z"), 0.5),
        (core(BLACK, WHITE, 0.5, "", (0, 0, 1)), 1 - 0.25 / 4),
        (marks(BLACK, WHITE, [(0, 0, 1), (0, 0, -1)], 0.5), 0.25 / 2),
        (wood(BLACK, WHITE, 0.05), 0.5),
    ],
)
def test_a_pattern_covers_its_share_of_a_sphere(pattern, expected):
    """Areas on a sphere are proportional to heights (Archimedes)."""
    assert share(pattern) == pytest.approx(expected, abs=0.035)


def test_dots_speckles_and_rings_cover_a_part():
    assert 0.05 < share(dots(BLACK, WHITE, 0.3, 0.08)) < 0.5
    assert 0.1 < share(speckles(BLACK, WHITE, 0.1, 0.3)) < 0.45
    assert 0.3 < share(rings(BLACK, WHITE, 0.2)) < 0.7


def test_patterns_nest_and_finishes_differ():
    inner = split("red", "blue", 0.0)
    points = torch.tensor([[0.1, 0.0, -0.5], [0.1, 0.0, 0.5], [0.9, 0.0, 0.5]])
    expected = torch.tensor([COLORS[name].rgb for name in ("red", "blue", "green")])
    assert torch.allclose(glossy(core(inner, "green", 0.5, "z")).colors(points), expected)
    assert matt("red").plain == COLORS["red"] and matt(inner).plain is None
    assert matt("red").roughness > glossy("red").roughness and metal().metallic > 0.2
    assert Material("red").metallic == 0
