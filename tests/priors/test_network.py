"""`NetworkDenoiser`: three views of one output, gradients, precision, and the real configurations without weights."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from lodestone.errors import SettingError
from lodestone.precision import call_in_precision
from lodestone.priors.adapters import LowRankSettings
from lodestone.priors.autoencoder import VariationalAutoencoder
from lodestone.priors.denoiser import PredictionType
from lodestone.priors.network import NetworkDenoiser, read_scheduler
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import Conditioning

SCHEDULE = NoiseSchedule.scaled_linear()

pytestmark = pytest.mark.usefixtures("one_thread")


def tiny_unet(folder: Path) -> UNet2DConditionModel:
    return UNet2DConditionModel.from_pretrained(folder / "unet", low_cpu_mem_usage=False)


def draw(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class Reparametrized(nn.Module):
    """A network that computes noise, put out as another parametrisation of the same function."""

    def __init__(self, network: Any, kind: PredictionType) -> None:
        super().__init__()
        self.network, self.kind = network, kind
        self.config, self.dtype, self.device = network.config, network.dtype, network.device
        self.class_embedding, self.time_embedding = None, network.time_embedding

    def forward(self, sample: Tensor, t: Tensor, **conditioning: Any) -> tuple[Tensor]:
        alpha, sigma = (table(t)[:, None, None, None] for table in (SCHEDULE.alpha, SCHEDULE.sigma))
        noise = self.network(sample, t, **conditioning)[0]
        clean = (sample - sigma * noise) / alpha
        views = {PredictionType.NOISE: noise, PredictionType.CLEAN: clean, PredictionType.FLOW: noise - clean}
        return (views.get(self.kind, alpha * noise - sigma * clean),)


def test_views_agree_across_parametrisations(tiny: Path) -> None:
    unet = tiny_unet(tiny)
    noisy, t = draw(4, 4, 8, 8, seed=0), torch.tensor([20, 300, 700, 980])
    conditioning = Conditioning(tokens=draw(4, 77, 32, seed=1))
    with torch.no_grad():
        views = [
            NetworkDenoiser(Reparametrized(unet, kind), SCHEDULE, kind)(noisy, t, conditioning)
            for kind in PredictionType
        ]
    for other in views[1:]:
        torch.testing.assert_close(other.noise, views[0].noise, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(other.clean, views[0].clean, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(other.velocity, views[0].velocity, atol=1e-5, rtol=1e-5)


def test_output_is_the_network_and_keeps_the_callers_dtype(tiny: Path) -> None:
    unet = tiny_unet(tiny)
    denoiser = NetworkDenoiser(unet, SCHEDULE, PredictionType.NOISE)
    noisy, t, tokens = draw(2, 4, 8, 8, seed=0), torch.tensor([10, 900]), draw(2, 77, 32, seed=1)
    expected = unet(noisy, t, encoder_hidden_states=tokens).sample
    torch.testing.assert_close(denoiser(noisy, t, Conditioning(tokens=tokens)).noise, expected, atol=1e-6, rtol=1e-5)
    for dtype in (torch.float64, torch.bfloat16):
        prediction = denoiser(noisy.to(dtype), t, Conditioning(tokens=tokens))
        assert {prediction.noise.dtype, prediction.clean.dtype, prediction.velocity.dtype} == {dtype}
    assert denoiser.latent_shape == (4, 8, 8)


def test_cores_that_share_a_batch_give_what_one_gives(tiny: Path) -> None:
    """Predictions and the gradient of the tokens, of 9 rows on two cores; adapters and learned offsets go with them."""
    denoiser = NetworkDenoiser(tiny_unet(tiny).double(), SCHEDULE, PredictionType.NOISE)
    noisy, t = draw(9, 4, 8, 8, seed=0).double(), torch.arange(9) * 100
    adapter = denoiser.adapter(LowRankSettings(rank=2), torch.Generator().manual_seed(0)).double()
    for p in adapter.parameters():
        p.data.copy_(draw(*p.shape, seed=3))
    found = []
    for cores in (1, 2):
        tokens = draw(9, 77, 32, seed=1).double().requires_grad_()
        known = Conditioning(tokens=tokens, adapter=adapter, adapter_scale=draw(9, 1, seed=2).double())
        torch.set_num_threads(cores)
        prediction = denoiser(noisy, t, known)
        torch.set_num_threads(1)
        gradients = torch.autograd.grad(prediction.clean.sum(), [tokens, *adapter.parameters()])
        found.append((prediction.noise, prediction.clean, prediction.velocity, *gradients))
    for one, shared in zip(*found, strict=True):
        torch.testing.assert_close(shared, one, rtol=1e-9, atol=1e-9)


def test_weights_are_frozen_and_inputs_receive_gradients(tiny: Path) -> None:
    denoiser = NetworkDenoiser(tiny_unet(tiny), SCHEDULE, PredictionType.NOISE)
    noisy, tokens = draw(1, 4, 8, 8, seed=0).requires_grad_(), draw(1, 77, 32, seed=1).requires_grad_()
    denoiser(noisy, torch.tensor([500]), Conditioning(tokens=tokens)).clean.square().sum().backward()
    assert noisy.grad is not None and noisy.grad.abs().sum() > 0
    assert tokens.grad is not None and tokens.grad.abs().sum() > 0
    assert not denoiser.network.training
    assert all(not p.requires_grad and p.grad is None for p in denoiser.parameters())


def test_gradient_of_null_tokens_equals_finite_differences(tiny: Path) -> None:
    denoiser = NetworkDenoiser(tiny_unet(tiny).double(), SCHEDULE, PredictionType.VELOCITY)
    noisy, noise = draw(2, 4, 8, 8, seed=0, dtype=torch.float64), draw(2, 4, 8, 8, seed=1, dtype=torch.float64)
    t, null = torch.tensor([150, 800]), draw(1, 77, 32, seed=2, dtype=torch.float64).requires_grad_()

    def loss(tokens: Tensor) -> Tensor:
        predicted = denoiser(noisy, t, Conditioning(tokens=tokens).expand(2)).noise
        return (predicted - noise).square().mean()

    (gradient,) = torch.autograd.grad(loss(null), null)
    assert gradient.abs().max() > 0
    for seed in range(3):
        direction = draw(1, 77, 32, seed=10 + seed, dtype=torch.float64)
        with torch.no_grad():
            difference = (loss(null + 1e-5 * direction) - loss(null - 1e-5 * direction)) / 2e-5
        torch.testing.assert_close((gradient * direction).sum(), difference, rtol=1e-6, atol=1e-12)


def test_half_precision_keeps_tiny_gradients(tiny: Path) -> None:
    """A loss as small as an average over a real latent must not starve the null tokens of a float16 network."""
    tokens, noisy, t = draw(1, 77, 32, seed=1), draw(1, 4, 8, 8, seed=0), torch.tensor([500])
    gradients = {}
    for dtype in (torch.float32, torch.float16):
        denoiser = NetworkDenoiser(tiny_unet(tiny).to(dtype), SCHEDULE, PredictionType.NOISE)
        null = tokens.clone().requires_grad_()
        (1e-8 * denoiser(noisy, t, Conditioning(tokens=null)).noise.sum()).backward()
        assert null.grad is not None and null.grad.dtype is torch.float32
        gradients[dtype] = null.grad
    exact, half = gradients[torch.float32], gradients[torch.float16]
    assert (half - exact).norm() / exact.norm() < 0.02


def test_scaled_gradient_is_exact_where_nothing_underflows() -> None:
    weight = draw(5, 3, seed=0).half()
    a, b = draw(2, 5, seed=1).requires_grad_(), draw(2, 3, seed=2).requires_grad_()
    output = call_in_precision(lambda x, y: x @ weight + y, torch.float16, a, b)
    assert output.dtype is torch.float32
    ones = torch.full_like(output, 0.25)
    got = torch.autograd.grad(output, (a, b), ones)
    torch.testing.assert_close(got[0], ones @ weight.float().T, rtol=2e-3, atol=0)
    assert torch.equal(got[1], ones)


@pytest.mark.parametrize("arriving", [0.0, float("inf"), float("nan")])
def test_hopeless_gradients_arrive_as_they_are(arriving: float) -> None:
    x = draw(3, seed=0).requires_grad_()
    output = call_in_precision(lambda a: a * 1, torch.float16, x)
    (got,) = torch.autograd.grad(output, x, torch.full_like(output, arriving))
    assert torch.equal(got.nan_to_num(nan=7.0), torch.full_like(got, arriving).nan_to_num(nan=7.0))


def config(**changes: Any) -> SimpleNamespace:
    base = {"class_embed_type": None, "num_class_embeds": None, "addition_embed_type": None}
    return SimpleNamespace(**base | {"sample_size": 8, "in_channels": 4, "out_channels": 4} | changes)


class Recorder(nn.Module):
    """A network that keeps what it was called with."""

    def __init__(self, configuration: SimpleNamespace) -> None:
        super().__init__()
        self.config, self.dtype, self.device = configuration, torch.float32, torch.device("cpu")
        self.calls: list[tuple[Tensor, dict[str, Any]]] = []
        self.time_embedding = SimpleNamespace(linear_2=nn.Linear(1, 5))
        self.class_embedding = nn.Linear(5, 5) if configuration.class_embed_type else None

    def forward(self, sample: Tensor, t: Tensor, **received: Any) -> tuple[Tensor]:
        self.calls.append((sample, received))
        return (sample[:, : self.config.out_channels],)


@pytest.mark.parametrize("kind", [None, "projection"])
def test_pooled_vector_goes_to_networks_with_a_class_embedding(kind: str | None) -> None:
    network = Recorder(config(class_embed_type=kind))
    denoiser = NetworkDenoiser(network, SCHEDULE, PredictionType.CLEAN)
    tokens, pooled = draw(1, 3, 2, seed=0), draw(1, 5, seed=1)
    denoiser(draw(1, 4, 8, 8, seed=2), torch.tensor([1]), Conditioning(tokens=tokens, pooled=pooled))
    ((_, seen),) = network.calls
    assert torch.equal(seen["encoder_hidden_states"], tokens)
    received = seen["class_labels"]
    expected = torch.zeros(1, 5) if network.class_embedding is None else network.class_embedding(pooled)
    torch.testing.assert_close(received, expected)


def test_a_missing_pooled_vector_is_named() -> None:
    denoiser = NetworkDenoiser(Recorder(config(class_embed_type="projection")), SCHEDULE, PredictionType.CLEAN)
    with pytest.raises(SettingError, match="pooled"):
        denoiser(draw(1, 4, 8, 8, seed=0), torch.tensor([1]), Conditioning(tokens=draw(1, 3, 2, seed=0)))


def test_a_picture_stands_beside_the_noisy_latents() -> None:
    network = Recorder(config(in_channels=7))
    denoiser = NetworkDenoiser(network, SCHEDULE, PredictionType.CLEAN)
    noisy, tokens, picture = draw(1, 4, 8, 8, seed=0), draw(1, 3, 2, seed=1), draw(1, 3, 8, 8, seed=2)
    prediction = denoiser(noisy, torch.tensor([1]), Conditioning(tokens=tokens, picture=picture))
    ((sample, _),) = network.calls
    assert torch.equal(sample, torch.cat([noisy, picture], dim=1)) and torch.equal(prediction.clean, noisy)
    assert denoiser.latent_shape == (4, 8, 8)
    with pytest.raises(SettingError, match="needs a picture"):
        denoiser(noisy, torch.tensor([1]), Conditioning(tokens=tokens))


@pytest.mark.parametrize("change", [{"addition_embed_type": "text_time"}, {"num_class_embeds": 10}])
def test_networks_with_other_conditioning_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match="cannot be a prior"):
        NetworkDenoiser(Recorder(config(**change)), SCHEDULE, PredictionType.NOISE)


@pytest.mark.parametrize("kind", list(PredictionType))
def test_scheduler_is_read_exactly(tiny_folders: dict[PredictionType, Path], kind: PredictionType) -> None:
    schedule, found = read_scheduler(tiny_folders[kind] / "scheduler" / "scheduler_config.json")
    assert found is kind
    table = DDPMScheduler.from_pretrained(tiny_folders[kind] / "scheduler").alphas_cumprod
    torch.testing.assert_close(schedule.alphas.double().square().float(), table, rtol=3e-7, atol=0)
    torch.testing.assert_close(schedule.alphas**2 + schedule.sigmas**2, torch.ones(1000), rtol=0, atol=3e-7)


# The public architectures, from the configurations that were released with the weights.
UNET_15 = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
UNET_21 = UNET_15 | {
    "cross_attention_dim": 1024,
    "attention_head_dim": (5, 10, 20, 20),
    "use_linear_projection": True,
}
VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "sample_size": 512,
}
CLIP_15 = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
CLIP_21 = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16}


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("configuration", "count"), [(UNET_15, 859_520_964), (UNET_21, 865_910_724)])
def test_real_unets_fit(configuration: dict[str, Any], count: int) -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(**configuration)
        noisy, t = torch.empty(2, 4, 64, 64), torch.empty(2, dtype=torch.long)
        tokens = torch.empty(2, 77, configuration["cross_attention_dim"])
        assert parameters(unet) == count
        denoiser = NetworkDenoiser(unet, SCHEDULE, PredictionType.VELOCITY)
        prediction = denoiser(noisy, t, Conditioning(tokens=tokens))
    assert prediction.clean.shape == (2, 4, 64, 64)
    assert denoiser.latent_shape == (4, 64, 64)


def test_real_vae_fits() -> None:
    with torch.device("meta"):
        vae = AutoencoderKL(**VAE)
        assert parameters(vae) == 83_653_863
        autoencoder = VariationalAutoencoder(vae)
        latents = autoencoder.encode(torch.empty(1, 3, 512, 512))
        assert latents.shape == (1, 4, 64, 64)
        assert autoencoder.decode(latents).shape == (1, 3, 512, 512)


@pytest.mark.parametrize(("configuration", "count"), [(CLIP_15, 123_060_480), (CLIP_21, 340_387_840)])
def test_real_text_encoders_fit(configuration: dict[str, Any], count: int) -> None:
    with torch.device("meta"):
        model = CLIPTextModel(CLIPTextConfig(vocab_size=49408, max_position_embeddings=77, **configuration))
        assert parameters(model) == count
        states = model(torch.empty(2, 77, dtype=torch.long)).last_hidden_state
    assert states.shape == (2, 77, configuration["hidden_size"])
