"""Hash fields: what they begin as, how they are seen, and that nothing of them is left out of a checkpoint."""

from dataclasses import replace

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.optimize.rehearsal import StandInMesher
from lodestone.rendering.cameras import turntable
from lodestone.rendering.occupancy import OccupancySettings
from lodestone.scenes.field_settings import (
    Activation,
    Backdrop,
    Blob,
    DensityBias,
    Normals,
    ShadingSettings,
    Space,
    VolumeSettings,
)
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.scenes.linear_colors import colors_of, latents_of_color, linear_colors
from lodestone.scenes.scene import StructureState
from lodestone.scenes.shading import Lights

SMALL = HashFieldSettings(
    volume=VolumeSettings(samples=24),
    encoding=EncodingSettings(levels=4, table_bits=9, base=4, finest=16, first_levels=4),
    occupancy=OccupancySettings(resolution=8, every=2),
    hidden=8,
)


def settings(**volume):
    return replace(SMALL, volume=replace(SMALL.volume, **volume))


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def cameras(views=2, size=8):
    return turntable(views, elevation=15.0, distance=2.5, field_of_view=45.0).cameras(size, size)


def white(views=2):
    return torch.ones(views, 3)


def points(count=64, seed=1):
    return 1.2 * torch.rand(count, 3, generator=rng(seed)) - 0.6


def roughen(scene):
    """Parameters as large as after some training, so that every part of the field matters."""
    with torch.no_grad():
        scene.table.copy_(0.5 * torch.randn(scene.table.shape, generator=rng(5)))
    return scene


# ---------------------------------------------------------------------------------------------------- how it begins


@pytest.mark.parametrize(
    "bias, expected",
    [
        (DensityBias(), lambda r: 10 * (1 - r / 0.5)),
        (DensityBias(shape=Blob.GAUSSIAN, scale=5.0, radius=0.2), lambda r: 5 * torch.exp(-(r**2) / 0.08)),
        (DensityBias(shape=Blob.NONE, offset=-1.0), lambda r: -torch.ones_like(r)),
    ],
)
def test_a_field_begins_as_its_bias_in_grey(bias, expected):
    scene = replace(SMALL, bias=bias).create(rng())
    p = points()
    assert torch.allclose(scene.density(p), torch.nn.functional.softplus(expected(p.norm(dim=-1))), atol=1e-2)
    assert torch.allclose(scene.color(p), torch.full((64, 3), 0.5), atol=1e-3)


@pytest.mark.parametrize("shape", [Blob.CONE, Blob.GAUSSIAN, Blob.NONE])
def test_the_gradient_of_the_bias_is_its_derivative(shape):
    bias, p = DensityBias(shape=shape), points().double().requires_grad_()
    (expected,) = torch.autograd.grad(bias(p).sum() + 0 * p.sum(), p)
    assert torch.allclose(bias.gradient(p), expected, atol=1e-10)


def test_activations():
    raw = torch.tensor([-2.0, 0.0, 3.0])
    assert torch.equal(Activation.RELU(raw), torch.tensor([0.0, 0.0, 3.0]))
    assert torch.allclose(Activation.EXPONENTIAL(raw), raw.exp())
    assert bool(torch.isfinite(Activation.EXPONENTIAL(torch.tensor([1e4]))).all())
    assert torch.allclose(Activation.SOFTPLUS(raw), torch.log1p(raw.exp()))


# ------------------------------------------------------------------------------------------------- how it is seen


@pytest.mark.parametrize("backdrop", Backdrop)
@pytest.mark.parametrize("normals", Normals)
def test_every_parameter_gets_a_gradient(backdrop, normals):
    scene = settings(backdrop=backdrop, normals=normals, plain_share=0.0).create(rng())
    seen = scene.render(cameras(), white(), rng(1))
    loss = seen.color.square().sum() + seen.depth.sum()
    if seen.normals is not None:
        loss = loss + seen.normals.square().sum() + (seen.samples.normal * seen.samples.direction).sum()
    loss.backward()
    for name, parameter in scene.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.any()), name
        assert bool(parameter.grad.isfinite().all()), name


