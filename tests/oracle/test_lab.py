"""The command: files, numbers, pictures, and what it says when a setting is wrong."""

import json
import math
import sys
from dataclasses import replace

import pytest
from PIL import Image

from lodestone.cli import main
from lodestone.distillation.view_consistent import ViewConsistentNoise
from lodestone.oracle import comparison, lab, terms
from lodestone.oracle.comparison import REFERENCES, SUMMARIZED, Contest, compete, summarize
from lodestone.oracle.lab import not_asked
from lodestone.oracle.problems import PROBLEMS
from lodestone.oracle.tables import arrival_cell, comparison_tables, number, summary_cell
from lodestone.oracle.variants import VARIED, variants
from lodestone.recipes.estimators import estimators

TINY = ["--seeds", "2", "--steps", "3", "--workers", "1"]


def run(folder, *words):
    assert main(["oracle", *TINY, "--output", str(folder), *words]) == 0
    return sorted(path.name for path in folder.iterdir())


def test_estimators(tmp_path, capsys):
    names = ["ssd", "csd"]
    files = run(tmp_path, "--only", "estimators", "--estimators", ",".join(names))
    assert set(files) == {path.rpartition("/")[2] for path in capsys.readouterr().out.split()}
    numbers = json.loads((tmp_path / "estimators.json").read_text())
    assert set(numbers) == {"versions", "settings", "descents", "figures", "curves", "references", "skipped"}
    assert list(numbers["figures"]) == list(PROBLEMS) and numbers["skipped"] == {}
    varied = [name for name, variant in variants().items() if variant.origin in names]
    for problem, entries in numbers["figures"].items():
        assert list(entries) == [*names, *(varied if problem in VARIED else [])]
        assert list(numbers["references"][problem]) == list(REFERENCES)
        pictures = problem.endswith(("picture", "pictures"))
        expected = [key for key in SUMMARIZED if pictures or key not in ("saturation", "contrast")]
        for figures in entries.values():
            assert list(figures) == expected
            assert all(set(figure) == {"mean", "std", "median", "finite", "values"} for figure in figures.values())
            assert all(len(figure["values"]) == 2 for figure in figures.values())
        assert numbers["descents"][problem]["steps"] == 3
        assert len(numbers["curves"][problem]["csd"]["calls"]) == len(numbers["curves"][problem]["csd"]["distance"])
    page = (tmp_path / "estimators.md").read_text()
    assert page.count("| `ssd` |") == 2 + len(PROBLEMS) and "--only estimators --seeds 2 --steps 3" in page
    assert page.count("| *exact samples* |") == len(PROBLEMS) and "Not compared" not in page
    check_pictures(tmp_path, 4)


def check_pictures(folder, count):
    """Every picture can be read and is small enough for a page."""
    found = list(folder.glob("*.png"))
    assert len(found) == count
    for path in found:
        with Image.open(path) as picture:
            assert picture.width > 400
        assert path.stat().st_size < 200_000


def test_mixture_is_repeatable(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert run(first, "--only", "mixture") == run(second, "--only", "mixture")
    for name in ("mixture.json", "mixture.md", "mixture-trap.png"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    numbers = json.loads((first / "mixture.json").read_text())
    assert set(numbers["tracks"]) == {"trap", "off-axis"}
    track = numbers["tracks"]["trap"]["mode-seeking"][0]
    assert set(track) == {"mean_path", "distance", "particle_distance", "gap", "spread"}
    check_pictures(first, 2)


def test_terms(tmp_path, monkeypatch):
    chosen = [place for place in terms.PLACES if place.startswith("plane")]
    monkeypatch.setattr(terms, "PLACES", {place: terms.PLACES[place] for place in chosen})
    run(tmp_path, "--only", "terms")
    numbers = json.loads((tmp_path / "terms.json").read_text())
    assert list(numbers["places"]) == chosen
    assert all(len(set(map(len, curves.values()))) == 1 for curves in numbers["places"].values())
    assert "| plane, at the start | nowhere |" in (tmp_path / "terms.md").read_text()
    check_pictures(tmp_path, 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "everything"], "--only"),
        (["--seeds", "0"], "--seeds is 0: choose a number from 1 to 1000"),
        (["--seeds", "many"], "--seeds"),
        (["--steps", "0"], "--steps is 0"),
        (["--workers", "0"], "--workers is 0"),
        (["--estimators", "sds,magic"], "there is no estimator 'magic'"),
        (["--outptu", "x"], "--outptu"),
    ],
)
def test_wrong_settings_cost_one_sentence(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert main(["oracle", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("lodestone: ") and error.count("\n") == 1 and said in error
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lab, "each", None)  # any work would fail
    (tmp_path / "file").write_text("in the way")
    assert main(["oracle", "--output", str(tmp_path / "file" / "out")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "choose an --output folder that you may write to" in error


def test_without_matplotlib_the_extra_is_named_before_any_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["oracle", "--output", str(tmp_path / "out")]) == 2
    assert "pip install 'lodestone3d[oracle]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_estimators_that_cannot_work_are_listed_with_their_reason(monkeypatch):
    refusing = replace(estimators("empirical")["cfd"], noising=ViewConsistentNoise(density=1))
    monkeypatch.setattr(comparison, "contestant", lambda name: refusing)
    why = compete(Contest("trap", "cfd", 0, 2))
    assert isinstance(why, str) and "flat particles" in why
    assert f"- `cfd`: {why}" in comparison_tables({}, {}, {"cfd": why})
    assert set(not_asked()) == {"dds", "pds"}


def test_the_mean_is_that_of_finite_seeds_and_the_median_counts_the_others():
    summary = summarize([1.0, math.inf, 3.0])
    assert (summary.mean, summary.median, summary.finite) == (2.0, 3.0, 2)
    assert summary.values == [1.0, None, 3.0] and summarize([math.inf]).mean is None


def test_numbers_in_tables():
    assert [number(value) for value in (None, 0.0, 0.01234, 0.5, 3.14159, 42.42, 1234.5, 123456.0)] == [
        "∞",
        "0",
        "0.012",
        "0.50",
        "3.14",
        "42.4",
        "1234",
        "1.2e+05",
    ]
    assert summary_cell(summarize([1.0, 3.0, math.inf])) == "2.00 ± 1.41 (1 x ∞)"
    assert arrival_cell(summarize([math.inf, math.inf, 40.0])) == "∞ (1 of 3)"
