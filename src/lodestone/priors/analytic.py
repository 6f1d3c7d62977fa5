"""Priors whose score is known exactly.

For a mixture `p(x | y) = sum_k pi_k(y) N(mu_k, s_k^2 I)` the noisy distribution is again a mixture,
`p_t = sum_k pi_k N(alpha_t mu_k, v_k I)` with `v_k = alpha_t^2 s_k^2 + sigma_t^2`, and its score gives

    rho_k = softmax_k[log pi_k - d/2 log v_k - ||x_t - alpha_t mu_k||^2 / (2 v_k)]
    eps   = sigma_t sum_k rho_k (x_t - alpha_t mu_k) / v_k .

One component is a Gaussian; one narrow component for each picture of a set is the set's empirical distribution.
The conditioning's tokens, shape `b 1 k`, are the logits of the mixture weights `pi`; null logits are all equal.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.arrays import Latents, Times
from lodestone.priors.adapters import LowRankAdapter, LowRankSettings, gates
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, PredictionType
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import Conditioning

__all__ = ["EXCLUDED", "GaussianMixture", "component_conditioning"]

EXCLUDED = -1e7
"""Logit of a component that a condition rules out: no likelihood of a picture makes up for it, even at the least noise;
finite, so that it can be learned."""


class GaussianMixture(AbstractDenoiser):
    """The exact denoiser of an isotropic Gaussian mixture.

    Args:
        means: centre of each component.
        variances: `s_k^2`, one for each component or one number for all.
        mirrored: adds the mirror image of every component, at index k + K, without storing it:
            `<x, flip(mu)> = <flip(x), mu>`.
    """

    means: Tensor
    variances: Tensor
    square_norms: Tensor

    def __init__(
        self,
        means: Float[Tensor, "k c h w"],
        variances: Float[Tensor, " k"] | float,
        schedule: NoiseSchedule,
        *,
        mirrored: bool = False,
    ) -> None:
        super().__init__()
        self.schedule, self.mirrored = schedule, mirrored
        self.latent_shape = (means.shape[1], means.shape[2], means.shape[3])
        flat = means.flatten(1)
        spread = torch.as_tensor(variances, dtype=means.dtype, device=means.device).expand(len(means))
        self.register_buffer("means", flat, persistent=False)
        copies = 2 if mirrored else 1
        self.register_buffer("variances", spread.repeat(copies), persistent=False)
        self.register_buffer("square_norms", flat.square().sum(1).repeat(copies), persistent=False)

    def forward(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Prediction:
        terms = self.terms(noisy, t, conditioning)
        share = torch.softmax(terms.log_joint, dim=-1) / terms.v
        noise = terms.sigma * (share.sum(1, keepdim=True) * terms.x - terms.alpha * self.combine(share, conditioning))
        return Prediction.of(PredictionType.NOISE, noise.view_as(noisy), noisy, t, self.schedule)

    def log_density(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Float[Tensor, " b"]:
        """`log p_t(x_t | y)`, for tests and figures."""
        terms = self.terms(noisy, t, conditioning)
        return torch.logsumexp(terms.log_joint, dim=-1) - 0.5 * terms.x.shape[1] * math.log(2 * math.pi)

    def responsibilities(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Float[Tensor, "b k"]:
        """Posterior probability `rho_k` of each component given the noisy sample."""
        return torch.softmax(self.terms(noisy, t, conditioning).log_joint, dim=-1)

    def terms(self, noisy: Latents, t: Times, conditioning: Conditioning) -> "MixtureTerms":
        """What score and density are made of."""
        x = noisy.flatten(1)
        alpha, sigma = (table(t)[:, None].to(x.dtype) for table in (self.schedule.alpha, self.schedule.sigma))
        v = alpha.square() * self.variances + sigma.square()
        products, norms = self.products(x, conditioning)
        distance = x.square().sum(1, keepdim=True) - 2 * alpha * products + alpha.square() * norms
        prior = conditioning.tokens[:, 0].log_softmax(-1).to(x.dtype)
        return MixtureTerms(x, alpha, sigma, v, prior - 0.5 * x.shape[1] * v.log() - distance / (2 * v))

    def flip(self, flat: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Mirror images of flattened samples."""
        return flat.unflatten(1, self.latent_shape).flip(-1).flatten(1)

    def products(
        self, x: Float[Tensor, "b d"], conditioning: Conditioning
    ) -> tuple[Float[Tensor, "b k"], Float[Tensor, "#b k"]]:
        """Inner product with the centre of every component, and the centres' squared norms."""
        both = torch.cat([x, self.flip(x)]) if self.mirrored else x
        products, norms = both @ self.means.T, self.square_norms[None]
        if (shift := low_rank(conditioning)) is not None:
            gate, down, up = shift
            products = products + (gate.repeat(len(both) // len(x), 1) * (both @ down.T)) @ up.T
            crossed = 2 * gate @ (up * (self.means @ down.T)).T
            square = torch.einsum("br,kr,rs,ks,bs->bk", gate, up, down @ down.T, up, gate)
            norms = norms + (crossed + square).repeat(1, len(self.variances) // len(up))
        return torch.cat(products.chunk(2), dim=1) if self.mirrored else products, norms

    def combine(self, share: Float[Tensor, "b k"], conditioning: Conditioning) -> Float[Tensor, "b d"]:
        """Sum of the components' centres with the given coefficients."""
        both = torch.cat(share.chunk(2, dim=1)) if self.mirrored else share
        combined = both @ self.means
        if (shift := low_rank(conditioning)) is not None:
            gate, down, up = shift
            combined = combined + (gate.repeat(len(both) // len(share), 1) * (both @ up)) @ down
        if not self.mirrored:
            return combined
        direct, flipped = combined.chunk(2)
        return direct + self.flip(flipped)

    def adapter(self, settings: LowRankSettings, rng: torch.Generator, *, parts: int = 1) -> LowRankAdapter:
        """A low-rank change of the centres, the one weight matrix of a mixture."""
        count, width = self.means.shape
        return LowRankAdapter({"means": (width, count)}, settings.rank, rng, parts=parts).to(self.means)


@dataclass(frozen=True)
class MixtureTerms:
    """Parts of a mixture's score, flattened: alpha and sigma `b 1`, v `b k` or `1 k`."""

    x: Float[Tensor, "b d"]
    alpha: Float[Tensor, "b 1"]
    sigma: Float[Tensor, "b 1"]
    v: Float[Tensor, "b k"]
    log_joint: Float[Tensor, "b k"]
    """`log pi_k + log N(x_t; alpha mu_k, v_k)` without the constant `d/2 log 2 pi`."""


def low_rank(conditioning: Conditioning) -> tuple[Tensor, Tensor, Tensor] | None:
    """Strengths `b r`, down `r d` and up `k r` of the conditioning's adapter."""
    if not isinstance(conditioning.adapter, LowRankAdapter) or conditioning.adapter_scale is None:
        return None
    (down,), (up,) = conditioning.adapter.down, conditioning.adapter.up
    return gates(conditioning.adapter_scale.to(down.dtype), len(down)), down, up


def component_conditioning(included: Float[Tensor, "b k"]) -> Conditioning:
    """Conditions on subsets of the components: positive entries are weights, zeros exclude."""
    logits = torch.where(included > 0, included.clamp(min=1e-30).log(), torch.full_like(included, EXCLUDED))
    return Conditioning(tokens=logits[:, None, :])