def test_the_same_cameras_give_the_same_picture_without_a_generator_and_others_with_one():
    scene = SMALL.create(rng())
    one, other = (scene.render(cameras(), white()).color for _ in range(2))
    assert torch.equal(one, other)
    drawn = [scene.render(cameras(), white(), rng(seed)).color for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_the_body_stands_before_its_background():
    scene = SMALL.create(rng())
    with torch.no_grad():
        seen = scene.render(cameras(1, 16), torch.tensor([[1.0, 0.0, 0.0]]))
    assert torch.allclose(seen.color[0, 0, 0], torch.tensor([1.0, 0.0, 0.0]), atol=1e-2)
    middle = seen.color[0, 8, 8]
    assert float(seen.opacity[0, 8, 8]) > 0.95 and (middle - 0.5).abs().max() < 0.05
    assert 1.8 < float(seen.depth[0, 8, 8]) < 2.5


def test_pictures_are_the_same_in_batches(monkeypatch):
    scene = roughen(settings(normals=Normals.ANALYTIC).create(rng()))
    with torch.no_grad():
        whole = scene.render(cameras(), white())
        monkeypatch.setattr("lodestone.scenes.field.LARGEST_BATCH", 50)
        parts = scene.render(cameras(), white())
    assert torch.allclose(whole.color, parts.color, atol=1e-6)
    assert torch.allclose(whole.normals, parts.normals, atol=1e-5)


def test_analytic_normals_are_minus_the_direction_of_the_density_s_gradient():
    scene = roughen(settings(normals=Normals.ANALYTIC).create(rng())).double()
    p = points().double().requires_grad_()
    (gradient,) = torch.autograd.grad(scene.density(p).sum(), p)
    assert torch.allclose(scene.normals(p), -torch.nn.functional.normalize(gradient, dim=-1), atol=1e-6)


def test_finite_differences_come_close_to_the_derivative():
    """Where a difference does not reach over the face of a cell."""
    fine = replace(settings(normals=Normals.FINITE_DIFFERENCE, difference=1e-5))
    scene, exact = roughen(fine.create(rng())).double(), roughen(settings(normals=Normals.ANALYTIC).create(rng()))
    p = points().double()
    cosine = (scene.normals(p) * exact.double().normals(p)).sum(-1)
    assert (cosine > 1 - 1e-3).float().mean() > 0.95


def test_gradients_of_analytic_normals_are_finite_differences():
    scene = roughen(settings(normals=Normals.ANALYTIC).create(rng())).double()
    p, weights = points(8).double(), torch.randn(8, 3, generator=rng(2)).double()
    scene.zero_grad()
    (scene.normals(p) * weights).sum().backward()
    for parameter, entry in (
        (scene.table, (7, 1)),
        (scene.of_density.first, (3, 2)),
        (scene.of_density.second, (0, 4)),
    ):
        values = []
        for change in (1e-6, -1e-6):
            with torch.no_grad():
                parameter[entry] += change
                values.append(float((scene.normals(p) * weights).sum()))
                parameter[entry] -= change
        assert float(parameter.grad[entry]) == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-5)


def test_colors_and_densities_are_what_meshes_ask_for():
    scene = roughen(SMALL.create(rng()))
    with torch.no_grad():
        density, color = scene.density(points()), scene.color(points())
    assert density.shape == (64,) and bool((density >= 0).all())
    assert color.shape == (64, 3) and 0 <= float(color.min()) <= float(color.max()) <= 1
    assert scene.bound == 1.0


# ----------------------------------------------------------------------------------------------- shading, backdrops


def test_a_lit_ball_is_bright_where_it_faces_the_light():
    """On the axis toward the light: ambient 0.1 and diffuse 0.9; on the other side: ambient alone."""
    shading = ShadingSettings(lit_share=1.0, textureless_share=0.0)
    light = torch.tensor([[2.0, 0.0, 0.0]])
    lights = Lights(light, torch.tensor([True]), torch.tensor([False]), shading)
    p = torch.tensor([[0.5, 0.0, 0.0], [-0.5, 0.0, 0.0]])
    shaded = lights.shade(torch.full((2, 3), 0.6), p / 0.5, p, torch.zeros(2, dtype=torch.int64))
    assert torch.allclose(shaded[:, 0], torch.tensor([0.6, 0.06]))
    white_body = replace(lights, textureless=torch.tensor([True]))
    shaded = white_body.shade(torch.full((2, 3), 0.6), p / 0.5, p, torch.zeros(2, dtype=torch.int64))
    assert torch.allclose(shaded[:, 0], torch.tensor([1.0, 0.1]))


