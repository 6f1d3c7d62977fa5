"""The command line: what is wrong costs one sentence and exit code 2, what is right does what it says."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

import lodestone
from lodestone.cli import main
from lodestone.distillation.sds import ScoreDistillation
from lodestone.doctor import examine
from lodestone.errors import SettingError
from lodestone.optimize.run_folder import RunFolder
from lodestone.recipes import csd_gs, sds_gs
from lodestone.recipes.choose import Choice, build
from lodestone.runs import generate
from lodestone.stored_runs import find_origin, read_experiment

TINY = [
    "--plan.steps",
    "3",
    "--plan.views",
    "2",
    "--scene.initialization.count",
    "60",
    "--prior",
    "empirical",
    "--quiet",
]
ROBUST = "import sys, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
LODESTONE = [sys.executable, "-c", f"{ROBUST}from lodestone.cli import main\nsys.exit(main())"]
"""Under nohup, Python starts without its handler of SIGINT."""


pytestmark = pytest.mark.usefixtures("apart")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run; copy it before changing it."""
    output = tmp_path_factory.mktemp("finished")
    assert main(["generate", "hamburger", "--output", str(output), *TINY, "--plan.checkpoint-every", "2"]) == 0
    return next(output.glob("*/*"))


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def complaint(capsys, *words):
    """The sentence on stderr after a command that must fail with exit code 2 and leave nothing behind."""
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lodestone: ") and said.count("\n") == 1 and "Traceback" not in said
    assert not list(Path().iterdir()), "a folder was left behind"
    return said.removeprefix("lodestone: ").strip()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["generate", ""], "the prompt is empty: say in a few words what to make"),
        (["generate", "   "], "the prompt is empty"),
        (["generate", 10_000 * "x"], "the prompt has 10000 characters: shorten it to at most 1000"),
        (["generate", "\udcff"], "the prompt is not valid text: write it in UTF-8"),
        (["generate"], "the following arguments are required: prompt: `lodestone generate --help`"),
        (["generate", "x", "--recipe", "magic"], "there is no recipe 'magic': choose among"),
        (["generate", "x", "--recipe", "no.module:f"], "recipe 'no.module:f' cannot be imported"),
        (["generate", "x", "--recipe", ":f"], "recipe ':f' cannot be imported"),
        (["generate", "x", "--recipe", "os:getcwd_"], "recipe 'os:getcwd_' cannot be imported"),
        (["generate", "x", "--estimator", "magic"], "there is no estimator 'magic': choose among sds, "),
        (["magic"], "there is no command 'magic': choose among generate, play, edit, resume"),
        (["prior", "magic"], "there is no command 'prior magic': choose sample, train or export"),
        (
            ["generate", "x", "--prior", "./absent"],
            "there is no folder './absent': choose for --prior embedded, empirical",
        ),
        (["generate", "x", "--prior", "magic"], "there is no prior called 'magic': choose for --prior"),
        (["generate", "x", "--formats", "stl"], "format 'stl' is unknown: choose among ply, splat, glb, obj"),
        (["generate", "x", "--formats", ""], "format '' is unknown: choose among ply, splat, glb, obj"),
        (["generate", "x", "--device", "banana"], "device is 'banana': choose cpu or cuda"),
        (["generate", "x", "--device", "meta"], "device is 'meta': choose cpu or cuda"),
        (["generate", "x", "--seed", "-1"], "seed is -1: choose a number from 0"),
        (["generate", "x", "--seed", str(10**30)], "seed is 1000000000000000000000000000000: choose a number"),
        (["generate", "x", "--plan.steps", "0"], "plan.steps is 0: choose a number from 1 to 1000000"),
        (["generate", "x", "--plan.steps", "many"], "--plan.steps: invalid literal for int() with base 10: 'many'"),
        (["generate", "x", "--plan.views", "-3"], "plan.views is -3: choose a number from 1 to 256"),
        (
            ["generate", "x", "--plan.stepz", "3"],
            "unrecognized options: --plan.stepz, 3: perhaps you meant --plan.steps",
        ),
        (["generate", "x", "y"], "unrecognized options: y"),
        (["generate", "x", "--cameras.distance", "3"], "missing value for argument '--cameras.distance'"),
        (["generate", "x", "--scene.initialization.count", "-5"], "scene.initialization.count is -5: choose a number"),
        (["generate", "x", "--scene.initialization.count", "999999999"], "scene.initialization.count is 999999999"),
        (["generate", "x", "--scene.learning-rates.means", "nan"], "scene.learning_rates.means is nan: choose"),
        (["generate", "x", "--scene.density.every", "0"], "scene.density.every is 0: choose a number from 1"),
        (["generate", "x", "--plan.largest-time.start", "3"], "plan.largest_time 3 at step 0: choose both from 0 to 1"),
        (["render", "."], ". is not a run folder (it has no experiment.yaml): name the folder of a run"),
        (["render", ".", "--size", "-1"], "--size is -1: choose a number from 16 to 4096"),
        (["render", ".", "--views", "0"], "--views is 0: choose a number from 1 to 3600"),
        (["render", ".", "--views", "many"], "argument --views: invalid int value: 'many'"),
        (["render", ".", "--views", "3600", "--size", "4096"], "--views 3600 of --size 4096 do not fit into memory"),
        (["render"], "the following arguments are required: run: `lodestone render --help`"),
        (["resume", "absent"], "absent is not a run folder"),
        (["export", "absent"], "absent is not a run folder"),
        (["export", ".", "--format", "stl"], "format 'stl' is unknown: choose among ply, splat, glb, obj"),
        (["recipes", "--all"], "unrecognized arguments: --all"),
        (["prior", "sample", "x", "--count", "0"], "--count is 0: choose a number from 1 to 64"),
        (
            ["prior", "sample", "x", "--prior", "empirical", "--output", "samples"],
            "--output is samples: give the picture",
        ),
        (["prior", "sample", "x", "--prior", "empirical", "--seed", "-1"], "--seed is -1: choose a number from 0"),
    ],
)
def test_what_is_wrong_is_one_sentence(capsys, words, sentence):
    assert sentence in complaint(capsys, *words)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_cuda_is_refused(capsys):
    said = complaint(capsys, "generate", "x", "--device", "cuda")
    assert said == "device is cuda, but this machine has no usable CUDA device: choose --device cpu"


