"""The lab's figures; matplotlib is imported here alone, and only when something is drawn.

Colours are Okabe and Ito's, which colour-blind readers can tell apart; lines differ by dashes too.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lodestone.oracle.comparison import Outcome, problem
from lodestone.oracle.mixture import TOYS, Toy, Track
from lodestone.oracle.terms import VANISHED, TermCurves
from lodestone.storage import write_atomically

__all__ = [
    "coefficient_figure",
    "correlation_figure",
    "cost_figure",
    "end_figure",
    "mixture_figure",
    "picture_figure",
    "size_figure",
]

BLACK, ORANGE, SKY, GREEN, BLUE, RED, PINK = (
    "#000000",
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
)
GREY = "#777777"

TRACKS = {
    "mode-seeking": (BLUE, "-"),
    "mode-disengaging": (RED, "-"),
    "mode-disengaging from the trap": (ORANGE, "--"),
    "SSD, M = 300, unmatched": (GREEN, "-"),
    "SSD, M = 300, matched": (PINK, "-"),
    "SSD, M = 200, matched": (RED, ":"),
    "LODS, s = 7.5": (BLACK, "--"),
}
"""Line of each contestant that is drawn; the others stand in the table."""

SMALLEST = 1e-9
"""Stands for zero on logarithmic axes."""

PARTS = ("mode-seeking", "mode-disengaging", "mode-disengaging from the trap")


def canvas(width: float, height: float) -> Any:
    """An empty figure without a window behind it."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=100, layout="constrained")


def save(figure: Any, path: Path) -> Path:
    """Writes a PNG of 256 colours, a third of the size of one with all."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawn = FigureCanvasAgg(figure)
    drawn.draw()
    picture = Image.fromarray(np.asarray(drawn.buffer_rgba())).convert("RGB").quantize(256)
    write_atomically(path, lambda temporary: picture.save(temporary, format="PNG", optimize=True))
    return path


def mixture_figure(path: Path, toy: str, tracks: Mapping[str, Track]) -> Path:
    """Trajectories over the conditional density at two times, and the distance to the nearest mode."""
    setting = TOYS[toy]()
    figure = canvas(15.0, 4.4)
    axes = figure.subplots(1, 3, width_ratios=(1.25, 1.25, 1))
    drawn = [name for name in TRACKS if name in tracks]
    for ax, t, names in (
        (axes[0], setting.large, [name for name in drawn if name in PARTS]),
        (axes[1], setting.small, [name for name in drawn if name not in PARTS]),
    ):
        density_map(ax, setting, t)
        for name in names:
            draw_track(ax, name, tracks[name])
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3, fontsize=8, frameon=False)
    for name in drawn:
        color, dashes = TRACKS[name]
        axes[2].plot(tracks[name].steps, tracks[name].distance, color=color, linestyle=dashes, label=name)
    axes[2].set(xlabel="step", ylabel="distance", ylim=(0, None))
    axes[2].set_title("mean of the particles to the nearest prompt's mode", fontsize=9)
    axes[2].grid(axis="y", linewidth=0.3)
    return save(figure, path)


def density_map(ax: Any, setting: Toy, t: int, points: int = 160) -> None:
    """`p(x_t | y)` at `x_t = alpha_t x`, as a function of x, with the components' centres."""
    problem_here, (left, right, bottom, top) = setting.problem, (-3.2, 2.2, -1.9, 1.9)
    x, y = torch.linspace(left, right, points), torch.linspace(bottom, top, points)
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 1, 1, 2).double()
    times = torch.full((len(grid),), t)
    noisy = problem_here.denoiser.schedule.alpha(times)[:, None, None, None] * grid
    density = problem_here.denoiser.log_density(noisy.double(), times, problem_here.positive.expand(len(grid)))
    image = (density - density.amax()).exp().view(points, points).numpy()
    ax.imshow(image, origin="lower", extent=(left, right, bottom, top), cmap="Greys", vmax=1.6, aspect="equal")
    centres, inside = problem_here.denoiser.means.numpy(), problem_here.included.numpy() > 0
    ax.scatter(*centres[inside].T, marker="*", s=130, color=BLUE, edgecolor="white", zorder=5, label="prompt's mode")
    ax.scatter(*centres[~inside].T, marker="X", s=80, color=GREY, edgecolor="white", zorder=5, label="other mode")
    ax.set(xlim=(left, right), ylim=(bottom, top), xlabel="$x_1$", ylabel="$x_2$")
    ax.set_title(f"density: $p(x_t | y)$ at $t = {t}$, drawn at $x = x_t / \\alpha_t$", fontsize=10)


