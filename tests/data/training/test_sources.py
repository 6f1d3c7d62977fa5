"""What training draws: pictures, captions, cameras, in the shares that are promised."""

from dataclasses import replace
from random import Random

import pytest
import torch
from training_tools import CPU, EMOJI, words

from lodestone.data.captions import vary, with_article
from lodestone.data.emoji import composite, load_emoji
from lodestone.data.training.mixture import Mixture, open_mixture, white
from lodestone.data.training.sources import AbstractSource, EmojiSource, augment, open_world, premultiplied
from lodestone.data.worlds.cache import ViewSettings, read_cache, write_cache
from lodestone.data.worlds.world import World, is_held_out
from lodestone.errors import SettingError
from lodestone.prompts.camera import CAMERA_FEATURES, camera_features
from lodestone.prompts.view_dependent import ViewWording
from lodestone.rendering.cameras import Viewpoints

SUFFIXES = tuple(ViewWording().word(""))


def near(share, expected, count):
    """Within five standard errors of a binomial share."""
    assert abs(share - expected) < 5 * (expected * (1 - expected) / count) ** 0.5 + 1e-9


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_mixture_has_the_promised_shares(mixture):
    """4,000 draws of two data sets, one of zeros and one of ones."""

    class Marked(AbstractSource):
        def __init__(self, value):
            self.value = value

        def draw(self, count, rng, *, plain=False):
            drawn = mixture.sources[0].draw(1, rng, plain=True)
            return replace(
                drawn,
                rgba=torch.full((count, 4, 2, 2), self.value),
                texts=[""] * count,
                camera=torch.zeros(count, 8),
                mirrored=torch.zeros(count, dtype=torch.bool),
            )

    drawn = Mixture((Marked(0.0), Marked(1.0)), (0.3, 0.7), mixture.settings).draw(4000, rng())
    near(float(drawn.rgba.mean()), 0.7, 4000)


def test_world_tells_cameras_in_the_promised_share(mixture, settings):
    """P(camera) = 0.9; half of the captions are plain or more."""
    world = mixture.sources[1]
    drawn = world.draw(4000, rng())
    told = drawn.camera[:, -1] > 0
    near(float(told.float().mean()), 0.9, 4000)
    assert not drawn.camera[~told].any()
    plain = {world.views.caption(row) for row in range(len(world.views))}
    assert sum(text in plain for text in drawn.texts) > 0.3 * 4000


def test_emoji_tell_any_camera_in_the_promised_share(mixture, settings):
    """P(camera) = 0.3, of any azimuth; none without a world, where the other draws stay what they were."""
    emoji = mixture.sources[0]
    camera = emoji.draw(4000, rng()).camera
    told = camera[:, -1] > 0
    near(float(told.float().mean()), 0.3, 4000)
    assert not camera[~told].any()
    assert float(camera[told, :2].mean(0).norm()) < 4 * 5 / float(told.sum()) ** 0.5
    alone = replace(emoji, settings=replace(settings, world=""))
    assert alone.draw(4, rng()).camera.shape == (4, 0)
    assert torch.equal(alone.draw(4, rng()).rgba, emoji.draw(4, rng()).rgba)


def test_the_camera_is_that_of_the_view(mixture):
    """The picture is found among the views by its pixels; its camera is what is told."""
    source = mixture.sources[1]
    drawn = source.draw(60, rng())
    views = source.views
    rgba = premultiplied(views.rgba.flatten(0, 1).float() / 255)
    for picture, camera in zip(drawn.rgba, drawn.camera, strict=True):
        (found,) = (rgba - picture).abs().amax((1, 2, 3)).eq(0).nonzero()[:1]
        row, column = divmod(int(found), 3)
        at = Viewpoints(
            azimuth=views.azimuth[row, column, None], elevation=views.elevation[row, column, None],
            distance=views.distance[row, column, None], field_of_view=views.field_of_view[row, column, None],
        )  # fmt: skip
        if camera.any():
            assert torch.equal(camera, camera_features(at)[0])


def test_held_out_captions_are_never_drawn(mixture):
    views = mixture.sources[1].views
    assert not any(map(is_held_out, views.attributes))
    held_out = set(World(0).captions(3, held_out=True))
    drawn = mixture.draw(500, rng())
    assert not set(drawn.texts) & held_out


def test_a_cache_of_held_out_captions_is_refused(tmp_path, settings):
    write_cache(tmp_path, World(0), ViewSettings(views=1, size=32), scenes=24, held_out=True, workers=1)
    with pytest.raises(SettingError, match="holds held-out captions"):
        open_world(replace(settings, world=str(tmp_path)))


