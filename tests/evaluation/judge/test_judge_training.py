"""Trainings of a judge that are stopped and go on; what they learn; what is refused."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from lodestone.cli import main
from lodestone.data.worlds.cache import ViewSettings, render_views
from lodestone.data.worlds.world import World
from lodestone.errors import SettingError
from lodestone.evaluation.judge import training as loop
from lodestone.evaluation.judge.examples import Examples
from lodestone.evaluation.judge.load import load_judge
from lodestone.evaluation.judge.network import NOUNS
from lodestone.evaluation.judge.settings import JudgeSettings
from lodestone.evaluation.judge.state import CHECKPOINT, JudgeTraining, learning_rate, read_settings
from lodestone.storage import load_tensors

TINY = JudgeSettings(channels=(8, 16), steps=4, batch=4)


@pytest.fixture(scope="module")
def examples():
    return Examples.of(render_views(World(TINY.world_seed), range(8), ViewSettings(views=2), workers=1))


def advanced(training, examples, steps):
    for _ in range(steps):
        training.advance(examples)
    return training


@pytest.mark.parametrize("bfloat16", [True, False])
def test_resumed_training_equals_undisturbed_training_to_the_bit(examples, tmp_path, bfloat16):
    settings = replace(TINY, bfloat16=bfloat16)
    whole = advanced(JudgeTraining(settings), examples, 4)
    advanced(JudgeTraining(settings), examples, 2).save(tmp_path)
    resumed = JudgeTraining(settings)
    resumed.restore(tmp_path)
    assert resumed.step == 2
    advanced(resumed, examples, 2).save(tmp_path)
    whole.save(tmp_path / "whole")
    one, two = (load_tensors(folder / CHECKPOINT) for folder in (tmp_path, tmp_path / "whole"))
    assert one[1] == two[1] and one[0].keys() == two[0].keys()
    for name, tensor in one[0].items():
        assert torch.equal(tensor, two[0][name]), name


def test_batches_show_each_kind_of_scene_equally_often(examples):
    """Three kinds of 6000: a standard error of 0.006."""
    kinds = examples.answers.kind[examples.draw(6000, torch.Generator().manual_seed(0))]
    assert ((kinds.bincount() / 6000 - 1 / 3).abs() < 0.03).all() and len(kinds.unique()) == 3


def test_the_loss_falls(examples):
    settings = replace(TINY, channels=(12, 24), steps=40, batch=16, learning_rate=5e-3)
    training = JudgeTraining(settings)
    losses = [training.advance(examples) for _ in range(settings.steps)]
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


def test_the_learning_rate_rises_and_falls_to_zero():
    settings = replace(TINY, steps=100, learning_rate=1.0)
    rates = [learning_rate(step, settings) for step in range(101)]
    assert rates[0] == 0.2 and max(rates) == rates[4] > 0.99 and rates[100] == 0.0
    assert all(a > b for a, b in pairwise(rates[4:]))


def test_the_command_trains_goes_on_and_leaves_a_judge(examples, tmp_path, monkeypatch, capsys):
    """Without rendering: the views are known, and the sides of two categories."""
    measured = {noun: {"quadrant": 0.9, "false front": 0.0} for noun in ("cat", "dog")}
    monkeypatch.setattr(loop, "measure_categories", lambda *known: measured)
    monkeypatch.setattr(loop, "views", lambda *known, measured: (examples, examples))
    words = ["--channels", "8", "16", "--batch", "4", "--report-every", "1", "--steps", "2"]
    assert main(["judge", "train", str(tmp_path), *words]) == 0
    assert "step 2/2" in capsys.readouterr().out and read_settings(tmp_path).steps == 2
    assert main(["judge", "train", str(tmp_path), "--steps", "3"]) == 0
    out = capsys.readouterr().out
    assert "resuming at step 2" in out and "step 3/3" in out
    judge = load_judge(tmp_path / "judge")
    assert judge.oriented == ("cat", "dog") and judge.channels == (8, 16)
    card = json.loads((tmp_path / "judge" / "card.json").read_text())
    assert set(card["accuracy"]) == {"other captions", "held-out captions"}
    assert set(card["accuracy"]["other captions"]) == {"clean", "degraded"}


@pytest.mark.slow
def test_the_command_renders_what_it_learns_from_and_is_measured_in(tmp_path, capsys):
    words = ["--scenes", "44", "--views", "1", "--measured-scenes", "60", "--measured-objects", "1"]
    assert main(["judge", "train", str(tmp_path), *words, "--channels", "8", "16", "--batch", "4", "--steps", "2"]) == 0
    card = json.loads((tmp_path / "judge" / "card.json").read_text())
    assert set(card["categories"]) == set(NOUNS)
    assert "held-out: 1 of 1 files" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["judge", "measured", "training.safetensors", "views"]


def refused(capsys, *words):
    """The sentence after a command that must fail."""
    capsys.readouterr()
    assert main(["judge", *map(str, words)]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    return text


def test_wrong_words_are_refused_in_one_sentence(examples, tmp_path, capsys):
    assert "choose train" in refused(capsys, "magic")
    assert "judge.batch is 0" in refused(capsys, "train", tmp_path, "--batch", "0")
    advanced(JudgeTraining(TINY), examples, 1).save(tmp_path)
    assert "another network" in refused(capsys, "train", tmp_path, "--channels", "8", "8")
    contents = bytearray((tmp_path / CHECKPOINT).read_bytes())
    contents[-10] ^= 1
    (tmp_path / CHECKPOINT).write_bytes(contents)
    assert "delete it to begin anew" in refused(capsys, "train", tmp_path)
    assert (tmp_path / CHECKPOINT).read_bytes() == contents


def test_impossible_settings_are_refused():
    with pytest.raises(SettingError, match=r"judge\.learning_rate is 2"):
        JudgeSettings(learning_rate=2.0)
