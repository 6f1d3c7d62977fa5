"""What a judge says, when it is refused, and whether the packaged one knows the truth."""

import json
import math
from dataclasses import replace

import pytest
import torch

from lodestone.data.worlds.cache import ViewSettings, render_views
from lodestone.data.worlds.captions import Relation
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.data.worlds.colors import COLORS
from lodestone.data.worlds.requests import parse
from lodestone.data.worlds.views import see_colors
from lodestone.data.worlds.world import World
from lodestone.errors import SettingError
from lodestone.evaluation.judge.degrading import clean, degrade
from lodestone.evaluation.judge.examples import NONE, Answers, Examples, negative_log_likelihood
from lodestone.evaluation.judge.load import CARD, WEIGHTS, load_judge, packaged_weights, save_judge
from lodestone.evaluation.judge.measuring import oriented_among, right_category
from lodestone.evaluation.judge.network import BLUR, COLOR_NAMES, NOUNS, RELATIONS, Judge, Verdicts, place, soft
from lodestone.evaluation.judge.quadrants import Quadrant, quadrant_of
from lodestone.evaluation.judge.relations import relation_is_right
from lodestone.rendering.cameras import turntable
from lodestone.storage import load_tensors, save_tensors

TINY = (8, 16)
ELSEWHERE = 4_000_037
"""Seed of a world that no judge was trained on or measured in."""


@pytest.fixture(scope="module")
def judge():
    return load_judge()


def seen_from(caption, azimuths, number=0):
    """Pictures of a scene on white, from some sides."""
    sample = World(ELSEWHERE).make(parse(caption), number)
    viewpoints = turntable(len(azimuths), elevation=15.0, distance=3.1 / 0.6, field_of_view=26.0)
    viewpoints = replace(viewpoints, azimuth=torch.tensor(azimuths))
    pictures = see_colors(sample.mesh, viewpoints.cameras(64, 64)).over(torch.ones(len(azimuths), 3))
    return pictures.permute(0, 3, 1, 2).contiguous()


@pytest.mark.parametrize("side", [64, 96, 32])
def test_all_that_it_says_are_log_probabilities(side):
    torch.manual_seed(0)
    judge = Judge(TINY).eval()
    verdicts = judge(torch.rand(3, 3, side, side))
    azimuth = torch.tensor([0.0, 100.0, 250.0])
    said = {
        len(CATEGORIES): verdicts.category,
        len(Quadrant): verdicts.quadrant,
        len(COLORS): judge.colors(verdicts, "mug"),
        len(Relation): judge.relations(verdicts, "mug", "cat", azimuth),
    }
    for count, rows in said.items():
        assert rows.shape == (3, count)
        torch.testing.assert_close(rows.logsumexp(dim=-1), torch.zeros(3), atol=1e-5, rtol=0)
    assert not torch.equal(judge.colors(verdicts, "cat"), said[len(COLORS)])
    assert not torch.equal(judge.relations(verdicts, "cat", "mug", azimuth), said[len(Relation)])
    assert not torch.equal(judge.relations(verdicts, "mug", "cat", azimuth + 180), said[len(Relation)])


def test_a_category_of_another_world_is_refused(judge):
    verdicts = judge(torch.rand(1, 3, 64, 64))
    with pytest.raises(SettingError, match="the judge knows no category 'unicorn': choose among hamburger"):
        judge.colors(verdicts, "unicorn")
    with pytest.raises(SettingError, match=r"judge\.channels"):
        Judge(())


def test_quadrants_are_quarter_turns_and_borders_belong_to_front_and_back():
    sides = {
        Quadrant.FRONT: [0.0, 45.0, 315.0, -45.0, 720.0],
        Quadrant.RIGHT: [46.0, 90.0, 134.0],
        Quadrant.BACK: [135.0, 180.0, 225.0, -180.0],
        Quadrant.LEFT: [226.0, 270.0, 314.0, -90.0],
    }
    for side, azimuth in sides.items():
        assert (quadrant_of(torch.tensor(azimuth)) == side).all()


def log_shares(**shares):
    """Log probabilities of relations; what is left is spread over the others."""
    left = (1 - sum(shares.values())) / (len(Relation) - len(shares))
    return torch.tensor([[math.log(shares.get(each.name, left)) for each in RELATIONS]])


def test_words_for_one_arrangement_do_not_compete():
    """The world puts "a to the left of b", "a and b" and half of "a beside b" alike."""
    side_by_side = log_shares(AND=0.4, LEFT=0.35, BESIDE=0.2)
    right = {each for each in Relation if relation_is_right(side_by_side, each)}
    assert right == {Relation.AND, Relation.BESIDE, Relation.LEFT}
    stacked = log_shares(ON=0.6, LEFT=0.3)
    assert {each for each in Relation if relation_is_right(stacked, each)} == {Relation.ON}


