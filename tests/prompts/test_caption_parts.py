"""Captions taken apart."""

import pytest

from lodestone.data.worlds.captions import OTHER_NAMES, with_article
from lodestone.data.worlds.requests import RELATIONS as ASKED
from lodestone.data.worlds.requests import nouns
from lodestone.data.worlds.surroundings import SURROUNDINGS
from lodestone.data.worlds.world import World
from lodestone.prompts.caption_parts import RELATIONS, CaptionParts, Vector, take_apart
from lodestone.prompts.view_dependent import Direction

NOWHERE, ROW, NEARER, BELOW = (0.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0)


@pytest.mark.parametrize(
    ("text", "things", "directions"),
    [
        ("a cat beside a blue chair", ("a cat", "a blue chair"), (ROW,)),
        (
            "A DSLR photo of a cat to the right of two lemons",
            ("a cat", "a lemon", "a lemon"),
            ((0.0, -1.0, 0.0), NEARER),
        ),
        ("a red mug on top of a desk, 3D asset", ("a red mug", "a desk"), (BELOW,)),
        ("a wooden table with a red mug on it", ("a red mug", "a wooden table"), (BELOW,)),
        ("an owl in front of a red car and a tree", ("an owl", "a red car and a tree"), ((-1.0, 0.0, 0.0),)),
        ("a duck in a pond", ("a duck", "a pond"), (NOWHERE,)),
        ("two orange cacti", ("an orange cactus",) * 2, (ROW,)),
        ("three bowls of soup that are brown", ("a brown bowl of soup",) * 3, (ROW, NEARER)),
        ("two lemons on grass", ("a lemon", "a lemon", "grass"), (ROW, BELOW)),
        ("one mug and two knives", ("a mug", "a knife", "a knife"), (ROW, NEARER)),
        ("three mugs and two knives", ("a mug",) * 3, (ROW, NEARER)),
    ],
)
def test_several_things(text: str, things: tuple[str, ...], directions: tuple[Vector, ...]) -> None:
    parts = take_apart(text)
    assert (tuple(thing.lower() for thing in parts.things), parts.directions) == (things, directions)
    assert parts.view is None


@pytest.mark.parametrize(
    "text", ["a hamburger", "a photo of  a hamburger", "on", "", "an island", "a handbag", "two", "one"]
)
def test_one_thing(text: str) -> None:
    subject = " ".join(text.split()).removeprefix("a photo of ")
    assert take_apart(text) == CaptionParts(subject, (subject,), (), None)


def test_a_relative_clause_is_the_same_thing() -> None:
    assert take_apart("a mug that is light green").things == ("a light green mug",)


def test_words_for_a_view() -> None:
    parts = take_apart("a 3D render of a red mug, back view")
    assert parts == CaptionParts("a red mug", ("a red mug",), (), Direction.BACK)
    assert [take_apart(f"a mug, {word} view").view for word in ("front", "side", "back", "overhead")] == list(Direction)


def test_every_plural_of_the_world_has_its_singular() -> None:
    for plural, (noun, several) in nouns().items():
        if several:
            things = take_apart(f"two {plural}").things
            assert things == (with_article(noun),) * 2 or plural == noun


def test_other_names_are_read_as_the_nouns_of_the_world() -> None:
    assert take_apart("an automobile") == CaptionParts("an automobile", ("a car",), (), None)
    assert take_apart("a photo of a red Automobile, back view").things == ("a red car",)
    assert take_apart("a game die beside two donuts").things == ("a dice", "a doughnut", "a doughnut")
    for text in ("a jet engine", "a studio", "a lemonade", "an octopus"):
        assert take_apart(text).things == (text,)
    for noun, names in OTHER_NAMES.items():
        assert {take_apart(with_article(name)).things for name in names} == {(with_article(noun),)}


def test_all_that_the_world_says_of_two_things_is_understood() -> None:
    assert set(ASKED) <= set(RELATIONS)
    assert all(len(take_apart(f"a mug {place}").things) == 2 for place in SURROUNDINGS)
    world, seen = World(0), 0
    for index in range(200):
        sample = world.sample(index)
        said = sample.attributes
        count = sum(item.count for item in said.items) + (said.surroundings is not None)
        assert len(take_apart(sample.caption).things) == count, sample.caption
        seen += count > 1
    assert 50 < seen < 150
