"""Every category keeps the rules that scenes, captions and training rely on."""

import pytest
import torch
from closed_shapes import check_closed

from lodestone.data.worlds.categories import CATEGORIES, GROUPS
from lodestone.data.worlds.colors import COLORS
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.meshes import Placed, assemble
from lodestone.data.worlds.things import Symmetry
from lodestone.data.worlds.views import see_colors
from lodestone.rendering.cameras import turntable

DRAWS = 2


def made(noun, index=0):
    return CATEGORIES[noun](Draw("test", noun, index))


def pictures(thing):
    """From the front, the right of its picture, the back and the left: colour on grey, mask."""
    cameras = turntable(4, elevation=15.0, distance=2.7, field_of_view=45.0).cameras(32, 32)
    seen = see_colors(assemble([Placed(thing.parts)]), cameras)
    return seen.over(torch.full((4, 3), 0.5)), seen.mask[..., 0]


def overlap(a, b):
    return float(torch.minimum(a, b).sum() / torch.maximum(a, b).sum())


def test_no_noun_is_there_twice():
    assert len(CATEGORIES) == sum(map(len, GROUPS.values()))


@pytest.mark.parametrize("noun", CATEGORIES)
def test_parts_are_closed_and_stand_on_the_ground(noun):
    for index in range(DRAWS):
        thing = made(noun, index)
        for shape, _ in thing.parts:
            check_closed(shape)
        assert min(shape.low[2] for shape, _ in thing.parts) == pytest.approx(0, abs=0.02)
        assert 20 <= sum(len(shape.faces) for shape, _ in thing.parts) <= 6000


@pytest.mark.parametrize("noun", CATEGORIES)
def test_words_are_those_of_the_world(noun):
    for index in range(DRAWS):
        thing = made(noun, index)
        assert thing.noun == noun
        assert thing.color is None or thing.color in COLORS
        assert 0.01 <= thing.size <= 100
        if thing.stand is not None:
            top = max(shape.high[2] for shape, _ in thing.parts)
            assert 0 < thing.stand.z <= top + 1e-4 and thing.stand.radius > 0


@pytest.mark.parametrize("noun", CATEGORIES)
def test_the_same_choices_make_the_same_object(noun):
    first, again, other = made(noun), made(noun), made(noun, 1)
    for (shape, _), (same, _) in zip(first.parts, again.parts, strict=True):
        assert torch.equal(shape.vertices, same.vertices) and torch.equal(shape.faces, same.faces)
    assert not torch.equal(pictures(first)[0], pictures(other)[0])


@pytest.mark.parametrize("noun", CATEGORIES)
def test_symmetry_is_what_the_category_says(noun):
    thing = made(noun)
    color, mask = pictures(thing)
    if thing.symmetry is Symmetry.FRONT:
        assert float((color[0] - color[2]).abs().mean()) > 0.003
    else:
        assert max(overlap(mask[0], mask[2]), overlap(mask[0], mask[2].flip(1))) > 0.75
    if thing.symmetry is Symmetry.ROUND:
        assert overlap(mask[0], mask[1]) > 0.75
    if not thing.chiral:
        assert overlap(mask[0], mask[0].flip(1)) > 0.75
