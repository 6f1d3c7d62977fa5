"""`lodestone launch` from its words to a run folder that needs nothing else."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from lodestone.cli import main
from lodestone.cli.launch import device
from lodestone.errors import SettingError
from lodestone.launch.document import find_config
from lodestone.optimize.run_folder import RunFolder
from lodestone.stored_runs import read_experiment, read_scene
from lodestone.testing.tiny_stable_diffusion import build_tiny_stable_diffusion

pytestmark = pytest.mark.usefixtures("apart")

HAMBURGER = "system.prompt_processor.prompt=a hamburger"
LODS = ["launch", "--config", "lods-gs-embedding.yaml", "--train"]
TINY = ["system.geometry.init_num_pts=60", "data.batch_size=2", "--prior", "empirical", "--quiet"]


def only_run():
    (path,) = Path("outputs").glob("*/*")
    return path


def complaint(capsys, *words):
    """The sentence on stderr after a command that must fail with exit code 2 and leave nothing behind."""
    before = sorted(Path().iterdir())
    capsys.readouterr()
    assert main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lodestone: ") and said.count("\n") == 1 and sorted(Path().iterdir()) == before
    return said.removeprefix("lodestone: ").strip()


def test_the_command_that_people_have_runs_as_a_draft_on_a_cpu(capsys):
    words = [*LODS, "--gpu", "0", "--prior", "embedded", "system.prompt_processor.prompt=a hamburger"]
    assert main([*words, "trainer.max_steps=4", "data.batch_size=1"]) == 0
    said = capsys.readouterr()
    assert "lods-gs-embedding.yaml is the recipe lods-gs-embedding with the prior embedded" in said.out
    assert "its draft for this prior holds, guidance, steps and all" in said.out
    if not torch.cuda.is_available():
        assert "no CUDA device here: the CPU runs it" in said.err
    run = only_run()
    assert (run / "launch.yaml").read_text() == find_config("lods-gs-embedding.yaml").read_text()
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 4 and (run / "asset" / "splats.ply").is_file()
    assert str(run / "asset" / "splats.ply") in said.out


def test_a_launched_run_is_resumed_by_its_folder_alone():
    whole = [*LODS, *TINY, HAMBURGER, "seed=3", "system.loss.lambda_opaque=[0, 0., 1., 3]"]
    assert main([*whole, "trainer.max_steps=3"]) == 0
    run = only_run()
    experiment = read_experiment(RunFolder(run))
    assert (experiment.seed, experiment.plan.steps) == (3, 3)
    assert [experiment.plan.regularizers.opaqueness(step) for step in (0, 3)] == [0.0, 1.0]
    after, _ = read_scene(run)
    shutil.rmtree(run / "checkpoints")
    (run / "metrics.jsonl").unlink()
    (run / "launch.yaml").unlink()
    assert main(["resume", str(run), "--quiet"]) == 0
    again, _ = read_scene(run)
    assert all(torch.equal(a, b) for a, b in zip(after.parameters(), again.parameters(), strict=True))


def test_stable_diffusion_has_the_configuration_and_no_draft(tmp_path, capsys):
    """Its pictures have 16 pixels a side, read from its folder."""
    prior = build_tiny_stable_diffusion(tmp_path / "tiny")
    small = ["data.width=16", "data.height=16", "data.batch_size=1", "system.geometry.init_num_pts=60"]
    assert main([*LODS, "--prior", str(prior), HAMBURGER, *small, "trainer.max_steps=2"]) == 0
    assert "draft" not in capsys.readouterr().out
    experiment = read_experiment(RunFolder(only_run()))
    assert experiment.estimator.guidance_scale == 1000 and experiment.estimator.learning_rate == 1e-4
    assert experiment.plan.resolution(0) == 1.0 and experiment.prompt.negative == "a point cloud image"


def test_a_configuration_is_launched_again_from_its_run():
    assert main([*LODS, *TINY, HAMBURGER, "trainer.max_steps=1"]) == 0
    again = ["launch", "--config", str(only_run() / "launch.yaml"), "--train", "--output", "again", *TINY, HAMBURGER]
    assert main([*again, "trainer.max_steps=1"]) == 0
    assert len(list(Path("again").glob("*/*"))) == 1


def test_options_and_settings_may_be_mixed(tmp_path):
    (tmp_path / "own.yaml").write_text(f"exp_root_dir: {tmp_path / 'runs'}\nsystem_type: gaussian-splatting-system\n")
    words = ["launch", HAMBURGER, "--config", str(tmp_path / "own.yaml"), "trainer.max_steps=1", "--train", *TINY]
    assert main(words) == 0
    assert len(list((tmp_path / "runs").glob("*/*"))) == 1


def test_unknown_keys_are_said_even_to_who_wants_quiet(capsys):
    words = [*LODS, *TINY, HAMBURGER, "trainer.max_steps=1", "data.magic=1"]
    said = complaint(capsys, *words)
    assert "has keys that are not known here: data.magic (the command line): correct them, or go on" in said
    assert main([*words, "--ignore-unknown"]) == 0
    assert "left out: data.magic (the command line)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_later_stage_begins_with_the_run_of_the_one_before():
    small = ["system.geometry.isosurface_resolution=12", "trainer.max_steps=1", "data.batch_size=1"]
    words = ["launch", "--config", "fantasia3d.yaml", "--train", "--prior", "empirical", "--quiet", HAMBURGER, *small]
    assert main(words) == 0
    shape = only_run()
    later = [*words, "--output", "textured", "system.texture=true", f"system.geometry_convert_from={shape}"]
    assert main(later) == 0
    (fine,) = Path("textured").glob("*/*")
    assert json.loads((fine / "timing.json").read_text())
    before, after = read_scene(shape)[0].state_dict(), read_scene(fine)[0].state_dict()
    kept, _ = read_scene(fine / "previous")
    assert all(torch.equal(before[name], tensor) for name, tensor in kept.state_dict().items())
    assert torch.equal(before["distances"], after["distances"]), "the second stage learns the texture alone"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["launch"], "the following arguments are required: --config"),
        (LODS[:-1], "there is nothing to do: add --train, which runs the configuration"),
        ([*LODS[:-1], "--export"], "--export is not needed here: `lodestone export RUN` writes a run's scene in other"),
        ([*LODS[:-1], "--test"], "--test is not needed here: every run ends with its turntable, and `lodestone render"),
        ([*LODS[:-1], "--validate"], "--validate is not needed here: `lodestone render RUN` makes pictures"),
        ([*LODS, "--gpu", "0,1"], "--gpu is '0,1': give the number of one CUDA device, or -1 for any"),
        ([*LODS], "there is no prompt: write system.prompt_processor.prompt="),
        ([*LODS, "prompt"], "'prompt' is no key=value: write for example trainer.max_steps=1000"),
        ([*LODS, "system.prompt_processor.prompt=\udcff"], "give text in UTF-8"),
        ([*LODS, HAMBURGER, "--prior", "./absent"], "there is no folder './absent': choose for --prior embedded"),
        ([*LODS, HAMBURGER, "--magic"], "unrecognized arguments: --magic"),
        (["launch", "--config", "absent.yaml", "--train"], "there is no file absent.yaml: name a YAML file, or one of"),
        (["launch", "--config", ".", "--train"], "--config . is a folder: name a YAML file in it"),
        ([*LODS, HAMBURGER, *TINY, "data.batch_size=0"], "data.batch_size (the command line) is 0: plan.views is 0"),
        ([*LODS, HAMBURGER, *TINY, "exp_root_dir=[1]"], "exp_root_dir (the command line) is [1]: give text"),
    ],
)
def test_what_is_wrong_is_one_sentence(capsys, words, sentence):
    assert sentence in complaint(capsys, *words)


def test_a_run_that_is_not_finished_is_no_stage_before(capsys):
    Path("run").mkdir()
    Path("run/experiment.yaml").write_text("format: 1\n")
    refine = ["launch", "--config", "magic3d-refine-sd.yaml", "--train", "--prior", "empirical", HAMBURGER, "--quiet"]
    assert "describes no experiment" in complaint(capsys, *refine, "system.geometry_convert_from=run")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_without_cuda_every_device_is_the_cpu(capsys):
    assert device("-1") == "cpu" and not capsys.readouterr().err
    assert device("3") == "cpu" and capsys.readouterr().err == "no CUDA device here: the CPU runs it\n"
    with pytest.raises(SettingError):
        device("cuda")
