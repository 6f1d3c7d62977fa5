"""The native hash encoding equals its float64 twin; the twin equals closed forms and finite differences."""

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.kernels.hash_encoding import NATIVE, HashGrid, encode, position_gradient
from lodestone.kernels.hash_encoding_reference import vertex_index
from lodestone.kernels.native_kernel import Implementation

GRIDS = {
    "dense and hashed levels": HashGrid.geometric(6, 2**9, 4, 40),
    "all dense": HashGrid((5, 9, 9), 10**3),
    "all hashed": HashGrid((7, 30), 2**6),
    "one cell": HashGrid((1,), 8),
}
BOTH = [Implementation.REFERENCE, Implementation.NATIVE]


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def uniform(*shape: int, seed: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def points(count: int, grid: HashGrid, seed: int = 0) -> Tensor:
    """Points of the cube away from the faces of cells, where derivatives jump."""
    drawn = uniform(4 * count, 3, seed=seed)
    steady = torch.ones(4 * count, dtype=torch.bool)
    for resolution in grid.resolutions:
        scaled = drawn * resolution
        steady &= ((scaled - scaled.round()).abs() > 1e-3).all(-1)
    return drawn[steady][:count]


def test_resolutions_grow_geometrically_from_base_to_finest():
    grid = HashGrid.geometric(16, 2**19, 16, 512)
    assert (grid.resolutions[0], grid.resolutions[-1]) == (16, 512)
    growth = [b / a for a, b in zip(grid.resolutions, grid.resolutions[1:], strict=False)]
    assert min(growth) > 1.2 and max(growth) < 1.3  # b = 32^(1/15) = 1.26, rounded down to whole cells
    assert grid.entries == sum(min((n + 1) ** 3, 2**19) for n in grid.resolutions)


@pytest.mark.parametrize("resolutions, size", [((), 8), ((0,), 8), ((40,), 100), ((3,), 0)])
def test_impossible_grids_are_refused(resolutions, size):
    with pytest.raises(SettingError):
        HashGrid(resolutions, size)


@pytest.mark.parametrize("resolution", [3, 7])
def test_a_level_that_fits_has_no_collisions(resolution):
    axis = torch.arange(resolution + 1)
    vertices = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
    entries = vertex_index(vertices, resolution, (resolution + 1) ** 3)
    assert sorted(entries.tolist()) == list(range((resolution + 1) ** 3))


def test_a_level_above_the_table_size_shares_entries_evenly():
    """17^3 vertices in 2^8 entries: collisions are certain, and the hash spreads them."""
    axis = torch.arange(17)
    vertices = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
    counts = torch.bincount(vertex_index(vertices, 16, 2**8), minlength=2**8)
    assert counts.sum() == 17**3
    assert counts.min() > 0 and counts.max() < 4 * 17**3 / 2**8


@pytest.mark.parametrize("implementation", BOTH)
def test_at_vertices_the_encoding_is_the_table(implementation):
    grid = HashGrid((4,), 5**3)
    table = normal(grid.entries, 2, seed=0)
    axis = torch.arange(5)
    vertices = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
    encoded = encode(vertices / 4, table, grid, implementation=implementation)
    expected = table[vertex_index(vertices, 4, grid.entries)]
    assert torch.allclose(encoded, expected, atol=1e-6)


@pytest.mark.parametrize("implementation", BOTH)
def test_linear_functions_are_encoded_exactly(implementation):
    """A dense level whose vertices hold `a + <b, x>` encodes that function, and its gradient is b."""
    grid = HashGrid((6,), 7**3)
    axis = torch.arange(7)
    vertices = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(-1, 3)
    slope = torch.tensor([[0.5, -2.0, 1.5], [1.0, 3.0, -0.25]])
    table = torch.zeros(grid.entries, 2)
    table[vertex_index(vertices, 6, grid.entries)] = 0.3 + vertices / 6 @ slope.T
    x = points(50, grid)
    assert torch.allclose(encode(x, table, grid, implementation=implementation), 0.3 + x @ slope.T, atol=1e-5)
    for column, row in zip(torch.eye(2), slope, strict=True):
        gradient = position_gradient(x, table, column.expand(50, 2), grid, implementation=implementation)
        assert torch.allclose(gradient, row.expand(50, 3), atol=1e-4)


@pytest.mark.parametrize("name", GRIDS)
def test_first_and_second_derivatives_are_finite_differences(name):
    """In float64, of the twin; within a cell second derivatives are the mixed ones."""
    grid = GRIDS[name]
    x = points(3, grid).double().requires_grad_()
    table = normal(grid.entries, 2, seed=1).double().requires_grad_()
    columns = 2 * grid.levels
    if grid.entries > 200:  # the Jacobian by the whole table is a lot of zeros
        assert torch.autograd.gradcheck(lambda p: encode(p, table.detach(), grid), x)
        assert torch.autograd.gradgradcheck(lambda p: encode(p, table.detach(), grid), x)
        return
    assert torch.autograd.gradcheck(lambda p, t: encode(p, t, grid), (x, table))
    cotangent = normal(3, columns, seed=2).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda p, t, g: position_gradient(p, t, g, grid), (x, table, cotangent))


