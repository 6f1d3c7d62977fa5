"""Recipes have their papers' numbers; drafts keep their kind and run."""

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from lodestone.distillation.timesteps import LinearTimes
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.optimize.rehearsal import StandInMesher
from lodestone.priors.choose import open_prior
from lodestone.prompts.prompt import PromptSettings
from lodestone.recipes.choose import Choice, describe, recipes
from lodestone.runs import generate
from lodestone.scenes.field_settings import Space
from lodestone.scenes.gaussian_settings import GaussianSettings
from lodestone.scenes.hash_field import HashFieldSettings
from lodestone.scenes.tet_mesh import Appearance, Shows
from lodestone.scenes.tet_mesh_settings import TetMeshSettings
from lodestone.scenes.textured_mesh import TexturedMeshSettings
from lodestone.scenes.voxel_grid import VoxelGridSettings

SMALL = ("embedded", "empirical")
SYSTEMS = {name: recipe for name, recipe in recipes().items() if not name.startswith(("edit-", "playground"))}
"""Every recipe in 3D."""


@cache
def build(name: str, prior: str) -> Experiment:
    """The recipe's result for one prompt."""
    return recipes()[name]("a hamburger", prior)


class Stage(NamedTuple):
    """What a paper says of a stage; the guidance scale is None where a method has none."""

    scene: type
    steps: int
    views: int
    guidance: float | None
    window: tuple[float, float]
    """Times at the first step."""


WIDE, LATE = (0.02, 0.98), (0.02, 0.5)
PAPERS = {
    "csd": (Stage(HashFieldSettings, 10_000, 1, None, WIDE), Stage(TetMeshSettings, 10_000, 1, None, LATE)),
    "dreamfusion": (Stage(HashFieldSettings, 10_000, 1, 101.0, WIDE),),
    "dreamgaussian": (
        Stage(GaussianSettings, 500, 1, 100.0, WIDE),
        Stage(TexturedMeshSettings, 50, 1, 100.0, (0.05, 0.2)),
    ),
    "dreamtime": (Stage(HashFieldSettings, 10_000, 1, 101.0, WIDE),),
    "fantasia3d": (Stage(TetMeshSettings, 3_000, 4, 100.0, LATE), Stage(TetMeshSettings, 2_000, 4, 100.0, LATE)),
    "hifa": (Stage(HashFieldSettings, 10_000, 1, 100.0, (0.3, 0.98)),),
    "latent-nerf": 2 * (Stage(HashFieldSettings, 5_000, 1, 100.0, WIDE),),
    "lods-gs-embedding": (Stage(GaussianSettings, 2_500, 8, 1000.0, WIDE),),
    "lods-ngp-embedding": (Stage(HashFieldSettings, 25_000, 1, 1000.0, WIDE),),
    "lods-ngp-lora": (Stage(HashFieldSettings, 25_000, 1, 1000.0, WIDE),),
    "lucid-dreamer": (Stage(GaussianSettings, 5_000, 4, 7.5, WIDE),),
    "magic3d": (Stage(HashFieldSettings, 10_000, 1, 101.0, WIDE), Stage(TetMeshSettings, 5_000, 1, 101.0, LATE)),
    "prolificdreamer": (
        Stage(HashFieldSettings, 25_000, 1, 7.5, WIDE),
        Stage(TetMeshSettings, 15_000, 1, 100.0, WIDE),
        Stage(TetMeshSettings, 30_000, 1, 7.5, WIDE),
    ),
    "sjc": (Stage(VoxelGridSettings, 10_000, 1, 100.0, (0.01, 0.97)),),
    "ssd-gs": (Stage(GaussianSettings, 5_000, 4, None, WIDE),),
    "ssd-nerf": (Stage(HashFieldSettings, 10_000, 12, None, WIDE), Stage(HashFieldSettings, 5_000, 1, None, LATE)),
}


@pytest.mark.parametrize("name", PAPERS)
def test_recipes_have_their_papers_numbers(name):
    stages = build(name, "sd15").stages
    assert tuple(map(numbers, stages)) == PAPERS[name]


def numbers(stage: Experiment) -> Stage:
    plan, guidance = stage.plan, getattr(stage.estimator, "guidance_scale", None)
    return Stage(type(stage.scene), plan.steps, plan.views, guidance, (plan.smallest_time(0), plan.largest_time(0)))


def test_sjc_pushes_density_together_twenty_times_as_hard_in_the_second_half():
    plan = build("sjc", "sd15").plan
    weights = [plan.regularizers.emptiness(step) for step in (0, 4_999, 5_000)]
    assert weights == [1e4 / 512, 1e4 / 512, 2e5 / 512]


def test_latent_nerf_goes_from_latents_to_colours():
    for prior in ("sd15", *SMALL):
        latents, colors = build("latent-nerf", prior).stages
        assert (latents.scene.volume.space, colors.scene.volume.space) == (Space.LATENT, Space.REFINED)


