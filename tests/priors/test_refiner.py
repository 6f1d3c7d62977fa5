"""The small network at full resolution."""

import pytest
import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from lodestone.priors.noise import NoiseSchedule
from lodestone.priors.refiner import PixelRefiner

LOG_SNR = torch.tensor([6.0, -30.0])


@pytest.fixture
def refiner() -> PixelRefiner:
    """With random weights everywhere, in double precision."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = PixelRefiner(4, 8)
        for layer in (network.modulation, network.last):
            torch.nn.init.normal_(layer.weight, std=0.1)
    return network.double().requires_grad_(False)


def pictures(side: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Two predictions and two noisy pictures, as blocks."""
    rng = torch.Generator().manual_seed(0)
    clean, noisy = torch.randn(2, 2, 3, side, side, generator=rng, dtype=torch.float64)
    return pixel_unshuffle(clean, 4), pixel_unshuffle(noisy, 4)


def test_before_it_is_trained_it_changes_nothing() -> None:
    clean, noisy = (part.float() for part in pictures())
    assert torch.equal(PixelRefiner(4)(clean, noisy, LOG_SNR), clean)


def test_it_does_not_see_the_blocks(refiner: PixelRefiner) -> None:
    """A picture moved by one pixel, no multiple of the block, is corrected alike away from the border."""
    clean, noisy = pictures(32)

    def moved(latents: torch.Tensor) -> torch.Tensor:
        return pixel_unshuffle(pixel_shuffle(latents, 4).roll((1, 1), dims=(2, 3)), 4)

    one = pixel_shuffle(moved(refiner(clean, noisy, LOG_SNR)), 4)
    two = pixel_shuffle(refiner(moved(clean), moved(noisy), LOG_SNR), 4)
    torch.testing.assert_close(one[..., 8:-8, 8:-8], two[..., 8:-8, 8:-8])


def test_each_row_is_corrected_by_itself_and_its_noise_level_counts(refiner: PixelRefiner) -> None:
    clean, noisy = pictures()
    both = refiner(clean, noisy, LOG_SNR)
    torch.testing.assert_close(both[:1], refiner(clean[:1], noisy[:1], LOG_SNR[:1]))
    assert not torch.allclose(both[:1], refiner(clean[:1], noisy[:1], LOG_SNR[1:]))
    assert both.isfinite().all()


def test_gradients_agree_with_finite_differences(refiner: PixelRefiner) -> None:
    clean, noisy = (part[:1, :, :1, :2].contiguous() for part in pictures())
    level = LOG_SNR[:1].double()
    assert torch.autograd.gradcheck(lambda x: refiner(x, noisy, level), clean.requires_grad_())


def test_the_logarithm_of_the_signal_to_noise_ratio() -> None:
    schedule, t = NoiseSchedule.cosine(), torch.tensor([1, 500, 998])
    alpha = torch.sigmoid(schedule.log_snr(t).double()).sqrt()
    torch.testing.assert_close(alpha.float(), schedule.alpha(t), rtol=1e-3, atol=1e-6)
