"""The camera as part of the conditioning."""

import math
from dataclasses import replace

import pytest
import torch

from lodestone.prompts.cache import CachedTextEncoder
from lodestone.prompts.camera import SPOKEN, CameraConditioner, SpokenCamera, camera_features
from lodestone.prompts.conditioning import Conditioning
from lodestone.prompts.draft import DraftedText, draft_channels
from lodestone.prompts.prompt import EncodedPrompt, PromptSettings
from lodestone.prompts.solid_draft import SolidDraft
from lodestone.prompts.text_encoder import AbstractTextEncoder
from lodestone.prompts.view_dependent import Direction, ViewWording
from lodestone.rendering.cameras import Viewpoints, turntable


class Words(AbstractTextEncoder):
    """Random numbers for each text, zeros for the empty one."""

    def encode(self, texts: list[str]) -> Conditioning:
        rows = [torch.randn(5, 6, generator=torch.Generator().manual_seed(sum(map(ord, text)))) for text in texts]
        states = torch.stack([row * bool(text) for row, text in zip(rows, texts, strict=True)])
        return Conditioning(tokens=states[:, :4], pooled=states[:, 4])


@pytest.fixture
def draft() -> SolidDraft:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SolidDraft(6, 16).eval().requires_grad_(False)


@pytest.fixture
def encoder(draft: SolidDraft) -> AbstractTextEncoder:
    return CachedTextEncoder(
        "words", lambda: DraftedText(SpokenCamera(Words()), draft, 8), camera=CameraConditioner(draft, 8)
    )


VIEWS = turntable(4, elevation=20.0, distance=2.8, field_of_view=45.0)


