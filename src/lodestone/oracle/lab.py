"""Runs the experiments and writes figures, tables and the numbers behind them."""

import json
import multiprocessing
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

import torch

from lodestone import __version__
from lodestone.distillation.dds import AbstractEditing
from lodestone.errors import SettingError, check_range
from lodestone.optimize.plain import to_plain
from lodestone.oracle import figures, mixture, terms
from lodestone.oracle.comparison import (
    REFERENCES,
    SUMMARIZED,
    Contest,
    Outcome,
    Summary,
    compete,
    descent_for,
    problem,
    reference,
    summarize,
)
from lodestone.oracle.problems import PROBLEMS
from lodestone.oracle.tables import comparison_tables, mixture_tables, terms_tables
from lodestone.oracle.variants import VARIED, contestant, variants
from lodestone.recipes.editing import EDITORS
from lodestone.recipes.estimators import estimator_for, estimators
from lodestone.storage import explain, write_text

__all__ = ["Experiment", "LabSettings", "experiments"]

Job = TypeVar("Job")
Result = TypeVar("Result")

MIXTURE_SEEDS = 6
"""The illustration follows 32 particles a seed and hardly varies between seeds."""

TITLE = "Every estimator on the same problems"


class Experiment(StrEnum):
    """What the lab can do."""

    MIXTURE = "mixture"
    TERMS = "terms"
    ESTIMATORS = "estimators"


@dataclass(frozen=True, kw_only=True)
class LabSettings:
    """Which experiments, how thoroughly, and where to."""

    output: Path
    seeds: int = 20
    """Of every estimator on every problem; the illustration takes at most six."""
    workers: int = 1
    """Processes side by side; results do not depend on it."""
    steps: int | None = None
    """At most this many steps in a descent; None for each experiment's own number."""
    names: tuple[str, ...] = ()
    """Estimators that are compared; none for all."""

    def __post_init__(self) -> None:
        check_range("--seeds", self.seeds, 1, 1000)
        check_range("--workers", self.workers, 1, 64)
        if self.steps is not None:
            check_range("--steps", self.steps, 1, 1_000_000)
        for name in self.names:
            estimator_for(name, "empirical")


def experiments(settings: LabSettings, only: Experiment | None = None) -> Iterator[Path]:
    """Runs one experiment or all, and yields each file once it is written.

    Raises: SettingError if matplotlib is missing or a file cannot be written.
    """
    known = {Experiment.MIXTURE: run_mixture, Experiment.TERMS: run_terms, Experiment.ESTIMATORS: run_comparison}
    figures.canvas(1.0, 1.0)  # finds out whether there is matplotlib, before minutes of work
    try_to_write(settings.output)
    for name, run in known.items():
        if only in (None, name):
            yield from run(settings)


def try_to_write(folder: Path) -> None:
    """Finds out whether files can be written, before minutes of work.

    Raises: SettingError if they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise SettingError(explain(folder, error)) from error


def each(function: Callable[[Job], Result], jobs: Sequence[Job], workers: int) -> list[Result]:
    """The result of every job, in order; in as many processes as wanted, with one thread each."""
    if workers == 1 or len(jobs) == 1:
        return [function(job) for job in jobs]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,)) as pool:
        return list(pool.map(function, jobs))


def write_numbers(path: Path, numbers: Mapping[str, Any]) -> Path:
    """JSON with the versions that it came from; never a NaN."""
    versions = {"lodestone": __version__, "torch": str(torch.__version__)}
    write_text(path, json.dumps({"versions": versions, **numbers}, allow_nan=False, separators=(",", ":")) + "\n")
    return path


def write_table(path: Path, title: str, only: Experiment, settings: LabSettings, text: str) -> Path:
    """A generated page of tables."""
    seeds = "" if only is Experiment.TERMS else f" --seeds {settings.seeds}"
    steps = f" --steps {settings.steps}" if settings.steps is not None else ""
    origin = f"Written by `lodestone oracle --only {only}{seeds}{steps}`; [README](README.md) explains the columns."
    write_text(path, f"# {title}\n\n{origin}\n\n{text}")
    return path


def follow(job: tuple[str, str, int, int | None]) -> mixture.Track:
    """One descent of the illustration."""
    return mixture.follow(*job)


def run_mixture(settings: LabSettings) -> Iterator[Path]:
    """SSD's illustration."""
    seeds = range(min(settings.seeds, MIXTURE_SEEDS))
    jobs = [(*key, settings.steps) for key in product(mixture.TOYS, mixture.contestants(), seeds)]
    found = dict(zip([job[:3] for job in jobs], each(follow, jobs, settings.workers), strict=True))
    tracks = {
        toy: {name: [found[toy, name, seed] for seed in seeds] for name in mixture.contestants()}
        for toy in mixture.TOYS
    }
    numbers = {
        toy: {name: [rounded(brief(track)) for track in followed] for name, followed in entries.items()}
        for toy, entries in tracks.items()
    }
    plans = {toy: to_plain(mixture.TOYS[toy]().descent(settings.steps)) for toy in mixture.TOYS}
    yield write_numbers(settings.output / "mixture.json", {"descents": plans, "tracks": numbers})
    yield write_table(
        settings.output / "mixture.md", "SSD's illustration", Experiment.MIXTURE, settings, mixture_tables(tracks)
    )
    for toy, entries in tracks.items():
        first = {name: followed[0] for name, followed in entries.items()}
        yield figures.mixture_figure(settings.output / f"mixture-{toy}.png", toy, first)


