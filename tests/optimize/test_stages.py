"""Runs of several stages: what is handed over, and that an interruption at any point changes nothing."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from lodestone.cli import main
from lodestone.errors import SettingError
from lodestone.optimize.journal import Journal
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.optimize.run_folder import RunFolder
from lodestone.recipes.choose import Choice, build
from lodestone.runs import generate, resume
from lodestone.scenes.tet_mesh import TetMesh
from lodestone.scenes.textured_mesh import TexturedMeshScene
from lodestone.storage import load_tensors
from lodestone.stored_runs import read_experiment, read_scene, render_run


@pytest.fixture(autouse=True)
def here(apart, monkeypatch):
    """A folder of its own, one thread, and the recipes beside this file."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.setattr("lodestone.export.asset.write_turntable", lambda folder, frames: [])
    for name, small in {"isosurface.PICTURE": 64, "mesh.PICTURE": 64, "mesh.CELLS": 24}.items():
        monkeypatch.setattr(f"lodestone.export.{name}", small)
    yield
    sys.modules.pop("staged_recipe", None)


def choice(name):
    return Choice(recipe=f"staged_recipe:{name}", prior="empirical")


def run(name, **settings):
    chosen = choice(name)
    return generate(build(chosen, "apple"), output=Path("run"), choice=chosen, formats=(), quiet=True, below=False)


def tensors(folder):
    return load_tensors(RunFolder(Path(folder)).last_checkpoint)[0]


class Cut(Exception):
    """The power is gone."""


def cut_at(monkeypatch, stages_after, step):
    """Ends the process after a step of a stage, without anything being written any more."""
    record = Journal.record

    def cutting(journal, one, rendering, state):
        record(journal, one, rendering, state)
        if (journal.folder.stages_after, state.step) == (stages_after, step):
            raise Cut

    monkeypatch.setattr(Journal, "record", cutting)


@pytest.mark.parametrize("stages_after, step", [(1, 1), (1, 4), (1, 5), (0, 1), (0, 3)])
def test_a_run_that_is_cut_off_in_any_stage_ends_as_if_it_were_not(monkeypatch, tmp_path, stages_after, step):
    run("twice")
    whole = tensors("run")
    Path("run").rename("whole")
    with monkeypatch.context() as patch:
        cut_at(patch, stages_after, step)
        with pytest.raises(Cut):
            run("twice")
    finished = resume(Path("run"), quiet=True)
    assert finished.complete and finished.folder.path == Path("run")
    assert all(torch.equal(whole[name], tensor) for name, tensor in tensors("run").items())


def test_a_stage_begins_where_the_one_before_ended():
    run("twice")
    first = tensors("run/previous")
    whole = build(choice("twice"), "apple")
    frozen = replace(
        whole.scene.learning_rates, means=0.0, log_scales=0.0, quaternions=0.0, opacity_logits=0.0, colors=0.0
    )
    still = replace(whole, scene=replace(whole.scene, learning_rates=frozen))
    generate(still, output=Path("still"), choice=choice("twice"), formats=(), quiet=True, below=False)
    last = tensors("still")
    scene = [name for name in last if name.startswith("scene.")]
    assert scene and all(torch.equal(first[name], last[name]) for name in scene)


def test_fields_become_meshes():
    pytest.importorskip("skimage")
    finished = run("refined")
    assert isinstance(finished.scene, TetMesh)
    before = read_scene(Path("run/previous"))[0]
    assert torch.equal(before.distances, finished.scene.distances)  # the geometry of the last stage is not learned
    field = read_scene(Path("run/previous/previous"))[0]
    assert field.occupancy.density.any()
    assert {path.name for path in Path("run").rglob("views.png")} == {"views.png"}
    assert len(list(Path("run").rglob("timing.json"))) == 4


def test_gaussians_get_a_texture():
    pytest.importorskip("xatlas")
    finished = run("painted")
    assert isinstance(finished.scene, TexturedMeshScene) and finished.scene.texture.shape == (64, 64, 3)


def test_a_folder_says_which_stage_it_is():
    run("twice")
    whole = build(choice("twice"), "apple")
    assert read_experiment(RunFolder(Path("run"))) == whole
    assert read_experiment(RunFolder(Path("run/previous"))) == whole.previous
    assert yaml.safe_load(Path("run/previous/experiment.yaml").read_text())["stages_after"] == 1
    assert from_plain(whole, to_plain(whole)) == whole


def test_before_the_last_stage_begins_the_scene_is_the_one_before(monkeypatch):
    cut_at(monkeypatch, 1, 3)
    with pytest.raises(Cut):
        run("twice")
    scene, experiment = read_scene(Path("run"))
    assert experiment.previous is None and len(scene.means) == 60
    assert render_run(Path("run"), views=1, size=16)


def test_stages_that_do_not_go_together_are_refused_before_any_work():
    with pytest.raises(SettingError, match="Gaussians begin with Gaussians alone"):
        run("impossible")
    assert not Path("run").exists()


def test_an_edited_number_of_stages_is_refused():
    run("twice")
    file = Path("run/previous/experiment.yaml")
    for wrong in (7, "one"):
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "stages_after": wrong}))
        with pytest.raises(SettingError, match="stages_after"):
            read_experiment(RunFolder(Path("run/previous")))


def test_the_seed_of_the_command_line_is_every_stage_s(capsys):
    words = ["generate", "apple", "--recipe", "staged_recipe:twice", "--seed", "7", "--previous.plan.steps", "2"]
    assert main([*words, "--formats", "ply", "--quiet"]) == 0
    folder = Path(capsys.readouterr().out.splitlines()[0]).parents[1]
    experiment = read_experiment(RunFolder(folder))
    assert [stage.seed for stage in experiment.stages] == [7, 7]
    assert [stage.plan.steps for stage in experiment.stages] == [2, 5]
    assert (folder / "asset" / "splats.ply").is_file() and not (folder / "previous/asset/splats.ply").exists()


def test_a_mesh_cannot_be_written_as_splats(capsys):
    words = ["generate", "apple", "--recipe", "staged_recipe:painted", "--formats", "ply"]
    assert main(words) == 2
    assert "format ply holds Gaussians only, and this recipe has none" in capsys.readouterr().err
