"""The exact score of the world: derivatives of the density, and what words and cameras leave of the views."""

import math
from dataclasses import replace

import pytest
import torch

from lodestone.data.worlds.requests import parse
from lodestone.data.worlds.world import World
from lodestone.distillation.slots import AbstractAdaptiveEstimator
from lodestone.distillation.step_settings import StepSettings
from lodestone.errors import SettingError
from lodestone.priors.choose import is_world, open_prior
from lodestone.priors.empirical_world import EXCLUDED, Meaning, WorldSettings, load_world, objects_of
from lodestone.priors.noise import NoiseSchedule
from lodestone.priors.sampling import sample
from lodestone.priors.world_views import ViewGrid, see_on_white
from lodestone.prompts.conditioning import Conditioning
from lodestone.prompts.prompt import EncodedPrompt, PromptSettings
from lodestone.prompts.view_dependent import Direction
from lodestone.recipes.choose import Choice, build
from lodestone.recipes.estimators import estimator_for, is_exact, is_small
from lodestone.rendering.background import White
from lodestone.rendering.cameras import Viewpoints

CPU = torch.device("cpu")
GRID = ViewGrid(azimuths=12, elevations=(0.0, 30.0, 70.0), size=16)
SMALL = WorldSettings(objects=2, grid=GRID, others=3, others_grid=ViewGrid(azimuths=4, elevations=(0.0,), size=16))
VIEWS, OTHERS = 2 * 36, 3 * 4
SCHEDULE = NoiseSchedule.scaled_linear()


@pytest.fixture(scope="module")
def prior():
    return load_world(SMALL, device=CPU)


@pytest.fixture(scope="module")
def album(prior):
    prior.text_encoder.encode(["a red mug", ""])
    return prior.text_encoder.albums[0]


@pytest.fixture(scope="module")
def mug(prior):
    return EncodedPrompt.encode(PromptSettings("a red mug", view_dependent=False), prior.text_encoder)


def at(azimuth, elevation=0.0):
    """Cameras of the drafts."""
    turn = torch.tensor(azimuth, dtype=torch.float32)
    full = torch.ones_like(turn)
    return Viewpoints(azimuth=turn, elevation=elevation * full, distance=3 * full, field_of_view=25 * full)


def kept(rows):
    """Which views have a say, row by row."""
    weights = rows.tokens[:, 0].softmax(-1)
    return [row.nonzero()[:, 0].tolist() for row in weights]


def pictures_of(prior, rows):
    """The pictures of the mixture in [0, 1]."""
    return prior.denoiser.mixture(rows).means.view(-1, 3, 16, 16) / 2 + 0.5


def test_noise_is_minus_sigma_times_the_gradient_of_the_log_density(prior, mug):
    """eps = -sigma grad log p_t in double precision, of rows with a camera, with words, and of the null condition."""
    told = mug.for_viewpoints(at([10.0, 200.0]))
    rows = Conditioning.concatenate([told.positive, told.null])
    exact = prior.denoiser.mixture(rows)
    double = type(exact)(exact.means.double().view(-1, 3, 16, 16), float(exact.variances[0]), SCHEDULE)
    x = torch.randn(4, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    t = torch.tensor([30, 300, 600, 990])
    score = torch.autograd.grad(double.log_density(x, t, rows).sum(), x)[0]
    sigma = SCHEDULE.sigma(t).double()[:, None, None, None]
    torch.testing.assert_close(double(x, t, rows).noise, -sigma * score)
    single = prior.denoiser(x.detach().float(), t, rows).noise
    torch.testing.assert_close(single, (-sigma * score).float(), atol=2e-3, rtol=2e-3)


def test_the_density_is_that_of_its_pictures(prior, mug):
    """log p written out: one camera halfway between two, two objects, 768 dimensions."""
    rows = mug.for_viewpoints(at([15.0])).positive
    x = torch.full((1, 3, 16, 16), 0.3, dtype=torch.float64)
    t = torch.tensor([500])
    alpha, sigma = SCHEDULE.alpha(t).double(), SCHEDULE.sigma(t).double()
    variance = 0.01 * alpha**2 + sigma**2
    seen = [see_on_white(World(0).make(parse("a red mug"), n).mesh, at([0.0, 30.0]), 16) for n in (0, 1)]
    centers = 2 * torch.cat(seen).double() - 1
    powers = -(x - alpha * centers).square().sum(dim=(1, 2, 3)) / (2 * variance)
    expected = torch.logsumexp(powers, 0) - math.log(4) - 384 * (2 * math.pi * variance).log()
    found = prior.denoiser.mixture(rows).log_density(x.float(), t, rows)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-2)


def test_a_caption_has_all_views_of_its_objects_and_nothing_else(prior, mug):
    assert mug.null.tokens.shape == (1, 1, VIEWS + OTHERS)
    assert kept(mug.directions)[0] == list(range(VIEWS))
    rows = mug.directions
    for number in (0, 1):
        expected = see_on_white(World(0).make(parse("a red mug"), number).mesh, GRID.viewpoints(), 16)
        torch.testing.assert_close(pictures_of(prior, rows)[36 * number : 36 * (number + 1)], expected)


