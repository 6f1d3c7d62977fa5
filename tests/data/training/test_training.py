"""Trainings that stop, are killed, go on, are exported meanwhile; and what is refused."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from training_tools import CPU, EMOJI, words

from lodestone.cli import main
from lodestone.data.training import loop
from lodestone.data.training.checkpoint import CHECKPOINT, read_checkpoint, restore, save_checkpoint
from lodestone.data.training.draft import fit_draft
from lodestone.data.training.export import averaged, export, export_checkpoint
from lodestone.data.training.metrics import append_metrics, forget_after, read_metrics
from lodestone.data.training.settings import TrainingSettings, stored_settings
from lodestone.data.training.sheets import FROM_ALL_SIDES, FROM_NOWHERE, draw_sheet
from lodestone.data.training.state import Training, learning_rate
from lodestone.data.training.validation import HeldOut
from lodestone.errors import SettingError
from lodestone.priors.embedded import load_embedded
from lodestone.storage import load_tensors, save_tensors


def trained(mixture, steps, folder=None):
    """A training after some steps; if a folder is given, saved there."""
    training = Training(mixture.settings, CPU)
    fit_draft(training.draft, mixture, words, mixture.settings)
    for _ in range(steps):
        training.advance(mixture, words)
    if folder:
        loop.save(training, folder)
    return training


@pytest.fixture
def short_sheets(monkeypatch):
    monkeypatch.setattr(loop, "draw_sheet", lambda *known: draw_sheet(*known, steps=1))


def run(folder, settings, **more):
    """A training without the text encoder."""
    told = []
    loop.train(folder, settings, device=CPU, report=told.append, words=words, **more)
    return told


@pytest.mark.parametrize("kind", ["mixture", "emoji_alone"])
def test_resumed_training_equals_undisturbed_training_to_the_bit(kind, request, tmp_path):
    mixture = request.getfixturevalue(kind)
    whole = trained(mixture, 4)
    trained(mixture, 2, tmp_path)
    resumed = Training(mixture.settings, CPU)
    restore(resumed, tmp_path)
    for _ in range(2):
        resumed.advance(mixture, words)
    for name, tensor in whole.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name]), name


def test_a_training_that_was_stopped_reports_the_same(settings, tmp_path, short_sheets):
    run(tmp_path / "whole", settings)
    run(tmp_path / "parts", replace(settings, steps=2, decay=0))  # nothing falls before step 2 in either
    with (tmp_path / "parts" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "loss": 7.0}\n{"step": 4, "lo')  # a training that was killed at step 4
    leftover = tmp_path / "parts" / ".12345678.safetensors"
    leftover.write_bytes(b"half")
    told = run(tmp_path / "parts", settings)
    assert told[0] == "resuming at step 2" and not leftover.exists()
    one, two = (load_tensors(tmp_path / name / CHECKPOINT)[0] for name in ("whole", "parts"))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())

    def steady(folder):
        changing = ("seconds", "pictures_per_second", "learning_rate")
        return [{k: v for k, v in entry.items() if k not in changing} for entry in read_metrics(tmp_path / folder)]

    parts = steady("parts")
    assert [entry for entry in parts if entry in steady("whole")] == steady("whole")
    assert sorted(path.name for path in (tmp_path / "whole" / "sheets").iterdir()) == [
        "step-000000.webp",
        "step-000004.webp",
    ]


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import json
import torch
from PIL import Image
torch.set_num_threads(1)
from training_tools import CPU, words
from lodestone.data.training import loop
from lodestone.data.training.settings import stored_settings
loop.draw_sheet = lambda *known: Image.new("RGB", (8, 8))
settings = stored_settings(json.loads({settings!r}))
loop.train(Path({folder!r}), settings, device=CPU, words=words, report=lambda line: print(line, flush=True))
"""


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_to_the_bit(tmp_path, monkeypatch):
    """SIGKILL at some moment after the second checkpoint of a process of its own."""
    settings = replace(EMOJI, steps=12, decay=4, report_every=1, save_every=1, validate_every=100, sheet_every=100)
    folder = tmp_path / "killed"
    program = KILLED.format(tests=str(Path(__file__).parent), folder=str(folder), settings=json.dumps(asdict(settings)))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("step 3/"):
            break
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    at = read_checkpoint(folder)[1]["step"]
    assert 2 <= at < 12
    monkeypatch.setattr(loop, "draw_sheet", lambda *known: Image.new("RGB", (8, 8)))
    run(folder, settings)
    run(tmp_path / "whole", settings)
    one, two = (load_tensors(path / CHECKPOINT)[0] for path in (tmp_path / "whole", folder))
    assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())
    assert [entry["step"] for entry in read_metrics(folder)] == list(range(1, 13))


