"""Low-rank adapters: the frozen model at first, the plain low-rank change afterwards, row by row."""

from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

from lodestone.errors import SettingError
from lodestone.priors.adapters import LowRankAdapter, LowRankSettings
from lodestone.priors.analytic import GaussianMixture, component_conditioning
from lodestone.priors.denoiser import AbstractDenoiser, PredictionType
from lodestone.priors.network import NetworkDenoiser
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import Conditioning

SCHEDULE = NoiseSchedule.scaled_linear()

pytestmark = pytest.mark.usefixtures("one_thread")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fill(adapter: LowRankAdapter, seed: int = 5) -> LowRankAdapter:
    """Random weights, so that the adapter does something."""
    with torch.no_grad():
        for weight in adapter.weights():
            weight.copy_(0.3 * torch.randn(weight.shape, generator=generator(seed)))
    return adapter


def network(tiny: Path) -> NetworkDenoiser:
    unet = UNet2DConditionModel.from_pretrained(tiny / "unet", low_cpu_mem_usage=False)
    return NetworkDenoiser(unet, SCHEDULE, PredictionType.NOISE)


def question(count: int = 3) -> tuple[torch.Tensor, torch.Tensor, Conditioning]:
    noisy = torch.randn(count, 4, 8, 8, generator=generator(1))
    return noisy, torch.tensor([20, 500, 900])[:count], Conditioning(tokens=torch.randn(count, 77, 32))


def adapted(condition: Conditioning, adapter: LowRankAdapter, scale: list[list[float]]) -> Conditioning:
    return Conditioning(tokens=condition.tokens, adapter=adapter, adapter_scale=torch.tensor(scale))


def test_our_attention_is_diffusers_own(tiny: Path) -> None:
    """Without an adapter the network's output is what diffusers' processor gives, to the bit."""
    noisy, t, condition = question()
    plain = UNet2DConditionModel.from_pretrained(tiny / "unet", low_cpu_mem_usage=False).eval()
    plain.to(memory_format=torch.channels_last)
    with torch.no_grad():
        inputs = noisy.contiguous(memory_format=torch.channels_last)
        expected = plain(inputs, t, encoder_hidden_states=condition.tokens).sample
        assert torch.equal(network(tiny)(noisy, t, condition).noise, expected)


def test_a_fresh_adapter_is_the_frozen_model(tiny: Path) -> None:
    denoiser = network(tiny)
    noisy, t, condition = question()
    fresh = denoiser.adapter(LowRankSettings(), generator())
    with torch.no_grad():
        frozen = denoiser(noisy, t, condition).noise
        assert torch.equal(denoiser(noisy, t, adapted(condition, fresh, [[1.0]] * 3)).noise, frozen)
    assert fresh.displacement() == 0.0


def test_an_adapter_is_the_network_with_changed_weights(tiny: Path) -> None:
    """`W x + c up(down(x))` equals a network whose weights are `W + c up down`."""
    denoiser = network(tiny)
    noisy, t, condition = question()
    adapter = fill(denoiser.adapter(LowRankSettings(rank=2), generator()))
    merged = UNet2DConditionModel.from_pretrained(tiny / "unet", low_cpu_mem_usage=False).eval()
    square = 0.0
    with torch.no_grad():
        for layer, (down, up) in adapter.by_layer(adapter.weights()).items():
            merged.get_submodule(layer).weight += 0.5 * up @ down
            square += float((up @ down).square().sum())
        expected = NetworkDenoiser(merged, SCHEDULE, PredictionType.NOISE)(noisy, t, condition).noise
        found = denoiser(noisy, t, adapted(condition, adapter, [[0.5]] * 3)).noise
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert adapter.displacement() == pytest.approx(square**0.5, rel=1e-5)


