"""What the judge says against what is asked for: figures that are known in closed form."""

import pytest
import torch
from constructed_judge import AROUND, BACK, FRONT, LEFT, RIGHT, ConstructedJudge, pictures, turn

from lodestone.data.worlds.captions import Relation
from lodestone.errors import SettingError
from lodestone.evaluation.judge.network import Judge
from lodestone.evaluation.report.judging import PictureJudge, central, judge_pictures, understood


def judged(judge, caption, azimuth=None):
    azimuth = turn() if azimuth is None else azimuth
    return judge_pictures(judge, pictures(len(azimuth)), understood(caption), azimuth)


def test_the_judge_is_a_judge():
    assert isinstance(Judge((4, 8)), PictureJudge) and isinstance(ConstructedJudge("mug"), PictureJudge)


def test_of_a_prompt_that_is_not_of_the_world_nothing_is_right_or_wrong():
    judgement = judged(ConstructedJudge("mug"), "a corgi that rides a unicycle")
    assert judgement.together == judgement.alone
    assert (judgement.together.category, judgement.together.color, judgement.together.relation) == (None, None, None)
    assert judgement.viewpoint is None and judgement.janus is None
    assert judgement.seen[0][0] == "mug" and judgement.sides == AROUND


def test_the_category_is_that_of_all_pictures_together():
    most = ["mug"] * 5 + ["chair"] * 3
    judgement = judged(ConstructedJudge(most), "a mug")
    assert judgement.together.category == 1 and judgement.alone.category == pytest.approx(5 / 8)
    assert judged(ConstructedJudge(most), "a chair").together.category == 0
    assert [noun for noun, _ in judgement.seen][:2] == ["mug", "chair"]


def test_shares_of_what_is_seen_are_probabilities():
    (noun, share), *others = judged(ConstructedJudge("mug"), "a mug").seen
    assert noun == "mug" and 0.9 < share <= 1 and all(other < 0.01 for _, other in others)


def test_two_items_are_right_only_if_both_are_the_likeliest():
    judge = ConstructedJudge(("mug", "lemon"), relations=Relation.AND)
    assert judged(judge, "a mug and a lemon").together.category == 1
    judge = ConstructedJudge(("mug", "chair", "lemon"), relations=Relation.AND)
    assert judged(judge, "a mug and a lemon").together.category == 0
    assert judged(ConstructedJudge(("lemon", "mug")), "two lemons").together.category == 1


def test_the_colour_of_every_item_that_has_one_in_the_caption():
    colors = {"mug": "red", "lemon": "yellow"}
    judge = ConstructedJudge(("mug", "lemon"), colors=colors, relations=Relation.BESIDE)
    assert judged(judge, "a red mug beside a lemon").together.color == 1
    assert judged(judge, "a red mug beside a yellow lemon").together.color == 1
    assert judged(judge, "a red mug beside a green lemon").together.color == 0
    assert judged(judge, "a mug beside a lemon").together.color is None
    some = ConstructedJudge("mug", colors={"mug": ["red"] * 6 + ["blue"] * 2})
    assert judged(some, "a red mug").alone.color == 0.75


def test_colours_of_two_items_of_one_category_cannot_be_asked_for():
    judge = ConstructedJudge("mug", colors={"mug": "red"})
    judge.relations = lambda verdicts, first, second, azimuth: torch.zeros(len(azimuth), len(Relation))
    judgement = judged(judge, "a red mug beside a blue mug")
    assert judgement.together.color is None and judgement.together.category == 1


@pytest.mark.parametrize(
    ("said", "seen", "right"),
    [
        ("and", Relation.LEFT, 1),
        ("and", Relation.ON, 0),
        ("beside", Relation.FRONT, 1),
        ("on", Relation.ON, 1),
        ("on", Relation.BESIDE, 0),
        ("to the left of", Relation.LEFT, 1),
        ("to the left of", Relation.RIGHT, 0),
        ("behind", Relation.BEHIND, 1),
        ("behind", Relation.ON, 0),
    ],
)
def test_relations(said, seen, right):
    judge = ConstructedJudge(("mug", "lemon"), relations=seen)
    judgement = judged(judge, f"a mug {said} a lemon")
    assert judgement.together.relation == right == judgement.alone.relation


def test_one_object_has_no_relation():
    assert judged(ConstructedJudge("mug"), "a mug on a wooden table").together.relation is None
    assert judged(ConstructedJudge("lemon"), "three lemons").together.relation is None


def test_a_front_on_every_side_is_a_janus():
    judgement = judged(ConstructedJudge("mug", sides=(FRONT,) * 8), "a mug")
    assert judgement.janus == 1 and judgement.viewpoint == 0.25


def test_an_object_as_it_is_has_one_front():
    judgement = judged(ConstructedJudge("mug"), "a mug")
    assert judgement.janus == 0 and judgement.viewpoint == 1


def test_an_object_that_is_turned_has_one_front_and_wrong_sides():
    judgement = judged(ConstructedJudge("mug", sides=AROUND[2:] + AROUND[:2]), "a mug")
    assert judgement.janus == 0 and judgement.viewpoint == 0


def test_views_of_corners_do_not_count():
    corners = (FRONT, FRONT, RIGHT, FRONT, BACK, FRONT, LEFT, FRONT)
    judgement = judged(ConstructedJudge("mug", sides=corners), "a mug")
    assert judgement.janus == 0 and judgement.viewpoint == 1
    assert central(turn()).tolist() == [True, False] * 4
    assert central(turn(12)).all(), "30 degrees are central"
    assert not central(torch.tensor([31.0, -45.0, 315.0, 121.0, 500.0])).any()


def test_two_fronts_in_one_quadrant_are_one_face():
    sides = (FRONT, FRONT, RIGHT, RIGHT, RIGHT, BACK, BACK, BACK, LEFT, LEFT, LEFT, FRONT)
    judgement = judged(ConstructedJudge("mug", sides=sides), "a mug", turn(12))
    assert judgement.janus == 0 and judgement.viewpoint == 1


def test_views_of_one_quadrant_show_no_janus():
    few = ConstructedJudge("mug", sides=(FRONT, FRONT))
    assert judged(few, "a mug", torch.tensor([-10.0, 10.0])).janus is None
    assert judged(few, "a mug", torch.tensor([-10.0, 10.0])).viewpoint == 1
    assert judged(few, "a mug", torch.tensor([45.0, 135.0])).viewpoint is None


@pytest.mark.parametrize(
    ("caption", "viewpoint", "janus"),
    [
        ("a mug on a wooden table", True, True),
        ("a mug beside a lemon", True, False),
        ("two mugs", False, False),
        ("a lemon", False, False),
    ],
)
def test_sides_are_asked_for_of_oriented_things_alone(caption, viewpoint, janus):
    judge = ConstructedJudge(("mug", "lemon"), relations=Relation.BESIDE)
    judgement = judged(judge, caption)
    assert (judgement.viewpoint is not None) is viewpoint and (judgement.janus is not None) is janus


def test_pictures_that_are_not_finite_are_looked_at_as_black():
    dark = torch.full((8, 8, 8, 3), torch.nan)
    assert judge_pictures(ConstructedJudge("mug"), dark, understood("a mug"), turn()).together.category == 1


def test_no_pictures_are_refused():
    with pytest.raises(SettingError, match="no pictures to judge"):
        judge_pictures(ConstructedJudge("mug"), pictures(0), None, torch.zeros(0))