def test_a_checkpoint_of_before_is_still_read(emoji_alone, tmp_path):
    """Version 0's trainings knew no budget, no meter and fewer settings."""
    training = trained(emoji_alone, 2)
    save_checkpoint(training, tmp_path)
    tensors, metadata = load_tensors(tmp_path / CHECKPOINT)
    new = ("world", "start", "minutes", "cosine", "world_share", "word_share", "camera_drop", "draft_examples")
    stored = {name: value for name, value in metadata["settings"].items() if name not in new}
    old = {"step": 2, "losses": metadata["losses"], "settings": stored}
    save_tensors(tmp_path / CHECKPOINT, {k: v for k, v in tensors.items() if not k.startswith("meter")}, old)
    resumed = Training(EMOJI, CPU)
    restore(resumed, tmp_path)
    assert resumed.step == 2 and stored_settings(stored) == replace(EMOJI, draft_examples=32_000)
    assert torch.equal(resumed.rng.get_state(), training.rng.get_state())


def test_exported_folder_is_a_prior(mixture, emoji_alone, tmp_path):
    for known, features in ((mixture, 8), (emoji_alone, 0)):
        training = trained(known, 1)
        export(training, tmp_path / "prior")
        prior = load_embedded(tmp_path / "prior", device=CPU)
        assert prior.image_size == 32 and prior.denoiser.latent_shape == (48, 8, 8)
        assert (prior.text_encoder.camera is not None) is bool(features)
        kept = dict(prior.denoiser.named_parameters())
        for name, average in training.average.items():
            place = f"network.{name}".replace("network.class_embedding", "pooled_embedding")
            torch.testing.assert_close(kept[place], average.half().float())
        assert not list(tmp_path.glob(".*"))


def test_a_checkpoint_is_exported_as_the_training_itself_is(mixture, tmp_path):
    training = trained(mixture, 2, tmp_path)
    before = (tmp_path / CHECKPOINT).read_bytes()
    assert export_checkpoint(tmp_path, tmp_path / "elsewhere" / "prior") == training.step == 2
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    for path in (tmp_path / "prior").rglob("*.*"):
        other = tmp_path / "elsewhere" / "prior" / path.relative_to(tmp_path / "prior")
        if path.suffix == ".safetensors":
            one, two = load_file(path), load_file(other)
            assert one.keys() == two.keys() and all(torch.equal(tensor, two[name]) for name, tensor in one.items())
        else:
            assert other.read_bytes() == path.read_bytes(), path.name


def test_another_network_is_refused(emoji_alone, tmp_path):
    trained(emoji_alone, 1, tmp_path)
    with pytest.raises(SettingError, match="another network"):
        restore(Training(replace(EMOJI, channels=(32, 64)), CPU), tmp_path)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other"])
