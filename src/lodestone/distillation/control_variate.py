"""How much of the added noise is contained in a prediction: coefficients of the control variate `eps`.

`eps_y - c eps` has the expectation of `eps_y` and, at the right c, less variance (Tang et al. 2023, SSD, arXiv
2312.09305, Sec. 4.2 and appendix 13).
"""

from lodestone.arrays import Latents, PerSample

__all__ = ["optimal_coefficient", "projection"]


def projection(positive: Latents, noise: Latents) -> PerSample:
    """`r = <eps_y, eps> / ||eps||^2`, a proxy of the optimal control-variate coefficient in high dimension."""
    return (positive * noise).flatten(1).sum(1) / noise.flatten(1).square().sum(1)


def optimal_coefficient(positive: Latents, noise: Latents) -> PerSample:
    """`c* = tr Cov(eps_y, eps) / d`, which minimizes `tr Cov(eps_y - c eps)`; estimated once for the whole batch.

    The batch has two samples or more.
    """
    centred = (positive - positive.mean(0)) * (noise - noise.mean(0))
    return (centred.sum() / ((len(positive) - 1) * positive[0].numel())).expand(len(positive))
