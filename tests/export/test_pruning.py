"""Which Gaussians are written."""

from dataclasses import replace

import pytest
import torch
from golden_arrow import arrow

from lodestone.errors import SettingError
from lodestone.export.pruning import FAINTEST, keep_visible, select


def test_faintest_is_the_logit_of_one_255th() -> None:
    assert torch.tensor(FAINTEST).sigmoid().item() == pytest.approx(1 / 255, rel=1e-6)


def test_non_finite_and_faint_gaussians_are_dropped() -> None:
    raw = arrow()
    raw.means[0, 1] = torch.nan
    raw.log_scales[1, 2] = -torch.inf
    raw.opacity_logits[2] = FAINTEST - 1e-3
    kept = keep_visible(raw)
    assert torch.equal(kept.means, arrow().means[3:])


def test_a_scene_without_gaussians_is_refused() -> None:
    with pytest.raises(SettingError, match="none of the scene's 0 Gaussians"):
        keep_visible(select(arrow(), torch.zeros(4, dtype=torch.bool)))


def test_parameters_lose_their_graph() -> None:
    raw = replace(arrow(), means=arrow().means.double().requires_grad_())
    kept = keep_visible(raw)
    assert not kept.means.requires_grad
    assert kept.means.dtype == torch.float32


@pytest.mark.parametrize("logit", [FAINTEST - 1, float("nan")])
def test_nothing_left_is_refused(logit: float) -> None:
    raw = replace(arrow(), opacity_logits=torch.full((4,), logit))
    with pytest.raises(SettingError, match="none of the scene's 4 Gaussians is visible"):
        keep_visible(raw)