def draw_track(ax: Any, name: str, track: Track) -> None:
    """The mean of the particles, some particles, start and end."""
    color, dashes = TRACKS[name]
    for particle in track.particle_paths:
        ax.plot(*zip(*particle, strict=True), color=color, alpha=0.25, linewidth=0.6)
    ax.plot(*zip(*track.mean_path, strict=True), color=color, linestyle=dashes, linewidth=2, label=name)
    ax.plot(*track.mean_path[0], marker="o", color=color, markersize=6, markerfacecolor="white", zorder=6)
    ax.plot(*track.mean_path[-1], marker="s", color=color, markersize=6, zorder=6)


def panels(count: int, across: int = 3) -> tuple[Any, list[Any]]:
    """A grid of axes with one for each place, the rest hidden."""
    down = math.ceil(count / across)
    figure = canvas(4.6 * across, 3.3 * down)
    axes = list(figure.subplots(down, across, sharex=True, squeeze=False).flat)
    for ax in axes[count:]:
        ax.set_visible(False)
    return figure, axes[:count]


def size_figure(path: Path, curves: Mapping[str, TermCurves]) -> Path:
    """Sizes of the parts against time."""
    figure, axes = panels(len(curves))
    for ax, (place, found) in zip(axes, curves.items(), strict=True):
        for values, label, color, dashes in (
            (found.positive, r"$\epsilon_y$", BLUE, "-"),
            (found.unguided, r"$\epsilon_y - \epsilon$", GREEN, "--"),
            (found.disengaging, r"$h = \epsilon_y - \epsilon_{null}$", RED, "-"),
        ):
            shown = [max(value, SMALLEST) for value in values]
            ax.semilogy(found.t, shown, color=color, linestyle=dashes, linewidth=1.8, label=label)
        ax.axhline(VANISHED, color=GREY, linewidth=0.8, linestyle=":", label="1/1000")
        ax.set(title=place, ylim=(1e-5, 5), xlabel="t")
    axes[0].legend(fontsize=8, loc="lower left")
    figure.supylabel(r"norm / $\sqrt{d}$, mean over noises (below $10^{-5}$ not drawn)")
    return save(figure, path)


def coefficient_figure(path: Path, curves: Mapping[str, TermCurves]) -> Path:
    """The projection r over noises against the optimal coefficient c*."""
    figure, axes = panels(len(curves))
    for ax, (place, found) in zip(axes, curves.items(), strict=True):
        ax.fill_between(
            found.t, found.r_low, found.r_high, color=SKY, alpha=0.5, label="r, 98 % of noises", linewidth=0
        )
        ax.plot(found.t, found.r_mean, color=BLUE, label="r, mean")
        ax.plot(found.t, found.best, color=RED, linestyle="--", label="c*")
        ax.set(title=place, xlabel="t")
        ax.grid(axis="y", linewidth=0.3)
    axes[0].legend(fontsize=8, loc="upper right")
    figure.supylabel("coefficient of the noise (scales differ)")
    return save(figure, path)


def correlation_figure(path: Path, curves: Mapping[str, TermCurves]) -> Path:
    """Linear correlation of eps_y with eps against time, a panel for each prior."""
    priors = list(dict.fromkeys(place.partition(",")[0] for place in curves))
    figure, axes = panels(len(priors))
    for ax, prior in zip(axes, priors, strict=True):
        own = {place: found for place, found in curves.items() if place.startswith(f"{prior},")}
        for (place, found), (color, dashes) in zip(own.items(), ((BLUE, "-"), (RED, "--"), (BLACK, ":")), strict=False):
            label = place.partition(", ")[2]
            ax.plot(found.t, found.correlation, color=color, linestyle=dashes, linewidth=1.8, label=label)
        ax.set(title=prior, xlabel="t", ylim=(-0.75, 1.05))
        ax.legend(fontsize=8, loc="lower right")
        ax.grid(axis="y", linewidth=0.3)
    figure.supylabel(r"correlation of $\epsilon_y$ and $\epsilon$")
    return save(figure, path)


Outcomes = Mapping[str, Sequence[Outcome]]
"""The seeds of every estimator on one problem."""


