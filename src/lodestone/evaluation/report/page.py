"""`report.html`: one page with its pictures inside, which needs neither scripts nor other files."""

import base64
import json
from collections.abc import Iterator
from html import escape
from pathlib import Path

import torch

from lodestone.evaluation.judge.quadrants import Quadrant, quadrant_of
from lodestone.evaluation.report.assets import CELL, ELEVATION
from lodestone.evaluation.report.figures import Statistic
from lodestone.evaluation.report.judging import central
from lodestone.evaluation.report.report import ALL, EvaluatedRun, Report
from lodestone.storage import write_text

__all__ = ["page", "write_report"]

STYLE = """
:root { color-scheme: light; --ink: #20242a; --pale: #6b7480; --line: #e2e6ea; --good: #1c7a4a; --bad: #b3261e; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1.2rem 4rem; color: var(--ink); background: #fbfbfa;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0; font-weight: 600; }
p { margin: .3rem 0; max-width: 46rem; }
.pale, small { color: var(--pale); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; background: #fff; border: 1px solid var(--line);
  font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .3rem .8rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { text-align: left; font-weight: 500; white-space: nowrap; }
td small { display: block; line-height: 1.2; white-space: nowrap; }
article { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem; margin: .8rem 0; }
article header { display: flex; flex-wrap: wrap; gap: 0 1rem; align-items: baseline; justify-content: space-between; }
article img { display: block; width: 100%; max-width: 56rem; height: auto; }
ol.sides { display: grid; grid-template-columns: repeat(8, 1fr); max-width: 56rem; margin: 0; padding: 0;
  list-style: none; text-align: center; font-size: .78rem; color: var(--pale); }
ul.figures { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .5rem 0 0; padding: 0; list-style: none; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; max-width: 52rem; }
dt { font-weight: 500; } dd { margin: 0; color: var(--pale); }
"""

ROWS = {
    "category": ("right category", "the judge sees the category of the caption; of two items, both"),
    "color": ("right colour", "it sees the colour of every item whose colour the caption says"),
    "relation": ("right relation", "it sees the caption's two items in the place to each other that the caption says"),
    "viewpoint": (
        "right viewpoint",
        "share of the views from 0, 90, 180 and 270 degrees that show the side they should",
    ),
    "janus": ("Janus rate", "share of single objects with a front in more than one of these four views"),
    "chroma": ("chroma", "mean CIELAB chroma of the object, 0 for grey and 105 for pure red"),
    "clipped": ("clipped pixels", "share of the object's pixels that are 0 or 1 in a channel"),
    "recall_at_1": ("recall@1", "the emoji picture that the prompt names is the most similar of all"),
    "recall_at_10": ("recall@10", "it is among the ten most similar"),
    "median_rank": ("median rank", "its place, 1 being the best"),
    "seconds": ("seconds", "of all steps, for each asset"),
}
"""What each row of the summary is called, and what it means."""
PERCENT = ("category", "color", "relation", "viewpoint", "janus", "clipped", "recall_at_1", "recall_at_10")
"""What is shown in percent."""


def write_report(folder: Path, report: Report) -> list[Path]:
    """Writes `report.json` and `report.html`; returns both.

    Raises: SettingError if a file cannot be written.
    """
    files = {"report.json": json.dumps(report.plain(), indent=1) + "\n", "report.html": page(report)}
    for name, text in files.items():
        write_text(folder / name, text)
    return [folder / name for name in files]


def page(report: Report) -> str:
    """The whole page."""
    return "".join(
        (
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            f"<title>Evaluation of {counted(report)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
            f"<h1>Evaluation of {counted(report)}</h1>\n",
            f'<p class="pale">Eight views of each, {ELEVATION:g} degrees above the horizon, on white, looked at by a '
            "judge that was trained on the procedural world and guides nothing. Prompts that are not of that world "
            "have no category, colour, relation or viewpoint.</p>\n",
            *summary_table(report),
            *left_out(report),
            "<h2>Assets</h2>\n",
            *(line for run in report.runs for line in article(run)),
            "</body>\n</html>\n",
        )
    )


def counted(report: Report) -> str:
    """How many there are."""
    return f"{len(report.runs)} asset{'' if len(report.runs) == 1 else 's'}"


