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
