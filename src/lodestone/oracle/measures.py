"""What a finished descent is judged by; exact, because the prior is known.

distance      ||x - mu_k|| to the nearest conditional mode k (root mean square over entries for pictures)
gap           log p_0(mu_k | y) - log p_0(x | y) in nats for each dimension, at the schedule's smallest time
coverage      share of the conditional modes that have a particle within `near`
entropy       -sum_k f_k log f_k, f_k the share of particles whose nearest mode is k
saturation    share of a picture's entries outside [-1, 1] by more than one of 255 levels
contrast      standard deviation of a picture's entries over that of its nearest mode
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lodestone.arrays import Latents, PerSample
from lodestone.oracle.problems import Problem

__all__ = ["coverage", "distances", "entropy", "judge", "log_density_gap", "nearest", "noise_to_signal"]

LEVEL = 2 / 255
"""One level of an 8-bit picture."""


def distances(problem: Problem, latents: Latents) -> Float[Tensor, "b k"]:
    """From every particle to every conditional mode, in the problem's unit."""
    flat, modes = latents.flatten(1), problem.modes.flatten(1)
    return torch.stack([(flat - mode).norm(dim=1) for mode in modes], dim=1) / problem.unit


def nearest(problem: Problem, latents: Latents) -> Int[Tensor, " b"]:
    """The conditional mode that each particle is nearest to."""
    return distances(problem, latents).argmin(dim=1)


def log_density_gap(problem: Problem, latents: Latents) -> PerSample:
    """How much less likely than its nearest conditional mode each particle is, in nats for each dimension."""
    count = len(latents)
    t = torch.zeros(2 * count, dtype=torch.long)
    both = torch.cat([problem.modes[nearest(problem, latents)], latents])
    noisy = problem.denoiser.schedule.alpha(t)[:, None, None, None].to(both.dtype) * both
    mode, particle = problem.denoiser.log_density(noisy, t, problem.positive.expand(2 * count)).chunk(2)
    return (mode - particle) / latents[0].numel()


def coverage(problem: Problem, latents: Latents) -> float:
    """Share of the conditional modes that have a particle within `problem.near`."""
    return float((distances(problem, latents) <= problem.near).any(dim=0).double().mean())


def entropy(problem: Problem, latents: Latents) -> float:
    """Entropy, in nats, of the particles' distribution over nearest conditional modes; 0 where all are at one."""
    shares = torch.bincount(nearest(problem, latents), minlength=len(problem.modes)).double() / len(latents)
    return float(-torch.xlogy(shares, shares).sum()) + 0.0


def saturation(latents: Latents) -> float:
    """Share of the entries outside [-1, 1] by more than `LEVEL`; white itself must not count when it jitters."""
    return float((latents.abs() > 1 + LEVEL).double().mean())


def contrast(problem: Problem, latents: Latents) -> float:
    """Standard deviation of the entries over that of the nearest mode's, mean over particles; 1 is right."""
    ratio = latents.flatten(1).std(dim=1) / problem.modes[nearest(problem, latents)].flatten(1).std(dim=1)
    return float(ratio.mean())


def judge(problem: Problem, latents: Latents) -> Mapping[str, float]:
    """Every figure of the particles of one descent."""
    to_nearest = distances(problem, latents).amin(dim=1)
    figures = {
        "distance": float(to_nearest.mean()),
        "arrived": float((to_nearest <= problem.near).double().mean()),
        "gap": float(log_density_gap(problem, latents).mean()),
        "coverage": coverage(problem, latents),
        "entropy": entropy(problem, latents),
    }
    if problem.pictures:
        figures |= {"saturation": saturation(latents), "contrast": contrast(problem, latents)}
    return figures


def noise_to_signal(gradients: Latents) -> float:
    """`tr Cov(g) / ||E g||^2` of gradients drawn at one point; the squared mean is corrected for its own noise.

    Infinite if the mean does not rise above that noise.
    """
    flat = gradients.flatten(1).double()
    trace = flat.var(dim=0).sum()
    signal = flat.mean(dim=0).square().sum() - trace / len(flat)
    return float(trace / signal) if signal > 0 else float("inf")
