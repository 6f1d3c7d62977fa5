"""Figures and their summaries: known colours, known intervals."""

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.evaluation.report.figures import Figures, Statistic, summarize, wilson
from lodestone.evaluation.report.saturation import chroma, saturation


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((1.0, 0.0, 0.0), 104.55),
        ((0.0, 1.0, 0.0), 119.78),
        ((0.0, 0.0, 1.0), 133.81),
        ((1.0, 1.0, 1.0), 0.0),
        ((0.5, 0.5, 0.5), 0.0),
        ((0.01, 0.01, 0.01), 0.0),
        ((0.0, 0.0, 0.0), 0.0),
    ],
)
def test_chroma_of_known_colours(rgb, expected):
    assert float(chroma(torch.tensor(rgb))) == pytest.approx(expected, abs=0.01)


def test_only_the_foreground_counts():
    images = torch.ones(2, 4, 4, 3)
    images[0, :2] = torch.tensor([0.8, 0.2, 0.2])
    foreground = torch.zeros(2, 4, 4, dtype=torch.bool)
    foreground[0, :2] = True
    found = saturation(images, foreground)
    assert found.chroma == pytest.approx(float(chroma(images[0, 0, 0]))) and found.clipped == 0
    foreground[0, 2:] = True
    both = saturation(images, foreground)
    assert both.chroma == pytest.approx(found.chroma / 2, abs=0.01) and both.clipped == 0.5
    assert saturation(images, torch.zeros_like(foreground)) is None


def test_clipped_is_what_a_byte_would_hold_as_0_or_255():
    images = torch.tensor([0.001, 0.004, 0.5, 0.996, 0.999])[:, None].expand(5, 3).reshape(1, 1, 5, 3)
    assert saturation(images, torch.ones(1, 1, 5, dtype=torch.bool)).clipped == pytest.approx(2 / 5)


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (1, 1, 0.2065, 1.0),
        (50, 100, 0.4038, 0.5962),
    ],
)
def test_wilson_against_known_values(right, n, low, high):
    assert wilson(right / n, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_solves_its_equation():
    """The ends are the rates from which the mean is 1.96 standard errors away."""
    for end in wilson(0.3, 17):
        assert abs(0.3 - end) == pytest.approx(1.959964 * (end * (1 - end) / 17) ** 0.5, rel=1e-5)


def test_wilson_without_values():
    with pytest.raises(SettingError, match="no interval"):
        wilson(0.5, 0)


def test_a_summary_is_of_those_that_it_applies_to():
    summary = summarize(
        [
            Figures(category=1.0, janus=0.0, viewpoint=0.75, rank=1, seconds=10.0, chroma=30.0),
            Figures(category=0.0, viewpoint=0.25, rank=7, seconds=20.0, chroma=50.0),
            Figures(category=1.0, color=1.0, rank=30),
            Figures(),
        ]
    )
    assert summary["category"].value == pytest.approx(2 / 3) and summary["category"].n == 3
    assert summary["category"].interval == wilson(2 / 3, 3)
    assert summary["viewpoint"] == Statistic(0.5, 2, wilson(0.5, 2))
    assert summary["janus"] == Statistic(0.0, 1, wilson(0.0, 1)) and summary["color"].value == 1
    assert summary["chroma"] == Statistic(40.0, 2) and summary["seconds"] == Statistic(15.0, 2)
    assert summary["recall_at_1"].value == pytest.approx(1 / 3)
    assert summary["recall_at_10"].value == pytest.approx(2 / 3)
    assert summary["median_rank"] == Statistic(7.0, 3)
    assert summary["relation"] is None and summary["clipped"] is None
    assert all(one is None for one in summarize([]).values())
