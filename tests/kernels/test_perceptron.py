"""The native perceptron equals its float64 twin; the twin equals closed forms and finite differences."""

import ctypes

import pytest
import torch
from torch import Tensor

from lodestone.kernels import perceptron as kernel
from lodestone.kernels.native import load_library, supported_builds
from lodestone.kernels.native_kernel import Implementation
from lodestone.kernels.perceptron import NATIVE, input_gradient, perceptron

BOTH = [Implementation.REFERENCE, Implementation.NATIVE]
WIDTHS = {
    "hash field": (32, 64, 4),
    "density": (32, 64, 1),
    "backdrop": (9, 16, 3),
    "frequencies": (34, 64, 8),
    "prime numbers": (13, 37, 5),
    "one of each": (1, 1, 1),
    "wide": (100, 130, 17),
}
ROWS = (1, 5, 95, 96, 97, 1100)
"""Around a tile, and more than two chunks."""


def problem(rows: int, inputs: int, hidden: int, outputs: int) -> tuple[list[Tensor], Tensor]:
    """x, W1 and W2 in float32, and weights of the outputs; no hidden unit is so near zero that precision decides."""
    rng = torch.Generator().manual_seed(rows + inputs)
    x, first = torch.randn(rows, inputs, generator=rng), torch.randn(hidden, inputs, generator=rng)
    near = (x.double() @ first.double().T).abs() < 1e-4 * inputs
    x[near.any(dim=1)] = 0.0
    return [x, first, torch.randn(outputs, hidden, generator=rng)], torch.randn(rows, outputs, generator=rng)


def all_derivatives(inputs: list[Tensor], weights: Tensor, implementation: Implementation) -> dict[str, Tensor]:
    """Values, the gradients of a function of them, the derivative by x and the gradients of a function of that."""
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    y = perceptron(*leaves, implementation)
    by_all = torch.autograd.grad((y * weights.to(y)).sum(), leaves)
    slope = input_gradient(*leaves, implementation)
    by_weights = torch.autograd.grad((slope * slope.detach().sin()).sum(), leaves[1:])
    names = ("y", "dx", "dW1", "dW2", "slope", "dW1 of the slope", "dW2 of the slope")
    return dict(zip(names, [y.detach(), *by_all, slope.detach(), *by_weights], strict=True))


def assert_close(actual: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, truth in expected.items():
        error = (actual[name] - truth).norm() / truth.norm().clamp(min=1e-12)
        assert error < 3e-6, f"{name} differs by {error:.1e}"


@pytest.mark.parametrize("implementation", BOTH)
def test_an_open_gate_multiplies_and_a_closed_one_does_not(implementation):
    x = torch.tensor([[2.0, 1.0], [-2.0, 1.0], [0.0, 0.0]])
    first, second = torch.tensor([[1.0, 1.0], [-1.0, 0.0]]), torch.tensor([[3.0, 5.0], [0.0, 1.0]])
    expected = torch.tensor([[9.0, 0.0], [10.0, 2.0], [0.0, 0.0]])
    assert torch.equal(perceptron(x, first, second, implementation), expected)
    slope = torch.tensor([[3.0, 3.0], [-5.0, 0.0], [0.0, 0.0]])
    assert torch.equal(input_gradient(x, first, second, implementation), slope)


@pytest.mark.parametrize("implementation", BOTH)
def test_it_is_homogeneous(implementation):
    """Without biases `y(c x) = c y(x)` for c > 0, hence `<dy / dx, x> = y`."""
    (x, first, second), _ = problem(50, *WIDTHS["density"])
    y, slope = perceptron(x, first, second, implementation), input_gradient(x, first, second, implementation)
    assert torch.equal(perceptron(4 * x, first, second, implementation), 4 * y)
    assert torch.allclose((slope * x).sum(-1), y[:, 0], rtol=1e-4, atol=1e-3)


def test_gradients_are_finite_differences():
    """In float64, of the twin."""
    inputs, _ = problem(4, 3, 5, 2)
    leaves = [tensor.double().requires_grad_() for tensor in inputs]
    assert torch.autograd.gradcheck(perceptron, leaves)
    assert torch.autograd.gradgradcheck(perceptron, leaves)
    assert torch.autograd.gradcheck(lambda a, b: input_gradient(leaves[0].detach(), a, b), leaves[1:])


def test_the_derivative_by_the_input_is_autograd_s():
    (x, first, second), _ = problem(20, *WIDTHS["prime numbers"])
    x = x.double().requires_grad_()
    y = perceptron(x, first.double(), second.double())
    (expected,) = torch.autograd.grad(y[:, 0].sum(), x)
    assert torch.allclose(input_gradient(x, first.double(), second.double()), expected)


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("name", WIDTHS)
def test_native_equals_the_float64_twin(name, rows):
    inputs, weights = problem(rows, *WIDTHS[name])
    expected = all_derivatives([tensor.double() for tensor in inputs], weights, Implementation.REFERENCE)
    assert_close(all_derivatives(inputs, weights, Implementation.NATIVE), expected)


@pytest.mark.parametrize("build", supported_builds(), ids=lambda build: build.name)
def test_every_build_equals_the_twin(build, monkeypatch):
    """The one for old processors too, which is never loaded here otherwise."""
    library = load_library(build.library("perceptron"))
    kernel._declare(library)

    class Loaded:
        def __init__(self, library: ctypes.CDLL) -> None:
            self.library = library

        def runs(self, implementation: Implementation, _: Tensor) -> bool:
            return implementation is Implementation.NATIVE

    monkeypatch.setattr(kernel, "NATIVE", Loaded(library))
    for name in ("hash field", "prime numbers"):
        inputs, weights = problem(301, *WIDTHS[name])
        expected = all_derivatives([tensor.double() for tensor in inputs], weights, Implementation.REFERENCE)
        assert_close(all_derivatives(inputs, weights, Implementation.NATIVE), expected)


def test_native_results_do_not_depend_on_the_number_of_threads():
    inputs, weights = problem(3001, *WIDTHS["hash field"])
    before, results = torch.get_num_threads(), []
    try:
        for count in (1, 2, 2):
            torch.set_num_threads(count)
            results.append(all_derivatives(inputs, weights, Implementation.NATIVE))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(results[0][name], other[name]) for name in other)