def test_the_null_condition_has_every_view_and_every_caption_alike(mug):
    weights = mug.null.tokens[0, 0].softmax(-1)
    assert (weights > 0).all()
    sums = [float(part.sum()) for part in weights.split([VIEWS, 4, 4, 4])]
    assert sums == pytest.approx([0.25] * 4)


def test_a_camera_on_the_grid_is_told_that_view_alone(mug):
    told = mug.for_viewpoints(at([60.0, -90.0], 30.0))
    assert kept(told.positive) == [[14, 36 + 14], [21, 36 + 21]]
    assert torch.equal(told.null.tokens, mug.null.expand(2).tokens)


def test_a_camera_between_views_is_told_both_by_their_nearness(mug):
    middle, nearer = mug.for_viewpoints(at([15.0, 40.0])).positive.tokens[:, 0].softmax(-1)
    assert middle.nonzero()[:, 0].tolist() == [0, 1, 36, 37]
    assert middle[[0, 1, 36, 37]].tolist() == pytest.approx([0.25] * 4)
    ratio = math.exp((math.cos(math.radians(10)) - math.cos(math.radians(20))) / math.radians(15) ** 2)
    assert nearer.nonzero()[:, 0].tolist() == [1, 2, 37, 38]
    assert float(nearer[1] / nearer[2]) == pytest.approx(ratio, rel=1e-4)


def test_a_camera_far_from_all_views_is_told_the_nearest(mug):
    assert kept(mug.for_viewpoints(at([0.0], -60.0)).positive) == [[0, 36]]
    assert kept(mug.for_viewpoints(at([95.0], -40.0)).positive) == [[3, 39]]


def test_a_turn_of_the_camera_by_a_cell_is_a_turn_of_the_weights(mug):
    angles = torch.linspace(-170, 170, 7).tolist()
    before = mug.for_viewpoints(at(angles, 20.0)).positive.tokens[:, 0, :VIEWS].softmax(-1).view(7, 2, 3, 12)
    turned = [angle + 30 for angle in angles]
    after = mug.for_viewpoints(at(turned, 20.0)).positive.tokens[:, 0, :VIEWS].softmax(-1).view(7, 2, 3, 12)
    torch.testing.assert_close(after, before.roll(1, dims=-1), atol=1e-5, rtol=1e-3)


def test_distance_and_lens_change_nothing(mug):
    near = replace(at([25.0]), distance=torch.tensor([1.5]), field_of_view=torch.tensor([60.0]))
    one, other = (mug.for_viewpoints(view).positive.tokens for view in (at([25.0]), near))
    assert torch.equal(one, other)


def test_words_for_the_view_keep_that_side(prior, album):
    rows = EncodedPrompt.encode(PromptSettings("a red mug"), prior.text_encoder).directions
    for direction, views in zip(Direction, kept(rows), strict=True):
        azimuth, elevation = album.views.azimuth[views], album.views.elevation[views]
        turn = (torch.remainder(azimuth + 180, 360) - 180).abs()
        assert len(views) and len(views) % 2 == 0
        if direction is Direction.OVERHEAD:
            assert (elevation == 70).all() and len(views) == 2 * 12
        else:
            low, high = {Direction.FRONT: (0, 45), Direction.SIDE: (46, 134), Direction.BACK: (135, 180)}[direction]
            assert (elevation < 60).all() and ((turn >= low) & (turn <= high)).all()
    assert sum(map(len, kept(rows))) == VIEWS


def test_words_and_camera_together_keep_the_views_of_the_words_near_the_camera(prior):
    rows = prior.text_encoder.encode(["a red mug, back view"]).expand(2)
    told = prior.text_encoder.camera(rows, at([150.0, 0.0]))
    assert kept(told)[0] == [5, 36 + 5]
    assert set(kept(told)[1]) <= {5 + 36 * n + 12 * e + k for n in (0, 1) for e in (0, 1) for k in (0, 2)}


def test_exclusion_holds_against_any_likelihood(prior, mug):
    """A clean picture of the back under the front's camera is pulled to a view of the front even at the first time."""
    told = mug.for_viewpoints(at([0.0])).positive
    back = 2 * pictures_of(prior, told)[6:7] - 1
    found = prior.denoiser(back, torch.tensor([0]), told)
    share = prior.denoiser.mixture(told).responsibilities(back, torch.tensor([0]), told)
    assert share[0].nonzero()[:, 0].tolist() in ([0], [36], [0, 36])
    assert found.clean.isfinite().all()
    assert EXCLUDED < -4 * 3 * 64 * 64 / (2 * 0.01)


