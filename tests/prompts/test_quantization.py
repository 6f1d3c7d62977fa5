"""Weights in eight bits."""

import torch

from lodestone.prompts.quantization import dequantized, quantized


def tensors() -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return {
        "a.weight": torch.randn(7, 50, generator=rng) * torch.logspace(-6, 3, 7)[:, None],
        "a.bias": torch.randn(7, generator=rng),
        "empty.weight": torch.zeros(2, 3),
    }


def test_no_weight_moves_by_more_than_half_a_step() -> None:
    known = tensors()
    back = dequantized(quantized(known))
    step = known["a.weight"].abs().amax(dim=1, keepdim=True) / 127
    assert ((back["a.weight"] - known["a.weight"]).abs() <= 0.5001 * step).all()
    assert torch.equal(back["a.bias"], known["a.bias"].half().float())
    assert torch.equal(back["empty.weight"], known["empty.weight"])


def test_what_was_rounded_once_is_not_changed_again() -> None:
    once = dequantized(quantized(tensors()))
    twice = dequantized(quantized(once))
    for name, tensor in once.items():
        torch.testing.assert_close(twice[name], tensor, rtol=1e-6, atol=0)


def test_matrices_take_a_byte_for_each_weight() -> None:
    stored = quantized({"w": torch.randn(64, 512, generator=torch.Generator().manual_seed(0))})
    assert sum(tensor.numel() * tensor.element_size() for tensor in stored.values()) == 64 * 512 + 64 * 4


def test_a_row_with_a_hole_is_seen() -> None:
    broken = torch.ones(2, 3)
    broken[1, 1] = torch.nan
    back = dequantized(quantized({"w": broken}))["w"]
    assert torch.equal(back[0], torch.ones(3)) and back[1].isnan().all()
