"""`lodestone play`: one estimator, several side by side, and what is refused before any work starts."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from lodestone.cli import main
from lodestone.optimize.run_folder import RunFolder
from lodestone.priors.choose import open_prior
from lodestone.recipes.estimators import estimators
from lodestone.runs import begin
from lodestone.storage import load_tensors
from lodestone.testing.tiny_stable_diffusion import build_tiny_stable_diffusion

SHORT = ["--quiet", "--particles", "2", "--steps", "3"]


def play(*words):
    assert main(["play", *map(str, words)]) == 0


def complaint(capsys, *words):
    """The sentence on stderr of a command that must fail and leave nothing behind."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("lodestone: ") and said.err.count("\n") == 1 and "Traceback" not in said.err
    assert not list(Path().iterdir()), "a folder was left behind"
    return said.err.removeprefix("lodestone: ").strip()


def the_run(output="outputs"):
    (folder,) = Path(output).glob("*/*")
    return folder


def newest(run):
    """Everything in the newest checkpoint."""
    return load_tensors(RunFolder(run).last_checkpoint)[0]


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def stable_diffusion(tmp_path):
    return build_tiny_stable_diffusion(tmp_path / "tiny")


def test_a_run_leaves_every_particle_a_sheet_their_course_and_measurements(capsys):
    play("a hamburger", *SHORT)
    printed = capsys.readouterr().out.splitlines()
    asset = the_run() / "asset"
    names = {"sheet.png", "progress.png", "particle-0.png", "particle-1.png", "metrics.json"}
    assert {path.name for path in asset.iterdir()} == names == {Path(line).name for line in printed}
    known = json.loads((asset / "metrics.json").read_text())
    assert known["steps"] == 3 and known["denoiser_calls"] == 3 * 2 * 2 and known["training_steps"] == 3
    assert known["estimator"] == "LearnedNullEmbedding" and known["prior"] == "embedded" and known["ranks"] is None


def test_an_interrupted_run_continues_to_the_bit(capsys, tmp_path):
    play("a hamburger", *SHORT, "--prior", "empirical", "--estimator", "lods-embedding", "--plan.checkpoint-every", "1")
    run, copy = the_run(), tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "checkpoints" / "last").write_text("step-000001.safetensors\n")
    shutil.rmtree(copy / "asset")
    assert main(["resume", str(copy), "--quiet"]) == 0
    assert equal(newest(run), newest(copy))
    assert (run / "asset" / "progress.png").read_bytes() == (copy / "asset" / "progress.png").read_bytes()


def test_compared_estimators_begin_alike_and_each_leaves_a_run_that_can_be_resumed(capsys):
    play("an owl", "--compare", "sds, csd,sds", *SHORT, "--prior", "empirical")
    said = capsys.readouterr().out.splitlines()
    (folder,) = Path("outputs").glob("*/comparison-*")
    assert said[0].split()[:2] == ["estimator", "median"] and [line.split()[0] for line in said[1:3]] == ["sds", "csd"]
    assert [Path(line).name for line in said[3:]] == ["comparison.png", "progress.png", "comparison.json"]
    starts = [(folder / name / "preview" / "step-000000.png").read_bytes() for name in ("sds", "csd")]
    assert starts[0] == starts[1] and not equal(newest(folder / "sds"), newest(folder / "csd"))
    known = json.loads((folder / "comparison.json").read_text())
    assert list(known["estimators"]) == ["sds", "csd"] and known["left_out"] == {}
    before = newest(folder / "csd")
    (folder / "csd" / "checkpoints" / "last").write_text("step-000000.safetensors\n")
    assert main(["resume", str(folder / "csd"), "--quiet"]) == 0
    assert equal(newest(folder / "csd"), before)


def test_in_a_comparison_the_learned_methods_have_the_plan_of_the_others(monkeypatch):
    """The scripts give LoRA 700 steps and the embedding 1,000; side by side they have as many."""
    seen = {}
    monkeypatch.setattr("lodestone.playground.comparison.compare", lambda these, **_: seen.update(these) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["play", "x", "--compare", "sds,lods-lora", "--prior", "sd15", "--quiet"])
    sds, lora = (seen[name].experiment for name in ("sds", "lods-lora"))
    assert sds.plan == lora.plan and sds.scene == lora.scene and lora.estimator.guidance_scale == 1e6