def test_each_gradient_can_be_asked_for_alone():
    inputs, weights = problem(200, *WIDTHS["backdrop"])
    whole = all_derivatives(inputs, weights, Implementation.NATIVE)
    for index, name in enumerate(("dx", "dW1", "dW2")):
        leaves = [tensor.clone().requires_grad_(place == index) for place, tensor in enumerate(inputs)]
        (perceptron(*leaves, Implementation.NATIVE) * weights).sum().backward()
        assert [leaf.grad is not None for leaf in leaves] == [place == index for place in range(3)]
        assert torch.equal(leaves[index].grad, whole[name])


def test_arrays_need_not_be_contiguous():
    (x, first, second), weights = problem(120, *WIDTHS["prime numbers"])
    inputs = [x, first, second]
    strided = [torch.stack([tensor, tensor + 1], dim=-1)[..., 0] for tensor in inputs]
    transposed = [tensor.T.contiguous().T for tensor in inputs]
    expected = all_derivatives(inputs, weights, Implementation.NATIVE)
    for others, cotangent in ((strided, weights), (transposed, weights.T.contiguous().T)):
        leaves = [tensor.detach().requires_grad_() for tensor in others]
        assert not any(leaf.is_contiguous() for leaf in leaves)
        y = perceptron(*leaves, Implementation.NATIVE)
        gradients = torch.autograd.grad(y, leaves, cotangent)
        assert torch.equal(y, expected["y"])
        assert all(torch.equal(a, expected[b]) for a, b in zip(gradients, ("dx", "dW1", "dW2"), strict=True))
        assert torch.equal(input_gradient(*leaves, Implementation.NATIVE), expected["slope"])


@pytest.mark.parametrize("implementation", BOTH)
def test_no_rows_are_no_trouble(implementation):
    results = all_derivatives(*problem(0, *WIDTHS["backdrop"]), implementation)
    assert results["y"].shape == (0, 3) and results["dx"].shape == (0, 9)
    for name in ("dW1", "dW2", "dW1 of the slope", "dW2 of the slope"):
        assert not results[name].any()


@pytest.mark.parametrize("implementation", BOTH)
def test_what_is_not_a_number_stays_so(implementation):
    (x, first, second), _ = problem(100, *WIDTHS["hash field"])
    x[7, 3] = torch.nan
    bad = perceptron(x, first, second, implementation).isnan().any(dim=1)
    assert bad.nonzero().flatten().tolist() == [7]


def test_the_kernel_is_differentiable_once():
    inputs, _ = problem(5, *WIDTHS["backdrop"])
    leaves = [tensor.requires_grad_() for tensor in inputs]
    y = perceptron(*leaves, Implementation.NATIVE)
    (of_x,) = torch.autograd.grad(y.square().sum(), leaves[0], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        of_x.sum().backward()


def test_wrong_arguments_are_named():
    x, first, second = torch.zeros(4, 3), torch.zeros(5, 3), torch.zeros(2, 5)
    for wrong in ((x[0], first, second), (x[:, :2], first, second), (x, first, second[:, :4])):
        with pytest.raises(ValueError, match="shapes"):
            kernel._check(*wrong)  # under pytest the annotations of the door refuse them before
    for function in (perceptron, input_gradient):
        with pytest.raises(ValueError, match="shapes"):
            function(x, first, second[:0])
        with pytest.raises(ValueError, match="float64"):
            function(x.double(), first, second)
        with pytest.raises(ValueError, match="float32"):
            function(x.double(), first.double(), second.double(), Implementation.NATIVE)


def test_the_kernel_is_compiled():
    assert NATIVE.available, NATIVE.status
