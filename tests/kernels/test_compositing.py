"""The native compositing equals its float64 twin; the twin equals closed forms and finite differences."""

import math

import pytest
import torch

from lodestone.kernels.compositing import Composed, composite
from lodestone.kernels.native_kernel import Implementation

BOTH = [Implementation.REFERENCE, Implementation.NATIVE]
NAMES = ("weights", "values", "opacity", "distance")


def packed(counts, seed=0, channels=3):
    """Random samples on rays with so many each; values are rounded to float32 for both precisions."""
    rng = torch.Generator().manual_seed(seed)
    total = sum(counts)
    density, width = 3 * torch.rand(total, generator=rng), 0.05 + 0.2 * torch.rand(total, generator=rng)
    distance = torch.cat([torch.rand(count, generator=rng).sort().values + 1 for count in counts])
    values = torch.randn(total, channels, generator=rng)
    offsets = torch.tensor([0, *counts]).cumsum(0)
    return density, width, distance, values, offsets


def in_double(inputs):
    return [tensor.double() if tensor.is_floating_point() else tensor for tensor in inputs]


def one_ray(density, width, **others):
    """A ray through a slab of one density, in a hundred samples."""
    count = 100
    full = torch.ones(count)
    distance = 2.0 + width * (torch.arange(count) + 0.5)
    inputs = (density * full, width * full, distance, full[:, None], torch.tensor([0, count]))
    return composite(*inputs, **others)


@pytest.mark.parametrize("implementation", BOTH)
@pytest.mark.parametrize("density", [0.0, 0.1, 3.0, 1e3])
def test_a_slab_absorbs_by_the_law_of_beer(implementation, density):
    seen = one_ray(density, 0.01, implementation=implementation)
    opacity = 1 - math.exp(-density)
    assert float(seen.opacity) == pytest.approx(opacity, abs=1e-6)
    assert float(seen.weights.sum()) == pytest.approx(opacity, abs=1e-5)
    assert float(seen.values) == pytest.approx(opacity, abs=1e-5)
    if density:
        # Mean free path inside a slab of depth 1, in the limit of thin samples; each is half a sample too near.
        mean = 2 + 1 / density - math.exp(-density) / opacity
        assert float(seen.distance / seen.opacity) == pytest.approx(mean, abs=0.006)


@pytest.mark.parametrize("implementation", BOTH)
def test_rays_do_not_see_each_other(implementation):
    counts = (3, 0, 70, 1, 0)
    inputs = packed(counts)
    whole = composite(*inputs, implementation=implementation)
    density, width, distance, values, offsets = inputs
    for ray, count in enumerate(counts):
        span = slice(int(offsets[ray]), int(offsets[ray + 1]))
        parts = (density[span], width[span], distance[span], values[span], torch.tensor([0, count]))
        alone = composite(*parts, implementation=implementation)
        assert torch.allclose(alone.weights, whole.weights[span], atol=1e-6)
        for name in NAMES[1:]:
            assert torch.allclose(getattr(alone, name)[0], getattr(whole, name)[ray], atol=1e-6)


@pytest.mark.parametrize("implementation", BOTH)
def test_an_empty_ray_is_transparent(implementation):
    seen = composite(*packed((0, 0)), implementation=implementation)
    assert not seen.values.any() and not seen.opacity.any() and not seen.distance.any() and not len(seen.weights)


def functional(seen: Composed) -> torch.Tensor:
    """A random linear function of all four outputs."""
    rng = torch.Generator().manual_seed(3)
    outputs = [getattr(seen, name) for name in NAMES]
    return sum((torch.randn(o.shape, generator=rng, dtype=torch.float64).to(o) * o).sum() for o in outputs)


def test_gradients_are_finite_differences():
    density, width, distance, values, offsets = in_double(packed((4, 0, 3)))

    def run(d, v):
        seen = composite(d, width, distance, v, offsets)
        return tuple(getattr(seen, name) for name in NAMES)

    assert torch.autograd.gradcheck(run, (density.requires_grad_(), values.requires_grad_()))


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_native_equals_the_float64_twin(channels):
    inputs = packed((40, 0, 200, 1, *range(60, 160)), channels=channels)
    results = []
    for given, implementation in ((in_double(inputs), BOTH[0]), (inputs, BOTH[1])):
        leaves = [given[0].clone().requires_grad_(), given[3].clone().requires_grad_()]
        seen = composite(leaves[0], given[1], given[2], leaves[1], given[4], implementation)
        gradients = torch.autograd.grad(functional(seen), leaves)
        results.append([*[getattr(seen, name) for name in NAMES], *gradients])
    for what, truth, got in zip((*NAMES, "by density", "by values"), *results, strict=True):
        error = (got - truth).norm() / truth.norm()
        assert error < 3e-6, f"{what} differs by {error:.1e}"


@pytest.mark.parametrize("name", NAMES)
def test_each_output_has_its_own_gradient(name):
    """One output at a time: the others' gradients are missing in the kernel, not zero."""
    inputs = packed((30, 0, 50))
    gradients = []
    for given, implementation in ((in_double(inputs), BOTH[0]), (inputs, BOTH[1])):
        density = given[0].clone().requires_grad_()
        output = getattr(composite(density, *given[1:], implementation=implementation), name)
        gradients.append(torch.autograd.grad(output.square().sum(), density)[0])
    assert (gradients[0] - gradients[1]).norm() < 1e-5 * gradients[0].norm()


def test_native_results_do_not_depend_on_the_number_of_threads():
    inputs, before, results = packed(range(300)), torch.get_num_threads(), []
    try:
        for count in (1, 2, 2):
            torch.set_num_threads(count)
            leaves = [inputs[0].clone().requires_grad_(), inputs[3].clone().requires_grad_()]
            seen = composite(leaves[0], inputs[1], inputs[2], leaves[1], inputs[4], Implementation.NATIVE)
            outputs = [getattr(seen, name) for name in NAMES]
            results.append([*outputs, *torch.autograd.grad(functional(seen), leaves)])
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_wrong_arguments_are_named():
    density, width, distance, values, offsets = packed((3, 4))
    with pytest.raises(ValueError, match="gradient"):
        composite(density, width.clone().requires_grad_(), distance, values, offsets)
    with pytest.raises(ValueError, match="offsets"):
        composite(density, width, distance, values, offsets[:-1])
    with pytest.raises(ValueError, match="offsets"):
        composite(density, width, distance, values, torch.tensor([0, 8, 7]))
