"""Training of the embedded prior, on a network small enough for a test."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from lodestone.data.captions import vary, with_article
from lodestone.data.emoji import composite, load_emoji
from lodestone.data.train_prior import (
    Captions,
    PictureSource,
    Training,
    TrainingSettings,
    augment,
    draw_times,
    fit_draft,
    learning_rate,
)
from lodestone.errors import SettingError
from lodestone.priors.embedded import load_embedded

TINY = TrainingSettings(
    steps=4, batch=2, warm_up=2, decay=2, channels=(32, 32), caption_variants=2, draft_steps=150, draft_hidden=32
)


@pytest.fixture
def source():
    """Twelve pictures with random captions."""
    rng = torch.Generator().manual_seed(0)
    rgba = load_emoji().rgba[:12].float() / 255
    premultiplied = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], dim=1)
    captions = Captions(torch.randn(12, 2, 16, 384, generator=rng), torch.randn(12, 2, 384, generator=rng))
    return PictureSource(premultiplied, torch.full((12,), 1 / 12), captions, TINY)


def trained(source, steps, folder=None):
    training = Training(TINY, torch.device("cpu"))
    fit_draft(training.draft, source, TINY)
    for _ in range(steps):
        training.advance(source)
    if folder:
        training.save(folder)
    return training


def test_resumed_training_equals_undisturbed_training_to_the_bit(source, tmp_path):
    whole = trained(source, 4)
    trained(source, 2, tmp_path)
    resumed = Training(TINY, torch.device("cpu"))
    resumed.restore(tmp_path)
    resumed.draft.requires_grad_(False)
    for _ in range(2):
        resumed.advance(source)
    for name, tensor in whole.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name]), name


def test_exported_folder_is_a_prior(source, tmp_path):
    training = trained(source, 1, tmp_path)
    prior = load_embedded(tmp_path / "prior", device=torch.device("cpu"))
    assert prior.image_size == 64 and prior.denoiser.latent_shape == (48, 16, 16)
    kept = dict(prior.denoiser.named_parameters())
    for name, average in training.average.items():
        place = f"network.{name}".replace("network.class_embedding", "pooled_embedding")
        torch.testing.assert_close(kept[place], average.half().float())


def test_another_network_is_refused(source, tmp_path):
    trained(source, 1, tmp_path)
    other = Training(replace(TINY, channels=(32, 64)), torch.device("cpu"))
    with pytest.raises(SettingError, match="another network"):
        other.restore(tmp_path)


def test_draft_network_learns_the_pictures(source):
    training = Training(TINY, torch.device("cpu"))
    spread = float((2 * source.premultiplied[:, :3] - 1).var(0).mean())
    assert fit_draft(training.draft, source, replace(TINY, draft_steps=400)) < 0.5 * spread


def test_dropped_captions_are_all_zero(source):
    dropped = replace(source, settings=replace(TINY, caption_drop=1.0))
    batch = dropped.draw(torch.Generator().manual_seed(0))
    assert not batch.tokens.any() and not batch.pooled.any() and not batch.kept.any()


def test_learning_rate_rises_stays_and_falls_to_zero():
    settings = TrainingSettings(steps=100, warm_up=10, decay=20, learning_rate=1.0)
    rates = [learning_rate(step, settings) for step in range(101)]
    assert rates[0] == 0.1 and rates[9] == rates[80] == 1.0 and rates[100] == 0.0
    assert all(a >= b for a, b in pairwise(rates[80:]))


def test_times_favour_high_noise_as_stated():
    """P(t < 500) = (1/2)^(1/0.7) for t = 1000 u^0.7; 20,000 draws, 5 standard errors."""
    t = draw_times(20_000, 0.7, torch.Generator().manual_seed(0))
    expected = 0.5 ** (1 / 0.7)
    assert abs(float((t < 500).float().mean()) - expected) < 5 * (expected * (1 - expected) / 20_000) ** 0.5
    assert int(t.min()) >= 0 and int(t.max()) <= 999


def test_augmentation_keeps_transparent_surroundings_transparent():
    picture = torch.zeros(8, 4, 64, 64)
    picture[:, :, 24:40, 24:40] = 1.0
    moved, _ = augment(picture, torch.Generator().manual_seed(0))
    border = torch.cat([moved[:, :, 0].flatten(), moved[:, :, -1].flatten(), moved[..., 0].flatten()])
    assert not border.any()
    areas = moved[:, 3].sum((1, 2))
    assert ((areas > 0.85 * 256) & (areas < 1.2 * 256)).all()


def test_augmentation_says_which_pictures_are_mirrored():
    """A picture whose left half alone is opaque keeps its weight on the left exactly if it is not mirrored."""
    picture = torch.zeros(64, 4, 64, 64)
    picture[:, :, 16:48, 8:28] = 1.0
    moved, mirrored = augment(picture, torch.Generator().manual_seed(0))
    left = moved[:, 3, :, :32].sum((1, 2)) > moved[:, 3, :, 32:].sum((1, 2))
    assert torch.equal(left, ~mirrored) and 16 < int(mirrored.sum()) < 48


def test_captions_vary_but_name_the_picture():
    from random import Random

    texts = {vary("hamburger", ("burger", "food"), Random(seed)) for seed in range(60)}
    assert len(texts) > 10 and all("hamburger" in text for text in texts)
    assert with_article("apple") == "an apple" and with_article("man in suit levitating") == "man in suit levitating"


def test_shipped_pictures_are_whole():
    emoji = load_emoji()
    assert len(emoji) == len(set(emoji.names)) == 1852
    assert emoji.rgba.shape == (1852, 4, 64, 64)
    assert (emoji.rgba[:, 3].amax((1, 2)) > 200).all()
    torch.testing.assert_close(emoji.embeddings.norm(dim=1), torch.ones(1852), atol=1e-3, rtol=0)


def test_compositing_is_linear_in_the_background():
    rgba = load_emoji().rgba[:3]
    black, white = composite(rgba, torch.zeros(3, 3)), composite(rgba, torch.ones(3, 3))
    torch.testing.assert_close(composite(rgba, torch.full((3, 3), 0.25)), 0.75 * black + 0.25 * white)