def test_lights_are_drawn_near_the_camera():
    lights = Lights.draw(cameras(200), ShadingSettings(lit_share=0.75), rng())
    distance = lights.position.norm(dim=-1)
    assert bool((distance > 0.799).all() and (distance < 1.501).all())
    toward = torch.nn.functional.normalize(cameras(200).camera_to_world[:, :3, 3], dim=-1)
    assert float((lights.position * toward).sum(-1).mean()) > 0.5
    assert float(lights.lit.float().mean()) == pytest.approx(0.75, abs=0.1)


def test_shading_begins_when_its_time_has_come():
    lit = settings(normals=Normals.ANALYTIC, shading=ShadingSettings(lit_share=1.0, begin=10))
    plain = settings(normals=Normals.ANALYTIC)
    before, after, never = lit.create(rng()), lit.create(rng()), plain.create(rng())
    after.step.fill_(10)
    pictures = [scene.render(cameras(), white(), rng(1)).color for scene in (before, after, never)]
    assert torch.equal(pictures[0], pictures[2]) and not torch.equal(pictures[1], pictures[2])
    unlit = [scene.render(cameras(), white()).color for scene in (after, never)]
    assert torch.equal(*unlit)  # a finished scene is shown as it is


def test_a_learned_backdrop_is_seen_in_training_alone():
    scene = settings(backdrop=Backdrop.LEARNED, plain_share=0.0).create(rng())
    red = torch.tensor([[1.0, 0.0, 0.0]])
    corner = [scene.render(cameras(1), red, generator).color[0, 0, 0] for generator in (None, rng())]
    assert torch.allclose(corner[0], red[0], atol=1e-2) and not torch.allclose(corner[1], red[0], atol=0.1)
    mixed = replace(scene.volume, plain_share=1.0)
    scene.volume = mixed
    assert torch.allclose(scene.render(cameras(1), red, rng()).color[0, 0, 0], red[0], atol=1e-2)


# ------------------------------------------------------------------------------------------------------ latents


def test_linear_colors_of_moved_pixels_are_their_means():
    picture = torch.rand(1, 3, 4, 4, generator=rng())
    latents = torch.nn.functional.pixel_unshuffle(2 * picture - 1, 2).permute(0, 2, 3, 1)
    means = torch.nn.functional.avg_pool2d(picture, 2).permute(0, 2, 3, 1)
    assert torch.allclose(colors_of(latents, linear_colors(12)), means, atol=1e-6)


@pytest.mark.parametrize("channels", [3, 4, 12])
def test_latents_of_a_color_have_that_color(channels):
    color, adapter = torch.rand(5, 3, generator=rng()), linear_colors(channels)
    assert torch.allclose(colors_of(latents_of_color(color, adapter), adapter), color, atol=1e-5)
    with pytest.raises(SettingError, match="channels"):
        linear_colors(5)


def test_a_latent_field_shows_the_prior_its_latents_and_people_its_colors():
    scene = settings(space=Space.LATENT, channels=4, stride=2).create(rng())
    training = scene.render(cameras(2, 16), white(), rng())
    assert training.latents.shape == (2, 4, 8, 8) and training.color.shape == (2, 8, 8, 3)
    preview = scene.render(cameras(2, 16), white())
    assert preview.latents.shape == (2, 4, 8, 8) and preview.color.shape == (2, 16, 16, 3)
    assert torch.allclose(preview.color[0, 0, 0], torch.ones(3), atol=1e-2)
    training.latents.square().sum().backward()
    assert bool(scene.table.grad.any())
    assert scene.color(points()).shape == (64, 3)


def test_refinement_continues_from_the_latents_and_learns_the_map_too():
    everywhere = OccupancySettings(resolution=8, every=0)
    first = replace(settings(space=Space.LATENT, channels=4, stride=2), occupancy=everywhere)
    second = replace(settings(space=Space.REFINED, channels=4), occupancy=everywhere)
    begun = roughen(first.create(rng()))
    refined = second.begin_after(begun, StandInMesher(), rng(1))
    before, after = begun.render(cameras(2, 16), white()), refined.render(cameras(2, 16), white())
    assert after.latents is None and torch.allclose(before.color, after.color.clamp(0, 1), atol=1e-5)
    after.color.sum().backward()
    assert bool(refined.adapter.grad.any())
    assert {group.name for group in second.parameter_groups(refined, 0.0)} >= {"adapter", "table"}


def test_latents_must_be_the_prior_s():
    latent = settings(space=Space.LATENT, channels=4, stride=8)
    latent.check(2, 512, (4, 64, 64))
    with pytest.raises(SettingError, match="channels"):
        latent.check(2, 64, (3, 64, 64))
    with pytest.raises(SettingError, match="stride"):
        latent.check(2, 64, (4, 64, 64))
    SMALL.check(2, 64, (3, 64, 64))


