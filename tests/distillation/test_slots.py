"""What is learned on the side: at first it changes nothing, then it learns the score of the renderings."""

import math

import pytest
import torch

from lodestone.distillation.bsd import BootstrappedScoreDistillation
from lodestone.distillation.esd import EntropicScoreDistillation
from lodestone.distillation.learned_adapter import CameraEmbedding
from lodestone.distillation.lods import LearnedNullEmbedding, LearnedNullLora
from lodestone.distillation.slots import compare_with_start, denoising_loss, learning_draw
from lodestone.distillation.vsd import VariationalScoreDistillation
from lodestone.distillation.weighting import Uniform
from lodestone.errors import SettingError
from lodestone.priors.adapters import LowRankSettings
from lodestone.priors.analytic import GaussianMixture, component_conditioning
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import ConditioningSet
from lodestone.testing.estimator_contract import FIXED, EstimatorContract, two_component_problem

ADAPTIVE = {
    "embedding": LearnedNullEmbedding(learning_rate=0.1),
    "lods lora": LearnedNullLora(learning_rate=0.02),
    "vsd": VariationalScoreDistillation(learning_rate=0.02),
    "esd": EntropicScoreDistillation(learning_rate=0.02),
    "bsd": BootstrappedScoreDistillation(learning_rate=0.02, personalised_share=0.2, augmentation_steps=3),
}


class TestLearnedNullLora(EstimatorContract):
    """Identity (d): at its start the LoRA is nothing, and LODS is normalized SDS with that negative prompt."""

    def estimator(self):
        return LearnedNullLora(guidance_scale=100.0)

    def mean(self, positive, null, noise):
        return positive - 0.99 * null - 0.01 * noise


class TestVariationalScoreDistillation(EstimatorContract):
    """At its start q is the prior under the prompt."""

    calls = 3

    def estimator(self):
        return VariationalScoreDistillation(guidance_scale=7.5)

    def mean(self, positive, null, noise):
        return 6.5 * (positive - null)


class TestBootstrappedScoreDistillation(EstimatorContract):
    calls = 3

    def estimator(self):
        return BootstrappedScoreDistillation(guidance_scale=2.0)

    def mean(self, positive, null, noise):
        return positive - null


class TestEntropicScoreDistillation(EstimatorContract):
    calls = 4

    def estimator(self):
        return EntropicScoreDistillation(guidance_scale=7.5)

    def mean(self, positive, null, noise):
        return 6.5 * (positive - null)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("estimator", ADAPTIVE.values(), ids=ADAPTIVE)
def test_a_slot_learns_to_denoise_the_renderings(estimator):
    """Renderings come from the component that the prompt excludes.

    The slot's loss falls at least halfway from that of its start to that of the renderings' true score.
    """
    denoiser, conditioning, _ = two_component_problem(16)
    slot = estimator.slot(conditioning, denoiser, generator()).to(torch.float64)
    optimizer, rng = torch.optim.Adam(slot.parameters(), lr=estimator.learning_rate), generator(1)
    means = denoiser.means.view(2, 3, 4, 4)
    latents = means[1] + math.sqrt(0.6) * torch.randn(16, 3, 4, 4, generator=rng, dtype=torch.float64)
    before = compare_with_start(denoiser, latents, slot.fill(conditioning), slot, seed=3)
    assert before["slot_displacement"] == 0.0 and before["slot_loss"] == before["slot_loss_at_start"]
    for _ in range(80):
        loss = estimator.auxiliary_loss(denoiser, latents, slot.fill(conditioning), rng)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = compare_with_start(denoiser, latents, slot.fill(conditioning), slot, seed=3)
    assert after["slot_displacement"] > 0.1
    _, noised = learning_draw(denoiser, latents, 1.0, generator(3))
    truth = component_conditioning(torch.tensor([[0.0, 1.0]])).expand(16)
    optimum = float(denoising_loss(denoiser, noised, truth))
    assert after["slot_loss"] < (after["slot_loss_at_start"] + optimum) / 2
    assert after["slot_loss_at_start"] == before["slot_loss_at_start"]


def test_vsd_with_the_exact_score_of_its_renderings_has_no_mean_and_no_variance():
    """If the renderings follow the prior itself, q = p: at scale 1 every single gradient is zero, not only their mean.

    SDS, whose control variate is the noise, has mean zero there too, but not variance zero.
    """
    schedule = NoiseSchedule.scaled_linear()
    denoiser = GaussianMixture(torch.zeros(1, 1, 4, 4, dtype=torch.float64), 0.5, schedule)
    only = component_conditioning(torch.ones(1, 1)).expand(64)
    latents = math.sqrt(0.5) * torch.randn(64, 1, 4, 4, generator=generator(), dtype=torch.float64)
    estimator = VariationalScoreDistillation(guidance_scale=1.0, weight=Uniform())
    known = ConditioningSet(positive=only, null=only)
    filled = estimator.slot(known, denoiser, generator()).to(torch.float64).fill(known)
    gradient = estimator.gradient(denoiser, latents, filled, FIXED, generator(1)).gradient
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)


def test_esd_with_all_of_its_entropy_on_the_seeing_score_is_vsd():
    """Identity: `l = 1` is VSD, whatever the adapter has learned."""
    denoiser, known, latents = two_component_problem(4)
    slot = VariationalScoreDistillation().slot(known, denoiser, generator()).to(torch.float64)
    with torch.no_grad():
        slot.adapter.up[0].normal_(generator=generator(2))
    one, other = (
        estimator.gradient(denoiser, latents, slot.fill(known), FIXED, generator(3)).gradient
        for estimator in (EntropicScoreDistillation(entropy_share=1.0), VariationalScoreDistillation())
    )
    torch.testing.assert_close(one, other)


def test_the_camera_embedding_begins_at_zero_and_tells_views_apart_later():
    embedding, cameras = CameraEmbedding(8, generator()), torch.randn(3, 16, generator=generator(1))
    assert torch.equal(embedding(cameras), torch.zeros(3, 8))
    with torch.no_grad():
        embedding.last.weight.copy_(torch.randn(8, 8, generator=generator(2)))
    assert not torch.allclose(embedding(cameras)[0], embedding(cameras)[1])


def test_personalised_prior_and_renderings_score_are_learned_apart():
    """q's loss alone leaves p where it was, and the other way round."""
    denoiser, conditioning, latents = two_component_problem(4)
    for share, moved, still in ((0.0, 1, 0), (1.0, 0, None)):
        estimator = BootstrappedScoreDistillation(personalised_share=share, augmentation_steps=2)
        slot = estimator.slot(conditioning, denoiser, generator()).to(torch.float64)
        estimator.auxiliary_loss(denoiser, latents, slot.fill(conditioning), generator(1)).backward()
        halves = [half.norm() for half in slot.adapter.up[0].grad.chunk(2, dim=1)]
        assert halves[moved] > 0
        assert still is None or halves[still] == 0


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(SettingError, match="learned_share is 0"):
        LearnedNullEmbedding(learned_share=0.0)
    with pytest.raises(SettingError, match="learning_rate is nan"):
        VariationalScoreDistillation(learning_rate=math.nan)
    with pytest.raises(SettingError, match=r"low_rank\.rank is 0"):
        LowRankSettings(rank=0)
    with pytest.raises(SettingError, match="augmentation is 2"):
        BootstrappedScoreDistillation(augmentation=2.0)
    with pytest.raises(SettingError, match="guidance_scale is 0"):
        LearnedNullLora(guidance_scale=0.0)