def test_an_output_folder_that_cannot_be_written_is_refused(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    said = complaint(capsys, "generate", "hamburger", *TINY, "--output", tmp_path / "file" / "below")
    assert "cannot write" in said and "choose an --output folder that you may write to" in said


def test_an_embedded_prior_that_is_truncated_is_refused(capsys, tmp_path):
    folder = tmp_path / "prior"
    folder.mkdir()
    (folder / "model_index.json").write_text('{"_class_name": "LodestonePipeline"')
    assert "cannot be read as JSON" in complaint(capsys, "generate", "x", "--prior", folder)
    (folder / "model_index.json").write_text('{"_class_name": "LodestonePipeline"}')
    assert "the prior has no" in complaint(capsys, "generate", "x", "--prior", folder)


def test_a_missing_library_is_named_with_its_extra(capsys, monkeypatch):
    def fail(*_, **__):
        raise ModuleNotFoundError("No module named 'diffusers'", name="diffusers.models")

    monkeypatch.setattr("lodestone.runs.open_prior", fail)
    said = complaint(capsys, "generate", "x")
    assert said == "diffusers.models is not installed: run `pip install 'lodestone3d[diffusion]'`"


def edit_yaml(run, change):
    path = run / "experiment.yaml"
    stored = yaml.safe_load(path.read_text())
    change(stored)
    path.write_text(yaml.safe_dump(stored))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda y: y.update(format=99), "written by another version (run format 99, this is 1): use lodestone 0.1.0"),
        (
            lambda y: y["experiment"]["plan"].update(steps="many"),
            "experiment.plan.steps is 'many': it must be of type int",
        ),
        (
            lambda y: y["experiment"]["plan"].update(stepz=3),
            "experiment.plan.stepz is not a setting here: choose among",
        ),
        (lambda y: y["experiment"].update(plan=3), "experiment.plan must be a mapping of settings, not 3"),
        (lambda y: y["experiment"]["scene"]["initialization"].update(count=-5), "scene.initialization.count is -5"),
        (lambda y: y.update(recipe="magic"), "there is no recipe 'magic'"),
        (lambda y: y.update(recipe=3), "run.recipe is 3: it must be of type str"),
        (lambda y: y.update(experiment=[]), "describes no experiment: restore it from a copy"),
        (lambda y: y.clear(), "written by another version"),
    ],
)
def test_a_stored_experiment_that_was_edited_wrongly_names_the_key(capsys, run, change, sentence):
    edit_yaml(run, change)
    for command in ("resume", "render", "export"):
        assert sentence in complaint(capsys, command, run)


