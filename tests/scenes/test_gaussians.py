"""Gaussians: activations, compositing, initial statistics, tensors and back."""

import math

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.kernels.splatting import SplattingOutput
from lodestone.rendering.cameras import EvaluationCamera
from lodestone.scenes.gaussian_settings import GaussianLearningRates, GaussianSettings
from lodestone.scenes.gaussians import C0, GaussianScene, RawGaussians, composite
from lodestone.scenes.initialize import BallInitialization
from lodestone.scenes.scene import RenderStatistics


def ball(count=200, **settings):
    return BallInitialization(count=count, **settings).create(torch.Generator().manual_seed(0))


def test_activations_are_the_published_ones():
    raw = RawGaussians(
        means=torch.zeros(1, 3),
        log_scales=torch.tensor([[0.0, math.log(2.0), -1.0]]),
        quaternions=torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
        opacity_logits=torch.tensor([math.log(3.0)]),
        colors=torch.tensor([[0.0, 0.5 / C0, -0.5 / C0]]),
    )
    torch.testing.assert_close(raw.scales, torch.tensor([[1.0, 2.0, math.exp(-1.0)]]))
    torch.testing.assert_close(raw.opacities, torch.tensor([0.75]))
    torch.testing.assert_close(raw.rgb, torch.tensor([[0.5, 1.0, 0.0]]))


def test_the_constant_harmonic_is_one_over_two_root_pi():
    assert pytest.approx(1 / (2 * math.sqrt(math.pi))) == C0


def test_a_rendering_is_laid_over_its_background():
    """Premultiplied colour 0.3 at opacity 0.6 over (1, 0, 0.5) is 0.3 + 0.4 b; depth 1.2 / 0.6 = 2."""
    pixel = torch.full((1, 1, 1, 1), 0.6)
    seen = SplattingOutput(torch.full((1, 1, 1, 3), 0.3), pixel, 2 * pixel, torch.zeros(1, 1))
    statistics = RenderStatistics(screen_offset=torch.zeros(1, 1, 2), radii=torch.zeros(1, 1))
    rendering = composite(seen, torch.tensor([[1.0, 0.0, 0.5]]), statistics)
    torch.testing.assert_close(rendering.color[0, 0, 0], torch.tensor([0.7, 0.3, 0.5]))
    torch.testing.assert_close(rendering.depth, torch.full((1, 1, 1, 1), 2.0))


def test_where_nothing_is_there_is_background_and_no_depth():
    raw = ball(10)
    raw.means[:, 2] += 100.0
    white = torch.tensor([[1.0, 1.0, 1.0]])
    rendering = GaussianScene(raw).render(EvaluationCamera().viewpoints(1).cameras(8, 8), white)
    assert torch.equal(rendering.color, torch.ones(1, 8, 8, 3)) and torch.equal(
        rendering.depth, torch.zeros(1, 8, 8, 1)
    )


def test_a_solid_gaussian_shows_its_color_and_its_depth():
    """One wide, nearly opaque Gaussian at the origin, seen from distance 3."""
    raw = RawGaussians(
        means=torch.zeros(1, 3),
        log_scales=torch.full((1, 3), math.log(0.4)),
        quaternions=torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
        opacity_logits=torch.tensor([8.0]),
        colors=(torch.tensor([[0.9, 0.2, 0.1]]) - 0.5) / C0,
    )
    cameras = EvaluationCamera(elevation=0.0, distance=3.0).viewpoints(1).cameras(9, 9)
    rendering = GaussianScene(raw).render(cameras, torch.ones(1, 3))
    torch.testing.assert_close(rendering.color[0, 4, 4], torch.tensor([0.9, 0.2, 0.1]), atol=0.03, rtol=0)
    assert float(rendering.depth[0, 4, 4].detach()) == pytest.approx(3.0, abs=1e-4)


def test_a_scene_comes_back_from_its_tensors_whatever_its_size():
    scene = GaussianScene(ball(7))
    restored = GaussianSettings().restore(scene.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(scene.parameters(), restored.parameters(), strict=True))


def test_the_ball_is_filled_evenly():
    """P(distance < r) = (r / R)^3: half of the volume lies within 0.7937 R; 20,000 points, 4 standard errors."""
    raw = ball(20_000, radius=0.5)
    distance = raw.means.norm(dim=-1)
    assert float(distance.max()) <= 0.5 + 1e-6
    assert float((distance < 0.5 * 0.5 ** (1 / 3)).float().mean()) == pytest.approx(
        0.5, abs=4 * 0.5 / math.sqrt(20_000)
    )
    torch.testing.assert_close(raw.means.mean(0), torch.zeros(3), atol=4 * 0.5 / math.sqrt(5 * 20_000), rtol=0)


def test_the_ball_begins_faint_and_grey():
    raw = ball(20_000, opacity=0.1, brightness=0.4, color_noise=0.1)
    torch.testing.assert_close(raw.opacities, torch.full((20_000,), 0.1))
    torch.testing.assert_close(raw.rgb.mean(0), torch.full((3,), 0.4), atol=4 * 0.1 / math.sqrt(20_000), rtol=0)
    torch.testing.assert_close(raw.rgb.std(0), torch.full((3,), 0.1), atol=3e-3, rtol=0)


def test_smaller_gaussians_fill_the_ball_when_there_are_more():
    """The volume of all Gaussians is the same: eight times as many have half the size."""
    few, many = ball(100).scales[0, 0], ball(800).scales[0, 0]
    torch.testing.assert_close(few, 2 * many)


def test_the_ball_depends_on_its_generator_alone():
    assert all(torch.equal(a, b) for a, b in zip(vars(ball()).values(), vars(ball()).values(), strict=True))


@pytest.mark.parametrize(
    ("name", "value"),
    [("count", 0), ("count", -5), ("count", 999_999_999), ("radius", 0.0), ("opacity", 1.0), ("overlap", float("nan"))],
)
def test_impossible_beginnings_are_refused_by_name(name, value):
    with pytest.raises(SettingError, match=rf"scene\.initialization\.{name}"):
        BallInitialization(**{name: value})


def test_learning_rates_fall_exponentially_to_their_final_share():
    settings, scene = (
        GaussianSettings(learning_rates=GaussianLearningRates(means=0.02, final=0.01)),
        GaussianScene(ball(3)),
    )
    rates = [settings.parameter_groups(scene, progress)[0].learning_rate for progress in (0.0, 0.5, 1.0)]
    assert rates == pytest.approx([0.02, 0.002, 0.0002])


@pytest.mark.parametrize(("name", "value"), [("means", -1e-3), ("colors", float("nan")), ("final", 0.0)])
def test_impossible_learning_rates_are_refused_by_name(name, value):
    with pytest.raises(SettingError, match=rf"scene\.learning_rates\.{name}"):
        GaussianLearningRates(**{name: value})


def test_coverage_is_the_largest_opacity():
    scene = GaussianScene(ball(5, opacity=0.2))
    assert scene.coverage() == pytest.approx(0.2)
