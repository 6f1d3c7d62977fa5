"""The loader of Stable Diffusion: the same gradient as the bare diffusers modules, every bad folder, no network."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from lodestone.distillation.estimator import ScoreGradient, surrogate_loss
from lodestone.errors import SettingError
from lodestone.priors.choose import open_prior
from lodestone.priors.denoiser import PredictionType, Prior
from lodestone.priors.guidance import guided, predict_each
from lodestone.priors.hub import ALIASES, is_hub_id, is_path_like
from lodestone.priors.noise import over_batch
from lodestone.priors.stable_diffusion import load_stable_diffusion

CPU = torch.device("cpu")

pytestmark = pytest.mark.usefixtures("one_thread")


def load(folder: Path | str) -> Prior:
    return load_stable_diffusion(folder, device=CPU)


def draw(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def text_states(folder: Path, texts: list[str]) -> Tensor:
    """What diffusers' own pipeline feeds to the U-Net."""
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    model = CLIPTextModel.from_pretrained(folder / "text_encoder")
    ids = tokenizer(texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids
    with torch.no_grad():
        states: Tensor = model(ids)[0]
    return states


def test_prior_describes_itself(tiny: Path) -> None:
    prior = load(tiny)
    assert (prior.image_size, prior.denoiser.latent_shape, prior.white_only) == (16, (4, 8, 8), False)
    assert prior.name == tiny.name
    latents = prior.autoencoder.encode(torch.rand(2, 3, 16, 16))
    assert latents.shape == (2, 4, 8, 8)
    pictures = prior.autoencoder.decode(latents)
    assert pictures.shape == (2, 3, 16, 16) and pictures.min() >= 0 and pictures.max() <= 1


@pytest.mark.parametrize("kind", [PredictionType.NOISE, PredictionType.VELOCITY])
def test_distillation_gradient_equals_the_bare_modules(
    tiny_folders: dict[PredictionType, Path], kind: PredictionType
) -> None:
    """SDS through the VAE: `sigma^2 (eps_null + s (eps_y - eps_null) - eps)`, exact `alphas_cumprod`, sum over b."""
    folder, scale = tiny_folders[kind], 7.5
    t, noise = torch.tensor([77, 640]), draw(2, 4, 8, 8, seed=0)
    pictures = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))

    prior, ours = load(folder), pictures.clone().requires_grad_()
    schedule = prior.denoiser.schedule
    positive, null = (prior.text_encoder.encode([text]).expand(2) for text in ("a red fox", ""))
    latents = prior.autoencoder.encode(ours)
    with torch.no_grad():
        noisy = schedule.add_noise(latents, noise, t)
        predictions = predict_each(prior.denoiser, noisy, t, [positive, null])
        bracket = guided(predictions[0].noise, predictions[1].noise, scale) - noise
        gradient = over_batch(schedule.sigma(t) ** 2) * bracket
    surrogate_loss(latents, ScoreGradient(gradient, t, {}, 2)).backward()

    unet = UNet2DConditionModel.from_pretrained(folder / "unet", low_cpu_mem_usage=False)
    vae = AutoencoderKL.from_pretrained(folder / "vae", low_cpu_mem_usage=False)
    scheduler, theirs = DDPMScheduler.from_pretrained(folder / "scheduler"), pictures.clone().requires_grad_()
    z = vae.encode(2 * theirs - 1).latent_dist.mean * vae.config.scaling_factor
    with torch.no_grad():
        z_t = scheduler.add_noise(z, noise, t)
        conditional, unconditional = (
            unet(z_t, t, encoder_hidden_states=text_states(folder, [text] * 2)).sample for text in ("a red fox", "")
        )
        output = unconditional + scale * (conditional - unconditional)
        alpha_bar = scheduler.alphas_cumprod[t].view(2, 1, 1, 1)
        if kind is PredictionType.VELOCITY:
            output = (1 - alpha_bar).sqrt() * z_t + alpha_bar.sqrt() * output
        g = (1 - alpha_bar) * (output - noise)
    (0.5 * (z - (z - g).detach()).square().sum() / 2).backward()

    assert ours.grad is not None and theirs.grad is not None
    error = (ours.grad - theirs.grad).norm() / theirs.grad.norm()
    assert theirs.grad.norm() > 0 and error < 1e-5


