"""The embedded prior's loader, on small folders that the training code itself exports."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

from lodestone.cli import main
from lodestone.data.training.export import export
from lodestone.data.training.settings import TrainingSettings
from lodestone.data.training.state import Training
from lodestone.errors import SettingError
from lodestone.pretrained import read_json
from lodestone.priors.choose import open_prior
from lodestone.priors.embedded import embedded_folder, is_embedded, load_embedded, text_encoder
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.camera import CAMERA_FEATURES, camera_features
from lodestone.prompts.conditioning import Conditioning
from lodestone.prompts.prompt import EncodedPrompt, PromptSettings
from lodestone.rendering.cameras import turntable

CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("one_thread")
SETTINGS = TrainingSettings(channels=(32, 64), tokens=12)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as training exports it, with random weights and without cameras; read only."""
    with torch.random.fork_rng(devices=[]):
        training = Training(SETTINGS, CPU)
    folder = tmp_path_factory.mktemp("embedded") / "prior"
    export(training, folder)
    return folder


@pytest.fixture(scope="module")
def with_cameras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of a prior that knows cameras."""
    with torch.random.fork_rng(devices=[]):
        training = Training(replace(SETTINGS, world="any"), CPU)
    folder = tmp_path_factory.mktemp("embedded") / "with-cameras"
    export(training, folder)
    return folder


def copy_small_files(source: Path, target: Path) -> Path:
    """Copies the JSON and links the weights, which the tests do not change."""
    for path in source.rglob("*"):
        if path.is_file():
            new = target / path.relative_to(source)
            new.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".json":
                new.write_bytes(path.read_bytes())
            else:
                new.symlink_to(path)
    return target


def test_an_exported_folder_is_a_prior(exported: Path) -> None:
    prior = load_embedded(exported, device=CPU)
    assert (prior.image_size, prior.denoiser.latent_shape) == (64, (48, 16, 16))
    assert {p.dtype for p in prior.denoiser.parameters()} == {torch.float32}
    torch.testing.assert_close(prior.denoiser.schedule.alphas, NoiseSchedule.cosine().alphas, atol=1e-5, rtol=1e-4)
    pictures = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(prior.autoencoder.decode(prior.autoencoder.encode(pictures)), pictures)


def test_prediction_is_the_network_on_clean_pictures(exported: Path) -> None:
    prior = load_embedded(exported, device=CPU)
    unet = UNet2DConditionModel.from_pretrained(exported / "unet", low_cpu_mem_usage=False).float()
    rng = torch.Generator().manual_seed(0)
    noisy, t = torch.randn(2, 48, 16, 16, generator=rng), torch.tensor([200, 900])
    tokens, pooled = torch.randn(2, 12, 384, generator=rng), torch.randn(2, 384, generator=rng)
    draft = torch.randn(2, unet.config.in_channels - 48, 16, 16, generator=rng)
    with torch.no_grad():
        shown = torch.cat([noisy, draft], dim=1)
        expected = unet(shown, t, encoder_hidden_states=tokens, class_labels=pooled).sample
        clean = prior.denoiser(noisy, t, Conditioning(tokens=tokens, pooled=pooled, picture=draft)).clean
    torch.testing.assert_close(clean, expected, atol=1e-5, rtol=1e-5)


def test_text_becomes_tokens_and_a_pooled_vector(exported: Path) -> None:
    encoder = load_embedded(exported, device=CPU).text_encoder
    encoded = encoder.encode(["a red fox", ""])
    assert encoded.tokens.shape == (2, 12, 384) and encoded.pooled is not None and encoded.pooled.shape == (2, 384)
    assert encoded.tokens[1].abs().max() == 0 and encoded.pooled[1].abs().max() == 0
    assert encoded.tokens[0].abs().max() > 0
    assert encoded.picture is not None and encoded.picture.shape == (2, 24, 16, 16)
    assert encoded.picture[1].abs().max() == 0 and encoded.picture[0].abs().max() > 0
    alone = load_embedded(exported, device=CPU).text_encoder.encode(["a red fox"])
    assert torch.equal(alone.tokens[0], encoded.tokens[0]) and alone.picture is not None
    assert torch.equal(alone.picture[0], encoded.picture[0])


def test_a_folder_without_a_draft_network_is_a_prior(exported: Path, tmp_path: Path) -> None:
    folder = copy_small_files(exported, tmp_path / "plain")
    shutil.rmtree(folder / "unet")
    (folder / "draft.safetensors").unlink()
    config = {key: value for key, value in read_json(exported / "unet" / "config.json").items() if key[0] != "_"}
    with torch.random.fork_rng(devices=[]):
        UNet2DConditionModel(**config | {"in_channels": 48}).half().save_pretrained(folder / "unet")
    prior = load_embedded(folder, device=CPU)
    said = prior.text_encoder.encode(["a red fox"])
    assert said.picture is None
    assert prior.denoiser(torch.randn(1, 48, 16, 16), torch.tensor([5]), said).clean.shape == (1, 48, 16, 16)


def test_a_folder_opens_with_the_loader_that_it_needs(exported: Path) -> None:
    assert is_embedded(exported)
    assert open_prior(str(exported), device=CPU).image_size == 64


VIEWS = turntable(4, elevation=20.0, distance=2.8, field_of_view=45.0)


def test_a_prior_that_knows_cameras_is_told_them(with_cameras: Path) -> None:
    prior = load_embedded(with_cameras, device=CPU)
    prompt = EncodedPrompt.encode(PromptSettings("a red fox", view_dependent=False), prior.text_encoder)
    told, untold = prompt.for_viewpoints(VIEWS).positive, prompt.conditioning().positive
    assert told.pooled is not None and untold.pooled is not None
    assert torch.equal(told.pooled[:, 384:], camera_features(VIEWS)) and not untold.pooled[:, 384:].any()
    noisy = torch.randn(1, 48, 16, 16, generator=torch.Generator().manual_seed(0)).expand(4, -1, -1, -1)
    clean = prior.denoiser(noisy, torch.full((4,), 900), told).clean
    assert not torch.allclose(clean[0], clean[2], atol=1e-4)
    null = prompt.for_viewpoints(VIEWS).null
    assert null.pooled is not None and null.picture is not None and not null.pooled.any() and not null.picture.any()


def test_a_prior_without_cameras_knows_none(exported: Path) -> None:
    assert "camera" not in read_json(exported / "model_index.json")
    assert load_embedded(exported, device=CPU).text_encoder.camera is None


def test_priors_with_and_without_cameras_do_not_share_encoded_prompts(exported: Path, with_cameras: Path) -> None:
    """The same draft network for both would not make them the same."""
    one, two = (text_encoder(exported, 12, 16, count)[0] for count in (0, CAMERA_FEATURES))
    assert one != two and text_encoder(with_cameras, 12, 16, CAMERA_FEATURES)[0] != two


@pytest.mark.parametrize("kind", ["exported", "with_cameras"])
def test_samples_are_seen_from_where_the_command_says(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = request.getfixturevalue(kind)
    pictures = {}
    for name, words in {"none": [], "back": ["--azimuth", "180"], "top": ["--elevation", "80"]}.items():
        output = tmp_path / f"{name}.png"
        known = ["prior", "sample", "a red mug", "--prior", str(folder), "--count", "2", "--steps", "2"]
        assert main([*known, *words, "--output", str(output)]) == 0
        pictures[name] = output.read_bytes()
    assert len(set(pictures.values())) == (3 if kind == "with_cameras" else 1)
    capsys.readouterr()
    assert main(["prior", "sample", "x", "--elevation", "91"]) == 2
    assert "--elevation is 91.0: choose a number from -90 to 90" in capsys.readouterr().err


def change(name: str, edit: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        edit(content)
        (folder / name).write_text(json.dumps(content))

    return damage


def damage_link(path: Path) -> None:
    """Puts a truncated copy in the place of a link."""
    short = path.read_bytes()[:1000]
    path.unlink()
    path.write_bytes(short)


INDEX, UNET = "model_index.json", "unet/config.json"
BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "no index": (lambda folder: (folder / INDEX).unlink(), "has no .*model_index.json"),
    "broken index": (lambda folder: (folder / INDEX).write_text("{") and None, "cannot be read as JSON"),
    "no autoencoder": (change(INDEX, lambda x: x.pop("autoencoder")), "names no autoencoder"),
    "other text encoder": (change(INDEX, lambda x: x.update(text_encoder={"kind": "t5"})), "names no text_encoder"),
    "factor": (change(INDEX, lambda x: x.update(autoencoder={"kind": "space_to_depth", "factor": 0})), "factor 0"),
    "other factor": (
        change(INDEX, lambda x: x.update(autoencoder={"kind": "space_to_depth", "factor": 2})),
        "in_channels 72 where model_index.json needs 36",
    ),
    "tokens": (change(INDEX, lambda x: x.update(text_encoder={"kind": "minilm", "tokens": "16"})), "tokens '16'"),
    "other width": (change(UNET, lambda x: x.update(cross_attention_dim=768)), "cross_attention_dim 768"),
    "other camera": (
        change(INDEX, lambda x: x.update(camera={"kind": "orbit", "features": 5})),
        "tells cameras by .*'features': 5.*, which this Lodestone does not: export the prior again",
    ),
    "camera": (
        change(INDEX, lambda x: x.update(camera={"kind": "orbit", "features": 8})),
        "holds no draft network",
    ),
    "deeper": (change(UNET, lambda x: x.update(layers_per_block=2)), "do not fit"),
    "truncated": (lambda folder: damage_link(folder / "unet" / "diffusion_pytorch_model.safetensors"), "truncated"),
    "no weights": (
        lambda folder: (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink(),
        "has no .*safetensors",
    ),
    "damaged draft": (lambda folder: damage_link(folder / "draft.safetensors"), "draft.safetensors is damaged"),
    "no draft": (lambda folder: (folder / "draft.safetensors").unlink(), "in_channels 72 where .* needs 48"),
    "no scheduler": (lambda folder: (folder / "scheduler" / "scheduler_config.json").unlink(), "has no .*scheduler"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_folders_are_refused_in_one_sentence(exported: Path, tmp_path: Path, case: str) -> None:
    damage, message = BAD[case]
    folder = copy_small_files(exported, tmp_path / "bad")
    damage(folder)
    with pytest.raises(SettingError, match=message) as caught:
        load_embedded(folder, device=CPU)
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="there is no folder"):
        load_embedded(tmp_path / "nowhere", device=CPU)


def test_the_packaged_prior_opens_when_it_is_there() -> None:
    """The weights are committed beside the code; a checkout without them says so."""
    if embedded_folder().is_dir():
        assert open_prior("embedded", device=CPU).image_size == 64
    else:
        with pytest.raises(SettingError, match="there is no folder"):
            open_prior("embedded", device=CPU)
