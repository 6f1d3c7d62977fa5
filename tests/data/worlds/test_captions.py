"""Captions say what there is, in English, and can be read back."""

import pytest

from lodestone.data.worlds.captions import (
    OTHER_NAMES,
    Attributes,
    Item,
    Kind,
    Relation,
    paraphrase,
    plain_caption,
    plural_of,
)
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.requests import parse
from lodestone.data.worlds.scenes import Request, Wanted
from lodestone.data.worlds.surroundings import SURROUNDINGS
from lodestone.data.worlds.world import World
from lodestone.errors import SettingError

MUG = Item("mug", "mugs", "red", natural=False)
LEMON = Item("lemon", "lemons", "yellow", natural=True)
LEMONS = Item("lemon", "lemons", "yellow", natural=True, count=2)
ORANGE = Item("orange", "oranges", None, natural=False)


def attributes(*items, relation=None, surroundings=None):
    kind = Kind.SURROUNDINGS if surroundings else Kind.SINGLE if len(items) == 1 else Kind.SEVERAL
    return Attributes(kind=kind, items=items, relation=relation, surroundings=surroundings)


@pytest.mark.parametrize(
    ("what", "caption"),
    [
        (attributes(MUG), "a red mug"),
        (attributes(LEMON), "a lemon"),
        (attributes(ORANGE), "an orange"),
        (attributes(LEMONS), "two lemons"),
        (attributes(MUG, surroundings="on a wooden table"), "a red mug on a wooden table"),
        (attributes(MUG, LEMONS, relation=Relation.AND), "a red mug and two lemons"),
        (attributes(MUG, ORANGE, relation=Relation.LEFT), "a red mug to the left of an orange"),
    ],
)
def test_plain_captions(what, caption):
    assert plain_caption(what) == caption


def said(what, count=400):
    return {paraphrase(what, Draw("said", number)) for number in range(count)}


def test_paraphrases_of_one_object():
    assert {"a red mug", "a mug that is red", "a photo of a red mug", "one red mug", "a red mug, 3D asset"} <= said(
        attributes(MUG)
    )
    assert {"a lemon", "a yellow lemon"} <= said(attributes(LEMON))


def test_an_object_is_sometimes_called_by_another_name_of_its_category():
    found = said(attributes(Item("car", "cars", "red", natural=False)))
    assert {"a red car", "a red automobile", "an automobile that is red"} <= found
    two = said(attributes(Item("car", "cars", "red", natural=False, count=2)))
    assert not any("automobile" in text for text in two)


def test_other_names_are_of_categories_and_are_no_categories_themselves():
    names = [name for others in OTHER_NAMES.values() for name in others]
    assert set(OTHER_NAMES) <= set(CATEGORIES) and not set(names) & set(CATEGORIES)
    assert len(set(names)) == len(names)


def test_paraphrases_turn_relations_around():
    found = said(attributes(MUG, LEMON, relation=Relation.LEFT))
    assert {"a red mug to the left of a lemon", "a lemon to the right of a red mug"} <= found
    assert not any("mug to the right" in text or "lemon to the left" in text for text in found)
    found = said(attributes(LEMON, MUG, relation=Relation.ON))
    assert {"a lemon on a red mug", "a lemon on top of a red mug"} <= found
    assert not any("mug on" in text for text in found)


def test_paraphrases_of_surroundings():
    found = said(attributes(MUG, surroundings="on a wooden table"))
    assert {"a red mug on a wooden table", "a wooden table with a red mug on it"} <= found


@pytest.mark.parametrize(
    ("noun", "plural"), [("mug", "mugs"), ("strawberry", "strawberries"), ("toy", "toys"), ("bus", "buses")]
)
def test_regular_plurals(noun, plural):
    assert plural_of(noun) == plural


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("a red mug", Request(items=(Wanted("mug", "red"),))),
        ("A photo of a red mug.", Request(items=(Wanted("mug", "red"),))),
        ("a mug that is red, 3D asset", Request(items=(Wanted("mug", "red"),))),
        ("mug", Request(items=(Wanted("mug"),))),
        ("a red automobile", Request(items=(Wanted("car", "red"),))),
        ("two bikes", Request(items=(Wanted("bicycle", None, 2),))),
        ("two lemons", Request(items=(Wanted("lemon", None, 2),))),
        ("a light blue mug and two knives", Request(
            items=(Wanted("mug", "light blue"), Wanted("knife", None, 2)), relation=Relation.AND)),
        ("a red mug on grass", Request(items=(Wanted("mug", "red"),), surroundings="on grass")),
        ("a lemon on a blue plate", Request(
            items=(Wanted("lemon"), Wanted("plate", "blue")), relation=Relation.ON)),
        ("a lemon to the left of a mug", Request(items=(Wanted("lemon"), Wanted("mug")), relation=Relation.LEFT)),
        ("a bowl of soup next to a grey mug", Request(
            items=(Wanted("bowl of soup"), Wanted("mug", "gray")), relation=Relation.BESIDE)),
    ],
)  # fmt: skip
def test_captions_are_understood(text, request_):
    assert parse(text) == request_


def test_every_plain_caption_of_the_world_is_understood():
    world = World(5)
    for index in range(10):
        what = world.attributes(index)
        request = parse(plain_caption(what))
        assert [(w.noun, w.color, w.count) for w in request.items] == [
            (item.noun, item.said_color, item.count) for item in what.items
        ]
        assert (request.kind, request.relation, request.surroundings) == (what.kind, what.relation, what.surroundings)


@pytest.mark.parametrize("place", ["", *SURROUNDINGS])
def test_every_category_is_understood_everywhere(place):
    for noun in CATEGORIES:
        request = parse(f"a {noun} {place}".strip())
        assert request.items == (Wanted(noun),) and request.surroundings == (place or None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a red dragonfruit", ("no category", "dragonfruit", "mug")),
        ("a mauve mug", ("no colour", "mauve", "turquoise")),
        ("a mug on a volcano", ("no category", "volcano", "on a wooden table")),
        ("", ("no category",)),
        ("five mugs", ("five",)),
    ],
)
def test_what_is_not_of_this_world_is_refused(text, words):
    with pytest.raises(SettingError) as refused:
        parse(text)
    assert all(word in str(refused.value) for word in words) and "\n" not in str(refused.value)