def test_a_cache_of_another_size_is_refused(settings, cache):
    with pytest.raises(SettingError, match=r"have 32 pixels a side and training\.size is 64"):
        open_world(replace(settings, size=64))


def test_a_cache_of_another_version_is_refused(settings, monkeypatch):
    monkeypatch.setattr("lodestone.data.worlds.world.CATEGORIES", {"mug": None})
    with pytest.raises(SettingError, match="was made by a world with other categories: delete it") as refused:
        open_mixture(settings)
    assert "\n" not in str(refused.value)


def test_a_folder_without_cache_is_refused(settings, tmp_path):
    with pytest.raises(SettingError, match="there is no view cache"):
        open_mixture(replace(settings, world=str(tmp_path)))


def test_of_dropped_pictures_neither_caption_nor_camera_is_told(mixture, settings):
    dropped = replace(mixture, settings=replace(settings, caption_drop=1.0))
    batch = dropped.batch(rng(), words, CPU)
    assert not batch.tokens.any() and not batch.pooled.any() and not batch.kept.any()
    batch = replace(mixture, settings=replace(settings, batch=600)).batch(rng(), words, CPU)
    near(float(batch.kept.mean()), 0.9, 600)
    assert batch.pooled.shape == (600, 384 + CAMERA_FEATURES)
    assert not batch.pooled[batch.kept == 0].any()
    assert not batch.draft_words[batch.kept == 0].any()
    assert 0.55 < float((batch.pooled[:, -1] > 0).float().mean()) < 0.72  # 0.9 (0.7 * 0.9 + 0.3 * 0.3)


def test_most_backgrounds_are_white(mixture, settings):
    """The corner of a picture is background, plain and white in 70 %."""
    batch = replace(mixture, settings=replace(settings, batch=1000)).batch(rng(), words, CPU)
    near(float((batch.pictures[:, :, 0, 0] > 0.999).all(1).float().mean()), 0.7, 1000)


def test_without_a_world_no_camera_is_told(emoji_alone):
    batch = emoji_alone.batch(rng(), words, CPU)
    assert batch.pooled.shape == (2, 384) and batch.pictures.shape == (2, 3, 32, 32)


def test_groups_have_their_shares():
    """Solid things are drawn in the promised share; 5,000 draws."""
    emoji = load_emoji()
    source = EmojiSource.of(emoji, EMOJI)
    assert abs(float(source.weights.sum()) - 1) < 1e-4
    solid = torch.tensor([group in ("animals-nature", "food-drink", "objects", "activities", "travel-places")
                          for group in emoji.groups])  # fmt: skip
    chosen = torch.multinomial(source.weights, 5000, replacement=True, generator=rng())
    near(float(solid[chosen].float().mean()), 0.9, 5000)


def test_augmentation_keeps_transparent_surroundings_transparent():
    picture = torch.zeros(8, 4, 64, 64)
    picture[:, :, 24:40, 24:40] = 1.0
    moved, _ = augment(picture, rng())
    border = torch.cat([moved[:, :, 0].flatten(), moved[:, :, -1].flatten(), moved[..., 0].flatten()])
    assert not border.any()
    areas = moved[:, 3].sum((1, 2))
    assert ((areas > 0.85 * 256) & (areas < 1.2 * 256)).all()


def test_augmentation_says_which_pictures_are_mirrored():
    """A picture whose left half alone is opaque keeps its weight on the left exactly if it is not mirrored."""
    picture = torch.zeros(64, 4, 64, 64)
    picture[:, :, 16:48, 8:28] = 1.0
    moved, mirrored = augment(picture, rng())
    left = moved[:, 3, :, :32].sum((1, 2)) > moved[:, 3, :, 32:].sum((1, 2))
    assert torch.equal(left, ~mirrored) and 16 < int(mirrored.sum()) < 48


def test_plain_pictures_are_not_moved(mixture):
    drawn = mixture.sources[0].draw(20, rng(), plain=True)
    assert not drawn.mirrored.any()
    known = mixture.sources[0].rgba
    assert all((known - picture).abs().amax((1, 2, 3)).min() == 0 for picture in drawn.rgba)


def test_captions_vary_but_name_the_picture():
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
    black, white_ = composite(rgba, torch.zeros(3, 3)), composite(rgba, torch.ones(3, 3))
    torch.testing.assert_close(composite(rgba, torch.full((3, 3), 0.25)), 0.75 * black + 0.25 * white_)
    torch.testing.assert_close(white(premultiplied(rgba.float() / 255)), 2 * white_ - 1)


def test_the_cache_has_what_the_source_needs(cache):
    assert read_cache(cache).rgba.shape[1:] == (3, 4, 32, 32)
