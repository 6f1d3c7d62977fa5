"""Colours that go without saying."""

from dataclasses import replace

from lodestone.data.worlds.captions import Attributes, Item, Kind
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.requests import parse
from lodestone.data.worlds.scenes import make
from lodestone.data.worlds.typical_colors import has_typical_colors, typical_color


def test_each_category_has_a_colour_that_it_comes_in() -> None:
    for noun in CATEGORIES:
        color = typical_color(noun)
        if color is not None:
            wanted = replace(parse(f"a {noun}").items[0], color=color)
            assert make(wanted, Draw("test", noun)).color == color
    assert (typical_color("car"), typical_color("lemon"), typical_color("doughnut")) == ("red", "yellow", "pink")


def test_a_scene_is_typical_if_all_of_it_is() -> None:
    car, lemon = Item("car", "cars", "red", natural=False), Item("lemon", "lemons", "yellow", natural=True)
    assert has_typical_colors(Attributes(kind=Kind.SEVERAL, items=(car, lemon)))
    blue = replace(car, color="blue")
    assert not has_typical_colors(Attributes(kind=Kind.SEVERAL, items=(blue, lemon)))