@pytest.mark.parametrize("formats", ["stl", ["stl"], [3], None])
def test_stored_formats_that_were_edited_wrongly_are_refused(capsys, run, formats):
    edit_yaml(run, lambda stored: stored.update(formats=formats))
    assert "choose among ply, splat" in complaint(capsys, "resume", run)


@pytest.mark.parametrize("content", [b"a: [", b"\xff\xfe\x00", b"- 1", b""])
def test_a_stored_experiment_that_is_no_mapping_is_refused(capsys, run, content):
    (run / "experiment.yaml").write_bytes(content)
    assert "restore it from a copy" in complaint(capsys, "resume", run)


def test_a_checkpoint_with_a_flipped_byte_is_refused(capsys, run):
    path = RunFolder(run).last_checkpoint
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    for command in ("resume", "render", "export"):
        said = complaint(capsys, command, run)
        assert f"{path} is damaged" in said and "use an earlier one (write its name into" in said


def test_a_missing_checkpoint_is_named(capsys, run):
    path = RunFolder(run).last_checkpoint
    path.unlink()
    assert f"there is no file {path}" in complaint(capsys, "resume", run)


def test_any_field_can_be_set_is_stored_and_comes_back_equal(capsys):
    """A whole number, a float, a float of the scene, a pair, a schedule and a truth value."""
    words = ["--plan.steps", "3", "--estimator.guidance-scale", "5", "--scene.learning-rates.means", "0.001"]
    words += ["--cameras.distance", "1.5", "2.5", "--plan.largest-time.start", "0.9", "--prompt.view-dependent"]
    assert (
        main(["generate", "hamburger", "--quiet", "--scene.initialization.count", "60", "--plan.views", "1", *words])
        == 0
    )
    (folder,) = Path("outputs").glob("*/*")
    experiment = read_experiment(RunFolder(folder))
    assert experiment.plan.steps == 3 and experiment.estimator.guidance_scale == 5.0
    assert experiment.scene.learning_rates.means == 0.001 and experiment.cameras.distance == (1.5, 2.5)
    assert experiment.plan.largest_time.start == 0.9 and experiment.prompt.view_dependent
    stored = yaml.safe_load((folder / "experiment.yaml").read_text())
    assert stored["experiment"]["plan"]["steps"] == 3 and stored["recipe"] == "lods-gs-embedding"
    printed = capsys.readouterr().out.splitlines()
    assert sorted(printed) == sorted(str(path) for path in (folder / "asset").iterdir())


