"""`lodestone edit`: what a picture shows becomes something else, and the picture itself is where it begins."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from lodestone.cli import main
from lodestone.optimize.run_folder import RunFolder
from lodestone.recipes.editing import EDITORS
from lodestone.storage import load_tensors
from lodestone.testing.offline import offline
from lodestone.testing.tiny_stable_diffusion import build_tiny_stable_diffusion

EMPIRICAL = ["--prior", "empirical"]
"""The faster prior."""


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No network, an empty working folder, a cache of its own, one thread."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with offline():
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def picture(tmp_path):
    """A red disc on white, as a file."""
    path = tmp_path / "disc.png"
    disc = Image.new("RGB", (64, 64), "white")
    disc.paste("red", (16, 16, 48, 48))
    disc.save(path)
    return path


def edit(picture, *words, source="a red apple", target="a pear", code=0):
    words = [str(picture), "--source", source, "--target", target, "--quiet", *map(str, words)]
    assert main(["edit", *words]) == code


def the_run(output="outputs"):
    (folder,) = Path(output).glob("*/*")
    return folder


def tensors(run, step=None):
    folder = RunFolder(run)
    return load_tensors(folder.last_checkpoint if step is None else folder.checkpoint(step))[0]


def latents_of(picture):
    from lodestone.playground.source import read_picture

    return 2 * read_picture(picture, 64) - 1


@pytest.mark.parametrize("name", EDITORS)
def test_an_edit_begins_as_the_picture_and_moves_away_from_it(capsys, picture, name):
    edit(picture, "--estimator", name, "--steps", 2, *EMPIRICAL)
    printed = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert printed == ["progress.png", "before-after.png", "edited.png", "metrics.json"]
    start, end = tensors(the_run(), 0), tensors(the_run())
    assert torch.allclose(2 * start["scene.particles"] - 1, latents_of(picture), atol=1e-6)
    assert not torch.equal(end["scene.particles"], start["scene.particles"])


def test_with_equal_words_the_gradient_of_dds_is_zero_and_the_picture_stays(picture):
    """Both scores are the same call on the same numbers: picture and source share time, noise and wording.

    In a batch the network may round them differently by the last bits, which DDS's guidance multiplies.
    """
    edit(picture, "--estimator", "dds", "--steps", 2, source="a pear", target="a pear")
    first = json.loads((the_run() / "metrics.jsonl").read_text().splitlines()[0])
    assert first["score_norm"] < 1e-3
    moved = tensors(the_run())["scene.particles"] - tensors(the_run(), 0)["scene.particles"]
    assert float(moved.abs().max()) < 1e-4


def test_a_resumed_edit_is_the_undisturbed_one_and_no_longer_needs_the_picture(picture, tmp_path):
    edit(picture, "--estimator", "pds", "--steps", 3, "--plan.checkpoint-every", 1, *EMPIRICAL)
    run, copy = the_run(), tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "checkpoints" / "last").write_text("step-000001.safetensors\n")
    picture.unlink()
    assert main(["resume", str(copy), "--quiet"]) == 0
    one, other = tensors(run), tensors(copy)
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(one["scene.source_latents"], tensors(run, 0)["scene.source_latents"])


@pytest.mark.parametrize("name", EDITORS)
def test_stable_diffusion_edits_the_latents_of_the_picture(tmp_path, picture, name):
    prior = build_tiny_stable_diffusion(tmp_path / "tiny")
    edit(picture, "--estimator", name, "--steps", 2, "--prior", prior)
    start, end = tensors(the_run(), 0), tensors(the_run())
    assert start["scene.particles"].shape == (1, 4, 8, 8)
    assert torch.equal(start["scene.particles"], start["scene.source_latents"])
    assert torch.equal(end["scene.source_latents"], start["scene.source_latents"])
    assert not torch.equal(end["scene.particles"], start["scene.particles"])


def test_the_learned_null_of_lods_begins_as_the_words_of_the_source(picture):
    edit(picture, "--estimator", "lods", "--steps", 1, "--estimator.learning-rate", "0", *EMPIRICAL)
    stored = (the_run() / "experiment.yaml").read_text()
    assert "negative: a red apple" in stored and "source: a red apple" in stored


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["absent.png", "--source", "a", "--target", "b"], "there is no picture"),
        (["{text}", "--source", "a", "--target", "b"], "cannot be read as a picture"),
        (["{picture}", "--source", " ", "--target", "b"], "--source is empty: say in a few words"),
        (["{picture}", "--source", "a", "--target", ""], "--target is empty: say in a few words"),
        (["{picture}", "--source", "a", "--target", "\udcff"], "--target is not valid text"),
        (["{picture}", "--source", "a"], "the following arguments are required: --target"),
        (
            ["{picture}", "--source", "a", "--target", "b", "--estimator", "sds"],
            "there is no editor 'sds': choose among",
        ),
        (["{picture}", "--source", "a", "--target", "b", "--steps", "0"], "plan.steps is 0"),
        (["{picture}", "--source", "a", "--target", "b", "--prior", "magic"], "there is no prior called 'magic'"),
        (["{picture}", "--source", 1001 * "a", "--target", "b"], "the source has 1001 characters: shorten it"),
    ],
)
def test_what_is_wrong_is_one_sentence_before_any_work(capsys, tmp_path, picture, words, sentence):
    (tmp_path / "text.png").write_text("just words")
    words = [word.format(picture=picture, text=tmp_path / "text.png") for word in words]
    assert main(["edit", *words, *(() if "--prior" in words else ("--prior", "empirical"))]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lodestone: ") and said.count("\n") == 1 and sentence in said
    assert not list(Path().iterdir())


def test_dds_without_a_picture_is_refused(capsys):
    assert main(["generate", "a pear", "--recipe", "edit-dds", "--prior", "empirical", "--prompt.source", "a"]) == 2
    assert "scene.source is empty, but this estimator edits" in capsys.readouterr().err
    assert not list(Path().iterdir())
