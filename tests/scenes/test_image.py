"""A flat scene is its particles, and nothing is done to them on the way to the prior."""

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.recipes.playground import FRONT
from lodestone.scenes.image import ImageScene, ImageSettings, Space


def cameras(count):
    return FRONT.sample(count, torch.Generator()).cameras(8, 8)


def particles(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def render(scene):
    return scene.render(cameras(len(scene)), torch.ones(len(scene), 3))


def test_a_picture_is_rendered_as_it_is_and_its_gradient_is_that_of_the_rendering():
    scene, wanted = ImageScene(particles(3, 3, 8, 8), Space.PICTURE), particles(3, 8, 8, 3)
    rendering = render(scene)
    assert torch.equal(rendering.color, scene.particles.permute(0, 2, 3, 1)) and rendering.latents is None
    (rendering.color * wanted).sum().backward()
    assert torch.equal(scene.particles.grad, wanted.permute(0, 3, 1, 2))


def test_latents_are_handed_on_as_they_are():
    scene = ImageScene(particles(2, 4, 8, 8), Space.LATENT)
    rendering = render(scene)
    assert rendering.latents is scene.particles
    assert rendering.color.shape == (2, 8, 8, 3) and not rendering.color.requires_grad


def test_a_flat_scene_is_opaque_and_has_no_depth_for_noise_to_stick_to():
    rendering = render(ImageScene(particles(2, 3, 8, 8), Space.PICTURE))
    assert (rendering.opacity == 1).all() and not rendering.depth.any()


@pytest.mark.parametrize(("space", "channels"), [(Space.PICTURE, 3), (Space.LATENT, 4)])
def test_an_edit_begins_as_its_source_and_keeps_it_through_a_checkpoint(space, channels):
    settings = ImageSettings(particles=2, space=space, channels=channels, size=8)
    scene = settings.create(torch.Generator().manual_seed(0))
    picture, latents = particles(1, 3, 8, 8), particles(1, 4, 8, 8)
    scene.begin_as(picture, latents)
    begin = picture if space is Space.PICTURE else latents
    assert all(torch.equal(particle, begin[0]) for particle in scene.particles)
    with torch.no_grad():
        scene.particles.zero_()
    again = settings.restore(scene.state_dict())
    assert torch.equal(again.source_latents, latents) and not again.particles.any()
    assert torch.equal(render(again).source_latents, latents.expand(2, -1, -1, -1))


def test_without_a_source_none_is_stored():
    scene = ImageSettings(particles=1, size=8).create(torch.Generator())
    assert set(scene.state_dict()) == {"particles"} and render(scene).source_latents is None


def test_the_start_has_the_mean_and_deviation_that_were_asked_for():
    """100,000 normal numbers: the mean is known to 0.1/316, the deviation to 0.1/447; five such errors are allowed."""
    settings = ImageSettings(particles=8, size=64, initial_mean=0.25, initial_std=0.1)
    start = settings.create(torch.Generator().manual_seed(1)).particles.detach()
    assert abs(float(start.mean()) - 0.25) < 0.0016 and abs(float(start.std()) - 0.1) < 0.0011


def test_the_rate_falls_exponentially_to_its_last_share():
    settings = ImageSettings(particles=1, size=8, learning_rate=0.04, final=0.01, epsilon=0.5)
    scene = settings.create(torch.Generator())
    groups = [settings.parameter_groups(scene, progress)[0] for progress in (0.0, 0.5, 1.0)]
    assert [round(group.learning_rate, 9) for group in groups] == [0.04, 0.004, 0.0004]
    assert groups[0].epsilon == 0.5


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"particles": 0}, "scene.particles is 0: choose a number from 1 to 256"),
        ({"size": 1}, "scene.size is 1"),
        ({"channels": 4}, "scene.channels is 4, but a picture has 3"),
        ({"final": 0.0}, "scene.final is 0"),
        ({"epsilon": -1.0}, "scene.epsilon is -1"),
        ({"learning_rate": float("nan")}, "scene.learning_rate is nan"),
    ],
)
def test_wrong_settings_are_refused(changes, sentence):
    with pytest.raises(SettingError, match=sentence):
        ImageSettings(**changes)


def test_what_does_not_fit_the_prior_is_refused_with_what_would():
    latents = ImageSettings(particles=2, space=Space.LATENT, channels=4, size=64)
    latents.check(2, 512, (4, 64, 64))
    with pytest.raises(SettingError, match=r"choose --scene.size 96 --scene.channels 4"):
        latents.check(2, 768, (4, 96, 96))
    with pytest.raises(SettingError, match=r"plan.views is 3, but view i is particle i and there are 2"):
        latents.check(3, 512, (4, 64, 64))
    with pytest.raises(SettingError, match=r"choose --scene.size 512 --scene.channels 3"):
        ImageSettings(particles=2, size=64).check(2, 512, (4, 64, 64))


def test_more_views_than_particles_are_refused():
    scene = ImageScene(particles(2, 3, 8, 8), Space.PICTURE)
    with pytest.raises(SettingError, match=r"plan.views is 3"):
        scene.render(cameras(3), torch.ones(3, 3))