def test_csd_goes_from_the_null_condition_to_the_negative_prompt_and_half_the_way_back():
    coarse, fine = (stage.estimator.negative_share for stage in build("csd", "sd15").stages)
    assert [coarse(step) for step in (0, 5_000)] == [0, 1] and [fine(step) for step in (0, 10_000)] == [1, 0.5]


def test_ssd_on_a_field_has_orientation_from_10_to_1000_and_no_opaqueness():
    low, high = build("ssd-nerf", "sd15").stages
    terms = low.plan.regularizers
    assert [terms.orientation(step) for step in (0, 10_000)] == [10, 1000] and terms.sparsity(0) == 10
    assert not any(stage.plan.regularizers.opaqueness(0) for stage in (low, high))
    assert (low.plan.side(0, 512), high.plan.side(0, 512)) == (256, 512)


def test_fantasia3d_learns_the_shape_from_normals_and_then_leaves_it():
    shape, material = (stage.scene for stage in build("fantasia3d", "sd15").stages)
    assert (shape.shows, shape.latent_steps, shape.radii) == (Shows.NORMALS_AND_MASK_LATENT, 1_000, (0.5, 0.5, 0.5))
    assert material.appearance is Appearance.PHYSICALLY_BASED and material.shows is Shows.COLOR
    assert shape.learn_geometry and not material.learn_geometry and material.grid == shape.grid
    estimator = build("fantasia3d", "sd15").estimator
    assert (estimator.weight.alpha_power, estimator.weight.sigma_power) == (1, 2)


def test_prolificdreamer_sharpens_its_field_at_5000_and_solidifies_it_at_10000():
    field, shape, texture = build("prolificdreamer", "sd15").stages
    assert [field.plan.side(step, 512) for step in (4_999, 5_000)] == [64, 512]
    terms = field.plan.regularizers
    assert terms.sparsity(0) == 10 and [terms.opaqueness(step) for step in (9_999, 10_000)] == [0, 1_000]
    assert [[stage.plan.largest_time(step) for step in (4_999, 5_000)] for stage in (field, shape, texture)] == 3 * [
        [0.98, 0.5]
    ]
    assert shape.scene.shows is Shows.NORMALS and texture.scene.shows is Shows.COLOR
    assert not texture.scene.learn_geometry and texture.scene.grid == shape.scene.grid


def test_dreamgaussian_grows_its_pictures_twice_while_the_time_falls():
    splats, texture = build("dreamgaussian", "sd15").stages
    assert [splats.plan.side(step, 512) for step in (0, 149, 150, 299, 300)] == [128, 128, 256, 256, 512]
    assert isinstance(splats.estimator.times, LinearTimes) and isinstance(texture.estimator.times, LinearTimes)
    assert texture.scene.learning_rate == 0.2 and texture.scene.texture_size == 1024


@pytest.mark.parametrize("name", recipes())
@pytest.mark.parametrize("prior", ["sd15", *SMALL])
def test_every_stage_can_be_stored(name, prior):
    for stage in build(name, prior).stages:
        alone = replace(stage, previous=None)
        other = replace(alone, prompt=PromptSettings(text="a dog"), seed=7)
        assert from_plain(other, to_plain(alone)) == alone


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("prior", SMALL)
def test_a_draft_is_of_its_recipes_kind(name, prior):
    paper, draft = (build(name, chosen).stages for chosen in ("sd15", prior))
    assert [kind(stage) for stage in paper] == [kind(stage) for stage in draft]
    assert not any(stage.prompt.view_dependent for stage in draft)


def kind(stage: Experiment) -> tuple[type, type]:
    return type(stage.scene), type(stage.estimator)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_draft_runs_two_steps_in_each_stage(name, tmp_path, monkeypatch, exact):
    monkeypatch.setattr("lodestone.runs.Mesher", lambda camera: StandInMesher())
    monkeypatch.setattr("lodestone.runs.write_files", lambda *arguments: [])
    experiment, choice = tiny(build(name, "empirical")), Choice(recipe=name, prior="empirical")
    run = generate(experiment, output=tmp_path, choice=choice, formats=(), quiet=True, prior=exact)
    assert run.complete
    assert all(tensor.isfinite().all() for tensor in run.scene.state_dict().values() if tensor.is_floating_point())


def tiny(experiment: Experiment) -> Experiment:
    """Two steps of one view in each stage."""
    plan = replace(experiment.plan, steps=2, views=1, preview_every=0, checkpoint_every=2, compare_slot_every=0)
    previous = experiment.previous and tiny(experiment.previous)
    return replace(experiment, plan=plan, previous=previous)


@pytest.fixture(scope="module")
def exact():
    """The empirical prior, open."""
    return open_prior("empirical", device=torch.device("cpu"))


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_recipe_is_a_page_long_and_says_which_paper_it_follows(name):
    assert "arXiv" in describe(SYSTEMS[name])
    source = Path(str(sys.modules[SYSTEMS[name].__module__].__file__))
    assert len(source.read_text().splitlines()) <= 60
