"""What stands behind the object."""

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.rendering.background import PlainColors, White


def test_white_is_white_and_draws_nothing():
    rng = torch.Generator().manual_seed(0)
    before = rng.get_state()
    assert torch.equal(White().sample(3, rng), torch.ones(3, 3)) and torch.equal(rng.get_state(), before)


def test_plain_colors_are_white_as_often_as_asked():
    """10,000 draws at probability 0.3; 4 standard errors are 0.018."""
    drawn = PlainColors(white_share=0.3).sample(10_000, torch.Generator().manual_seed(0))
    assert float((drawn == 1).all(-1).float().mean()) == pytest.approx(0.3, abs=0.018)
    assert drawn.min() >= 0 and drawn.max() <= 1


@pytest.mark.parametrize(("share", "white"), [(0.0, False), (1.0, True)])
def test_the_ends_of_the_share_are_never_and_always(share, white):
    drawn = PlainColors(white_share=share).sample(100, torch.Generator().manual_seed(0))
    assert bool((drawn == 1).all(-1).any()) == white and bool((drawn == 1).all()) == white


def test_the_same_generator_draws_the_same_colors():
    first, second = (PlainColors().sample(5, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(first, second)


def test_a_share_outside_its_range_is_refused():
    with pytest.raises(SettingError, match="white_share"):
        PlainColors(white_share=1.1)
