"""Priors whose score is known exactly.

For a mixture `p(x | y) = sum_k pi_k(y) N(mu_k, s_k^2 I)` the noisy distribution is again a mixture,
`p_t = sum_k pi_k N(alpha_t mu_k, v_k I)` with `v_k = alpha_t^2 s_k^2 + sigma_t^2`, and its score gives

    rho_k = softmax_k[log pi_k - d/2 log v_k - ||x_t - alpha_t mu_k||^2 / (2 v_k)]
    eps   = sigma_t sum_k rho_k (x_t - alpha_t mu_k) / v_k .

One component is a Gaussian; one narrow component for each picture of a set is the set's empirical distribution.
The conditioning's tokens, shape `b 1 k`, are the logits of the mixture weights `pi`; null logits are all equal.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.arrays import Latents, Times
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, PredictionType
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import Conditioning

__all__ = ["EXCLUDED", "GaussianMixture", "component_conditioning"]

EXCLUDED = -1e4
"""Logit of a component that a condition rules out; finite, so that it can be learned."""


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
        x, alpha, sigma = noisy.flatten(1), self.schedule.alpha(t)[:, None], self.schedule.sigma(t)[:, None]
        alpha, sigma = alpha.to(x.dtype), sigma.to(x.dtype)
        v = alpha.square() * self.variances + sigma.square()
        share = self.responsibilities(x, alpha, v, conditioning.tokens[:, 0]) / v
        noise = sigma * (share.sum(1, keepdim=True) * x - alpha * self.combine(share))
        return Prediction.of(PredictionType.NOISE, noise.view_as(noisy), noisy, t, self.schedule)

    def flip(self, flat: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Mirror images of flattened samples."""
        return flat.unflatten(1, self.latent_shape).flip(-1).flatten(1)

    def products(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b k"]:
        """Inner product with the centre of every component."""
        if not self.mirrored:
            return x @ self.means.T
        direct, flipped = (torch.cat([x, self.flip(x)]) @ self.means.T).chunk(2)
        return torch.cat([direct, flipped], dim=1)

    def combine(self, share: Float[Tensor, "b k"]) -> Float[Tensor, "b d"]:
        """Sum of the components' centres with the given coefficients."""
        if not self.mirrored:
            return share @ self.means
        direct, flipped = (torch.cat(share.chunk(2, dim=1)) @ self.means).chunk(2)
        return direct + self.flip(flipped)

    def responsibilities(
        self,
        x: Float[Tensor, "b d"],
        alpha: Float[Tensor, "b 1"],
        v: Float[Tensor, "b k"],
        logits: Float[Tensor, "b k"],
    ) -> Float[Tensor, "b k"]:
        """Posterior probability `rho_k` of each component given the noisy sample."""
        distance = x.square().sum(1, keepdim=True) - 2 * alpha * self.products(x) + alpha.square() * self.square_norms
        likelihood = -0.5 * x.shape[1] * v.log() - distance / (2 * v)
        return torch.softmax(logits.log_softmax(-1).to(x.dtype) + likelihood, dim=-1)

    def log_density(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Float[Tensor, " b"]:
        """`log p_t(x_t | y)`, for tests and figures."""
        x, alpha, sigma = noisy.flatten(1), self.schedule.alpha(t)[:, None], self.schedule.sigma(t)[:, None]
        alpha, sigma = alpha.to(x.dtype), sigma.to(x.dtype)
        v = alpha.square() * self.variances + sigma.square()
        distance = x.square().sum(1, keepdim=True) - 2 * alpha * self.products(x) + alpha.square() * self.square_norms
        likelihood = -0.5 * x.shape[1] * (2 * torch.pi * v).log() - distance / (2 * v)
        return torch.logsumexp(conditioning.tokens[:, 0].log_softmax(-1).to(x.dtype) + likelihood, dim=-1)


def component_conditioning(included: Float[Tensor, "b k"]) -> Conditioning:
    """Conditions on subsets of the components: positive entries are weights, zeros exclude."""
    logits = torch.where(included > 0, included.clamp(min=1e-30).log(), torch.full_like(included, EXCLUDED))
    return Conditioning(tokens=logits[:, None, :])