def test_two_items_are_right_when_both_are_the_likeliest():
    category = torch.full((3, len(NOUNS)), -9.0)
    category[:, 5], category[:, 2], category[:, 7] = -0.5, -1.0, -2.0
    verdicts = Verdicts(category=category, quadrant=torch.zeros(3, 4), features=torch.zeros(3, 1))
    nouns = torch.tensor([[2, 5], [5, NONE], [2, NONE]])
    nothing = torch.full((3,), NONE)
    answers = Answers(kind=nothing, nouns=nouns, colors=nouns, relation=nothing, azimuth=torch.zeros(3))
    assert right_category(verdicts, answers).tolist() == [True, True, False]
    answers = replace(answers, nouns=torch.tensor([[5, 7], [7, NONE], [7, 2]]))
    assert right_category(verdicts, answers).tolist() == [False, False, False]


def test_answers_are_those_of_the_scenes():
    views = render_views(World(ELSEWHERE), range(12), ViewSettings(views=2, size=16), workers=1)
    answers = Examples.of(views).answers
    for row, attributes in enumerate(attributes for attributes in views.attributes for _ in range(2)):
        nouns = [NOUNS[index] for index in answers.nouns[row].tolist() if index != NONE]
        colors = [COLOR_NAMES[index] if index != NONE else None for index in answers.colors[row].tolist()]
        assert nouns == [item.noun for item in attributes.items]
        assert colors[: len(nouns)] == [item.color for item in attributes.items]
        relation = None if answers.relation[row] == NONE else RELATIONS[answers.relation[row]]
        assert relation == attributes.relation
    assert torch.equal(answers.azimuth, views.azimuth.flatten())


def test_what_is_not_said_of_a_picture_costs_nothing():
    torch.manual_seed(0)
    judge, pictures = Judge(TINY).eval(), torch.rand(2, 3, 64, 64)
    answers = Answers(
        kind=torch.zeros(2, dtype=torch.long),
        nouns=torch.tensor([[3, NONE], [4, NONE]]),
        colors=torch.full((2, 2), NONE),
        relation=torch.full((2,), NONE),
        azimuth=torch.tensor([0.0, 180.0]),
    )
    joint, _ = judge.look(pictures)
    own = -(joint[0, 3, Quadrant.FRONT] + joint[1, 4, Quadrant.BACK]) / 2
    torch.testing.assert_close(negative_log_likelihood(judge, pictures, answers), own)
    verdicts = judge(pictures)
    torch.testing.assert_close(verdicts.category.exp(), joint.exp().sum(dim=2))
    torch.testing.assert_close(verdicts.quadrant.exp(), joint.exp().sum(dim=1))


def test_a_place_is_a_mean_and_a_spread():
    corner, edges = torch.zeros(64), torch.zeros(64)
    corner[7], edges[[24, 31]] = 1.0, 0.5  # the right end of the first row; both ends of the fourth
    right_corner, both_ends = place(torch.stack([corner, edges]))
    torch.testing.assert_close(right_corner, torch.tensor([1.0, -1.0, 0.0, 0.0]), atol=2e-3, rtol=0)
    torch.testing.assert_close(both_ends, torch.tensor([0.0, -1 / 7, 1.0, 0.0]), atol=2e-3, rtol=0)


