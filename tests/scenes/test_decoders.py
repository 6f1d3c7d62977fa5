"""Perceptrons of one input decoded together say what each says alone."""

import pytest
import torch

from lodestone.scenes.perceptron import Perceptron, decode


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_together_as_alone(dtype):
    rng = torch.Generator().manual_seed(0)
    networks = [Perceptron(12, hidden, outputs, rng).to(dtype) for hidden, outputs in ((16, 1), (24, 3), (16, 5))]
    x = torch.randn(70, 12, generator=rng).to(dtype).requires_grad_()
    parameters = [x, *(parameter for network in networks for parameter in network.parameters())]
    alone, together = [network(x) for network in networks], decode(x, *networks)
    for a, b in zip(alone, together, strict=True):
        assert b.is_contiguous() and torch.allclose(a, b, atol=1e-6)
    gradients = [torch.autograd.grad(sum(y.sin().sum() for y in outputs), parameters) for outputs in (alone, together)]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*gradients, strict=True))