def all_derivatives(x: Tensor, table: Tensor, grid: HashGrid, active: int, implementation: Implementation):
    """Features, the gradient of a function of them by position, and the gradient of a function of that by both."""
    x, table = x.clone().requires_grad_(), table.clone().requires_grad_()
    features = encode(x, table, grid, active, implementation)
    weights = torch.linspace(0.5, 1.5, features.numel(), dtype=torch.float64).view_as(features).to(x)
    height = (features * weights).sum(-1).sin()
    (slope,) = torch.autograd.grad(height.sum(), x, create_graph=True)
    total = slope.square().sum(-1).mean() / 100 + height.mean()
    by_hand = position_gradient(x, table, weights * height.detach()[:, None], grid, active, implementation)
    return [features, slope, *torch.autograd.grad(total + by_hand.sin().mean(), [x, table])]


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("inactive", [0, 1])
def test_native_equals_the_float64_twin(name, inactive):
    grid = GRIDS[name]
    active = max(1, grid.levels - inactive)
    x, table = points(301, grid), normal(grid.entries, 2, seed=1)
    expected = all_derivatives(x.double(), table.double(), grid, active, Implementation.REFERENCE)
    actual = all_derivatives(x, table, grid, active, Implementation.NATIVE)
    for what, got, truth in zip(("features", "slope", "by points", "by table"), actual, expected, strict=True):
        error = (got - truth).norm() / truth.norm().clamp(min=1e-12)
        assert error < 3e-5, f"{what} differs by {error:.1e}"


@pytest.mark.parametrize("implementation", BOTH)
def test_points_outside_are_moved_to_the_surface(implementation):
    grid = GRIDS["dense and hashed levels"]
    table = normal(grid.entries, 2, seed=1)
    outside = torch.tensor([[-0.5, 0.37, 1.7], [0.41, 2.0, 0.93]])
    moved = encode(outside.clamp(0, 1), table, grid, implementation=implementation)
    assert torch.equal(encode(outside, table, grid, implementation=implementation), moved)
    gradient = position_gradient(outside, table, torch.ones(2, 12), grid, implementation=implementation)
    assert torch.equal(gradient == 0, torch.tensor([[True, False, True], [False, True, False]]))


@pytest.mark.parametrize("implementation", BOTH)
def test_inactive_levels_are_zero_and_get_no_gradient(implementation):
    grid = GRIDS["dense and hashed levels"]
    table = normal(grid.entries, 2, seed=1).requires_grad_()
    encoded = encode(points(20, grid), table, grid, 2, implementation)
    whole = encode(points(20, grid), table, grid, implementation=implementation)
    assert torch.equal(encoded[:, :4], whole[:, :4]) and not encoded[:, 4:].any()
    encoded.sum().backward()
    assert table.grad[: grid.offsets[2]].any() and not table.grad[grid.offsets[2] :].any()


def test_native_results_do_not_depend_on_the_number_of_threads(threads):
    grid = GRIDS["dense and hashed levels"]
    x, table = points(3000, grid), normal(grid.entries, 2, seed=1)
    results = []
    for count in (1, 2, 2):
        threads(count)
        results.append(all_derivatives(x, table, grid, 6, Implementation.NATIVE))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("implementation", BOTH)
def test_no_points_are_no_trouble(implementation):
    grid = GRIDS["all dense"]
    table = normal(grid.entries, 2, seed=1).requires_grad_()
    encode(torch.zeros(0, 3), table, grid, implementation=implementation).sum().backward()
    assert not table.grad.any()


def test_wrong_arguments_are_named():
    grid = GRIDS["one cell"]
    with pytest.raises(ValueError, match="active"):
        encode(torch.zeros(1, 3), torch.zeros(8, 2), grid, 2)
    with pytest.raises(ValueError, match="shape"):
        encode(torch.zeros(1, 3), torch.zeros(9, 2), grid)
    with pytest.raises(ValueError, match="float64"):
        encode(torch.zeros(1, 3).double(), torch.zeros(8, 2), grid)
    with pytest.raises(ValueError, match="float32"):
        encode(torch.zeros(1, 3).double(), torch.zeros(8, 2).double(), grid, implementation=Implementation.NATIVE)


def test_the_kernel_is_compiled():
    assert NATIVE.available, NATIVE.status
