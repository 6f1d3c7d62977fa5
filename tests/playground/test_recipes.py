"""The recipes of flat scenes have the numbers that their documentation promises."""

import pytest
import torch

from lodestone.distillation.lods import LearnedNullEmbedding, LearnedNullLora
from lodestone.distillation.weighting import SigmaSquared
from lodestone.errors import SettingError
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.recipes.editing import EDITORS
from lodestone.recipes.playground import playground, playground_lora, resized
from lodestone.scenes.image import Space


def test_for_stable_diffusion_the_defaults_are_those_of_the_official_scripts():
    embedding, lora = (recipe("a hamburger", "sd21-base") for recipe in (playground, playground_lora))
    assert isinstance(embedding.estimator, LearnedNullEmbedding) and isinstance(lora.estimator, LearnedNullLora)
    assert (embedding.plan.steps, lora.plan.steps) == (1_000, 700)
    assert (embedding.estimator.guidance_scale, lora.estimator.guidance_scale) == (100.0, 1e6)
    assert (embedding.prompt.negative, lora.prompt.negative) == ("", "<new1>")
    assert (embedding.estimator.learning_rate, lora.estimator.learning_rate) == (1e-4, 1e-5)
    for experiment in (embedding, lora):
        plan, scene = experiment.plan, experiment.scene
        assert (plan.views, scene.particles, plan.preview_every) == (6, 6, 50)
        assert (plan.smallest_time(0), plan.largest_time(0)) == (0.02, 0.98)
        assert experiment.estimator.weight == SigmaSquared() and experiment.prompt.view_dependent
        assert (scene.learning_rate, scene.final, scene.initial_std) == (3e-2, 1.0, 0.29)
        assert (scene.space, scene.channels, scene.size) == (Space.LATENT, 4, 64)
    assert lora.estimator.low_rank.scale == 0.5 and lora.estimator.low_rank.rank == 4


@pytest.mark.parametrize(("prior", "side"), [("sd15", 64), ("sd21", 96), ("sd20", 96)])
def test_latents_have_the_side_that_the_prior_was_trained_at(prior, side):
    assert playground("x", prior).scene.size == side


@pytest.mark.parametrize("prior", ["embedded", "empirical"])
def test_the_small_priors_take_pictures_of_64_pixels(prior):
    scene = playground("x", prior).scene
    assert (scene.space, scene.size, scene.channels) == (Space.PICTURE, 64, 3)


def test_the_window_of_times_narrows_over_the_same_share_of_the_steps():
    shorter = resized(playground("x"), particles=2, steps=12)
    assert (shorter.plan.steps, shorter.plan.largest_time.over) == (12, 10)
    assert shorter.scene.particles == shorter.plan.views == 2
    assert resized(playground("x")) == playground("x")


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ({"particles": 0}, "scene.particles is 0"),
        ({"particles": 257}, "scene.particles is 257"),
        ({"steps": 0}, "plan.steps is 0"),
        ({"steps": -3}, "plan.steps is -3"),
    ],
)
def test_impossible_numbers_are_refused(numbers, sentence):
    with pytest.raises(SettingError, match=sentence):
        resized(playground("x"), **numbers)


@pytest.mark.parametrize("name", EDITORS)
@pytest.mark.parametrize("prior", ["embedded", "sd15"])
def test_an_edit_has_one_particle_and_can_be_stored(name, prior):
    experiment = EDITORS[name]("a dog", prior)
    assert experiment.scene.particles == experiment.plan.views == 1
    assert from_plain(EDITORS[name]("a cat", prior), to_plain(experiment)) == experiment


def test_dds_on_stable_diffusion_has_the_papers_numbers():
    experiment = EDITORS["dds"]("a dog", "sd15")
    assert experiment.plan.steps == 200 and experiment.estimator.guidance_scale == 7.5
    assert (experiment.plan.smallest_time(0), experiment.plan.largest_time(0)) == (0.05, 0.95)


def test_the_seed_decides_the_first_particles_and_the_estimator_does_not():
    scene = playground("x").scene
    first, again, other = (scene.create(torch.Generator().manual_seed(seed)).particles for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert playground_lora("x").scene == scene