def test_what_a_run_folder_cannot_hold_is_refused_before_the_run(tmp_path):
    """Another kind of weight is no value: a resumed run would silently have the recipe's own."""
    from dataclasses import replace

    from lodestone.distillation.weighting import Uniform

    experiment = sds_gs("hamburger", "empirical")
    odd = replace(experiment, estimator=replace(experiment.estimator, weight=Uniform()))
    with pytest.raises(SettingError, match="could not be resumed"):
        generate(odd, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_recipe_behind_an_experiment_is_found():
    assert find_origin(csd_gs("x", "empirical"), None).recipe == "csd-gs"
    assert isinstance(sds_gs("x", "empirical").estimator, ScoreDistillation)
    assert find_origin(sds_gs("x", "empirical"), None).recipe == "sds-gs"


def test_a_recipe_of_ones_own_is_run_and_resumed(capsys, tmp_path, monkeypatch):
    source = """
from dataclasses import replace
from lodestone.recipes import sds_gs

def mine(prompt, prior):
    return replace(sds_gs(prompt, prior), seed=7)

def wrong(prompt, prior):
    return 3
"""
    (tmp_path / "my_recipes.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    assert "returned no Experiment" in complaint(capsys, "generate", "hamburger", "--recipe", "my_recipes:wrong")
    assert main(["generate", "hamburger", "--recipe", "my_recipes:mine", *TINY]) == 0
    (folder,) = Path("outputs").glob("*/*")
    assert read_experiment(RunFolder(folder)).seed == 7
    assert main(["resume", str(folder), "--quiet"]) == 0


def test_a_finished_run_is_resumed_to_the_same_asset(run):
    before = {path.name: path.read_bytes() for path in (run / "asset").iterdir()}
    assert main(["resume", str(run), "--quiet"]) == 0
    assert {path.name: path.read_bytes() for path in (run / "asset").iterdir()} == before


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(run):
    before = (run / "asset" / "splats.ply").read_bytes()
    shutil.rmtree(run / "checkpoints")
    shutil.rmtree(run / "asset")
    assert main(["resume", str(run), "--quiet"]) == 0
    assert (run / "asset" / "splats.ply").read_bytes() == before
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 3


def test_the_last_checkpoint_is_pointed_at_even_if_it_was_there_before(run):
    """Killed between the checkpoint and its pointer."""
    (run / "checkpoints" / "last").write_text("step-000002.safetensors\n")
    assert main(["resume", str(run), "--quiet"]) == 0
    assert RunFolder(run).last_checkpoint.name == "step-000003.safetensors"


def test_two_runs_of_one_second_do_not_meet(tmp_path, finished):
    experiment = read_experiment(RunFolder(finished))
    folders = [RunFolder.create(tmp_path / "out", experiment, {}).path for _ in range(3)]
    assert len(set(folders)) == 3


def test_pictures_are_rendered_at_any_size(capsys, run, tmp_path):
    assert main(["render", str(run), "--views", "3", "--size", "20", "--output", str(tmp_path / "pictures")]) == 0
    assert {"0000.png", "0001.png", "0002.png", "turntable.webp"} <= {p.name for p in (tmp_path / "pictures").iterdir()}
    assert str(tmp_path / "pictures" / "turntable.webp") in capsys.readouterr().out


def test_a_scene_is_exported_in_every_format(run, tmp_path):
    assert main(["export", str(run), "--format", "ply, splat", "--output", str(tmp_path / "files")]) == 0
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == ["splats.ply", "splats.splat"]
    assert (tmp_path / "files" / "splats.ply").read_bytes() == (run / "asset" / "splats.ply").read_bytes()


def test_every_recipe_is_listed_with_its_sentence(capsys):
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("lods-gs-embedding") for line in lines) and all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize(
    "command", ["generate", "play", "edit", "resume", "render", "export", "recipes", "doctor", "prior sample"]
)
def test_every_command_explains_itself(capsys, command):
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    said = capsys.readouterr()
    assert stop.value.code in (0, None) and said.out.startswith(f"usage: lodestone {command}") and not said.err
    assert all(len(line) <= 120 for line in said.out.splitlines())


def test_every_field_is_listed_with_its_value(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["generate", "hamburger", "--prior", "empirical", "--fields"])
    said = capsys.readouterr().out
    assert stop.value.code in (0, None)
    steps = build(Choice(prior="empirical"), "hamburger").plan.steps
    for name in ("--plan.steps", "--scene.initialization.count", "--estimator.guidance-scale", f"(default: {steps})"):
        assert name in said


def test_the_doctor_ends_with_what_generate_will_do(capsys):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = ["versions", "processor", "memory", "rendering", "libraries", "text encoder", "embedded prior"]
    names += ["empirical prior", "CUDA", "film", "outputs", "disk"]
    assert [line.partition(":")[0] for line in lines[:-1]] == names
    assert lines[-1].startswith("`lodestone generate` will ")
    assert not list(Path().iterdir())


def test_the_doctor_says_what_is_broken_and_goes_on(monkeypatch, tmp_path):
    def broken(*_):
        raise RuntimeError("broken\nhere")

    def absent(*_):
        raise SettingError("the text encoder is not installed: run `pip install it`")

    monkeypatch.setattr("lodestone.kernels.splatting.native_status", broken)
    monkeypatch.setattr("lodestone.prompts.text_encoder.minilm_folder", absent)
    monkeypatch.setattr("lodestone.doctor.version", lambda _: None)
    Path("outputs").write_text("a file")
    lines = {line.partition(": ")[0]: line.partition(": ")[2] for line in examine()}
    assert lines["native kernel"] == "RuntimeError: broken here"
    assert lines["text encoder"] == "the text encoder is not installed: run `pip install it`"
    assert lines["libraries"].endswith("not installed: run `pip install 'lodestone3d[diffusion]'`")
    assert "choose another folder with --output" in lines["outputs"]


def wait_for_steps(output, count, process, seconds=120):
    """Waits until a run below `output` has so many lines of metrics; returns its folder."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        for metrics in Path(output).glob("*/*/metrics.jsonl"):
            if len(metrics.read_text().splitlines()) >= count:
                return metrics.parent
        time.sleep(0.02)
    raise AssertionError(f"no run came to step {count}: {process.communicate()}")


def start(*words):
    """`lodestone` in a process of its own, which finds the package where this one found it."""
    environment = {**os.environ, "PYTHONPATH": str(Path(lodestone.__file__).parent.parent)}
    command = [*LODESTONE, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


LONG = ["--prior", "empirical", "--quiet", "--plan.steps", "5000", "--scene.initialization.count", "60"]


def test_the_first_ctrl_c_finishes_the_step_and_keeps_everything():
    process = start("generate", "hamburger", *LONG)
    folder = wait_for_steps("outputs", 2, process)
    process.send_signal(signal.SIGINT)
    said, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and not errors
    assert said.splitlines()[-1] == f"interrupted; continue with: lodestone resume {folder}"
    steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(len(steps)))
    assert RunFolder(folder).last_checkpoint == RunFolder(folder).checkpoint(len(steps))
    assert {"splats.ply", "views.png", "turntable.webp"} <= {path.name for path in (folder / "asset").iterdir()}


def test_the_second_ctrl_c_quits():
    process = start("generate", "hamburger", *LONG, "--plan.checkpoint-every", "1")
    folder = wait_for_steps("outputs", 2, process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)  # longer than what Python does not interrupt, shorter than the asset takes
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == "lodestone: stopped; `lodestone resume RUN` continues from the last checkpoint\n"
    assert RunFolder(folder).last_checkpoint.is_file()


def wait_for_change(path, before, process):
    """Waits until a file has been written since `before`, or the process has ended."""
    while process.poll() is None and path.stat().st_mtime_ns == before:
        time.sleep(0.02)


@pytest.mark.slow
def test_a_run_that_is_killed_five_times_ends_as_if_it_had_not_been(tmp_path):
    """SIGKILL up to a second after the first step of each session: while it computes, writes or encodes."""
    words = ["generate", "hamburger", "--prior", "empirical", "--quiet", "--scene.initialization.count", "300"]
    words += ["--plan.steps", "30", "--plan.checkpoint-every", "5"]
    words += ["--scene.density.start", "4", "--scene.density.every", "6"]
    reference = start(*words, "--output", tmp_path / "undisturbed")
    assert not reference.communicate(timeout=120)[1] and reference.returncode == 0
    process, rng = start(*words, "--output", tmp_path / "killed"), random.Random(0)
    folder, written = wait_for_steps(tmp_path / "killed", 1, process), 0
    for _ in range(5):
        wait_for_change(folder / "metrics.jsonl", written, process)
        time.sleep(rng.uniform(0.0, 1.0))
        process.kill()
        process.communicate()
        written = (folder / "metrics.jsonl").stat().st_mtime_ns
        process = start("resume", folder, "--quiet")
    assert not process.communicate(timeout=120)[1] and process.returncode == 0
    whole = next((tmp_path / "undisturbed").glob("*/*"))
    for name in ("splats.ply", "views.png", "turntable.webp"):
        assert (folder / "asset" / name).read_bytes() == (whole / "asset" / name).read_bytes(), name
    assert [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()] == list(range(30))