def test_a_damaged_checkpoint_is_refused_in_one_sentence(emoji_alone, tmp_path, damage):
    trained(emoji_alone, 1, tmp_path)
    path = tmp_path / CHECKPOINT
    contents = bytearray(path.read_bytes())
    if damage == "other":
        save_tensors(path, {"x": torch.zeros(2)}, {"what": "something else"})
    else:
        contents[-10] ^= 1
        path.write_bytes({"cut": contents[: len(contents) // 2], "flip": contents, "empty": b""}[damage])
    before = path.read_bytes()
    with pytest.raises(SettingError, match="restore it from a copy, or delete it to begin anew") as refused:
        run(tmp_path, EMOJI)
    assert "\n" not in str(refused.value) and path.read_bytes() == before


def test_learning_rate_rises_stays_and_falls_to_zero():
    settings = TrainingSettings(steps=100, warm_up=10, decay=20, learning_rate=1.0)
    rates = [learning_rate(step, settings, 100) for step in range(101)]
    assert rates[0] == 0.1 and rates[9] == rates[80] == 1.0 and rates[100] == 0.0
    assert all(a >= b for a, b in pairwise(rates[80:]))
    smooth = [learning_rate(step, replace(settings, cosine=True), 100) for step in range(101)]
    assert smooth[80] == 1.0 and smooth[100] == 0.0 and abs(smooth[90] - 0.5) < 1e-12
    assert smooth[85] > rates[85] and smooth[95] < rates[95]


def test_a_budget_of_minutes_fixes_the_last_step_in_time(emoji_alone):
    """A second a step, one minute, a fall over a quarter: 45 steps stay up, and 15 are left for the fall."""
    settings = replace(EMOJI, steps=100, decay=25, minutes=1.0, warm_up=1, learning_rate=1.0)
    training, rates = Training(settings, CPU), []
    while not training.finished:
        rates.append(learning_rate(training.step, settings, training.end))
        training.step += 1
        training.spend(1.0)
    assert training.end == len(rates) == 60 and rates[:46] == [1.0] * 46
    assert all(a > b for a, b in pairwise(rates[45:])) and learning_rate(60, settings, 60) == 0.0


def test_the_last_step_is_kept_unless_the_budget_changes(emoji_alone, tmp_path):
    settings = replace(EMOJI, steps=100, decay=25, minutes=1.0)
    training = Training(settings, CPU)
    training.step = 45
    training.spend(50.0)
    save_checkpoint(training, tmp_path)
    for minutes, end in ((1.0, 60), (2.0, None)):
        again = Training(replace(settings, minutes=minutes), CPU)
        restore(again, tmp_path)
        assert again.end == end and again.seconds == 50.0


def test_validation_is_of_captions_that_training_never_sees(mixture, settings):
    held_out = HeldOut.render(settings, words, CPU)
    assert held_out.batch.pictures.shape == (4, 3, 32, 32) and held_out.batch.kept.all()
    assert (held_out.batch.pooled[:, -1] > 0).all() and not held_out.without_cameras.pooled[:, -8:].any()
    training = trained(mixture, 1)
    with torch.no_grad():
        network = averaged(training)
        one, two = (held_out.measure(training, network) for _ in range(2))
    assert one == two and one["validation"] != one["validation_without_cameras"]


def test_sheets_show_every_caption(mixture, emoji_alone):
    both, alone = (draw_sheet(t, averaged(t), words, steps=1) for t in (trained(mixture, 1), trained(emoji_alone, 1)))
    assert both.size == (3 * (4 * 32 + 8), 5 * (32 + 14)) and alone.size == (3 * (4 * 32 + 8), 32 + 14)
    assert len(FROM_ALL_SIDES) + len(FROM_NOWHERE) // 4 == 15


def test_metrics_lose_what_is_done_again(tmp_path):
    for step in (1, 2, 3):
        append_metrics(tmp_path, {"step": step})
    forget_after(tmp_path, 2)
    assert read_metrics(tmp_path) == [{"step": 1}, {"step": 2}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": 48}, "choose 64 by 4"),
        ({"decay": 13_000}, "training.decay is 13000"),
        ({"minutes": 5.0, "decay": 12_000}, "training.decay is 12000"),
        ({"caption_drop": 1.5}, "training.caption_drop is 1.5: choose a number from 0.0 to 1.0"),
        ({"batch": 0}, "training.batch is 0"),
        ({"minutes": float("nan")}, "training.minutes is nan"),
    ],
)
def test_impossible_settings_are_refused(change, said):
    with pytest.raises(SettingError) as refused:
        TrainingSettings(**change)
    assert said in str(refused.value)


def test_a_setting_of_another_lodestone_is_refused():
    with pytest.raises(SettingError, match="momentum"):
        stored_settings({"momentum": 0.9})


def complaint(capsys, *said):
    """The sentence after a command that must fail."""
    capsys.readouterr()
    assert main([str(word) for word in said]) == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    return text


def test_the_command_goes_on_with_the_settings_it_began_with(emoji_alone, tmp_path, monkeypatch, capsys):
    trained(emoji_alone, 2, tmp_path)
    asked = []
    monkeypatch.setattr(loop, "train", lambda folder, settings, *, device: asked.append(settings))
    assert main(["prior", "train", str(tmp_path), "--steps", "6", "--from", "scratch"]) == 0
    assert asked == [replace(EMOJI, steps=6, start="scratch")]
    assert main(["prior", "train", str(tmp_path / "new"), "--minutes", "3", "--world", "x", "--cosine"]) == 0
    assert asked[1] == TrainingSettings(minutes=3.0, world="x", cosine=True)


def test_the_commands_refuse_in_one_sentence(tmp_path, capsys, emoji_alone):
    assert "there is no training in" in complaint(capsys, "prior", "export", tmp_path / "absent")
    assert "no view cache" in complaint(capsys, "prior", "train", tmp_path / "a", "--world", tmp_path)
    assert "no embedded prior" in complaint(capsys, "prior", "train", tmp_path / "a", "--from", tmp_path)
    assert "choose sample, train or export" in complaint(capsys, "prior", "magic")
    assert not (tmp_path / "a").exists()
    trained(emoji_alone, 1, tmp_path)
    assert main(["prior", "export", str(tmp_path), "--output", str(tmp_path / "out")]) == 0
    assert "(step 1)" in capsys.readouterr().out and (tmp_path / "out" / "model_index.json").exists()
