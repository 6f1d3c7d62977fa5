"""Regularizers of volume renderings against double loops, closed forms and finite differences, in float64."""

from dataclasses import replace

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.optimize.ray_regularizers import (
    distortion,
    emptiness,
    normal_smoothness,
    normal_smoothness_3d,
    orientation,
    z_variance,
)
from lodestone.optimize.regularizers import TERMS, Regularizers, check_regularizers
from lodestone.rendering.cameras import EvaluationCamera
from lodestone.rendering.samples import RaySamples
from lodestone.scenes.field_settings import Normals, VolumeSettings
from lodestone.scenes.gaussian_settings import GaussianSettings
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.scenes.image import ImageSettings
from lodestone.scenes.initialize import BallInitialization
from lodestone.scenes.scene import Rendering
from lodestone.schedules import Constant, Piecewise

RAYS = {"z_variance", "distortion", "emptiness"}
MESHES = {"laplacian", "normal_consistency"}


def unit(count, seed):
    drawn = torch.randn(count, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(drawn, dim=-1)


def samples(weight=None, counts=(4, 0, 6, 1)):
    rng = torch.Generator().manual_seed(0)
    ray = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    total = sum(counts)
    distance = torch.cat([torch.rand(n, generator=rng, dtype=torch.float64).sort().values + 1 for n in counts])
    weight = 0.3 * torch.rand(total, generator=rng, dtype=torch.float64) if weight is None else weight
    width = torch.full_like(distance, 0.1)
    return RaySamples(
        ray=ray,
        rays=len(counts),
        distance=distance,
        width=width,
        weight=weight,
        direction=unit(total, 1),
        normal=unit(total, 2),
        nearby_normal=unit(total, 3),
    )


def seen(of, normals=None):
    plane = torch.ones(1, 2, 2, 1, dtype=torch.float64)
    return Rendering(color=plane.expand(1, 2, 2, 3), opacity=plane, depth=plane, samples=of, normals=normals)


def test_distortion_is_its_double_sum():
    s = samples()
    expected = (s.weight.square() * s.width).sum() / 3
    for i in range(11):
        for j in range(11):
            if s.ray[i] == s.ray[j]:
                expected = expected + s.weight[i] * s.weight[j] * (s.distance[i] - s.distance[j]).abs()
    assert float(distortion(seen(s))) == pytest.approx(float(expected) / 4)


def test_orientation_counts_what_faces_away_and_does_not_pull_on_weights():
    s = samples()
    expected = sum(
        float(w) * max(0.0, float(n @ d)) ** 2 for w, n, d in zip(s.weight, s.normal, s.direction, strict=True)
    )
    weight, normal = s.weight.clone().requires_grad_(), s.normal.clone().requires_grad_()
    loss = orientation(seen(replace(s, weight=weight, normal=normal)))
    assert loss.item() == pytest.approx(expected / 4)
    loss.backward()
    assert weight.grad is None and bool(normal.grad.any())


def test_z_variance_is_the_variance_of_solid_rays_and_does_not_see_a_common_factor():
    """Weights 0.4, 0.4 at distance 0.2 from their mean: variance 0.04, though the opacity is 0.8."""
    s = samples(torch.tensor([0.4, 0.4, 0.1], dtype=torch.float64), counts=(2, 1))
    s = replace(s, distance=torch.tensor([1.0, 1.4, 3.0], dtype=torch.float64))
    assert float(z_variance(seen(s))) == pytest.approx(0.04)
    brighter = replace(s, weight=s.weight * torch.tensor([1.2, 1.2, 1.0], dtype=torch.float64))
    assert float(z_variance(seen(brighter))) == pytest.approx(0.04)


def test_emptiness_is_its_sum():
    s = samples()
    assert float(emptiness(seen(s))) == pytest.approx(float((1 + 10 * s.weight).log().sum()) / 4)


def test_smooth_normals():
    flat = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64).expand(1, 2, 2, 3)
    assert float(normal_smoothness(seen(samples(), flat))) == 0.0
    turned = flat.clone()
    turned[0, 1] = torch.tensor([1.0, 0.0, 0.0])
    assert float(normal_smoothness(seen(samples(), turned))) == pytest.approx(
        2 / 3
    )  # |n - n'|^2 = 2, mean of 3 entries
    s = samples()
    assert float(normal_smoothness_3d(seen(s))) == pytest.approx(float((s.normal - s.nearby_normal).abs().mean()))
    assert float(normal_smoothness_3d(seen(replace(s, nearby_normal=s.normal)))) == 0.0


