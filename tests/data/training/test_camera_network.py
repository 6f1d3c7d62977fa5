"""What a training begins with, and that the camera reaches what it trains."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import pad, pixel_shuffle, pixel_unshuffle
from training_tools import CPU, EMOJI, words

from lodestone.data.training.denoising import (
    LossMeter,
    NoisyBatch,
    add_noise,
    denoising_losses,
    draw_times,
    mean_loss_gradients,
)
from lodestone.data.training.draft import draft_examples, fit_draft
from lodestone.data.training.export import export
from lodestone.data.training.mixture import Batch, Mixture
from lodestone.data.training.network import new_draft, new_unet, read_start
from lodestone.data.training.settings import SCRATCH
from lodestone.data.training.sources import AbstractSource, Drawn
from lodestone.data.training.state import Training
from lodestone.errors import SettingError
from lodestone.priors.embedded import DRAFT, embedded_folder, load_draft
from lodestone.prompts.camera import CAMERA_FEATURES, camera_features
from lodestone.rendering.cameras import turntable


@pytest.fixture
def version_0(tmp_path):
    """A prior without cameras, as training exports it."""
    export(Training(EMOJI, CPU), tmp_path / "v0")
    return tmp_path / "v0"


def test_new_columns_for_the_camera_are_zero_and_the_rest_is_carried_over(settings, version_0):
    old = Training(replace(EMOJI, start=str(version_0)), CPU, read_start(replace(EMOJI, start=str(version_0))))
    begun = replace(settings, start=str(version_0))
    new = Training(begun, CPU, read_start(begun))
    before, after = dict(old.unet.named_parameters()), dict(new.unet.named_parameters())
    wide = "class_embedding.linear_1.weight"
    assert torch.equal(after[wide], pad(before[wide], (0, CAMERA_FEATURES)))
    assert all(torch.equal(after[name], p) for name, p in before.items() if name != wide)
    assert all(torch.equal(new.average[name], p) for name, p in after.items())


def test_zero_columns_reproduce_version_0_with_and_without_camera(settings, version_0):
    """1e-6: a longer sum may be rounded otherwise."""
    kept = replace(settings, start=str(version_0))
    new, old = Training(kept, CPU, read_start(kept)), replace(EMOJI, start=str(version_0))
    old = Training(old, CPU, read_start(old))
    rng = torch.Generator().manual_seed(0)
    noisy, tokens = torch.randn(4, 48 + 96, 8, 8, generator=rng), torch.randn(4, 16, 384, generator=rng)
    pooled, t = torch.randn(4, 384, generator=rng), torch.tensor([5, 300, 700, 999])
    camera = camera_features(turntable(4, elevation=20.0, distance=2.8, field_of_view=45.0))
    with torch.no_grad():
        expected = old.unet(noisy, t, encoder_hidden_states=tokens, class_labels=pooled).sample
        for told in (camera, torch.zeros_like(camera)):
            vector = torch.cat([pooled, told], dim=1)
            found = new.unet(noisy, t, encoder_hidden_states=tokens, class_labels=vector).sample
            torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_the_start_is_the_packaged_prior_where_there_is_a_world(settings):
    assert read_start(settings) is None and read_start(EMOJI) is None
    found = read_start(replace(settings, start=""))
    assert found is not None and found.folder == embedded_folder()


@pytest.mark.parametrize("what", ["missing", "other", "damaged"])
def test_a_start_that_is_no_prior_is_refused_in_one_sentence(settings, version_0, tmp_path, what):
    folder = version_0 if what == "damaged" else tmp_path / what
    if what == "other":
        folder.mkdir()
        (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    if what == "damaged":
        weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(SettingError, match=r"which is no embedded prior .*: give the folder `prior`") as refused:
        read_start(replace(settings, start=str(folder)))
    assert "\n" not in str(refused.value) and str(folder) in str(refused.value)


def test_a_start_of_another_network_is_refused(settings, version_0):
    wider = replace(settings, start=str(version_0), channels=(32, 64))
    with pytest.raises(SettingError, match=r"differs from the network of these settings at .*: give its channels"):
        Training(wider, CPU, read_start(wider))
    with_cameras = Training(settings, CPU)
    export(with_cameras, version_0.parent / "v1")
    narrower = replace(EMOJI, start=str(version_0.parent / "v1"))
    with pytest.raises(SettingError, match="differs from the network"):
        Training(narrower, CPU, read_start(narrower))


def test_the_draft_network_of_the_start_is_kept_without_steps(settings, mixture, version_0):
    folder = version_0.parent / "with-cameras"
    export(Training(settings, CPU), folder)
    kept = replace(settings, start=str(folder), draft_steps=0, seed=5)
    training = Training(kept, CPU, read_start(kept))
    fit_draft(training.draft, mixture, words, kept)
    expected = load_draft(folder / DRAFT, CAMERA_FEATURES).state_dict()
    assert all(torch.equal(p, expected[name]) for name, p in training.draft.state_dict().items())
    with pytest.raises(SettingError, match="random weights have no draft network to keep: give steps"):
        read_start(replace(kept, start=SCRATCH))
    wider = replace(kept, draft_hidden=48)
    with pytest.raises(SettingError, match=r"draft_steps is 0, but .* has no draft network of these settings"):
        Training(wider, CPU, read_start(wider))


class TwoViews(AbstractSource):
    """One caption; the picture, or its middle, is red from the front and blue from the back."""

    def __init__(self, told=True, edge=0):
        self.edge = edge
        around = camera_features(turntable(2, elevation=10.0, distance=3.0, field_of_view=25.0))
        self.camera = around if told else torch.zeros_like(around)

    def draw(self, count, rng, *, plain=False):
        back = torch.randint(2, (count,), generator=rng)
        rgba = torch.zeros(count, 4, 32, 32)
        rgba[:, 3], rgba[:, 0], rgba[:, 2] = 1.0, (1.0 - back)[:, None, None], back[:, None, None].float()
        inner = torch.zeros(32, 32)
        inner[self.edge : 32 - self.edge, self.edge : 32 - self.edge] = 1.0
        rgba *= inner
        return Drawn(rgba, ["a thing"] * count, self.camera[back], torch.zeros(count, dtype=torch.bool))


VARIANCE = 2 / 3
"""Of the two pictures in [-1, 1]: red and blue are +-1, green is the same."""


def test_the_draft_learns_to_tell_two_views_apart_by_the_camera_alone(settings):
    short = replace(settings, draft_steps=300)
    told, untold = (
        fit_draft(new_draft(short), Mixture((TwoViews(flag, edge=8),), (1.0,), short), words, short)
        for flag in (True, False)
    )
    variance = VARIANCE / 4  # a quarter of the picture is red or blue
    assert told < 0.3 * variance and untold > 0.9 * variance


def test_the_network_learns_to_tell_two_views_apart_by_the_camera_alone(settings):
    """At pure noise the best prediction without a camera is the mean of both views, whose error is their variance."""
    quick = replace(
        settings, batch=4, warm_up=1, steps=150, decay=75, learning_rate=1e-3, time_power=0.01, caption_drop=0.0
    )
    training = Training(quick, CPU)
    with torch.no_grad():
        for p in training.draft.parameters():
            p.zero_()  # no help from a draft
    training.draft.requires_grad_(False)
    mixture = Mixture((TwoViews(),), (1.0,), quick)
    for _ in range(quick.steps):
        training.advance(mixture, words)
    batch = mixture.batch(torch.Generator().manual_seed(1), words, CPU)
    shown = torch.zeros(4, 48 + 96, 8, 8)
    shown[:, :48].normal_(generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        found = training.unet(
            shown, torch.full((4,), 999), encoder_hidden_states=batch.tokens, class_labels=batch.pooled
        ).sample
    error = (found - pixel_unshuffle(batch.pictures, 4)).square().mean()
    assert float(error) < 0.5 * VARIANCE


def test_draft_network_learns_the_pictures(emoji_alone):
    learned = replace(EMOJI, draft_steps=400, draft_examples=64, draft_hidden=128)
    rng = torch.Generator().manual_seed(0)
    spread = float(draft_examples(emoji_alone, 128, words, rng)[1].float().var(0).mean())
    draft = new_draft(learned)
    assert fit_draft(draft, emoji_alone, words, learned) < 0.5 * spread
    assert not any(p.requires_grad for p in draft.parameters())


def test_times_favour_high_noise_as_stated():
    """P(t < 500) = (1/2)^(1/0.7) for t = 1000 u^0.7; 20,000 draws, 5 standard errors."""
    t = draw_times(20_000, 0.7, torch.Generator().manual_seed(0))
    expected = 0.5 ** (1 / 0.7)
    assert abs(float((t < 500).float().mean()) - expected) < 5 * (expected * (1 - expected) / 20_000) ** 0.5
    assert int(t.min()) >= 0 and int(t.max()) <= 999


def test_the_loss_is_the_weighted_error_of_the_clean_picture():
    """A network that returns zeros: `min(1 / sigma^2, 5) mean(x^2)` for each picture."""

    class Zeros(torch.nn.Module):
        def forward(self, x, t, **_):
            class Result:
                sample = torch.zeros(len(x), 48, 8, 8)

            return Result

    bar = torch.linspace(0.999, 0.001, 1000)
    batch = Batch(torch.full((6, 3, 32, 32), 0.5), torch.zeros(6, 16, 384), torch.zeros(6, 384), torch.zeros(6, 384),
                  torch.ones(6), torch.zeros(6, dtype=torch.bool))  # fmt: skip
    noisy = add_noise(new_draft(EMOJI), batch, bar, EMOJI, torch.Generator().manual_seed(0))
    torch.testing.assert_close(denoising_losses(Zeros(), noisy), 0.25 * (1 / (1 - bar[noisy.t])).clamp(max=5))


def test_a_mirrored_picture_comes_with_a_mirrored_draft():
    pooled = torch.randn(1, 384, generator=torch.Generator().manual_seed(0)).expand(2, -1)
    batch = Batch(
        torch.zeros(2, 3, 32, 32), torch.zeros(2, 16, 384), pooled, pooled, torch.ones(2), torch.tensor([False, True])
    )
    noisy = add_noise(new_draft(EMOJI), batch, torch.rand(1000), EMOJI, torch.Generator().manual_seed(0))
    first, second = pixel_shuffle(noisy.inputs[:, 48:], 4).unflatten(1, (2, 3)).unbind()
    torch.testing.assert_close(first[0], second[1])  # draft and mirror image have changed places
    torch.testing.assert_close(first[0], second[0].flip(-1))


@pytest.mark.parametrize("workers", [2, 3, 8])
def test_threads_that_share_a_batch_give_the_gradients_of_the_whole(workers):
    """The mean over 5 pictures, in parts of unequal size; float64, so that only an error of the parts can show."""
    unet = new_unet(EMOJI).double()
    rng = torch.Generator().manual_seed(0)
    noisy = NoisyBatch(
        torch.randn(5, 48 + 96, 8, 8, generator=rng).double(),
        torch.randint(0, 1000, (5,), generator=rng),
        torch.randn(5, 16, 384, generator=rng).double(),
        torch.randn(5, 384, generator=rng).double(),
        torch.randn(5, 48, 8, 8, generator=rng).double(),
        torch.rand(5, generator=rng).double(),
    )
    losses, gradients = mean_loss_gradients(unet, noisy, 1)
    shared, parts = mean_loss_gradients(unet, noisy, workers)
    torch.testing.assert_close(shared, losses)
    for one, other in zip(gradients, parts, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
    denoising_losses(unet, noisy).mean().backward()
    for parameter, gradient in zip(unet.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-12)


def test_losses_are_told_apart_by_noise():
    meter = LossMeter()
    meter.add(torch.tensor([1.0, 3.0, 10.0]), torch.tensor([0, 199, 999]))
    meter.add(torch.tensor([4.0]), torch.tensor([200]))
    assert meter.by_noise == [2.0, 4.0, None, None, 10.0] and meter.mean == 4.5
    meter.clear()
    assert meter.by_noise == [None] * 5


def test_unet_of_the_packaged_prior_has_the_usual_configuration():
    from lodestone.data.training.network import unet_configuration
    from lodestone.data.training.settings import TrainingSettings
    from lodestone.pretrained import read_json

    stored = read_json(embedded_folder() / "unet" / "config.json")
    for name, value in unet_configuration(TrainingSettings(world="views")).items():
        assert stored[name] == (list(value) if isinstance(value, tuple) else value), name
    assert new_unet(EMOJI).config.sample_size == 8