def summary_table(report: Report) -> Iterator[str]:
    """A row for each statistic that applies to anything, a column for each group; what the rows mean."""
    sizes = {name: len(runs) for name, runs in report.groups.items()}
    summary = {name: one for name, one in report.summary.items() if name == ALL or sizes[name] < sizes[ALL]}
    shown = [name for name in ROWS if any(statistics[name] for statistics in summary.values())]
    yield '<h2>Summary</h2>\n<div class="wide"><table>\n<thead><tr><th></th>'
    yield from (f'<th scope="col">{escape(group)}<br><small>{sizes[group]}</small></th>' for group in summary)
    yield "</tr></thead>\n<tbody>\n"
    for name in shown:
        cells = "".join(f"<td>{cell(name, statistics[name])}</td>" for statistics in summary.values())
        yield f'<tr><th scope="row">{ROWS[name][0]}</th>{cells}</tr>\n'
    yield "</tbody></table></div>\n"
    yield "<p><small>Below each value: of how many assets it is, and its 95 % interval.</small></p>\n"
    yield "<dl>" + "".join(f"<dt>{ROWS[name][0]}</dt><dd>{ROWS[name][1]}</dd>" for name in shown) + "</dl>\n"


def cell(name: str, statistic: Statistic | None) -> str:
    """A statistic with what it is of."""
    if statistic is None:
        return "–"
    interval = statistic.interval
    reach = f", {100 * interval[0]:.0f}–{100 * interval[1]:.0f} %" if interval else ""
    return f"{number(name, statistic.value)}<small>of {statistic.n}{reach}</small>"


def number(name: str, value: float) -> str:
    """In percent, or as it is."""
    return f"{100 * value:.0f} %" if name in PERCENT else f"{value:.1f}"


def left_out(report: Report) -> Iterator[str]:
    """Prompts without an asset, and why."""
    if report.left_out:
        yield "<h2>Without an asset</h2>\n<ul>\n"
        yield from (f"<li>{escape(prompt)}: {escape(why)}</li>\n" for prompt, why in report.left_out.items())
        yield "</ul>\n"


def article(run: EvaluatedRun) -> Iterator[str]:
    """One asset: its views, what the judge says of them, its figures."""
    asset = run.asset
    details = [run.method, asset.kind or "not of the world"]
    yield f"<article>\n<header><h3>{escape(asset.prompt)}</h3>"
    yield f'<span class="pale">{escape(" · ".join(details))}</span></header>\n'
    label = escape(f"{asset.prompt}: eight views of a full turn that begins at the front", quote=True)
    yield f'<img alt="{label}" width="{len(asset.sides) * CELL}" height="{CELL}" src="{picture(asset.strip)}">\n'
    if asset.figures.viewpoint is not None:
        yield f'<ol class="sides">{"".join(sides(run))}</ol>\n'
    yield f'<ul class="figures">{"".join(f"<li>{item}</li>" for item in figures(run))}</ul>\n</article>\n'


def picture(webp: bytes) -> str:
    """A picture as a data URI."""
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"


def sides(run: EvaluatedRun) -> Iterator[str]:
    """Which side the judge sees in each view; coloured where it counts."""
    azimuth = torch.tensor(run.asset.azimuth)
    for seen, true, counts in zip(run.asset.sides, quadrant_of(azimuth), central(azimuth), strict=True):
        kind = ("good" if seen == Quadrant(int(true)) else "bad") if counts else ""
        yield f'<li class="{kind}">{seen.name.lower()}</li>' if kind else f"<li>{seen.name.lower()}</li>"


def figures(run: EvaluatedRun) -> Iterator[str]:
    """What applies to the asset."""
    found = run.asset.figures
    for name, value in (("category", found.category), ("colour", found.color), ("relation", found.relation)):
        if value is not None:
            yield f'<span class="{"good" if value else "bad"}">{name} {"right" if value else "wrong"}</span>'
    if found.viewpoint is not None:
        yield f"viewpoint {100 * found.viewpoint:.0f} %"
    if found.janus is not None:
        yield '<span class="bad">several fronts</span>' if found.janus else "no second front"
    likely = [(noun, share) for noun, share in run.asset.seen if share >= 0.01] or run.asset.seen[:1]
    yield "seen: " + ", ".join(f"{escape(noun)} {100 * share:.0f} %" for noun, share in likely)
    if found.chroma is not None:
        yield f"chroma {found.chroma:.0f}, clipped {100 * (found.clipped or 0):.0f} %"
    if found.rank is not None:
        yield f"rank {found.rank} of the emoji"
    if found.seconds is not None:
        yield f"{found.seconds:.0f} s"