def test_each_row_has_its_own_strength(tiny: Path) -> None:
    """Frozen and adapted rows in one call equal two calls; a missing strength in a batch is the frozen model."""
    denoiser = network(tiny)
    noisy, t, condition = question(2)
    adapter = fill(denoiser.adapter(LowRankSettings(), generator()))
    with torch.no_grad():
        frozen, moved = (denoiser(noisy, t, adapted(condition, adapter, [[c]] * 2)).noise for c in (0.0, 1.0))
        joint = Conditioning.concatenate([condition, adapted(condition, adapter, [[1.0]] * 2)])
        both = denoiser(noisy.repeat(2, 1, 1, 1), t.repeat(2), joint).noise
    torch.testing.assert_close(both[:2], frozen, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(both[2:], moved, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(frozen, moved, atol=1e-3)


def test_parts_act_independently(tiny: Path) -> None:
    denoiser = network(tiny)
    noisy, t, condition = question(1)
    pair = fill(denoiser.adapter(LowRankSettings(), generator(), parts=2))
    first = denoiser.adapter(LowRankSettings(), generator())
    with torch.no_grad():
        for target, source in zip(first.down, pair.down, strict=True):
            target.copy_(source[: len(target)])
        for target, source in zip(first.up, pair.up, strict=True):
            target.copy_(source[:, : target.shape[1]])
        one = denoiser(noisy, t, adapted(condition, first, [[0.7]])).noise
        two = denoiser(noisy, t, adapted(condition, pair, [[0.7, 0.0]])).noise
    torch.testing.assert_close(one, two, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_reach_float32_weights_and_never_the_network(tiny: Path, dtype: torch.dtype) -> None:
    denoiser = network(tiny).to(dtype)
    noisy, t, condition = question(2)
    adapter = denoiser.adapter(LowRankSettings(), generator())
    loss = denoiser(noisy, t, adapted(condition, adapter, [[1.0]] * 2)).noise.square().mean()
    loss.backward()
    assert all(weight.dtype is torch.float32 for weight in adapter.weights())
    assert all(up.grad is not None and float(up.grad.norm()) > 0 for up in adapter.up)
    assert all(weight.grad is None for weight in denoiser.network.parameters())


def test_layers_are_chosen_by_the_ends_of_their_names(tiny: Path) -> None:
    denoiser = network(tiny)
    chosen = denoiser.adapter(LowRankSettings(targets=("attn2.to_k",)), generator())
    assert chosen.layers and all(layer.endswith("attn2.to_k") for layer in chosen.layers)
    with pytest.raises(SettingError, match="no attention layers that end in conv1"):
        denoiser.adapter(LowRankSettings(targets=("conv1",)), generator())


def test_a_prior_without_layers_says_so() -> None:
    class Nothing(AbstractDenoiser):
        def forward(self, noisy, t, conditioning):
            raise NotImplementedError

    with pytest.raises(SettingError, match="choose an estimator without LoRA"):
        Nothing().adapter(LowRankSettings(), generator())


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("parts", [1, 2])
def test_on_a_mixture_an_adapter_moves_the_means(mirrored: bool, parts: int) -> None:
    """The adapted mixture is the mixture with means `mu + up down`, score and density alike."""
    means = torch.randn(3, 2, 4, 4, generator=generator(2), dtype=torch.float64)
    denoiser = GaussianMixture(means, 0.2, SCHEDULE, mirrored=mirrored)
    adapter = fill(denoiser.adapter(LowRankSettings(rank=2), generator(), parts=parts))
    (down,), (up,) = adapter.down, adapter.up
    scale = torch.tensor([[0.5] * parts, [0.0] * parts, [1.0] * parts], dtype=torch.float64)
    condition = component_conditioning(torch.ones(1, 6 if mirrored else 3)).expand(3)
    shifted = Conditioning(tokens=condition.tokens, adapter=adapter, adapter_scale=scale)
    noisy = torch.randn(3, 2, 4, 4, generator=generator(3), dtype=torch.float64)
    t = torch.tensor([100, 500, 800])
    with torch.no_grad():
        found, density = denoiser(noisy, t, shifted).noise, denoiser.log_density(noisy, t, shifted)
        for row, strength in enumerate((0.5, 0.0, 1.0)):
            moved = means + strength * (up @ down).view_as(means)
            other = GaussianMixture(moved, 0.2, SCHEDULE, mirrored=mirrored)
            one = slice(row, row + 1)
            plain = condition.take(torch.tensor([row]))
            torch.testing.assert_close(found[one], other(noisy[one], t[one], plain).noise)
            torch.testing.assert_close(density[one], other.log_density(noisy[one], t[one], plain))