def test_text_is_encoded_as_the_pipeline_does(tiny: Path) -> None:
    texts = ["a red fox", "", "an owl, back view"]
    encoded = load(tiny).text_encoder.encode(texts)
    torch.testing.assert_close(encoded.tokens, text_states(tiny, texts), atol=1e-6, rtol=0)


def test_old_file_formats_are_read(tiny: Path, tmp_path: Path) -> None:
    """The first releases: a vocabulary in two files, prefixed text weights with position ids, half-precision names."""
    folder = copy(tiny, tmp_path)
    new = json.loads((folder / "tokenizer" / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
    (folder / "tokenizer" / "tokenizer.json").unlink()
    (folder / "tokenizer" / "vocab.json").write_text(json.dumps(new), encoding="utf-8")
    (folder / "tokenizer" / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    weights = folder / "text_encoder" / "model.safetensors"
    tensors = {f"text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in load_file(weights).items()}
    save_file({**tensors, "text_model.embeddings.position_ids": torch.arange(77)[None]}, weights, {"format": "pt"})
    unet = folder / "unet" / "diffusion_pytorch_model.safetensors"
    unet.rename(unet.with_name("diffusion_pytorch_model.fp16.safetensors"))
    old, current = (load(path).text_encoder.encode(["an owl"]) for path in (folder, tiny))
    assert torch.equal(old.tokens, current.tokens)


def test_split_weights_are_read(tiny: Path, tmp_path: Path) -> None:
    folder = copy(tiny, tmp_path)
    shutil.rmtree(folder / "unet")
    whole = UNet2DConditionModel.from_pretrained(tiny / "unet", low_cpu_mem_usage=False)
    whole.save_pretrained(folder / "unet", max_shard_size="300KB")
    assert len(list((folder / "unet").glob("*.safetensors"))) > 1
    noisy, t = draw(1, 4, 8, 8, seed=0), torch.tensor([500])
    split, single = load(folder), load(tiny)
    null = single.text_encoder.encode([""])
    assert torch.equal(split.denoiser(noisy, t, null).noise, single.denoiser(noisy, t, null).noise)
    next(iter((folder / "unet").glob("*.safetensors"))).unlink()
    with pytest.raises(SettingError, match="has no"):
        load(folder)


def test_a_long_prompt_is_refused_and_not_cut(tiny: Path) -> None:
    with pytest.raises(SettingError, match="longer than the 75"):
        load(tiny).text_encoder.encode(["x" * 80])


def copy(source: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(source, tmp_path / "copy"))


Damage = Callable[[Path], object]


def remove(name: str) -> Damage:
    return lambda folder: shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()


def configure(name: str, **changes: object) -> Damage:
    def change(folder: Path) -> None:
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def write(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


def truncate(name: str) -> Damage:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-100])


def retensor(name: str, change: Callable[[dict[str, Tensor], str], object]) -> Damage:
    def rewrite(folder: Path) -> None:
        tensors = load_file(folder / name)
        change(tensors, sorted(tensors)[0])
        save_file(tensors, folder / name, {"format": "pt"})

    return rewrite


def pickled(folder: Path) -> None:
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))


UNET = "unet/diffusion_pytorch_model.safetensors"
BAD_FOLDERS: dict[str, tuple[Damage, str]] = {
    "no unet": (remove("unet"), "has no .*unet/config.json"),
    "no vae": (remove("vae"), "has no .*vae/config.json"),
    "no vae weights": (remove("vae/diffusion_pytorch_model.safetensors"), "has no .*vae"),
    "no text encoder": (remove("text_encoder"), "has no .*text_encoder/config.json"),
    "no tokenizer": (remove("tokenizer"), "has no .*vocab.json"),
    "no scheduler": (remove("scheduler"), "has no .*scheduler_config.json"),
    "broken json": (write("unet/config.json", b"{"), "cannot be read as JSON"),
    "json list": (write("unet/config.json", b"[]"), "no JSON object"),
    "binary json": (write("vae/config.json", b"\xff\xfe\x00"), "cannot be read as JSON"),
    "truncated unet": (truncate(UNET), "truncated"),
    "truncated text encoder": (truncate("text_encoder/model.safetensors"), "truncated"),
    "empty weights": (write(UNET, b""), "truncated"),
    "resized tensor": (retensor(UNET, lambda x, n: x.update({n: torch.zeros(3)})), "do not fit"),
    "missing tensor": (retensor(UNET, lambda x, n: x.pop(n)), "do not fit.*they lack"),
    "extra tensor": (retensor(UNET, lambda x, n: x.update(more=torch.zeros(3))), "do not fit.*no place for more"),
    "vae tensor missing": (
        retensor("vae/diffusion_pytorch_model.safetensors", lambda x, n: x.pop(n)),
        "vae do not fit.*they lack",
    ),
    "deeper config": (configure("unet/config.json", layers_per_block=2), "do not fit"),
    "impossible config": (configure("unet/config.json", norm_num_groups=7), "do not fit"),
    "unknown block": (configure("unet/config.json", mid_block_type="NoSuchBlock"), "do not fit"),
    "other text width": (configure("unet/config.json", cross_attention_dim=48), "width 48 .* width 32"),
    "inpainting": (configure("unet/config.json", in_channels=9), "in_channels 9"),
    "other vae": (configure("vae/config.json", latent_channels=16), "16 latent channels"),
    "other class": (configure("unet/config.json", _class_name="SD3Transformer2DModel"), "SD3Transformer2DModel"),
    "no clip": (configure("text_encoder/config.json", model_type="t5"), "no CLIP text encoder"),
    "flow matching": (
        write("scheduler/scheduler_config.json", b'{"_class_name": "FlowMatchEulerDiscreteScheduler"}'),
        "no DDPM noise schedule",
    ),
    "unknown betas": (configure("scheduler/scheduler_config.json", beta_schedule="odd"), "no known noise schedule"),
    "unknown prediction": (configure("scheduler/scheduler_config.json", prediction_type="flow"), "prediction_type"),
    "pickled": (pickled, "pickled weights alone"),
}


def refused(folder: Path, message: str, act: Callable[[Path], object]) -> None:
    """One sentence with a remedy, no library error."""
    with pytest.raises(SettingError, match=message) as caught:
        act(folder)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 700
    assert any(word in text for word in ("choose", "download", "use the"))


@pytest.mark.parametrize("case", BAD_FOLDERS)
def test_bad_folders_are_refused_in_one_sentence(tiny: Path, tmp_path: Path, case: str) -> None:
    damage, message = BAD_FOLDERS[case]
    folder = copy(tiny, tmp_path)
    damage(folder)
    refused(folder, message, load)


BAD_TEXT: dict[str, tuple[Damage, str]] = {
    "deeper text encoder": (configure("text_encoder/config.json", num_hidden_layers=3), "do not fit.*they lack"),
    "shallower text encoder": (configure("text_encoder/config.json", num_hidden_layers=1), "do not fit.*no place for"),
    "smaller vocabulary": (configure("text_encoder/config.json", vocab_size=100), "do not fit"),
    "broken tokenizer": (write("tokenizer/tokenizer.json", b"{}"), "tokenizer cannot be read"),
}


@pytest.mark.parametrize("case", BAD_TEXT)
def test_bad_text_encoders_are_refused_in_one_sentence(tiny: Path, tmp_path: Path, case: str) -> None:
    damage, message = BAD_TEXT[case]
    folder = copy(tiny, tmp_path)
    damage(folder)
    refused(folder, message, lambda bad: load(bad).text_encoder.encode(["a fox"]))


def test_half_precision_is_for_cuda(tiny: Path) -> None:
    with pytest.raises(SettingError, match="CUDA only"):
        load_stable_diffusion(tiny, device=CPU, dtype=torch.float16)


def test_loading_is_silent(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load(tiny).text_encoder.encode(["a silent owl"])
    assert capfd.readouterr() == ("", "")


class Hub:
    """Stands in for the hub's client: knows some repositories, in the cache or online, and keeps the questions."""

    def __init__(self, cache: dict[str, Path], online: dict[str, Path]) -> None:
        self.cache, self.online = cache, online
        self.downloads: list[tuple[str, str | None]] = []

    def snapshot_download(
        self, name: str, *, revision: str | None, allow_patterns: list[str] | None, local_files_only: bool
    ) -> str:
        if not local_files_only:
            self.downloads.append((name, revision))
            assert allow_patterns is not None and not any("bin" in pattern for pattern in allow_patterns)
        known = self.cache if local_files_only else self.online
        if name not in known:
            raise FileNotFoundError(name)
        return str(known[name])


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Hub]:
    def stand_in(cache: dict[str, Path] | None = None, online: dict[str, Path] | None = None) -> Hub:
        made = Hub(cache or {}, online or {})
        monkeypatch.setattr(huggingface_hub, "snapshot_download", made.snapshot_download)
        return made

    return stand_in


def test_mirrors_are_tried_in_order(tiny: Path, hub: Callable[..., Hub]) -> None:
    first, second = ALIASES["sd21-base"].mirrors
    stand_in = hub(online={second: tiny})
    prior = open_prior("sd21-base", device=CPU)
    assert prior.name == "sd21-base"
    assert stand_in.downloads == [(first, None), (second, None)]


def test_an_incomplete_mirror_is_passed_over(tiny: Path, tmp_path: Path, hub: Callable[..., Hub]) -> None:
    first, second = ALIASES["sd21-base"].mirrors
    broken = copy(tiny, tmp_path)
    pickled(broken)
    stand_in = hub(online={first: broken, second: tiny})
    load("sd21-base")
    assert [name for name, _ in stand_in.downloads] == [first, second]


@pytest.mark.parametrize("which", ["mirrors", "withdrawn"])
def test_a_cached_copy_asks_nobody(tiny: Path, hub: Callable[..., Hub], which: str) -> None:
    alias = ALIASES["sd15"]
    stand_in = hub(cache={(alias.mirrors if which == "mirrors" else alias.withdrawn)[-1]: tiny})
    load("sd15")
    assert stand_in.downloads == []


def test_a_hub_id_is_fetched_at_its_revision(tiny: Path, hub: Callable[..., Hub]) -> None:
    stand_in = hub(online={"someone/some-model": tiny})
    load_stable_diffusion("someone/some-model", device=CPU, revision="abc")
    assert stand_in.downloads == [("someone/some-model", "abc")]


def test_withdrawn_ids_name_their_alias_and_are_never_an_aliass_download(hub: Callable[..., Hub]) -> None:
    stand_in = hub()
    with pytest.raises(SettingError, match="alias sd21-base has mirrors"):
        load("stabilityai/stable-diffusion-2-1-base")
    stand_in.downloads.clear()
    for name, alias in ALIASES.items():
        with pytest.raises(SettingError, match="could not be fetched"):
            load(name)
        assert not {asked for asked, _ in stand_in.downloads} & set(alias.withdrawn)


def test_the_real_client_without_a_network_gives_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(SettingError, match="could not be fetched"):
        load("someone/some-model-that-is-not-here")


@pytest.mark.parametrize("name", ["./modls/sd15", "/no/such/folder", "~/no/such", "a/b/c", "weights/", "..\\weights"])
def test_misspelt_paths_ask_nobody(hub: Callable[..., Hub], name: str) -> None:
    stand_in = hub(online={name: Path("never")})
    assert is_path_like(name) and not is_hub_id(name)
    for act in (load, lambda choice: open_prior(choice, device=CPU)):
        with pytest.raises(SettingError, match="there is no folder"):
            act(name)
    assert stand_in.downloads == []


def test_a_name_inside_an_existing_folder_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Callable[..., Hub]
) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    stand_in = hub()
    with pytest.raises(SettingError, match="there is no folder"):
        load("models/sd51")
    assert stand_in.downloads == [] and is_hub_id("modles/sd15")


@pytest.mark.parametrize("name", ["sd51", "", "Embedded", "sd21 base"])
def test_unknown_names_list_what_is_possible(hub: Callable[..., Hub], name: str) -> None:
    stand_in = hub()
    with pytest.raises(SettingError, match="embedded, empirical, world, sd14, sd15") as caught:
        open_prior(name, device=CPU)
    assert all(alias in str(caught.value) for alias in ALIASES) and stand_in.downloads == []


def test_a_folder_has_no_revision(tiny: Path) -> None:
    with pytest.raises(SettingError, match="revision"):
        load_stable_diffusion(tiny, device=CPU, revision="main")


def test_a_folder_opens_by_its_path(tiny: Path) -> None:
    assert open_prior(str(tiny), device=CPU).image_size == 16
