"""The distance to the truth: exact against itself, found when it is turned, lower for something else."""

from dataclasses import replace

import pytest
import torch

from lodestone.data.worlds.requests import parse
from lodestone.data.worlds.views import see_colors
from lodestone.data.worlds.world import World
from lodestone.errors import SettingError
from lodestone.evaluation.truth import (
    LARGEST_PSNR,
    Looks,
    TruthSettings,
    distance_to_truth,
    fixes_object,
    looks_of_truth,
    nearest,
    seen_index,
)
from lodestone.rendering.cameras import EvaluationCamera
from lodestone.scenes.scene import AbstractScene, Rendering

CAMERA = EvaluationCamera(elevation=10.0, distance=3.0, field_of_view=25.0)
FEW = TruthSettings(objects=3, views=4, rotations=12, size=48)


class Shown(AbstractScene):
    """An object of the world as an asset."""

    def __init__(self, caption, number):
        super().__init__()
        self.painted = World(0).make(parse(caption), number).mesh
        self.scale = torch.nn.Parameter(torch.tensor(0.6))

    def render(self, cameras, background, rng=None):
        mesh = replace(self.painted.mesh, vertices=self.scale * self.painted.mesh.vertices)
        seen = see_colors(replace(self.painted, mesh=mesh), cameras)
        return Rendering(color=seen.over(background), opacity=seen.mask, depth=torch.zeros_like(seen.mask))

    def coverage(self):
        return 1.0


@pytest.fixture(scope="module")
def truths():
    return looks_of_truth("a red mug", CAMERA, FEW)


def views(looks, turn=0):
    """Every third view, of the object turned by steps of 30 degrees."""
    index = [(3 * view - turn) % 12 for view in range(4)]
    return Looks(pictures=looks.pictures[index], masks=looks.masks[index])


def test_the_truth_is_its_own_best_match(truths):
    for number, truth in enumerate(truths):
        found = nearest(views(truth), truths)
        assert found.aligned == found.turned
        assert (found.aligned.number, found.aligned.rotation) == (number, 0.0)
        assert found.aligned.iou == pytest.approx(1.0)
        assert found.aligned.psnr == pytest.approx(LARGEST_PSNR)


@pytest.mark.parametrize("turn", [1, 5, 11])
def test_a_turned_truth_is_found(truths, turn):
    found = nearest(views(truths[1], turn), truths)
    assert (found.turned.number, found.turned.rotation) == (1, 30.0 * turn)
    assert found.turned.iou == pytest.approx(1.0)
    assert found.aligned.iou < 0.97 and found.aligned.psnr < 30


def test_an_object_that_is_turned_is_what_is_found(truths):
    """The turned object itself, rendered anew without light, has the silhouettes that the index says."""
    painted = World(0).make(parse("a red mug"), 1).mesh
    quarter = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    mesh = replace(painted.mesh, vertices=painted.mesh.vertices @ quarter.T)
    normals = painted.normals @ quarter.T
    turned = replace(painted, mesh=mesh, normals=normals)
    found = nearest(Looks.of_object(turned, CAMERA.viewpoints(4), FEW.size), truths)
    assert (found.turned.number, found.turned.rotation) == (1, 90.0)
    assert found.turned.iou == pytest.approx(1.0, abs=0.01)


def test_something_else_scores_lower(truths):
    same = nearest(views(truths[0]), truths[1:])
    blue = nearest(views(looks_of_truth("a blue mug", CAMERA, FEW)[0]), truths)
    boat = nearest(views(looks_of_truth("a red sailboat", CAMERA, FEW)[0]), truths)
    assert same.turned.psnr > blue.turned.psnr + 3 and same.turned.psnr > boat.turned.psnr + 3
    assert same.turned.iou > boat.turned.iou + 0.1
    for found in (same, blue, boat):
        assert found.turned.psnr >= found.aligned.psnr


def test_figures_by_hand():
    """One view: a mean square error of 1/16 in PSNR, and 2 common pixels of 6."""
    white = torch.ones(1, 3, 4, 4)
    left = torch.zeros(1, 4, 4, dtype=torch.bool)
    asset, truth = left.clone(), left.clone()
    asset[0, 0], truth[0, 0, :2], truth[0, 1, :2] = True, True, True
    found = nearest(Looks(pictures=white, masks=asset), [Looks(pictures=white - 0.25, masks=truth)])
    assert found.aligned.psnr == pytest.approx(12.0412, abs=1e-3)
    assert found.aligned.iou == pytest.approx(1 / 3)


def test_nothing_at_all_has_no_overlap(truths):
    empty = Looks(pictures=torch.ones(4, 3, 48, 48), masks=torch.zeros(4, 48, 48, dtype=torch.bool))
    assert nearest(empty, truths).turned.iou == 0.0
    assert nearest(empty, [empty]).turned.iou == 0.0


def test_a_quarter_turn_moves_views_by_a_quarter():
    assert seen_index(4, 8)[:, 2].tolist() == [6, 0, 2, 4]
    assert seen_index(4, 8)[:, 0].tolist() == [0, 2, 4, 6]


def test_an_asset_is_compared_from_the_camera_of_its_recipe():
    found = distance_to_truth(Shown("a red mug", 2), "a red mug", CAMERA, FEW)
    assert (found.turned.number, found.turned.rotation) == (2, 0.0)
    assert found.turned.iou == pytest.approx(1.0, abs=0.01) and found.turned.psnr > 40


@pytest.mark.parametrize("caption", ["two red mugs", "a mug", "a red mug on grass", "a red mug and a blue car"])
def test_a_caption_that_leaves_the_object_open_is_refused(caption):
    assert not fixes_object(parse(caption))
    with pytest.raises(SettingError, match="name one thing and its colour"):
        looks_of_truth(caption, CAMERA, FEW)


def test_rotations_are_a_multiple_of_the_views():
    with pytest.raises(SettingError, match=r"truth\.rotations is 20"):
        TruthSettings(rotations=20)
