"""Prompt settings, and a prompt encoded once for all views."""

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.prompts.conditioning import Conditioning
from lodestone.prompts.prompt import LONGEST_TEXT, EncodedPrompt, PromptSettings
from lodestone.prompts.text_encoder import AbstractTextEncoder
from lodestone.prompts.view_dependent import ViewWording
from lodestone.rendering.cameras import Viewpoints


class Numbers(AbstractTextEncoder):
    """Encodes each distinct text as its number in the order of arrival."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def encode(self, texts: list[str]) -> Conditioning:
        self.calls.append(texts)
        return Conditioning(tokens=torch.arange(len(texts)).float()[:, None, None])


def viewpoints(azimuth: list[float], elevation: list[float]) -> Viewpoints:
    full = torch.ones(len(azimuth))
    return Viewpoints(
        azimuth=torch.tensor(azimuth), elevation=torch.tensor(elevation), distance=full, field_of_view=full
    )


def test_each_viewpoint_gets_its_wording_and_everything_is_encoded_once() -> None:
    encoder = Numbers()
    prompt = EncodedPrompt.encode(PromptSettings("a fox", negative="blurry"), encoder)
    (texts,) = encoder.calls
    assert texts == [*ViewWording().word("a fox"), "", "blurry"]
    known = prompt.for_viewpoints(viewpoints([0.0, 180.0, 90.0, 0.0, 10.0], [0.0, 0.0, 0.0, 80.0, 0.0]))
    said = [texts[int(number)] for number in known.positive.tokens[:, 0, 0]]
    assert said == ["a fox" + word for word in (", front view", ", back view", ", side view", ", overhead view")] + [
        "a fox, front view"
    ]
    assert known.null.tokens.shape == (5, 1, 1) and texts[int(known.null.tokens[0])] == ""
    assert known.negative is not None and texts[int(known.negative.tokens[4])] == "blurry"


def test_a_plain_prompt_is_the_same_from_everywhere() -> None:
    encoder = Numbers()
    prompt = EncodedPrompt.encode(PromptSettings("a fox", view_dependent=False), encoder)
    assert encoder.calls == [["a fox", ""]]
    known = prompt.for_viewpoints(viewpoints([0.0, 180.0], [0.0, 90.0]))
    assert known.positive.tokens.flatten().tolist() == [0.0, 0.0]
    assert known.negative is None and len(prompt.directions) == 4 and len(prompt.null) == 1


def test_other_wording_is_used() -> None:
    encoder = Numbers()
    EncodedPrompt.encode(PromptSettings("a fox"), encoder, ViewWording(front_suffix=" en face"))
    assert encoder.calls[0][0] == "a fox en face"


@pytest.mark.parametrize("text", ["", "   ", "\n\t"])
def test_an_empty_prompt_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="prompt is empty"):
        PromptSettings(text)


def test_texts_have_a_limit() -> None:
    PromptSettings("x" * LONGEST_TEXT, negative="x" * LONGEST_TEXT)
    with pytest.raises(SettingError, match=r"^the prompt has 1001 characters.*1000"):
        PromptSettings("x" * 1001)
    with pytest.raises(SettingError, match=r"^the negative prompt has 1002 characters.*1000"):
        PromptSettings("x", negative="x" * 1002)


AROUND = [0.0, 45.0, 90.0, 135.0, 180.0, -60.0]


def test_perp_neg_interpolates_the_wordings_and_opposes_front_and_side() -> None:
    """The rows are encoded as 0 front, 1 side, 2 back, 3 overhead, so that a mixture is a number between them."""
    encoder = Numbers()
    prompt = EncodedPrompt.encode(PromptSettings("a fox", perp_neg=True), encoder)
    assert len(encoder.calls) == 1
    views = viewpoints([*AROUND, 30.0], [0.0] * 6 + [80.0])
    known = prompt.for_viewpoints(views)
    expected = torch.tensor([0.0, 0.5, 1.0, 1.5, 2.0, 2 / 3, 3.0])
    torch.testing.assert_close(known.positive.tokens.flatten(), expected)
    front, side = known.opposed
    assert front.conditioning.tokens.flatten().tolist() == [0.0] * 7
    assert side.conditioning.tokens.flatten().tolist() == [1.0] * 7
    between = ViewWording().interpolate(views)
    assert torch.equal(front.weight, between.front) and torch.equal(side.weight, between.side)
    assert (front.weight[:6] < 0).all() and front.weight[6] == 0 and side.weight[6] == 0


def test_without_perp_neg_nothing_is_opposed() -> None:
    prompt = EncodedPrompt.encode(PromptSettings("a fox"), Numbers())
    assert prompt.for_viewpoints(viewpoints(AROUND, [0.0] * 6)).opposed == ()


def test_perp_neg_survives_a_move_and_keeps_the_negative_prompt() -> None:
    prompt = EncodedPrompt.encode(PromptSettings("a fox", negative="blurry", perp_neg=True), Numbers())
    known = prompt.map(torch.Tensor.double).for_viewpoints(viewpoints(AROUND, [0.0] * 6))
    assert known.positive.tokens.dtype is torch.float64 and len(known.opposed) == 2
    assert known.negative is not None and known.baseline is known.negative
    assert all(part.weight.count_nonzero() == 0 for part in prompt.conditioning().opposed)  # no view, no strength


def test_perp_neg_needs_views() -> None:
    with pytest.raises(
        SettingError, match=r"^prompt\.perp_neg needs wordings for each view: set prompt\.view_dependent"
    ):
        PromptSettings("a fox", view_dependent=False, perp_neg=True)


def test_a_mixture_is_made_row_by_row_of_every_tensor() -> None:
    rng = torch.Generator().manual_seed(0)
    first, second = (
        Conditioning(tokens=torch.randn(3, 2, 4, generator=rng), pooled=torch.randn(3, 5, generator=rng))
        for _ in range(2)
    )
    mixed = first.mix(second, torch.tensor([1.0, 0.25, 0.0]))
    assert first.pooled is not None and second.pooled is not None and mixed.pooled is not None
    for found, one, two in ((mixed.tokens, first.tokens, second.tokens), (mixed.pooled, first.pooled, second.pooled)):
        assert torch.equal(found[0], one[0]) and torch.equal(found[2], two[2])
        torch.testing.assert_close(found[1], 0.25 * one[1] + 0.75 * two[1])
    half = first.map(torch.Tensor.half).mix(second.map(torch.Tensor.half), torch.ones(3))
    assert half.tokens.dtype is torch.float16
    with pytest.raises(ValueError, match="pooled"):
        first.mix(Conditioning(tokens=second.tokens), torch.ones(3))
