"""Light is neither made nor lost: closed forms against Monte Carlo over the sphere, sRGB against its standard."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from lodestone.rendering.lighting import STUDIO, EnvironmentLight, Lobe, lobe_integral
from lodestone.rendering.materials import Material, ggx, reflected_share, shade, split_sum
from lodestone.rendering.shading import PointLight, normal_colors, to_linear, to_srgb

UP = torch.tensor([[0.0, 0.0, 1.0]])
WHITE = EnvironmentLight((Lobe(),))


def directions(count: int = 50_000) -> Tensor:
    """A Fibonacci lattice on the sphere: quasi Monte Carlo, with less error than as many random directions."""
    index = torch.arange(count, dtype=torch.float64) + 0.5
    z, azimuth = 1 - 2 * index / count, index * math.pi * (3 - math.sqrt(5))
    ring = (1 - z.square()).sqrt()
    return torch.stack([ring * azimuth.cos(), ring * azimuth.sin(), z], dim=-1).float()


def over_sphere(values: Tensor) -> Tensor:
    """The integral of values at `directions()`."""
    return 4 * math.pi * values.mean(dim=0)


def eye(cosine: float) -> Tensor:
    return torch.tensor([[math.sqrt(1 - cosine**2), 0.0, cosine]])


def material(color: float, roughness: float, metallic: float) -> Material:
    return Material(
        base_color=torch.full((1, 3), color),
        roughness=torch.full((1, 1), roughness),
        metallic=torch.full((1, 1), metallic),
    )


def test_normals_are_colors() -> None:
    assert torch.equal(normal_colors(torch.eye(3)), 0.5 + 0.5 * torch.eye(3))


def test_srgb_is_its_standard_and_has_a_derivative_at_black() -> None:
    x = torch.tensor([[0.0, 0.0031308, 0.2140411], [0.5, 1.0, 2.0]], requires_grad=True)
    expected = torch.tensor([[0.0, 0.04045, 0.5], [0.7353569, 1.0, 1.0]])
    assert torch.allclose(to_srgb(x), expected, atol=1e-5)
    assert torch.allclose(to_linear(to_srgb(x)), x.clamp(max=1), atol=1e-6)
    gradient = torch.autograd.grad(to_srgb(x).sum(), x)[0]
    assert float(gradient[0, 0]) == pytest.approx(12.92) and bool(gradient.isfinite().all())


def test_a_point_light_follows_the_cosine() -> None:
    light = PointLight(position=(0.0, 0.0, 2.0), ambient=0.1, diffuse=0.9)
    normals = torch.tensor([[0.0, 0.0, 1.0], [0.0, math.sqrt(0.75), 0.5], [0.0, 0.0, -1.0]])
    shaded = light.shade(torch.ones(3, 3), normals, torch.zeros(3, 3))
    assert torch.allclose(shaded[:, 0], torch.tensor([1.0, 0.55, 0.1]))


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 10.0])
def test_a_lobe_has_its_integral(sharpness: float) -> None:
    lobe = EnvironmentLight((Lobe(azimuth=30.0, elevation=20.0, sharpness=sharpness),))
    estimate = over_sphere(lobe.radiance(directions()))[0]
    assert float(lobe_integral(torch.tensor(sharpness))) == pytest.approx(float(estimate), rel=0.02)


def test_irradiance_is_the_integral_of_the_light() -> None:
    """Within 4 % of its largest value (harmonics beyond degree 4 are left out, Monte Carlo has 1 %)."""
    normals = normalize(torch.randn(6, 3, generator=torch.Generator().manual_seed(1)), dim=-1)
    for light in (STUDIO, WHITE, EnvironmentLight((Lobe(elevation=90.0, sharpness=8.0),))):
        cosine = (directions() @ normals.T).clamp(min=0)
        estimate = 4 * math.pi * cosine.T @ light.radiance(directions()) / len(cosine)
        assert torch.allclose(light.irradiance(normals), estimate, atol=0.04 * float(estimate.amax()))
    assert torch.allclose(WHITE.irradiance(normals), torch.tensor(math.pi), rtol=1e-4)


@pytest.mark.parametrize("sharpness", [0.0, 2.0, 40.0])
def test_filtered_light_is_a_weighted_mean(sharpness: float) -> None:
    """Monte Carlo within 4 %: narrow lobes meet few directions."""
    toward = normalize(torch.tensor([[0.3, 0.8, 0.5]]), dim=-1)
    weight = torch.exp(sharpness * (directions() @ toward.T - 1))
    estimate = (weight * STUDIO.radiance(directions())).sum(dim=0) / weight.sum()
    found = STUDIO.filtered(toward, torch.full((1, 1), sharpness))[0]
    assert torch.allclose(found, estimate, rtol=0.04)
    assert torch.allclose(WHITE.filtered(toward, torch.full((1, 1), sharpness)), torch.ones(1, 3), rtol=1e-3)


@pytest.mark.parametrize("roughness", [0.35, 0.6, 1.0])
@pytest.mark.parametrize("cosine", [0.2, 0.5, 0.95])
def test_the_reflected_share_is_the_integral_of_the_gloss(roughness: float, cosine: float) -> None:
    light, count = directions(), len(directions())
    gloss = ggx(
        UP.expand(count, 3),
        eye(cosine).expand(count, 3),
        light,
        torch.full((count, 1), roughness),
        torch.full((count, 3), 0.5),
    )
    estimate = over_sphere(gloss * light[:, 2:].clamp(min=0))[0]
    share = reflected_share(material(0.5, roughness, 1.0), torch.full((1, 1), cosine))
    assert float(share[0, 0]) == pytest.approx(float(estimate), rel=0.05)


def test_gloss_is_reciprocal_and_never_below_the_horizon() -> None:
    a, b = eye(0.3), normalize(torch.tensor([[-0.2, 0.5, 0.7]]), dim=-1)
    given = (torch.full((1, 1), 0.4), torch.full((1, 3), 0.2))
    assert torch.allclose(ggx(UP, a, b, *given), ggx(UP, b, a, *given), rtol=1e-5)
    assert not ggx(UP, a, -b, *given).any() and not ggx(UP, -a, b, *given).any()


def test_no_surface_gives_back_more_than_it_gets() -> None:
    """A furnace: under light of 1 from everywhere nothing is brighter than 1, and a smooth white metal is as bright."""
    for metallic in (0.0, 0.5, 1.0):
        for roughness in (0.0, 0.3, 1.0):
            for cosine in (0.05, 0.5, 1.0):
                seen = shade(material(1.0, roughness, metallic), UP, eye(cosine), WHITE)
                assert float(seen.amax()) <= 1.01, (metallic, roughness, cosine)
                assert float(seen.amin()) >= 0.3
    assert torch.allclose(shade(material(1.0, 0.1, 1.0), UP, eye(0.8), WHITE), torch.ones(1, 3), atol=0.01)
    black = shade(material(0.0, 0.5, 0.0), UP, eye(1.0), WHITE)
    assert torch.allclose(black, torch.tensor(0.04), atol=0.01)


@pytest.mark.parametrize("roughness", [0.3, 0.6, 1.0])
def test_glossy_light_is_near_its_integral(roughness: float) -> None:
    """The split sum's own error: within 20 % for a metal seen from above (Monte Carlo has 3 %)."""
    light, count = directions(), len(directions())
    gloss = ggx(
        UP.expand(count, 3),
        eye(0.9).expand(count, 3),
        light,
        torch.full((count, 1), roughness),
        torch.full((count, 3), 1.0),
    )
    estimate = over_sphere(gloss * light[:, 2:].clamp(min=0) * STUDIO.radiance(light))
    assert torch.allclose(shade(material(1.0, roughness, 1.0), UP, eye(0.9), STUDIO)[0], estimate, rtol=0.2)


def test_gradients_reach_the_material_and_stay_finite() -> None:
    inputs = [torch.rand(50, c, generator=torch.Generator().manual_seed(c)).requires_grad_() for c in (3, 1, 2)]
    base, roughness, other = inputs
    normals = normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(9)), dim=-1).requires_grad_()
    made = Material(base_color=base, roughness=roughness, metallic=other[:, :1])
    seen = to_srgb(shade(made, normals, eye(0.7).expand(50, 3), STUDIO))
    for gradient in torch.autograd.grad(seen.sum(), (base, roughness, other, normals)):
        assert bool(gradient.isfinite().all()) and bool(gradient.any())
    assert all(bool(part.isfinite().all()) for part in split_sum(torch.zeros(1, 1), torch.zeros(1, 1)))
