"""Losses on the samples and normals of volume renderings.

Samples i of a ray have weights w_i, distances t_i, widths delta_i, unit normals n_i; d is the ray's direction. Rays
that meet nothing count in every mean, unless said otherwise.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lodestone.rendering.samples import RaySamples
from lodestone.scenes.scene import Rendering

__all__ = ["distortion", "emptiness", "normal_smoothness", "normal_smoothness_3d", "orientation", "z_variance"]


def samples_of(rendering: Rendering) -> RaySamples:
    """The samples, which `check_regularizers` has made sure of."""
    assert rendering.samples is not None
    return rendering.samples


def per_ray(values: Float[Tensor, " s"], samples: RaySamples) -> Float[Tensor, " rays"]:
    """Sums over the samples of each ray."""
    return values.new_zeros(samples.rays).index_add(0, samples.ray, values)


def orientation(rendering: Rendering) -> Float[Tensor, ""]:
    """`mean over rays of sum_i w_i max(0, <n_i, d>)^2`: what is seen does not face away.

    Ref-NeRF (Verbin et al. 2021, arXiv 2112.03907, equation 11); the weights get no gradient, as in DreamFusion (Poole
    et al. 2022, arXiv 2209.14988), so that the loss turns surfaces and does not thin them.
    """
    samples = samples_of(rendering)
    assert samples.normal is not None
    away = (samples.normal * samples.direction).sum(-1).clamp(min=0)
    return (samples.weight.detach() * away.square()).sum() / samples.rays


def z_variance(rendering: Rendering) -> Float[Tensor, ""]:
    """Variance of the distance under `w_i / sum_j w_j`, mean over the rays with an opacity above 1/2: thin surfaces.

    HiFA (Zhu et al. 2023, arXiv 2305.18766). The weights are normalised for each ray, as its author insists on.
    """
    samples = samples_of(rendering)
    opacity = per_ray(samples.weight, samples)
    share = samples.weight / opacity.clamp(min=1e-6)[samples.ray]
    mean = per_ray(share * samples.distance, samples)
    variance = per_ray(share * (samples.distance - mean[samples.ray]).square(), samples)
    solid = (opacity.detach() > 0.5).to(variance.dtype)
    return (variance * solid).sum() / solid.sum().clamp(min=1)


def distortion(rendering: Rendering) -> Float[Tensor, ""]:
    """`mean over rays of sum_ij w_i w_j |t_i - t_j| + 1/3 sum_i w_i^2 delta_i`: one short stretch on each ray.

    mip-NeRF 360 (Barron et al. 2021, arXiv 2111.12077, equation 15), in world units instead of normalised distance.
    The double sum is `2 sum_i w_i (t_i W_i - V_i)` with the sums W of the w_j and V of the w_j t_j before i.
    """
    samples = samples_of(rendering)
    w, t = samples.weight, samples.distance
    before, first = before_in_ray(torch.stack([w, w * t], dim=-1), samples.ray).unbind(-1)
    pairs = 2 * (w * (t * before - first)).sum()
    return (pairs + (w.square() * samples.width).sum() / 3) / samples.rays


def before_in_ray(values: Float[Tensor, "s k"], ray: Int[Tensor, " s"]) -> Float[Tensor, "s k"]:
    """Sums over the samples that lie before each on its ray; in float64, since one sum runs through all rays."""
    running = values.double().cumsum(0) - values
    begins = torch.cat([ray.new_ones(1, dtype=torch.bool), ray[1:] != ray[:-1]])[: len(ray)]
    start = running[begins][begins.long().cumsum(0) - 1]
    return (running - start).to(values.dtype)


def emptiness(rendering: Rendering) -> Float[Tensor, ""]:
    """`mean over rays of sum_i log(1 + 10 w_i)`: few samples carry each ray.

    SJC (Wang et al. 2022, arXiv 2212.00774) takes the mean over all samples, empty ones included: its factor belongs to
    this loss divided by the samples on a ray.
    """
    samples = samples_of(rendering)
    return torch.log1p(10 * samples.weight).sum() / samples.rays


def normal_smoothness(rendering: Rendering) -> Float[Tensor, ""]:
    """Mean squared difference of the normals of neighbouring pixels where both are opaque.

    As in threestudio (Guo et al. 2023), but without the step from object to background, which no smoothing can remove.
    """
    normals, weight = rendering.normals, rendering.opacity.detach()
    assert normals is not None
    rows = ((normals[:, 1:] - normals[:, :-1]).square() * weight[:, 1:] * weight[:, :-1]).mean()
    columns = ((normals[:, :, 1:] - normals[:, :, :-1]).square() * weight[:, :, 1:] * weight[:, :, :-1]).mean()
    return rows + columns


def normal_smoothness_3d(rendering: Rendering) -> Float[Tensor, ""]:
    """Mean absolute difference of each sample's normal from the normal at a random point beside it (threestudio)."""
    samples = samples_of(rendering)
    assert samples.normal is not None and samples.nearby_normal is not None
    return (samples.normal - samples.nearby_normal).abs().sum() / max(1, samples.normal.numel())
