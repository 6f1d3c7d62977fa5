"""Density control: who stays, who grows, and what the optimizer still knows of them."""

import math

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.scenes.density_control import DensityControl, DensityStatistics, rotate
from lodestone.scenes.gaussian_settings import GaussianSettings
from lodestone.scenes.gaussians import GaussianScene, RawGaussians
from lodestone.scenes.scene import RenderStatistics, StructureState

CONTROL = DensityControl(
    every=1, start=0, stop=10, grow_share=0.5, split_scale=0.1, prune_opacity=0.1, largest_scale=1.0
)


def gaussians(opacities, scales):
    count = len(opacities)
    return RawGaussians(
        means=torch.arange(3.0 * count).view(count, 3),
        log_scales=torch.tensor(scales).log()[:, None].repeat(1, 3),
        quaternions=torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(count, 1),
        opacity_logits=torch.logit(torch.tensor(opacities)),
        colors=torch.rand(count, 3, generator=torch.Generator().manual_seed(0)),
    )


def pulled(*gradient):
    return DensityStatistics(torch.tensor(gradient), torch.ones(len(gradient)))


def edit(raw, statistics, control=CONTROL):
    return control.edit(raw, statistics, torch.Generator().manual_seed(0))


def test_what_is_faint_or_too_large_goes():
    raw = gaussians([0.5, 0.05, 0.5, 0.5], [0.05, 0.05, 2.0, 0.05])
    assert edit(raw, pulled(0.0, 9.0, 9.0, 0.0)).parents[:2].tolist() == [0, 3]


def test_what_is_pulled_hardest_grows():
    raw = gaussians([0.5] * 4, [0.05] * 4)
    result = edit(raw, pulled(0.1, 3.0, 0.2, 2.0))
    assert result.parents.tolist() == [0, 1, 2, 3, 1, 3]
    assert result.fresh.tolist() == [False] * 4 + [True] * 2


def test_a_clone_is_its_parents_double():
    raw = gaussians([0.5] * 4, [0.05] * 4)
    result = edit(raw, pulled(0.0, 3.0, 0.0, 2.0))
    for name, tensor in vars(result.raw).items():
        assert torch.equal(tensor, getattr(raw, name)[result.parents])


def test_the_halves_of_a_split_are_fresh_smaller_and_near_their_parent():
    raw = gaussians([0.5, 0.5], [0.2, 0.05])
    result = edit(raw, pulled(5.0, 0.0))
    assert result.parents.tolist() == [0, 1, 0] and result.fresh.tolist() == [True, False, True]
    halves = torch.tensor([0, 2])
    torch.testing.assert_close(result.raw.scales[halves], torch.full((2, 3), 0.2 / math.exp(0.47)))
    offset = result.raw.means[halves] - raw.means[0]
    assert (offset != 0).all() and (offset.abs() < 5 * 0.2).all()
    assert torch.equal(result.raw.means[1], raw.means[1])


def test_halves_are_samples_of_their_parent():
    """4,000 splits of a Gaussian with standard deviation 0.2: that deviation, to 4 standard errors."""
    raw = gaussians([0.5] * 4_000, [0.2] * 4_000)
    control = DensityControl(grow_share=1.0, split_scale=0.1)
    result = edit(raw, DensityStatistics.empty(4_000), control)
    offset = result.raw.means - raw.means[result.parents]
    assert float(offset.std()) == pytest.approx(0.2, abs=4 * 0.2 / math.sqrt(2 * 24_000))


def test_scattering_follows_the_parents_rotation():
    """A quarter turn about z takes x to y."""
    turn = torch.tensor([[math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)]])
    torch.testing.assert_close(rotate(3 * turn, torch.tensor([[1.0, 0.0, 2.0]])), torch.tensor([[0.0, 1.0, 2.0]]))


@pytest.mark.parametrize(("most", "count"), [(2, 4), (4, 4), (5, 5), (100, 6)])
def test_nothing_grows_beyond_the_most(most, count):
    control = DensityControl(grow_share=0.5, most=most)
    assert len(edit(gaussians([0.5] * 4, [0.02] * 4), pulled(1.0, 2.0, 3.0, 4.0), control).raw) == count


