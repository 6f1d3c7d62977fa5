"""The frozen classifier."""

from pathlib import Path

import pytest
import torch

from lodestone.data.emoji import composite, load_emoji
from lodestone.errors import SettingError
from lodestone.evaluation import efficientnet
from lodestone.evaluation.efficientnet import EfficientNetLite0, load_efficientnet

# ImageNet classes that some of the shipped pictures belong to
CLASSES = {"teapot": 849, "strawberry": 949, "pretzel": 932, "flamingo": 130, "panda": 388, "accordion": 401}


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return load_efficientnet()


def pictures(names: list[str]) -> torch.Tensor:
    """The named pictures on white."""
    emoji = load_emoji()
    return composite(emoji.rgba[[emoji.names.index(name) for name in names]], torch.ones(len(names), 3))


def test_size(network: EfficientNetLite0) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_652_008
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_features_and_logits(network: EfficientNetLite0) -> None:
    images = pictures(["teapot", "panda"])
    features = network.features(images)
    assert features.shape == (2, 1280)
    torch.testing.assert_close(network(images), features @ network.fc.weight.T + network.fc.bias)


def test_features_are_deterministic(network: EfficientNetLite0) -> None:
    images = pictures(["teapot"])
    assert torch.equal(network.features(images), network.features(images))


def test_pictures_are_resized_to_the_input_first(network: EfficientNetLite0) -> None:
    images = pictures(["teapot"])
    resized = torch.nn.functional.interpolate(images, (224, 224), mode="bilinear", antialias=True)
    assert torch.equal(network.features(images), network.features(resized))


def test_known_classes_are_far_above_chance(network: EfficientNetLite0) -> None:
    logits = network(pictures(list(CLASSES)))
    places = [int((row >= row[index]).sum()) for row, index in zip(logits, CLASSES.values(), strict=True)]
    assert sorted(places)[len(places) // 2] <= 10, dict(zip(CLASSES, places, strict=True))


def test_gradients_reach_the_pixels(network: EfficientNetLite0) -> None:
    images = pictures(["teapot"]).requires_grad_()
    network(images)[0, 849].backward()
    assert images.grad is not None
    assert bool(images.grad.isfinite().all())
    assert bool(images.grad.any())


def test_odd_padding_goes_to_the_bottom_right() -> None:
    convolution = efficientnet.SameConv2d(1, 1, 3, 2, bias=False)
    with torch.no_grad():
        convolution.weight.fill_(1.0)
        seen = convolution(torch.ones(1, 1, 4, 4))[0, 0]
    assert seen.tolist() == [[9, 6], [6, 4]]


def test_other_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pth"
    monkeypatch.setattr(efficientnet, "weights_path", lambda: path)
    for prepare in (lambda: None, lambda: path.write_bytes(b"something else")):
        prepare()
        with pytest.raises(SettingError, match="missing or altered"):
            load_efficientnet()


def test_a_missing_package_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingError, match="weights that are not installed"):
        load_efficientnet()
