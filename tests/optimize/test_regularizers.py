"""Regularizers against closed forms and finite differences, in float64."""

import math

import pytest
import torch

from lodestone.optimize.regularizers import Regularizers, opaqueness, regularization, smoothness, sparsity, total
from lodestone.scenes.scene import Rendering
from lodestone.schedules import Constant, Linear


def rendering(opacity, depth=None):
    depth = torch.ones_like(opacity) if depth is None else depth
    return Rendering(color=torch.zeros(*opacity.shape[:3], 3, dtype=opacity.dtype), opacity=opacity, depth=depth)


def plane(value):
    return torch.full((2, 4, 5, 1), value, dtype=torch.float64)


def noise(seed):
    return torch.rand(2, 4, 5, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("opacity", [0.0, 0.3, 1.0])
def test_sparsity_of_a_plane_is_its_formula(opacity):
    assert float(sparsity(rendering(plane(opacity)))) == pytest.approx(math.sqrt(opacity**2 + 0.01))


def test_opaqueness_is_largest_at_one_half_and_nearly_nothing_at_both_ends():
    values = [float(opaqueness(rendering(plane(o)))) for o in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert values[2] == pytest.approx(math.log(2.0)) == max(values)
    assert values[0] == pytest.approx(values[4]) and values[0] < 0.01
    assert values[1] == pytest.approx(values[3])


def test_smoothness_of_a_slope_is_its_steepness():
    """Depth rises by 0.5 from row to row and by 0.25 from column to column, everywhere opaque."""
    rows, columns = torch.arange(4.0, dtype=torch.float64), torch.arange(5.0, dtype=torch.float64)
    depth = (0.5 * rows[:, None] + 0.25 * columns)[None, :, :, None].expand(2, -1, -1, -1)
    assert float(smoothness(rendering(plane(1.0), depth))) == pytest.approx(0.75)


def test_smoothness_does_not_see_what_is_transparent():
    opacity = plane(1.0)
    opacity[:, 2:] = 0.0
    depth = plane(1.0)
    depth[:, 2:] = 50.0
    assert float(smoothness(rendering(opacity, depth))) == 0.0


@pytest.mark.parametrize("term", [sparsity, opaqueness])
def test_gradients_with_respect_to_opacity_are_finite_differences(term):
    opacity = (0.1 + 0.8 * noise(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda o: term(rendering(o)), opacity)


def test_gradients_with_respect_to_depth_are_finite_differences():
    assert torch.autograd.gradcheck(lambda d: smoothness(rendering(noise(0), d)), noise(1).requires_grad_())


def test_smoothness_does_not_pull_on_opacity():
    opacity = noise(0).requires_grad_()
    smoothness(rendering(opacity, noise(1).requires_grad_())).backward()
    assert opacity.grad is None


def test_weights_are_annealed_and_zero_means_not_computed():
    weights = Regularizers(sparsity=Linear(0.0, 4.0, over=4), opaqueness=Constant(2.0))
    assert {name: weight for name, weight in weights.weights(1).items() if weight} == {
        "sparsity": 1.0,
        "opaqueness": 2.0,
    }
    terms = regularization(rendering(plane(0.5)), weights.weights(1))
    assert set(terms) == {"sparsity", "opaqueness"}
    assert float(terms["opaqueness"]) == pytest.approx(2 * math.log(2.0))
    assert float(total(terms)) == pytest.approx(2 * math.log(2.0) + math.sqrt(0.26))


def test_no_terms_add_up_to_zero():
    assert float(total({})) == 0.0
