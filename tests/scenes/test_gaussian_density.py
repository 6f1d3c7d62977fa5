"""The local query gives the sum over all Gaussians."""

import pytest
import torch

from lodestone.scenes import gaussian_density
from lodestone.scenes.gaussian_density import REACH, GaussianDensity, blocks


def cloud(count, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return GaussianDensity.of(
        0.5 * torch.randn(count, 3, generator=rng),
        torch.randn(count, 4, generator=rng),
        (-2.5 + 0.5 * torch.randn(count, 3, generator=rng)).exp(),
        torch.rand(count, 1, generator=rng),
        torch.rand(count, 3, generator=rng),
    )


def whole_sum(field, points):
    """The sum over all pairs, in double precision."""
    offset = (points[:, None] - field.means[None]).double()
    distance = torch.einsum("pni,nij,pnj->pn", offset, field.precision.double(), offset)
    return ((-0.5 * distance).exp() * (distance <= REACH**2)) @ field.weights.double()


@pytest.mark.parametrize("pairs", [2**22, 300])
def test_density_and_colour_are_the_whole_sum(monkeypatch, pairs):
    monkeypatch.setattr(gaussian_density, "PAIRS", pairs)
    monkeypatch.setattr(gaussian_density, "BLOCK", 16)
    field, points = cloud(200), torch.randn(500, 3, generator=torch.Generator().manual_seed(1))
    expected = whole_sum(field, points)
    density = field.density(points).double()
    torch.testing.assert_close(density, expected[:, 0], rtol=1e-3, atol=3e-3)
    dense = expected[:, 0] > 0.05
    color = field.color(points).double()
    torch.testing.assert_close(color[dense], (expected[:, 1:] / expected[:, :1])[dense], rtol=0, atol=0.02)


def test_the_peak_is_the_opacity_and_one_deviation_away_it_is_less():
    field = GaussianDensity.of(
        torch.tensor([[1.0, 2.0, 3.0]]),
        torch.tensor([[0.5**0.5, 0.0, 0.0, 0.5**0.5]]),  # 90 degrees about z: the long axis lies along y
        torch.tensor([[0.3, 0.1, 0.1]]),
        torch.tensor([[0.8]]),
        torch.tensor([[1.0, 0.5, 0.0]]),
    )
    points = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.3, 3.0], [1.1, 2.0, 3.0], [9.0, 9.0, 9.0]])
    step = 0.8 * torch.tensor(-0.5).exp().item()
    torch.testing.assert_close(field.density(points), torch.tensor([0.8, step, step, 0.0]), rtol=0, atol=1e-4)
    torch.testing.assert_close(field.color(points)[[0, 3]], torch.tensor([[1.0, 0.5, 0.0], [0.5, 0.5, 0.5]]))
    torch.testing.assert_close(field.low, torch.tensor([1 - 0.35, 2 - 1.05, 3 - 0.35]))


def test_blocks_hold_every_point_once():
    points = torch.rand(3000, 3, generator=torch.Generator().manual_seed(0))
    order, bounds = blocks(points)
    assert bounds[0] == 0 and bounds[-1] == 3000 and bounds == sorted(set(bounds))
    assert torch.equal(order.sort().values, torch.arange(3000))
    assert blocks(points[:0])[1] == [0]
    assert cloud(5).density(points[:0]).shape == (0,)
