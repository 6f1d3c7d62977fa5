"""Captions taken apart."""

import pytest

from lodestone.data.worlds.requests import RELATIONS as ASKED
from lodestone.data.worlds.surroundings import SURROUNDINGS
from lodestone.data.worlds.world import World
from lodestone.prompts.caption_parts import RELATIONS, CaptionParts, take_apart
from lodestone.prompts.view_dependent import Direction

NOWHERE = (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "first", "second", "direction"),
    [
        ("a cat beside a blue chair", "a cat", "a blue chair", (0.0, 1.0, 0.0)),
        ("A DSLR photo of a cat to the right of two lemons", "a cat", "two lemons", (0.0, -1.0, 0.0)),
        ("a red mug on top of a desk, 3D asset", "a red mug", "a desk", (0.0, 0.0, -1.0)),
        ("a wooden table with a red mug on it", "a red mug", "a wooden table", (0.0, 0.0, -1.0)),
        ("an owl in front of a red car and a tree", "an owl", "a red car and a tree", (-1.0, 0.0, 0.0)),
        ("a duck in a pond", "a duck", "a pond", NOWHERE),
    ],
)
def test_two_things(text: str, first: str, second: str, direction: tuple[float, float, float]) -> None:
    parts = take_apart(text)
    assert (parts.first.lower(), parts.second, parts.direction) == (first, second, direction)
    assert parts.view is None


@pytest.mark.parametrize("text", ["a hamburger", "a photo of  a hamburger", "on", "", "an island", "a handbag"])
def test_one_thing(text: str) -> None:
    subject = " ".join(text.split()).removeprefix("a photo of ")
    assert take_apart(text) == CaptionParts(subject, subject, "", NOWHERE, None)


def test_words_for_a_view() -> None:
    parts = take_apart("a 3D render of a red mug, back view")
    assert parts == CaptionParts("a red mug", "a red mug", "", NOWHERE, Direction.BACK)
    assert [take_apart(f"a mug, {word} view").view for word in ("front", "side", "back", "overhead")] == list(Direction)


def test_all_that_the_world_says_of_two_things_is_understood() -> None:
    assert set(ASKED) <= set(RELATIONS)
    assert all(take_apart(f"a mug {place}").second for place in SURROUNDINGS)
    world, seen = World(0), 0
    for index in range(200):
        sample = world.sample(index)
        two = len(sample.attributes.items) > 1 or sample.attributes.surroundings is not None
        assert bool(take_apart(sample.caption).second) is two, sample.caption
        seen += two
    assert 50 < seen < 150
