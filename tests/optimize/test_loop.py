"""The loop: it approaches its target, in its order, without hidden randomness, and stops when it must."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_run import Run, pictures, small_experiment, small_prior

from lodestone.errors import SettingError
from lodestone.optimize.journal import Journal
from lodestone.optimize.regularizers import Regularizers
from lodestone.optimize.watchdog import OptimizationStopped, check_parameters
from lodestone.priors.autoencoder import SpaceToDepth
from lodestone.priors.denoiser import AbstractDenoiser, Prediction
from lodestone.rendering.cameras import EvaluationCamera
from lodestone.scenes.gaussian_settings import GaussianLearningRates, GaussianSettings
from lodestone.scenes.gaussians import GaussianScene
from lodestone.schedules import Constant
from lodestone.storage import load_tensors


def distance_to(target, scene):
    """Mean square difference of eight views from the picture."""
    viewpoints = EvaluationCamera(elevation=10.0, distance=2.0, field_of_view=40.0).viewpoints(8)
    with torch.no_grad():
        seen = scene.render(viewpoints.cameras(16, 16), torch.ones(8, 3))
    return float((seen.color.permute(0, 3, 1, 2) - target).square().mean())


@pytest.mark.parametrize("method", ["sds", "lods"])
def test_renderings_approach_the_picture_that_the_prompt_names(tmp_path, method):
    experiment = small_experiment(method, steps=80)
    run = Run.new(tmp_path, replace(experiment, plan=replace(experiment.plan, checkpoint_every=1_000)))
    red, green, blue = pictures()
    before = distance_to(green, run.state.scene)
    assert run.go()
    after = distance_to(green, run.state.scene)
    assert after < 0.25 * before
    assert after < 0.25 * min(distance_to(red, run.state.scene), distance_to(blue, run.state.scene))


class Listening(SpaceToDepth):
    """Notes when pictures are encoded."""

    def __init__(self, heard):
        super().__init__(1)
        self.heard = heard

    def encode(self, images):
        self.heard.append("autoencoder")
        return super().encode(images)


class ListeningDenoiser(AbstractDenoiser):
    """Notes when it is called; from call `broken_from` on it answers NaN."""

    def __init__(self, inner, heard, broken_from=None):
        super().__init__()
        self.inner, self.schedule, self.latent_shape = inner, inner.schedule, inner.latent_shape
        self.heard, self.broken_from, self.calls = heard, broken_from, 0

    def forward(self, noisy, t, conditioning):
        self.heard.append("denoiser")
        self.calls += 1
        answer = self.inner(noisy, t, conditioning)
        if self.broken_from is None or self.calls < self.broken_from:
            return answer
        return Prediction(*(view * float("nan") for view in (answer.noise, answer.clean, answer.velocity)))


def test_every_step_sees_asks_and_moves_in_this_order(tmp_path, monkeypatch):
    heard = []

    def note(kind, name, word):
        original = getattr(kind, name)

        def listen(*arguments):
            heard.append(word)
            return original(*arguments)

        monkeypatch.setattr(kind, name, listen)

    note(GaussianScene, "render", "rendering")
    note(GaussianSettings, "adapt", "structure")
    exact = small_prior()
    prior = replace(exact, denoiser=ListeningDenoiser(exact.denoiser, heard), autoencoder=Listening(heard))
    run = Run.new(tmp_path, small_experiment("lods", steps=2), prior)
    run.state.optimizer.register_step_pre_hook(lambda *_: heard.append("scene's step"))
    run.state.slot_optimizer.register_step_pre_hook(lambda *_: heard.append("slot's step"))
    run.go()
    phases = [word for word, _ in itertools.groupby(heard)]
    one = ["rendering", "autoencoder", "denoiser", "scene's step", "denoiser", "slot's step", "structure"]
    assert phases == 2 * one


@pytest.mark.parametrize("method", ["sds", "lods"])
def test_the_same_seed_gives_the_same_scene_to_the_bit(tmp_path, method):
    runs = [Run.new(tmp_path / str(i), small_experiment(method)) for i in range(2)]
    assert all(run.go() for run in runs)
    first, second = (run.tensors() for run in runs)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_gives_another_scene(tmp_path):
    runs = [Run.new(tmp_path / str(seed), small_experiment(steps=1, seed=seed)) for seed in range(2)]
    assert all(run.go() for run in runs)
    assert not torch.equal(runs[0].state.scene.means, runs[1].state.scene.means)


def test_the_global_generator_is_neither_read_nor_moved(tmp_path):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    Run.new(tmp_path, small_experiment("lods", steps=4)).go()
    assert torch.equal(torch.get_rng_state(), before)


def test_every_step_is_one_line_of_metrics(tmp_path):
    experiment = small_experiment("lods", steps=4)
    regularized = replace(experiment.plan, regularizers=Regularizers(sparsity=Constant(2.0)))
    Run.new(tmp_path, replace(experiment, plan=regularized)).go()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1, 2, 3]
    for line in lines:
        assert line["window"] == [20, 980] and line["regularizers"] == {"sparsity": 2.0}
        assert min(line["score_norm"], line["gradient_norm"], line["sparsity"], line["auxiliary"]) > 0
        assert set(line["seconds"]) == {"rendering", "autoencoder", "denoiser"}


def test_a_clipped_gradient_is_logged_as_it_was(tmp_path):
    norms = []
    for clip in (0.0, 1e-3):
        experiment = small_experiment(steps=1)
        run = Run.new(tmp_path / str(clip), replace(experiment, plan=replace(experiment.plan, gradient_clip=clip)))
        run.go()
        norms.append(json.loads((run.folder.path / "metrics.jsonl").read_text())["gradient_norm"])
    assert norms[0] == norms[1] > 1e-3


def checkpoint_is_good(folder, step):
    assert folder.last_checkpoint == folder.checkpoint(step)
    tensors, metadata = load_tensors(folder.last_checkpoint)
    return metadata["step"] == step and all(bool(t.float().isfinite().all()) for t in tensors.values())


def test_a_score_that_is_not_a_number_stops_the_run_and_the_last_checkpoint_stays(tmp_path):
    exact = small_prior()
    broken = replace(exact, denoiser=ListeningDenoiser(exact.denoiser, [], broken_from=8))
    run = Run.new(tmp_path, small_experiment(), broken)
    with pytest.raises(OptimizationStopped, match="step 7: the score gradient is no longer finite; lower"):
        run.go()
    assert checkpoint_is_good(run.folder, 5)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 7


def test_a_scene_that_fades_away_stops_the_run_and_the_last_checkpoint_stays(tmp_path):
    experiment = small_experiment()
    rates = GaussianLearningRates(opacity_logits=1.2)
    heavy = replace(experiment.plan, regularizers=Regularizers(sparsity=Constant(1e6)), checkpoint_every=2)
    run = Run.new(tmp_path, replace(experiment, plan=heavy, scene=GaussianSettings(learning_rates=rates)))
    with pytest.raises(OptimizationStopped, match=r"the scene has become empty; lower plan\.regularizers\.sparsity"):
        run.go()
    assert run.state.step >= 2
    assert checkpoint_is_good(run.folder, run.state.step // 2 * 2)


def test_a_parameter_that_is_not_finite_stops_the_run_before_a_checkpoint_can_hold_it():
    scene = GaussianSettings().create(torch.Generator().manual_seed(0))
    check_parameters("scene", scene, 3)
    scene.log_scales.data[5, 1] = float("inf")
    with pytest.raises(OptimizationStopped, match="step 3: the scene is no longer finite"):
        check_parameters("scene", scene, 3)


def test_metrics_on_a_full_disk_stop_the_run_with_a_sentence(tmp_path, monkeypatch):
    """/dev/full takes no byte."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    enter = Journal.__enter__

    def enter_full(journal):
        enter(journal).metrics.close()
        journal.metrics = open("/dev/full", "a", buffering=1)  # noqa: SIM115 (the journal closes it)
        return journal

    monkeypatch.setattr(Journal, "__enter__", enter_full)
    with pytest.raises(SettingError, match=r"the disk is full while writing .*metrics\.jsonl"):
        Run.new(tmp_path, small_experiment()).go()