def end_figure(path: Path, results: Mapping[str, Outcomes]) -> Path:
    """Where every seed of every estimator ends, for each problem."""
    names = list(dict.fromkeys(name for outcomes in results.values() for name in outcomes))
    figure = canvas(3.6 * len(results) + 1, 0.28 * len(names) + 1.4)
    axes = figure.subplots(1, len(results), sharey=True, squeeze=False)[0]
    for ax, (name, outcomes) in zip(axes, results.items(), strict=True):
        chosen = problem(name)
        for row, estimator in enumerate(names):
            ends = [max(outcome.figures["distance"], 2e-3) for outcome in outcomes.get(estimator, ())]
            ax.plot(ends, [row] * len(ends), "o", color=BLUE, alpha=0.35, markersize=5, markeredgewidth=0)
            if ends:
                ax.plot(sum(ends) / len(ends), row, "|", color=BLACK, markersize=14, markeredgewidth=2)
        ax.axvspan(2e-3, chosen.near, color=GREEN, alpha=0.12, linewidth=0)
        ax.set(xscale="log", xlim=(2e-3, 6), title=chosen.title)
        ax.set_xticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
        ax.set_xlabel("RMS distance over entries" if chosen.pictures else "distance")
        ax.grid(axis="y", linewidth=0.3)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    figure.suptitle("Distance to the nearest conditional mode at the end: seeds, their mean (bar), arrived (green)")
    return save(figure, path)


def cost_figure(path: Path, name: str, outcomes: Outcomes) -> Path:
    """Distance against denoiser calls: each estimator in its own panel, before the background of all others."""
    chosen, across = problem(name), 6
    figure = canvas(13.0, 2.1 * math.ceil(len(outcomes) / across) + 0.6)
    axes = list(
        figure.subplots(math.ceil(len(outcomes) / across), across, sharex=True, sharey=True, squeeze=False).flat
    )
    middle = {estimator: mean_curve(seeds) for estimator, seeds in outcomes.items()}
    most = max(calls[-1] for calls, _ in middle.values())
    for ax, estimator in zip(axes, outcomes, strict=False):
        for calls, distance in middle.values():
            ax.plot(calls, distance, color=GREY, alpha=0.25, linewidth=0.7)
        ax.plot(*middle[estimator], color=BLUE, linewidth=2)
        ax.axhline(chosen.near, color=GREEN, linestyle="--", linewidth=1)
        ax.set(yscale="log", title=estimator, xlim=(0, 1.03 * most), ylim=(0.003, 5))
        ax.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"], minor=False)
        ax.minorticks_off()
    for ax in axes[len(outcomes) :]:
        ax.set_visible(False)
    figure.supxlabel("denoiser calls for each particle (a training call counts as three)")
    figure.supylabel(f"{chosen.title}: distance (dashed: arrived)")
    return save(figure, path)


def mean_curve(seeds: Sequence[Outcome]) -> tuple[list[float], list[float]]:
    """Calls and distance, mean over seeds, record by record."""
    calls, distance = (
        torch.tensor(rows, dtype=torch.float64).mean(0).tolist()
        for rows in ([seed.calls for seed in seeds], [seed.distances for seed in seeds])
    )
    return calls, distance


def picture_figure(path: Path, results: Mapping[str, Outcomes], across: int = 12) -> Path:
    """The prompt's pictures, then the first particle of the first seed at the end of each estimator."""
    bands = [gallery(name, outcomes) for name, outcomes in results.items() if problem(name).pictures]
    rows = [list(band.items())[start : start + across] for band in bands for start in range(0, len(band), across)]
    figure = canvas(0.92 * across, 1.15 * len(rows))
    for line, row in zip(figure.subplots(len(rows), across, squeeze=False), rows, strict=True):
        for ax in line:
            ax.set_axis_off()
        for ax, (label, picture) in zip(line, row, strict=False):
            ax.imshow(((picture + 1) / 2).clamp(0, 1).permute(1, 2, 0).numpy())
            ax.set_title(label, fontsize=7)
    return save(figure, path)


def gallery(name: str, outcomes: Outcomes) -> dict[str, Tensor]:
    """Pictures by their labels; of the prompt's own, mirror images are left out."""
    modes = problem(name).modes
    shown = {f"prompt's {place + 1}": mode for place, mode in enumerate(modes[: len(modes) // 2])}
    ends = {estimator: seeds[0].picture for estimator, seeds in outcomes.items()}
    return shown | {estimator: torch.tensor(picture) for estimator, picture in ends.items() if picture is not None}
