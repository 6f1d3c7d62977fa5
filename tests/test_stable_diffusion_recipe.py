"""The recipes run unchanged on a Stable Diffusion folder; this one is tiny and has random weights."""

import json
from dataclasses import replace

import pytest
import torch

from lodestone.priors.choose import open_prior
from lodestone.recipes.choose import Choice, build
from lodestone.runs import generate, resume
from lodestone.testing.offline import offline
from lodestone.testing.tiny_stable_diffusion import build_tiny_stable_diffusion


def small(experiment, steps):
    scene = replace(experiment.scene, initialization=replace(experiment.scene.initialization, count=200))
    plan = replace(experiment.plan, steps=steps, views=2, checkpoint_every=10, compare_slot_every=steps)
    return replace(experiment, scene=scene, plan=plan)


def test_default_recipe_runs_20_steps_and_changes_scene_and_slot(tmp_path):
    folder = build_tiny_stable_diffusion(tmp_path / "tiny")
    choice = Choice(recipe="lods-gs-embedding", prior=str(folder))
    experiment = small(build(choice, "a hamburger"), 20)
    with offline():
        run = generate(experiment, output=tmp_path / "outputs", choice=choice, quiet=True)
        again = resume(run.folder.path, quiet=True)
    assert run.complete and all(path.is_file() for path in run.files)
    assert len((run.folder.path / "metrics.jsonl").read_text().splitlines()) == 20
    start = experiment.scene.create(torch.Generator().manual_seed(experiment.seed))
    assert not torch.equal(run.scene.means, start.means)
    assert torch.equal(run.scene.means, again.scene.means)


@pytest.mark.parametrize("estimator", ["lods-lora", "vsd", "bsd"])
def test_what_is_learned_on_the_side_moves_and_is_reported(tmp_path, estimator):
    """LoRA and camera embedding on a diffusers U-Net: after ten steps they are no longer where they began."""
    folder = build_tiny_stable_diffusion(tmp_path / "tiny")
    choice = Choice(recipe="sds-gs", prior=str(folder), estimator=estimator)
    experiment = small(build(choice, "a hamburger"), 10)
    with offline():
        run = generate(experiment, output=tmp_path / "outputs", choice=choice, quiet=True)
    last = json.loads((run.folder.path / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["slot_displacement"] > 0 and {"auxiliary", "slot_loss", "slot_loss_at_start"} <= set(last)


def test_its_guidance_is_classifier_free_over_the_published_schedule(tmp_path):
    prior = open_prior(str(build_tiny_stable_diffusion(tmp_path / "tiny")), device=torch.device("cpu"))
    assert prior.denoiser.schedule.length == 1000
    assert abs(float(prior.denoiser.schedule.sigma(torch.tensor([980])) ** 2) - 0.994) < 0.001