def brief(track: mixture.Track) -> dict[str, Any]:
    """A track without the particles' paths, and without its steps: every `record_every`-th of its descent."""
    return {name: value for name, value in asdict(track).items() if name not in ("particle_paths", "steps")}


def rounded(value: Any, digits: int = 4) -> Any:
    """Every float of a plain value to so many significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, Mapping):
        return {key: rounded(entry, digits) for key, entry in value.items()}
    return [rounded(entry, digits) for entry in value] if isinstance(value, list | tuple) else value


def run_terms(settings: LabSettings) -> Iterator[Path]:
    """The parts against time."""
    measured = each(terms.measure, list(terms.PLACES), settings.workers)
    curves = dict(zip(terms.PLACES, measured, strict=True))
    numbers = {place: rounded(asdict(found)) for place, found in curves.items()}
    yield write_numbers(settings.output / "terms.json", {"places": numbers})
    yield write_table(
        settings.output / "terms.md", "Parts of an estimator", Experiment.TERMS, settings, terms_tables(curves)
    )
    yield figures.size_figure(settings.output / "terms-size.png", curves)
    yield figures.coefficient_figure(settings.output / "terms-coefficient.png", curves)
    yield figures.correlation_figure(settings.output / "terms-correlation.png", curves)


def run_comparison(settings: LabSettings) -> Iterator[Path]:
    """Every estimator on every problem, and variants of them that say why."""
    names, seeds = settings.names or tuple(estimators("empirical")), range(settings.seeds)
    varied = [name for name, variant in variants().items() if variant.origin in names]
    keys = [*product(PROBLEMS, names), *product(VARIED, varied)]
    contests = [Contest(*key, seed, settings.steps) for key in keys for seed in seeds]
    found = dict(zip(contests, each(compete, contests, settings.workers), strict=True))
    skipped = {contest.estimator: outcome for contest, outcome in found.items() if isinstance(outcome, str)}
    results: dict[str, dict[str, list[Outcome]]] = {name: {} for name in PROBLEMS}
    for contest, outcome in found.items():
        if not isinstance(outcome, str):
            results[contest.problem].setdefault(contest.estimator, []).append(outcome)
    if not any(results.values()):
        raise SettingError(f"no estimator could be compared ({'; '.join(skipped.values())}): choose others")
    summaries = {
        name: {estimator: summarized([seed.figures for seed in own]) for estimator, own in outcomes.items()}
        for name, outcomes in results.items()
    }
    references = {
        name: {kind: summarized([reference(kind, name, seed) for seed in seeds]) for kind in REFERENCES}
        for name in results
    }
    skipped |= not_asked() if not settings.names else {}
    numbers = plain(summaries, results, settings) | {"references": rounded(to_plain(references)), "skipped": skipped}
    yield write_numbers(settings.output / "estimators.json", numbers)
    page = comparison_tables(summaries, references, skipped)
    yield write_table(settings.output / "estimators.md", TITLE, Experiment.ESTIMATORS, settings, page)
    named = {name: {key: own[key] for key in names if key in own} for name, own in results.items()}
    yield figures.end_figure(settings.output / "estimators-ends.png", named)
    yield figures.picture_figure(settings.output / "estimators-pictures.png", named)
    for name in ("trap", "three-pictures"):
        yield figures.cost_figure(settings.output / f"estimators-calls-{name}.png", name, named[name])


def not_asked() -> dict[str, str]:
    """Estimators that edit have nothing to edit here."""
    reason = "it edits a picture and compares with the source and its wording; the start here is nothing's picture"
    estimators_of = {name: recipe("an edit", "empirical").estimator for name, recipe in EDITORS.items()}
    return {name: reason for name, found in estimators_of.items() if isinstance(found, AbstractEditing)}


def summarized(seeds: Sequence[Mapping[str, float]]) -> dict[str, Summary]:
    """Every figure over the seeds."""
    return {name: summarize([seed[name] for seed in seeds]) for name in SUMMARIZED if name in seeds[0]}


def plain(
    summaries: Mapping[str, Mapping[str, Mapping[str, Summary]]],
    results: Mapping[str, Mapping[str, Sequence[Outcome]]],
    settings: LabSettings,
) -> dict[str, Any]:
    """The comparison as JSON holds it: settings, figures of every seed, and mean curves."""
    taking_part = list(dict.fromkeys(name for outcomes in results.values() for name in outcomes))
    return {
        "settings": {name: to_plain(contestant(name)) for name in taking_part},
        "descents": {name: to_plain(descent_for(problem(name), settings.steps)) for name in results},
        "figures": rounded(to_plain(summaries)),
        "curves": {
            name: {
                estimator: dict(zip(("calls", "distance"), rounded(figures.mean_curve(seeds)), strict=True))
                for estimator, seeds in outcomes.items()
            }
            for name, outcomes in results.items()
        },
    }