@pytest.mark.parametrize("term", [distortion, z_variance, emptiness])
def test_gradients_by_the_weights_are_finite_differences(term):
    s = samples(0.3 + samples().weight)
    weight = s.weight.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: term(seen(replace(s, weight=w))), weight)


@torch.no_grad()
def glimpse(scene):
    """Two tiny pictures, as in training."""
    cameras = EvaluationCamera().viewpoints(2).cameras(8, 8)
    return scene.render(cameras, torch.ones(2, 3), torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["sparsity", "opaqueness", "smoothness", *sorted(RAYS)])
def test_rays_without_samples_are_no_trouble(name):
    nothing = samples(torch.zeros(0, dtype=torch.float64), counts=(0, 0))
    assert bool(torch.isfinite(TERMS[name].loss(seen(nothing))))


# ---------------------------------------------------------------------------------------- refused before any work


FIELD = HashFieldSettings(encoding=EncodingSettings(levels=2, table_bits=6, base=2, finest=4), hidden=4)
SCENES = {
    "gaussians": GaussianSettings(initialization=BallInitialization(count=10)),
    "pictures": ImageSettings(particles=2, size=8),
    "field": FIELD,
    "field with normals": replace(FIELD, volume=VolumeSettings(normals=Normals.ANALYTIC)),
    "field with nearby normals": replace(FIELD, volume=VolumeSettings(normals=Normals.ANALYTIC, nearby=0.01)),
}
MISSING = {
    "gaussians": {*RAYS, *MESHES, "orientation", "normal_smoothness", "normal_smoothness_3d"},
    "pictures": {*RAYS, *MESHES, "orientation", "normal_smoothness", "normal_smoothness_3d"},
    "field": {*MESHES, "orientation", "normal_smoothness", "normal_smoothness_3d"},
    "field with normals": {*MESHES, "normal_smoothness_3d"},
    "field with nearby normals": MESHES,
}


@pytest.mark.parametrize("name", ["sparsity", "opaqueness", "smoothness", *sorted(RAYS | MESHES), "orientation"])
@pytest.mark.parametrize("kind", SCENES)
def test_what_a_scene_does_not_render_is_refused_with_a_sentence(kind, name):
    rendering = glimpse(SCENES[kind].create(torch.Generator().manual_seed(0)))
    regularizers = Regularizers(**{name: Piecewise((0, 5), (0.0, 1.0))})
    check_regularizers(regularizers, 5, rendering)  # its time never comes
    if name in MISSING[kind]:
        with pytest.raises(SettingError, match=rf"plan\.regularizers\.{name} is set, but .*: .* or set it to 0"):
            check_regularizers(regularizers, 6, rendering)
    else:
        check_regularizers(regularizers, 6, rendering)


@pytest.mark.parametrize("kind", ["field", "field with normals", "field with nearby normals"])
def test_normals_are_asked_for_by_name(kind):
    rendering = glimpse(SCENES[kind].create(torch.Generator().manual_seed(0)))
    for name in ("normal_smoothness", "normal_smoothness_3d"):
        regularizers = Regularizers(**{name: Constant(1.0)})
        if name in MISSING[kind]:
            with pytest.raises(SettingError, match="normals"):
                check_regularizers(regularizers, 1, rendering)
        else:
            check_regularizers(regularizers, 1, rendering)