def test_features_by_hand() -> None:
    shown = math.log(2.0 * math.tan(math.radians(25.0)))
    one = torch.tensor([30.0])
    at = Viewpoints(azimuth=one, elevation=-one, distance=one / 15, field_of_view=one + 20)
    expected = [0.5, math.sqrt(3) / 2, math.sqrt(3) / 2, 0.5, -0.5, math.sqrt(3) / 2, shown, 1.0]
    torch.testing.assert_close(camera_features(at)[0], 4 * torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_a_full_turn_changes_nothing_and_a_smaller_one_something() -> None:
    turned = replace(VIEWS, azimuth=VIEWS.azimuth - 720)
    torch.testing.assert_close(camera_features(turned), camera_features(VIEWS), atol=1e-4, rtol=0)
    around = camera_features(turntable(36, elevation=0.0, distance=2.8, field_of_view=45.0))
    distances = torch.cdist(around, around) + 1e9 * torch.eye(36)
    torch.testing.assert_close(distances.min(1).values, distances.min(1).values[0].expand(36), atol=1e-3, rtol=0)


def test_the_prompt_tells_each_view_its_camera(encoder: AbstractTextEncoder, draft: SolidDraft) -> None:
    known = EncodedPrompt.encode(PromptSettings("a fox", negative="blurry", source="a cat"), encoder)
    told = known.for_viewpoints(VIEWS)
    camera = camera_features(VIEWS)
    for part in (told.positive, told.source):
        assert part is not None and part.pooled is not None and part.picture is not None
        assert torch.equal(part.pooled[:, 6:], camera)
        assert part.draft_words is not None
        drawn = draft(torch.cat([part.draft_words, camera], dim=1))
        torch.testing.assert_close(part.picture, draft_channels(drawn, 8))
    words = Words().encode(["a fox"] * 4)
    assert told.positive.pooled is not None and words.pooled is not None
    assert torch.equal(told.positive.pooled[:, :6], words.pooled)
    assert torch.equal(told.positive.tokens, words.tokens)
    for part in (told.null, told.negative):
        assert part is not None and part.pooled is not None and not part.pooled[:, 6:].any()
    assert told.null.picture is not None and not told.null.picture.any()
    Conditioning.concatenate([told.positive, told.null])  # what every estimator does


def test_the_camera_alone_may_tell_the_view_or_the_words_alone(encoder: AbstractTextEncoder) -> None:
    camera = EncodedPrompt.encode(PromptSettings("a fox", view_dependent=False), encoder).for_viewpoints(VIEWS).positive
    words = EncodedPrompt.encode(PromptSettings("a fox", camera=False), encoder).for_viewpoints(VIEWS).positive
    assert camera.pooled is not None and words.pooled is not None
    assert (camera.tokens == camera.tokens[:1]).all() and (words.tokens == words.tokens[:1]).all()
    assert torch.equal(camera.pooled[:, 6:], camera_features(VIEWS))
    assert torch.equal(words.pooled[:, 6:], camera_features(SPOKEN)[[0, 1, 2, 1]])
    assert words.picture is not None and torch.equal(words.picture[1], words.picture[3])
    assert not torch.allclose(words.picture[0], words.picture[2])


def test_words_for_a_view_mean_a_camera_in_the_middle_of_its_direction() -> None:
    assert ViewWording().direction(replace(SPOKEN, elevation=SPOKEN.elevation + 1)).tolist() == list(Direction)
    encoder = SpokenCamera(Words())
    untold, told, empty = encoder.encode(["a fox", "a fox, back view", ""]).tokens
    assert torch.equal(untold, told) and not empty.any()
    pooled = encoder.encode(["a fox", "a fox, back view", ""]).pooled
    assert pooled is not None and not pooled[[0, 2], 6:].any()
    assert torch.equal(pooled[1, 6:], camera_features(SPOKEN)[2])


def test_a_prior_without_cameras_ignores_the_setting() -> None:
    prompts = (EncodedPrompt.encode(PromptSettings("a fox", camera=flag), Words()) for flag in (True, False))
    one, two = (prompt.for_viewpoints(VIEWS).positive for prompt in prompts)
    assert one.pooled is not None and two.pooled is not None and torch.equal(one.pooled, two.pooled)


def test_perp_neg_opposes_the_cameras_of_other_wordings(encoder: AbstractTextEncoder) -> None:
    prompt = EncodedPrompt.encode(PromptSettings("a fox", perp_neg=True), encoder)
    told = prompt.for_viewpoints(VIEWS)
    assert told.positive.pooled is not None and torch.equal(told.positive.pooled[:, 6:], camera_features(VIEWS))
    front, side = (part.conditioning.pooled for part in told.opposed)
    spoken = camera_features(SPOKEN)
    assert front is not None and torch.equal(front[:, 6:], spoken[:1].expand(4, -1))
    assert side is not None and torch.equal(side[:, 6:], spoken[1:2].expand(4, -1))
    Conditioning.concatenate([told.positive, told.null, *(part.conditioning for part in told.opposed)])


def test_a_moved_prompt_keeps_its_dtype(encoder: AbstractTextEncoder) -> None:
    prompt = EncodedPrompt.encode(PromptSettings("a fox"), encoder).map(torch.Tensor.double)
    told = prompt.for_viewpoints(VIEWS).positive
    assert told.pooled is not None and told.pooled.dtype is torch.float64
    assert told.picture is not None and told.picture.dtype is torch.float64


def test_what_is_cached_tells_no_camera(encoder: AbstractTextEncoder) -> None:
    first = encoder.encode(["a fox"])
    EncodedPrompt.encode(PromptSettings("a fox", view_dependent=False), encoder).for_viewpoints(VIEWS)
    again = encoder.encode(["a fox"])
    assert first.pooled is not None and again.pooled is not None and torch.equal(first.pooled, again.pooled)
    assert not again.pooled[:, 6:].any()


def test_a_prior_without_drafts_is_told_cameras_too() -> None:
    rows = SpokenCamera(Words()).encode(["a fox"]).expand(4)
    told = CameraConditioner(None, 8)(rows, VIEWS)
    assert told.picture is None and told.pooled is not None and torch.equal(told.pooled[:, 6:], camera_features(VIEWS))
