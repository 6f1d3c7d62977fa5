"""Problems whose answer is known: an exact prior, a prompt, and where a descent starts."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.arrays import Latents
from lodestone.data.emoji import composite, load_emoji
from lodestone.errors import SettingError
from lodestone.priors.analytic import GaussianMixture
from lodestone.priors.empirical import KERNEL_WIDTH, empirical_denoiser
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import Conditioning, ConditioningSet

__all__ = ["PROBLEMS", "Problem", "named_problem", "off_axis", "picture_problem", "ring", "simplex", "trap"]

EXCLUDED = -1e9
"""Logit of a component that the prompt rules out. At small times the log-likelihoods of two pictures differ by tens of
thousands of nats, which must not outweigh it."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A mixture, the components that the prompt keeps, and where a descent starts."""

    title: str
    denoiser: GaussianMixture
    included: Float[Tensor, " components"]
    """1 for each component that belongs to the prompt; the null condition has them all, equally."""
    modes: Float[Tensor, "k c h w"]
    """Centres of the prompt's components."""
    start: Float[Tensor, "1 c h w"]
    start_spread: float = 0.0
    """Standard deviation of each entry around the start, from particle to particle."""
    near: float
    """Root mean square distance of a component's own samples from its centre: what counts as having arrived."""
    pictures: bool = False
    """Pictures in [-1, 1]: distances are root mean squares over entries; points of a plane have Euclidean ones."""

    @property
    def unit(self) -> float:
        """What Euclidean distances are divided by."""
        return math.sqrt(self.modes[0].numel()) if self.pictures else 1.0

    def conditioning(self, count: int) -> ConditioningSet:
        """Prompt and null condition for a batch."""
        return ConditioningSet(positive=self.positive.expand(count), null=self.null.expand(count))

    @property
    def positive(self) -> Conditioning:
        """The prompt, one row."""
        return Conditioning(tokens=EXCLUDED * (1 - self.included)[None, None])

    @property
    def complement(self) -> Conditioning:
        """Everything but the prompt, one row: what a negative prompt can mean here."""
        return Conditioning(tokens=EXCLUDED * self.included[None, None])

    @property
    def null(self) -> Conditioning:
        """The empty prompt, one row."""
        return Conditioning(tokens=torch.zeros_like(self.included)[None, None])

    def particles(self, count: int, rng: torch.Generator) -> Latents:
        """Where the particles of one descent start."""
        start = self.start.expand(count, *self.start.shape[1:])
        return start + self.start_spread * torch.randn(start.shape, generator=rng, dtype=start.dtype)

    def samples(self, count: int, rng: torch.Generator) -> Latents:
        """Draws of `p(x | y)`: what a perfect sampler would give."""
        centres = self.modes[torch.randint(len(self.modes), (count,), generator=rng)]
        width = self.near * self.unit / math.sqrt(self.modes[0].numel())
        return centres + width * torch.randn(centres.shape, generator=rng, dtype=centres.dtype)


def points(positions: Sequence[Sequence[float]]) -> Latents:
    """Points of a plane as latents of one row of two entries, in double precision."""
    return torch.tensor(positions, dtype=torch.float64)[:, None, None, :]


def plane(
    title: str,
    centres: Float[Tensor, "n c h w"],
    included: Sequence[int],
    variance: float,
    start: Float[Tensor, "1 c h w"],
    spread: float = 0.0,
) -> Problem:
    """A problem among points of a plane."""
    keep = torch.zeros(len(centres), dtype=torch.float64)
    keep[list(included)] = 1.0
    return Problem(
        title=title,
        denoiser=GaussianMixture(centres, variance, NoiseSchedule.scaled_linear()),
        included=keep,
        modes=centres[list(included)],
        start=start,
        start_spread=spread,
        near=math.sqrt(2 * variance),
    )


def trap() -> Problem:
    """Two conditional modes with an unconditional one between them; the text of SSD's illustration gives no numbers."""
    centres = points([(-1.0, 0.0), (1.0, 0.0), (0.0, -0.2)])
    return plane("trap", centres, (0, 1), 0.02, points([(-0.6, -0.4)]))


def off_axis() -> Problem:
    """The same two conditional modes, with the unconditional one far to the side and wider components."""
    centres = points([(-1.0, 0.0), (1.0, 0.0), (1.8, 1.0)])
    return plane("off axis", centres, (0, 1), 0.05, points([(0.0, 0.4)]))


def ring() -> Problem:
    """Eight components on the unit circle, of which the prompt keeps every second; the start is spread inside."""
    angles = torch.arange(8, dtype=torch.float64) * (math.pi / 4)
    centres = torch.stack([angles.cos(), angles.sin()], dim=1)[:, None, None, :]
    return plane("ring", centres, (0, 2, 4, 6), 0.01, points([(0.0, 0.0)]), spread=0.3)


def simplex(side: int, channels: int = 1) -> Problem:
    """Three components with standard normal centres and variance 0.05; the start is midway between the prompt's two."""
    rng = torch.Generator().manual_seed(0)
    centres = torch.randn(3, channels, side, side, generator=rng, dtype=torch.float64)
    dimensions = centres[0].numel()
    return Problem(
        title=f"mixture, d = {dimensions}",
        denoiser=GaussianMixture(centres, 0.05, NoiseSchedule.scaled_linear()),
        included=torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64),
        modes=centres[:2],
        start=centres[:2].mean(0, keepdim=True),
        near=math.sqrt(0.05),
        pictures=True,
    )


def picture_problem(title: str, names: Sequence[str], every: int) -> Problem:
    """The empirical distribution of shipped pictures and their mirror images, with a prompt that keeps a few of them.

    Beside the named pictures the prior holds every `every`-th of the shipped set. The start is mid-grey.
    """
    emoji = load_emoji()
    wanted = [emoji.names.index(name) for name in names]
    rows = wanted + [row for row in range(0, len(emoji), every) if row not in wanted]
    pictures = composite(emoji.rgba[rows], torch.ones(len(rows), 3))
    modes = 2 * pictures[: len(wanted)] - 1
    return Problem(
        title=title,
        denoiser=empirical_denoiser(pictures),
        included=(torch.arange(len(rows)) < len(wanted)).float().repeat(2),
        modes=torch.cat([modes, modes.flip(-1)]),
        start=torch.zeros(1, *modes.shape[1:]),
        start_spread=0.1,
        near=KERNEL_WIDTH,
        pictures=True,
    )


SPACING = 60
"""The pictures of the comparison are every 60th of the shipped set, about 30: 20 seeds then take minutes."""

PROBLEMS: Mapping[str, Callable[[], Problem]] = {
    "trap": trap,
    "ring": ring,
    "one-picture": lambda: picture_problem("one picture", ("teapot",), SPACING),
    "three-pictures": lambda: picture_problem("three pictures", ("dog", "cat", "horse"), SPACING),
}
"""What every estimator is compared on, by name."""


def named_problem(name: str) -> Problem:
    """One of `PROBLEMS`.

    Raises: SettingError if there is none of that name.
    """
    if name not in PROBLEMS:
        raise SettingError(f"there is no problem {name!r}: choose among {', '.join(PROBLEMS)}")
    return PROBLEMS[name]()
