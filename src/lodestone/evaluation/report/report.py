"""The report of several assets, as `report.json` holds it; `page.py` shows it to people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import lodestone
from lodestone.data.worlds.captions import Kind
from lodestone.data.worlds.world import WORLD_VERSION
from lodestone.evaluation.report.assets import AZIMUTHS, ELEVATION, SIZE, JudgedAsset
from lodestone.evaluation.report.figures import Statistic, summarize

__all__ = ["ALL", "REPORT_FORMAT", "EvaluatedRun", "Report"]

REPORT_FORMAT = 1
"""Raised whenever a name in `report.json` changes its meaning."""
ALL = "all"
"""The group of all assets."""


@dataclass(frozen=True, kw_only=True)
class EvaluatedRun:
    """A run folder's asset, judged, and how it was made."""

    asset: JudgedAsset
    run: str
    recipe: str
    prior: str
    estimator: str
    """Empty for the recipe's own."""

    @property
    def method(self) -> str:
        """How it was made, in a few words."""
        return f"{self.recipe}{self.estimator and f' with {self.estimator}'}, {self.prior}"

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        asset = self.asset
        return {
            "prompt": asset.prompt,
            "run": self.run,
            "recipe": self.recipe,
            "prior": self.prior,
            "estimator": self.estimator,
            "of_the_world": asset.request is not None,
            "kind": asset.kind,
            **rounded(asdict(asset.figures)),
            "share_of_views": rounded(asdict(asset.alone)),
            "seen": [[noun, round(share, 4)] for noun, share in asset.seen],
            "sides": [side.name.lower() for side in asset.sides],
        }


@dataclass(frozen=True, kw_only=True)
class Report:
    """Every asset, and what was left out."""

    runs: tuple[EvaluatedRun, ...]
    left_out: Mapping[str, str]
    """Prompts whose runs stopped themselves, and why."""

    @property
    def groups(self) -> dict[str, list[EvaluatedRun]]:
        """All assets; those of each kind of scene; those of each method, where there are several."""
        found = {ALL: list(self.runs)}
        for kind in Kind:
            found[kind.value] = [run for run in self.runs if run.asset.kind == kind.value]
        methods = sorted({run.method for run in self.runs})
        for method in methods if len(methods) > 1 else []:
            found[method] = [run for run in self.runs if run.method == method]
        return {name: runs for name, runs in found.items() if runs or name == ALL}

    @property
    def summary(self) -> dict[str, dict[str, Statistic | None]]:
        """Every statistic of every group."""
        return {name: summarize([run.asset.figures for run in runs]) for name, runs in self.groups.items()}

    def plain(self) -> dict[str, Any]:
        """As `report.json` holds it."""
        summary = {
            group: {"assets": len(self.groups[group]), **{name: one and plain(one) for name, one in statistics.items()}}
            for group, statistics in self.summary.items()
        }
        return {
            "format": REPORT_FORMAT,
            "lodestone": lodestone.__version__,
            "world_version": WORLD_VERSION,
            "views": {
                "azimuths": [360 / AZIMUTHS * view for view in range(AZIMUTHS)],
                "elevation": ELEVATION,
                "size": SIZE,
            },
            "summary": summary,
            "left_out": dict(self.left_out),
            "assets": [run.plain() for run in self.runs],
        }


def plain(statistic: Statistic) -> dict[str, Any]:
    """As JSON holds it."""
    interval = statistic.interval and [round(end, 4) for end in statistic.interval]
    return {"value": round(statistic.value, 4), "n": statistic.n, "interval": interval}


def rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Four digits behind the point."""
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}