# ------------------------------------------------------------------------------------------------ steps and checkpoints


def test_levels_are_switched_on_one_after_another():
    encoding = EncodingSettings(levels=6, first_levels=2, level_every=10)
    assert [encoding.active(step) for step in (0, 9, 10, 39, 40, 1000)] == [2, 2, 3, 5, 6, 6]
    assert EncodingSettings(levels=6).active(0) == 6
    progressive = replace(SMALL, encoding=replace(SMALL.encoding, first_levels=1, level_every=3))
    scene = progressive.create(rng())
    scene.render(cameras(), white(), rng()).color.sum().backward()
    assert not bool(scene.table.grad[scene.grid.offsets[1] :].any())
    state = StructureState(torch.optim.Adam(scene.parameters()), {})
    for step in range(3):
        progressive.adapt(scene, state, step, rng())
    assert scene.active == 2


def steps(scene, optimizer, generator, first, last):
    """A little training in the order of the loop."""
    for step in range(first, last):
        seen = scene.render(cameras(), white(), generator)
        optimizer.zero_grad()
        (seen.color.square().mean() + 0.1 * seen.opacity.mean()).backward()
        optimizer.step()
        PROGRESSIVE.adapt(scene, StructureState(optimizer, {}), step, generator)


PROGRESSIVE = replace(
    settings(backdrop=Backdrop.LEARNED, normals=Normals.ANALYTIC, shading=ShadingSettings(lit_share=0.5, begin=2)),
    encoding=replace(SMALL.encoding, first_levels=2, level_every=2),
)


def optimizer_of(scene):
    groups = PROGRESSIVE.parameter_groups(scene, 0.0)
    return torch.optim.Adam([{"params": [g.parameter], "lr": g.learning_rate, "eps": g.epsilon} for g in groups])


def test_a_restored_field_continues_to_the_bit():
    """Levels, occupancy, shading and jitter all change between the steps at which it is stored and compared."""
    generator = rng()
    scene = PROGRESSIVE.create(generator)
    optimizer = optimizer_of(scene)
    steps(scene, optimizer, generator, 0, 3)
    stored = {name: tensor.clone() for name, tensor in scene.state_dict().items()}
    moments, state = optimizer.state_dict(), generator.get_state()
    moments = {**moments, "state": {k: {n: v.clone() for n, v in s.items()} for k, s in moments["state"].items()}}
    steps(scene, optimizer, generator, 3, 7)

    restored, again = PROGRESSIVE.restore(stored), rng(9)
    other = optimizer_of(restored)
    other.load_state_dict(moments)
    again.set_state(state)
    steps(restored, other, again, 3, 7)
    assert scene.state_dict().keys() == restored.state_dict().keys()
    assert all(
        torch.equal(a, b) for a, b in zip(scene.state_dict().values(), restored.state_dict().values(), strict=True)
    )


def test_rates_go_to_their_groups():
    scene = settings(backdrop=Backdrop.LEARNED).create(rng())
    rates = {group.name: group.learning_rate for group in SMALL.parameter_groups(scene, 0.5)}
    assert rates["table"] == 1e-2 and rates["of_density.first"] == 1e-3 and rates["environment.network.first"] == 1e-3
    assert set(rates) == {name for name, _ in scene.named_parameters()}


def test_settings_survive_a_run_folder():
    changed = replace(PROGRESSIVE, bias=DensityBias(shape=Blob.GAUSSIAN, scale=5.0, radius=0.2))
    assert from_plain(HashFieldSettings(), to_plain(changed)) == changed


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: VolumeSettings(bound=0.0),
        lambda: VolumeSettings(channels=4),
        lambda: VolumeSettings(shading=ShadingSettings(lit_share=0.5)),
        lambda: VolumeSettings(nearby=0.01),
        lambda: EncodingSettings(base=64, finest=32),
        lambda: EncodingSettings(table_bits=99),
        lambda: HashFieldSettings(hidden=0),
        lambda: DensityBias(radius=0.0),
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(SettingError, match="scene"):
        wrong()


def test_coverage_falls_to_nothing_with_the_density():
    scene = SMALL.create(rng())
    assert scene.coverage() > 0.99
    empty = replace(SMALL, bias=DensityBias(shape=Blob.NONE, offset=-50.0)).create(rng())
    assert empty.coverage() < 1e-6
