"""Tables in Markdown, from the numbers that are stored beside them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean, stdev

from lodestone.oracle.comparison import Summary
from lodestone.oracle.mixture import Track
from lodestone.oracle.problems import PROBLEMS
from lodestone.oracle.terms import TermCurves, vanishing_time
from lodestone.oracle.variants import VARIED, variants

__all__ = ["comparison_tables", "mixture_tables", "terms_tables"]

INFINITE = "∞"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def number(value: float | None) -> str:
    """About three significant digits, without an exponent below 10,000."""
    if value is None:
        return INFINITE
    if value == 0 or abs(value) >= 10_000:
        return f"{value:.2g}"
    digits = next(digits for digits, least in ((0, 100.0), (1, 10.0), (2, 0.1), (3, 0.0)) if abs(value) >= least)
    return f"{value:.{digits}f}"


def plus_minus(mean: float, deviation: float | None) -> str:
    """A mean with its standard deviation over seeds, if there is any."""
    return f"{number(mean)} ± {number(deviation)}" if deviation else number(mean)


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation of plain values."""
    return plus_minus(fmean(values), stdev(values) if len(values) > 1 else None)


def mixture_tables(tracks: Mapping[str, Mapping[str, Sequence[Track]]]) -> str:
    """One table for each toy; a row for each contestant, over all seeds."""
    seeds = len(next(iter(next(iter(tracks.values())).values())))
    head = ["", "mean ends at", "mean came within", "particles end at", "gap of the mean", "spread"]
    columns: list[Callable[[Track], float]] = [
        lambda track: track.distance[-1],
        lambda track: min(track.distance),
        lambda track: track.particle_distance,
        lambda track: track.gap,
        lambda track: track.spread,
    ]
    parts = [f"Over {seeds} seeds of 32 particles each.\n"]
    for toy, contestants in tracks.items():
        rows = [
            [name, *(spread([column(track) for track in followed]) for column in columns)]
            for name, followed in contestants.items()
        ]
        parts.append(f"## {toy}\n\n{table(head, rows)}")
    return "\n".join(parts)


def terms_tables(curves: Mapping[str, TermCurves]) -> str:
    """Where h vanishes, and how far r is from c* in all but the 2 % most extreme noises."""
    head = ["", "h is below eps_y / 1000 up to t =", "c* at t = 100, 500, 900", "r is off by up to"]
    rows = []
    for place, found in curves.items():
        at = [min(range(len(found.t)), key=lambda i: abs(found.t[i] - t)) for t in (100, 500, 900)]
        gone = vanishing_time(found)
        off = [max(found.r_high[i] - found.best[i], found.best[i] - found.r_low[i]) for i in at]
        best, worst = (", ".join(number(value) for value in values) for values in ([found.best[i] for i in at], off))
        rows.append([place, "nowhere" if gone is None else str(gone), best, worst])
    return table(head, rows)


COLUMNS = {
    "distance": "distance",
    "distance_at_budget": "at equal calls",
    "arrived": "arrived",
    "gap": "gap",
    "coverage": "coverage",
    "entropy": "entropy",
    "saturation": "saturation",
    "contrast": "contrast",
    "noise": "noise / signal",
    "calls": "calls a step",
}
"""Figures that are written as mean and spread, in the order of their columns."""


def summary_cell(summary: Summary) -> str:
    """Mean and spread; infinite seeds are counted."""
    if summary.mean is None:
        return INFINITE
    lost = len(summary.values) - summary.finite
    return plus_minus(summary.mean, summary.std) + (f" ({lost} x {INFINITE})" if lost else "")


def arrival_cell(summary: Summary) -> str:
    """Median calls until arrival, and how many seeds arrived."""
    return f"{number(summary.median)} ({summary.finite} of {len(summary.values)})"


Figures = Mapping[str, Mapping[str, Summary]]
"""Every figure of every estimator on one problem."""


def comparison_tables(
    results: Mapping[str, Figures], references: Mapping[str, Figures], skipped: Mapping[str, str]
) -> str:
    """The overview, a table for each problem, variants below their origins, and who could not take part."""
    varied, names = variants(), list(dict.fromkeys(name for entries in results.values() for name in entries))
    own = {name: {key: entries[key] for key in entries if key not in varied} for name, entries in results.items()}
    parts = [
        "## Where they end: distance to the nearest conditional mode\n\n"
        + distance_table(results, [name for name in names if name not in varied]),
        *(problem_table(problem, entries, references[problem]) for problem, entries in own.items()),
    ]
    if chosen := {name: variant for name, variant in varied.items() if name in names}:
        order = dict.fromkeys(key for name, variant in chosen.items() for key in (variant.origin, name))
        among = {name: results[name] for name in VARIED}
        parts.append(
            f"## One thing changed: distance to the nearest conditional mode\n\n{distance_table(among, order)}"
        )
    if skipped:
        parts.append("## Not compared\n\n" + "\n".join(f"- `{name}`: {why}" for name, why in skipped.items()) + "\n")
    return "\n".join(parts)


def distance_table(results: Mapping[str, Figures], names: Iterable[str]) -> str:
    """Where estimators end on every problem, and their calls."""
    rows = []
    for name in names:
        cells = [summary_cell(entries[name]["distance"]) if name in entries else "" for entries in results.values()]
        calls = next(entries[name]["calls"] for entries in results.values() if name in entries)
        rows.append([f"`{name}`", *cells, number(calls.mean)])
    return table(["", *(title(problem) for problem in results), "calls a step"], rows)


def problem_table(problem: str, entries: Figures, references: Figures) -> str:
    """Every figure of every estimator on one problem, below those that no descent has made."""
    known = [key for key in COLUMNS if any(key in figures for figures in entries.values())]
    head = ["", *(COLUMNS[key] for key in known), "calls to arrive"]
    rows = [
        [f"*{name}*", *(summary_cell(figures[key]) if key in figures else "" for key in known), ""]
        for name, figures in references.items()
    ] + [
        [f"`{name}`", *(summary_cell(figures[key]) for key in known), arrival_cell(figures["arrival"])]
        for name, figures in entries.items()
    ]
    return f"## {title(problem)}\n\n{table(head, rows)}"


def title(problem: str) -> str:
    """A problem's name in words."""
    return problem.replace("-", " ") if problem in PROBLEMS else problem