def test_the_scene_is_never_emptied():
    """All are too faint: the least faint stays."""
    result = edit(gaussians([0.01, 0.03, 0.02], [0.05] * 3), DensityStatistics.empty(3))
    assert result.parents[0] == 1 and len(result.raw) >= 1


def test_the_mean_gradient_is_over_the_views_that_saw():
    offset = torch.zeros(2, 3, 2, requires_grad=True)
    (offset * torch.tensor([3.0, 4.0])).sum().backward()
    seen = RenderStatistics(screen_offset=offset, radii=torch.tensor([[1.0, 1.0, 0.0], [2.0, 0.0, 0.0]]))
    statistics = DensityStatistics.empty(3).add(seen).add(seen)
    assert statistics.mean.tolist() == [5.0, 5.0, 0.0]
    assert statistics.views.tolist() == [4.0, 2.0, 0.0]


def test_rounds_come_every_so_often_between_start_and_stop():
    control = DensityControl(every=50, start=100, stop=400)
    assert [step for step in range(1_000) if control.due(step)] == [149, 199, 249, 299, 349, 399]


def adapted(raw, gradient):
    """A scene after an Adam step and one round; returns it with its optimizer and the moments before."""
    settings, scene = GaussianSettings(density=CONTROL), GaussianScene(raw)
    groups = settings.parameter_groups(scene, 0.0)
    optimizer = torch.optim.Adam([{"params": [g.parameter], "name": g.name} for g in groups], lr=0.0)
    sum((p * torch.arange(1.0, p.numel() + 1).view_as(p)).sum() for p in scene.parameters()).backward()
    optimizer.step()
    before = {name: optimizer.state[p]["exp_avg"].clone() for name, p in scene.named_parameters()}
    state = StructureState(optimizer, vars(pulled(*gradient)))
    after = settings.adapt(scene, state, 0, torch.Generator().manual_seed(0))
    return scene, optimizer, before, after


def test_moments_follow_their_parents_and_are_zero_for_what_is_fresh():
    """Of 4: the second is pruned, the third split, so that rows are 0, 2 (fresh), 3, 2 (fresh)."""
    scene, optimizer, before, _ = adapted(
        gaussians([0.5, 0.05, 0.5, 0.5], [0.05, 0.05, 0.2, 0.05]), (0.0, 0.0, 9.0, 1.0)
    )
    for name, parameter in scene.named_parameters():
        moment = optimizer.state[parameter]["exp_avg"]
        kept = before[name]
        zero = torch.zeros_like(kept[0])
        assert torch.equal(moment[:4], torch.stack([kept[0], zero, kept[3], zero]))
        assert optimizer.state[parameter]["step"] == 1


def test_the_optimizer_holds_the_new_parameters_and_no_others():
    scene, optimizer, _, _ = adapted(gaussians([0.5] * 4, [0.05] * 4), (1.0, 2.0, 3.0, 4.0))
    held = [group["params"] for group in optimizer.param_groups]
    assert all(len(group) == 1 for group in held)
    assert [id(group[0]) for group in held] == [id(p) for p in scene.parameters()]
    assert set(map(id, optimizer.state)) == {id(p) for p in scene.parameters()}


def test_statistics_begin_anew_after_a_round():
    scene, _, _, after = adapted(gaussians([0.5] * 4, [0.05] * 4), (1.0, 2.0, 3.0, 4.0))
    assert len(scene.means) == 6
    assert {name: tensor.tolist() for name, tensor in after.statistics.items()} == {
        "gradient": [0] * 6,
        "views": [0] * 6,
    }


def test_between_rounds_nothing_changes_but_the_statistics():
    scene = GaussianScene(gaussians([0.5] * 4, [0.05] * 4))
    before = list(scene.parameters())
    optimizer = torch.optim.Adam(scene.parameters())
    state = StructureState(optimizer, vars(pulled(1.0, 2.0, 3.0, 4.0)))
    after = GaussianSettings().adapt(scene, state, 0, torch.Generator())
    assert all(a is b for a, b in zip(before, scene.parameters(), strict=True))
    assert after.statistics["gradient"].tolist() == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize(("name", "value"), [("every", 0), ("grow_share", -0.1), ("prune_opacity", 1.0), ("most", 0)])
def test_impossible_rounds_are_refused_by_name(name, value):
    with pytest.raises(SettingError, match=rf"scene\.density\.{name}"):
        DensityControl(**{name: value})
