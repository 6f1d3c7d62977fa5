"""What the numbers of a flat run mean."""

import json

import pytest
import torch

from lodestone.playground.metrics import clipped_share, diversity, ranks, saturation, spent, table


def plain(*color):
    return torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, 8, 8)


@pytest.mark.parametrize(
    ("color", "value"), [((0.5, 0.5, 0.5), 0.0), ((1.0, 0.0, 0.0), 1.0), ((0.0, 0.0, 0.0), 0.0), ((0.8, 0.4, 0.6), 0.5)]
)
def test_saturation_is_that_of_hsv(color, value):
    assert torch.allclose(saturation(plain(*color)), torch.tensor(value))


def test_coloured_pixels_at_the_limit_are_clipped_but_white_and_black_are_not():
    pictures = torch.cat([plain(1.0, 1.0, 1.0), plain(0.0, 0.0, 0.0), plain(1.0, 0.5, 0.5), plain(0.9, 0.5, 0.5)])
    assert clipped_share(pictures) == 0.25


def test_diversity_is_zero_for_equal_particles_and_for_one():
    one = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert diversity(one)[0] == 0.0
    assert diversity(one.expand(3, -1, -1, -1))[0] < 1e-3


def test_without_the_network_diversity_is_measured_in_pixels(monkeypatch):
    from lodestone.errors import SettingError
    from lodestone.playground import metrics

    def absent():
        raise SettingError("the weights are missing")

    monkeypatch.setattr(metrics, "classifier", absent)
    spread, unit = diversity(torch.cat([plain(0.0, 0.0, 0.0), plain(0.5, 0.5, 0.5)]))
    assert unit == "pixels" and spread == pytest.approx(0.5)


def test_there_is_no_rank_without_the_features_of_the_shipped_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert ranks(plain(1.0, 1.0, 1.0), "a hamburger") is None


def test_what_was_spent_is_read_from_the_metrics_of_the_run(tmp_path):
    lines = [
        {"step": 0, "denoiser_calls": 2, "seconds": {"a": 1.0, "b": 0.5}, "auxiliary": 3.0},
        {"step": 1, "denoiser_calls": 3, "seconds": {"a": 2.0}, "auxiliary": 2.0, "slot_loss": 0.1},
    ]
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    known = spent(path, 4)
    assert (known["steps"], known["denoiser_calls"], known["training_steps"]) == (2, 20, 2)
    assert (known["seconds"], known["auxiliary"], known["slot_loss"]) == (3.5, 2.0, 0.1)


def test_the_table_has_a_line_for_each_estimator_and_a_dash_for_what_is_unknown():
    lines = table([("sds", {"median_rank": None, "diversity": 0.25}), ("lods-lora", {"median_rank": 3.0})]).splitlines()
    assert len(lines) == 3 and len({len(line) for line in lines}) == 1
    assert lines[1].split()[:3] == ["sds", "-", "0.25"] and lines[2].split()[:2] == ["lods-lora", "3"]