def test_every_estimator_works_on_two_pictures_and_says_so_without_asking_the_prior():
    """The rehearsal itself, for each name: no denoiser call, no refusal."""
    from lodestone.recipes.choose import Choice, build
    from lodestone.recipes.playground import resized

    prior = open_prior("empirical", device=torch.device("cpu"))
    calls = []
    prior.denoiser.register_forward_hook(lambda *_: calls.append(1))
    for name in estimators("empirical"):
        experiment = build(Choice(recipe="playground", prior="empirical", estimator=name), "an owl")
        _, state = begin(resized(experiment, particles=2, steps=2), prior)
        assert state.step == 0
    assert not calls


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["x", "--estimator", "magic"], "there is no estimator 'magic': choose among sds, "),
        (["x", "--compare", "sds,magic"], "there is no estimator 'magic': choose among sds, "),
        (["x", "--compare", " , "], "--compare is empty: choose all, or some of sds, "),
        (["x", "--compare", "sds", "--estimator", "csd"], "--estimator and --compare are both given: choose one"),
        ([""], "the prompt is empty: say in a few words what to make"),
        (["\udcff"], "the prompt is not valid text: write it in UTF-8"),
        (["x", "--particles", "0"], "scene.particles is 0: choose a number from 1 to 256"),
        (["x", "--steps", "-2"], "plan.steps is -2: choose a number from 1"),
        (["x", "--steps", "many"], "argument --steps: invalid int value: 'many'"),
        (["x", "--seed", "-1"], "seed is -1: choose a number from 0"),
        (["x", "--plan.views", "3"], "plan.views is 3, but view i is particle i and there are 4"),
        (["x", "--scene.size", "32"], "choose --scene.size 64 --scene.channels 3"),
        (["x", "--scene.particle", "3"], "unrecognized options: --scene.particle, 3: perhaps you meant"),
        (["x", "--estimator", "cfd", "--particles", "11"], "estimator.noising.density is too small for 11 flat"),
        (["x", "--compare", "sds,cfd", "--particles", "11"], "cfd cannot be compared here: estimator.noising.density"),
    ],
)
def test_what_is_wrong_is_one_sentence_before_any_work(capsys, words, sentence):
    assert sentence in complaint(capsys, "play", *words, "--prior", "empirical")


def test_of_all_estimators_those_that_cannot_work_here_are_left_out_with_the_reason(capsys, monkeypatch):
    """CFD's noise has room for ten pictures; three names stand for all, for speed."""
    three = {name: estimators("empirical")[name] for name in ("sds", "cfd", "lods-embedding")}
    monkeypatch.setattr("lodestone.recipes.estimators.estimators", lambda prior: three)
    play("x", "--compare", "all", "--quiet", "--particles", "11", "--steps", "1", "--prior", "empirical")
    assert "cfd is left out: estimator.noising.density is too small for 11 flat particles" in capsys.readouterr().out
    (folder,) = Path("outputs").glob("*/comparison-*")
    assert {path.name for path in folder.glob("*/") if path.is_dir()} == {"sds", "lods-embedding"}
    assert list(json.loads((folder / "comparison.json").read_text())["left_out"]) == ["cfd"]


@pytest.mark.parametrize("name", ["lods-embedding", "lods-lora"])
def test_latents_of_stable_diffusion_are_played_with(stable_diffusion, name):
    play("a hamburger", *SHORT, "--estimator", name, "--prior", stable_diffusion, "--plan.compare-slot-every", "3")
    run = the_run()
    assert newest(run)["scene.particles"].shape == (2, 4, 8, 8)
    start = load_tensors(run / "checkpoints" / "step-000000.safetensors")[0]["scene.particles"]
    assert not torch.equal(newest(run)["scene.particles"], start)
    assert (run / "asset" / "sheet.png").is_file()


def test_flat_runs_have_nothing_to_turn_around(capsys):
    play("x", "--quiet", "--particles", "1", "--steps", "1", "--prior", "empirical", "--estimator", "sds")
    for command in ("render", "export"):
        capsys.readouterr()
        assert main([command, str(the_run())]) == 2
        said = capsys.readouterr().err
        assert said.startswith("lodestone: ") and said.count("\n") == 1
        assert "holds flat pictures and nothing in 3D: look into" in said