def test_samples_from_a_camera_are_views_from_there(prior, mug):
    rng = torch.Generator().manual_seed(0)
    rows = mug.for_viewpoints(at([0.0, 90.0, 180.0, 270.0]))
    drawn = prior.autoencoder.decode(sample(prior.denoiser, rows, steps=40, guidance_scale=1.0, rng=rng))
    pictures = pictures_of(prior, rows.positive)
    for picture, azimuth in zip(drawn, (0, 3, 6, 9), strict=True):
        error = (picture - pictures).square().mean(dim=(1, 2, 3))
        assert int(error.argmin()) in (azimuth, 36 + azimuth)


def test_two_captions_of_one_prompt_are_told_apart(prior):
    rows = prior.text_encoder.encode(["a blue car", "a photo of one red mug", "a blue car, side view", ""])
    assert kept(rows)[0] == list(range(VIEWS))
    assert kept(rows)[1] == list(range(VIEWS, 2 * VIEWS))
    assert set(kept(rows)[2]) < set(range(VIEWS))
    assert rows.tokens.shape[-1] == 2 * VIEWS + OTHERS


def test_a_prompt_is_rendered_once_and_others_stay_what_they_were(prior, mug):
    again = EncodedPrompt.encode(PromptSettings("a photo of a red mug", view_dependent=False), prior.text_encoder)
    assert torch.equal(again.directions.pooled, mug.directions.pooled)
    assert torch.equal(again.directions.tokens, mug.directions.tokens)
    other = prior.text_encoder.encode(["a banana"])
    assert other.pooled[0, 0] != mug.directions.pooled[0, 0]
    with pytest.raises(ValueError, match="one prompt"):
        prior.denoiser.mixture(Conditioning.concatenate([mug.null, other]))


def test_mixed_wordings_keep_the_nearer_one(prior):
    rows = prior.text_encoder.encode(["a red mug, front view", "a red mug, side view"])
    mixed = rows.take(torch.tensor([0])).mix(rows.take(torch.tensor([1])), torch.tensor([0.7]))
    assert kept(mixed) == kept(rows)[:1]
    assert torch.equal(mixed.pooled.round(), rows.pooled[:1])


def test_meanings():
    assert Meaning.of("") == Meaning.of("  ") == Meaning(None, None)
    assert Meaning.of("A red mug, back view.") == Meaning(parse("a red mug"), Direction.BACK)
    assert Meaning.of("a red mug on a wooden table, overhead view").direction is Direction.OVERHEAD


@pytest.mark.parametrize("text", ["a blurry photo", "a plaid mug", "a red mug and a gearbox"])
def test_what_is_not_of_the_world_is_refused(prior, text):
    with pytest.raises(SettingError, match=r"choose among .*; or choose --prior embedded"):
        prior.text_encoder.encode(["a red mug", text])


def test_objects_that_have_no_room_are_left_out():
    request = parse("a lemon on a red mug")
    with pytest.raises(SettingError, match="has no room"):
        objects_of(request, 2)
    assert len(objects_of(parse("a red mug"), 3)) == 3


def test_the_command_lines_name():
    for name in ("world", "world:1"):
        assert is_world(name) and is_exact(name) and is_small(name)
    assert not is_world("worlds") and not is_world("./world")
    prior = open_prior("world:1", device=CPU)
    assert prior.white_only and prior.name == "world" and prior.text_encoder.settings.objects == 1
    for bad, words in (("world:", "write world or world:1"), ("world:x", "write world or"), ("world:99", "from 1 to")):
        with pytest.raises(SettingError, match=words):
            open_prior(bad, device=CPU)


def test_recipes_treat_it_as_the_other_exact_prior():
    for name in ("lods-gs-embedding", "csd-gs", "ssd-nerf"):
        ours, emoji = (build(Choice(recipe=name, prior=prior), "a red mug") for prior in ("world", "empirical"))
        assert replace(ours, cameras=emoji.cameras, previous=None) == replace(emoji, prior="world", previous=None)
        assert ours.cameras.elevation == (-5.0, 40.0)
    assert isinstance(build(Choice(prior="world"), "a red mug").plan.background, White)


def test_estimators_take_a_step(prior, mug):
    """Learned slots and adapters, too, get a gradient."""
    told = replace(mug.for_viewpoints(at([0.0, 80.0])), cameras=torch.eye(4).flatten().expand(2, 16))
    latents = torch.full((2, 3, 16, 16), 0.2)
    for name in ("sds", "csd", "ssd", "lods-embedding", "lods-lora", "vsd"):
        estimator, rng = estimator_for(name, "world"), torch.Generator().manual_seed(0)
        slot = (
            estimator.slot(mug.conditioning(), prior.denoiser, rng)
            if isinstance(estimator, AbstractAdaptiveEstimator)
            else None
        )
        filled = told if slot is None else slot.fill(told)
        step = StepSettings(step=0, steps=10, window=(20, 900), regularizers={})
        gradient = estimator.gradient(prior.denoiser, latents, filled, step, rng).gradient
        assert gradient.isfinite().all() and gradient.abs().max() > 0
        if slot is not None:
            estimator.auxiliary_loss(prior.denoiser, latents, filled, rng).backward()
            assert any(p.grad is not None and p.grad.abs().max() > 0 for p in slot.parameters())
