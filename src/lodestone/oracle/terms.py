"""The parts of an estimator against time: norms, control variate and correlation of `eps_y` with `eps`.

After the appendix of SSD (Tang et al. 2023, arXiv 2312.09305), where they are measured on Stable Diffusion. At one x
and one t, over many noises:

    size          E||eps_y||, E||h||, E||eps_y - eps||  each over sqrt(d), so that ||eps|| is about 1 in every dimension
    r             <eps_y, eps> / ||eps||^2 of each noise: mean, and the range of all but the 2 % most extreme
    c*            tr Cov(eps_y, eps) / d, which r stands for
    correlation   tr Cov(eps_y, eps) / sqrt(tr Cov(eps_y) tr Cov(eps)), at most the paper's linear correlation
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.arrays import Latents
from lodestone.distillation.control_variate import optimal_coefficient, projection
from lodestone.distillation.ssd import norm
from lodestone.oracle.problems import Problem, picture_problem, points, simplex, trap
from lodestone.priors.guidance import predict_each

__all__ = ["PLACES", "TermCurves", "measure", "vanishing_time"]

APART = 10_007
"""Added to the seed of the noises, so that they are independent of the priors and points drawn with small seeds."""

VANISHED = 1e-3
"""h is called vanished where it is smaller than this share of eps_y."""


def at(problem: Problem, x: Float[Tensor, "1 c h w"]) -> Problem:
    """The same problem, looked at in another place."""
    return replace(problem, start=x)


def picture(share: float, noise: float = 0.0) -> Problem:
    """The whole shipped set, looked at on the way from the mean picture to the prompt's."""
    problem = picture_problem("teapot among all pictures", ("teapot",), every=1)
    mean = problem.denoiser.means.mean(0).view(problem.start.shape)
    rough = noise * torch.randn(problem.start.shape, generator=torch.Generator().manual_seed(0))
    return at(problem, (1 - share) * mean + share * problem.modes[:1] + rough)


PLACES: Mapping[str, Callable[[], Problem]] = {
    "plane, at the start": trap,
    "plane, between the modes": lambda: at(trap(), points([(0.0, 0.0)])),
    "plane, at a mode": lambda: at(trap(), points([(-1.0, 0.0)])),
    "mixture, d = 2": lambda: replace(simplex(1, channels=2), title="mixture, d = 2"),
    "mixture, d = 64": lambda: simplex(8),
    "mixture, d = 4096": lambda: simplex(64),
    "pictures, at the mean picture": lambda: picture(0.0),
    "pictures, halfway": lambda: picture(0.5),
    "pictures, a sample": lambda: picture(1.0, 0.1),
}
"""Where the parts are measured: a prior, a prompt and a point, by name."""


@dataclass(frozen=True)
class TermCurves:
    """One number for each time."""

    t: list[int]
    positive: list[float]
    disengaging: list[float]
    unguided: list[float]
    """`eps_y - eps`."""
    r_mean: list[float]
    r_low: list[float]
    r_high: list[float]
    best: list[float]
    """c*."""
    correlation: list[float]


def measure(place: str, spacing: int = 40, noises: int | None = None, seed: int = 0) -> TermCurves:
    """Every part at times 20, 20 + spacing, ... 980, over the same noises: 4,096 up to d = 64, 64 above."""
    problem, times = PLACES[place](), list(range(20, 981, spacing))
    noises = noises or (4096 if problem.start.numel() < 1000 else 64)
    rng = torch.Generator().manual_seed(APART + seed)
    shape = (noises, *problem.start.shape[1:])
    noise = torch.randn(shape, generator=rng, dtype=problem.start.dtype)
    rows = [parts(problem, noise, t) for t in times]
    return TermCurves(times, **{name: [row[name] for row in rows] for name in rows[0]})


@torch.no_grad()
def parts(problem: Problem, noise: Latents, t: int) -> Mapping[str, float]:
    """Every part at one time."""
    denoiser, count = problem.denoiser, len(noise)
    times = torch.full((count,), t)
    noisy = denoiser.schedule.add_noise(problem.start.expand_as(noise), noise, times).to(noise.dtype)
    asked = [condition.expand(count) for condition in (problem.positive, problem.null)]
    positive, null = (prediction.noise for prediction in predict_each(denoiser, noisy, times, asked))
    r, scale = projection(positive, noise), noise[0].numel() ** 0.5
    named = {"positive": positive, "disengaging": positive - null, "unguided": positive - noise}
    return {name: float(norm(part).mean() / scale) for name, part in named.items()} | {
        "r_mean": float(r.mean()),
        "r_low": float(r.quantile(0.01)),
        "r_high": float(r.quantile(0.99)),
        "best": float(optimal_coefficient(positive, noise)[0]),
        "correlation": correlation(positive, noise),
    }


def correlation(first: Tensor, second: Tensor) -> float:
    """`tr Cov(X, Y) / sqrt(tr Cov(X) tr Cov(Y))` over the batch."""
    centred = [part.flatten(1) - part.flatten(1).mean(0) for part in (first, second)]
    joint, own = (centred[0] * centred[1]).sum(), [part.square().sum() for part in centred]
    return float(joint / (own[0] * own[1]).sqrt())


def vanishing_time(curves: TermCurves) -> int | None:
    """The largest measured time up to which `||h||` stays below `VANISHED ||eps_y||`; None if nowhere."""
    gone = None
    for t, h, positive in zip(curves.t, curves.disengaging, curves.positive, strict=True):
        if h >= VANISHED * positive:
            break
        gone = t
    return gone