def test_degraded_pictures_are_pictures_and_depend_on_the_generator_alone():
    rgba = (255 * torch.rand(24, 4, 64, 64)).to(torch.uint8)
    one, two, other = (degrade(rgba, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, two) and not torch.equal(one, other)
    assert one.shape == (24, 3, 64, 64) and one.min() >= 0 and one.max() <= 1
    rgba[:, 3] = 255
    torch.testing.assert_close(clean(rgba), rgba[:, :3] / 255)


def test_oriented_is_decided_by_measurement():
    measured = {
        "cat": {"quadrant": 0.9, "false front": 0.02},
        "apple": {"quadrant": 0.3, "false front": 0.2},
        "kite": {"quadrant": 0.75, "false front": 0.3},
    }
    assert oriented_among(measured) == ("cat",)


# ------------------------------------------------------------------------------------------------------- the files


@pytest.fixture
def stored(tmp_path):
    """A small judge in a folder."""
    torch.manual_seed(0)
    save_judge(Judge(TINY, ("cat",)).eval(), tmp_path, {"note": "for a test"})
    return tmp_path


def test_a_judge_comes_back_in_half_precision(stored):
    torch.manual_seed(0)
    kept, again = Judge(TINY).eval(), load_judge(stored)
    assert again.oriented == ("cat",) and not again.training
    for name, parameter in kept.named_parameters():
        torch.testing.assert_close(again.get_parameter(name), parameter.half().float())
    assert json.loads((stored / CARD).read_text())["note"] == "for a test"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("flip", "missing, damaged or no judge"),
        ("cut", "missing, damaged or no judge"),
        ("absent", "missing, damaged or no judge"),
        ("world", "another world"),
        ("version", "another world"),
        ("network", "another network"),
    ],
)
def test_other_weights_are_refused_in_one_sentence(stored, change, said):
    path = stored / WEIGHTS
    contents, (tensors, known) = bytearray(path.read_bytes()), load_tensors(path)
    if change == "absent":
        path.unlink()
    elif change in ("flip", "cut"):
        contents[-10] ^= 1
        path.write_bytes(contents if change == "flip" else contents[: len(contents) // 2])
    elif change == "network":
        save_tensors(path, tensors, known | {"channels": [8, 32]})
    else:
        world = {"world": {"categories": "0" * 16}, "version": {"version": 0}}[change]
        save_tensors(path, tensors, known | {"world": known["world"] | world})
    with pytest.raises(SettingError, match=said) as refused:
        load_judge(stored)
    assert "lodestone judge train" in str(refused.value) and "\n" not in str(refused.value)


# -------------------------------------------------------------------------------------------------- the packaged one


def test_the_packaged_judge_is_small_and_its_card_is_the_one_in_its_weights():
    folder = packaged_weights()
    assert (folder / WEIGHTS).stat().st_size < 5e6
    assert load_tensors(folder / WEIGHTS)[1] == json.loads((folder / CARD).read_text())


def test_the_packaged_judge_knows_scenes_that_nobody_has_seen(judge):
    """Sixteen views; a guess among 114 categories is right once in a hundred."""
    views = render_views(World(ELSEWHERE), range(16), ViewSettings(views=1), workers=1)
    examples = Examples.of(views)
    with torch.no_grad():
        right = right_category(judge(clean(examples.rgba)), examples.answers)
    assert int(right.sum()) >= 11


@pytest.mark.parametrize("caption", ["a dog", "a penguin", "an elephant"])
def test_the_packaged_judge_sees_an_object_turn(judge, caption):
    """Three of them from four sides; a judge that knew no sides would be right in three of twelve."""
    sides = torch.tensor([0.0, 90.0, 180.0, 270.0])
    pictures = torch.cat([seen_from(caption, sides.tolist(), number) for number in range(3)])
    verdicts, noun = judge(pictures), parse(caption).items[0].noun
    assert int((verdicts.quadrant.argmax(dim=-1) == quadrant_of(sides).repeat(3)).sum()) >= 10
    assert int((verdicts.category.argmax(dim=-1) == NOUNS.index(noun)).sum()) >= 10
    assert noun in judge.oriented


@pytest.mark.parametrize("color", ["red", "blue", "green", "black"])
def test_the_packaged_judge_names_colors(judge, color):
    verdicts = judge(seen_from(f"a {color} mug", [20.0, 160.0]))
    assert judge.colors(verdicts, "mug").mean(dim=0).argmax() == COLOR_NAMES.index(color)


def test_things_without_a_front_are_not_oriented(judge):
    assert not {"apple", "plate", "frying pan", "soccer ball", "bottle"} & set(judge.oriented)


def test_left_and_right_are_those_of_the_front(judge):
    """The same scene seen from the back has its items exchanged, and the judge is told so by the azimuth."""
    azimuth = [0.0, 180.0]
    verdicts = judge(seen_from("a cat to the left of a red chair", azimuth))
    said = judge.relations(verdicts, "cat", "chair", torch.tensor(azimuth))
    assert relation_is_right(said, Relation.LEFT).all() and not relation_is_right(said, Relation.RIGHT).any()


def test_the_judge_looks_through_a_blur_of_the_stated_width() -> None:
    """A point becomes a Gaussian of that variance and of mass 1; a plain picture stays as it is, to its border."""
    point = torch.zeros(1, 3, 33, 33)
    point[:, :, 16, 16] = 1.0
    seen, at = soft(point)[0, 0], torch.arange(33.0) - 16
    assert abs(float(seen.sum()) - 1) < 1e-5
    assert abs(float((seen.sum(0) * at.square()).sum()) - BLUR**2) < 0.05
    torch.testing.assert_close(seen, seen.mT)
    plain = torch.full((2, 3, 9, 9), 0.3)
    torch.testing.assert_close(soft(plain), plain)
