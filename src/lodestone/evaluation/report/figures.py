"""What is counted of every asset, and how it is summed up.

A figure that does not apply to an asset is None and leaves it out of the mean. Figures from 0 to 1 come with Wilson's
95 % interval (Wilson 1927): with the mean p of n values and z = 1.96,

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

For values between 0 and 1, such as shares of views, it is wider than it needs to be, since their variance is at most
p (1 - p).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import fmean, median

from lodestone.errors import SettingError

__all__ = ["Figures", "Statistic", "summarize", "wilson"]

Z = 1.959963984540054
"""The 97.5 % point of the normal distribution."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The figures of one asset; None where one does not apply."""

    category: float | None = None
    """1 if the judge sees the categories of the caption, over all views together."""
    color: float | None = None
    """1 if the judge sees the colours that the caption says."""
    relation: float | None = None
    """1 if the judge sees the relation of the caption's two items."""
    viewpoint: float | None = None
    """Share of the central views that show the side they should."""
    janus: float | None = None
    """1 if a front is seen in central views of more than one quadrant."""
    chroma: float | None = None
    """Mean CIELAB chroma of the object."""
    clipped: float | None = None
    """Share of the object's pixels that are 0 or 1 in a channel."""
    rank: int | None = None
    """Of the emoji picture that the prompt names, among all; 1 is the best."""
    seconds: float | None = None
    """All steps of all stages, without loading and writing files."""


@dataclass(frozen=True)
class Statistic:
    """A summary of one figure over the assets that it applies to."""

    value: float
    n: int
    interval: tuple[float, float] | None = None
    """95 %, of figures between 0 and 1."""


def wilson(mean: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a rate.

    Raises: SettingError if there is nothing to have a rate.
    """
    if n < 1 or not 0 <= mean <= 1:
        raise SettingError(f"a rate of {mean} of {n} has no interval: give a mean from 0 to 1 of one value or more")
    middle = mean + Z**2 / (2 * n)
    reach = Z * math.sqrt(mean * (1 - mean) / n + Z**2 / (4 * n**2))
    low, high = ((middle + sign * reach) / (1 + Z**2 / n) for sign in (-1, 1))
    return max(low, 0.0), min(high, 1.0)


def rate(values: Sequence[float]) -> Statistic:
    """Mean of figures between 0 and 1."""
    mean = min(max(fmean(values), 0.0), 1.0)
    return Statistic(mean, len(values), wilson(mean, len(values)))


def within(limit: int) -> Callable[[Sequence[float]], Statistic]:
    """Share of the ranks that are at most `limit`."""
    return lambda ranks: rate([float(rank <= limit) for rank in ranks])


def average(values: Sequence[float]) -> Statistic:
    """Mean of any figures."""
    return Statistic(fmean(values), len(values))


def middle_value(values: Sequence[float]) -> Statistic:
    """Median of any figures."""
    return Statistic(float(median(values)), len(values))


SUMMARIES: Mapping[str, tuple[str, Callable[[Sequence[float]], Statistic]]] = {
    **{name: (name, rate) for name in ("category", "color", "relation", "viewpoint", "janus")},
    "chroma": ("chroma", average),
    "clipped": ("clipped", average),
    "recall_at_1": ("rank", within(1)),
    "recall_at_10": ("rank", within(10)),
    "median_rank": ("rank", middle_value),
    "seconds": ("seconds", average),
}
"""Every figure of a summary: which figure of the assets it is made of, and how."""


def summarize(figures: Sequence[Figures]) -> dict[str, Statistic | None]:
    """Every statistic over those that it applies to; None where it applies to none."""
    known = {field.name: [getattr(one, field.name) for one in figures] for field in fields(Figures)}
    values = {name: [float(value) for value in column if value is not None] for name, column in known.items()}
    return {name: make(values[source]) if values[source] else None for name, (source, make) in SUMMARIES.items()}
