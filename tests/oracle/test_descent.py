"""One descent: its steps, its costs and its noise."""

from dataclasses import replace

import pytest
import torch

from lodestone.distillation.csd import ClassifierScoreDistillation
from lodestone.distillation.hifa import HighFidelityDistillation
from lodestone.distillation.lods import LearnedNullEmbedding, LearnedNullLora
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.step_settings import StepSettings
from lodestone.errors import SettingError
from lodestone.oracle.descent import Descent, Rule, descend, draw_gradients, mixed, whole_gradient
from lodestone.oracle.problems import ring, trap
from lodestone.recipes.estimators import estimators

SHORT = Descent(steps=4, particles=4, record_every=2)


@pytest.mark.parametrize(
    ("estimator", "calls"),
    [
        (ScoreDistillation(), 2.0),
        (LearnedNullEmbedding(), 2.0 + 3.0),
        (LearnedNullEmbedding(learned_share=0.5), 2.0 + 1.5),
        (LearnedNullLora(), 2.0 + 3.0),
    ],
)
def test_calls_are_counted_and_training_counts_threefold(estimator, calls):
    path = descend(estimator, ring(), SHORT, seed=0)
    assert path.calls == [0.0, 2 * calls, 4 * calls] and path.steps == [0, 2, 4]


def test_same_seed_same_path_and_another_seed_another():
    first, again, other = (descend(ScoreDistillation(), ring(), SHORT, seed) for seed in (1, 1, 2))
    assert torch.equal(first.end, again.end) and not torch.equal(first.end, other.end)


def test_plain_descent_takes_the_gradient_times_the_rate():
    problem, rate = trap(), 0.05
    plan = Descent(steps=1, particles=3, rule=Rule.SGD, rate=rate)
    path = descend(ScoreDistillation(guidance_scale=3.0), problem, plan, seed=4)
    rng = torch.Generator().manual_seed(mixed(4, 0))
    settings = StepSettings(step=0, steps=1, window=plan.window)
    score = ScoreDistillation(guidance_scale=3.0).gradient(
        problem.denoiser, path.positions[0], problem.conditioning(3), settings, rng
    )
    torch.testing.assert_close(path.end, path.positions[0] - rate * score.gradient)


def test_estimators_see_the_same_noise_whatever_else_they_draw():
    """LODS at s = 1 ignores its slot, so that its whole path is that of SDS at s = 1, training draws or not."""
    plain = descend(ScoreDistillation(guidance_scale=1.0), ring(), SHORT, seed=0)
    learned = descend(LearnedNullEmbedding(guidance_scale=1.0), ring(), SHORT, seed=0)
    torch.testing.assert_close(plain.end, learned.end)


def test_an_image_term_pulls_towards_its_target():
    """`lambda mean ||(x + 1)/2 - (target + 1)/2||^2` has the gradient `lambda (x - target) / (2 d)`."""
    problem = trap()
    estimator = HighFidelityDistillation(guidance_scale=3.0, image_weight=0.8)
    x = problem.start.clone()
    settings = StepSettings(step=0, steps=1, window=(500, 500))
    score = estimator.gradient(problem.denoiser, x, problem.conditioning(1), settings, torch.Generator().manual_seed(0))
    moving = x.clone().requires_grad_()
    target = score.image_term.target
    (0.8 * ((moving - target) / 2).square().mean()).backward()
    torch.testing.assert_close(whole_gradient(score, x) - score.gradient, moving.grad)


def test_gradients_at_one_point_have_the_mean_of_their_law():
    """CSD's mean over noises at one point and time, against 20,000 draws made by hand."""
    problem, count, t = trap(), 20_000, 400
    drawn = draw_gradients(ClassifierScoreDistillation(), problem, problem.start, t, count, seed=0)
    rng = torch.Generator().manual_seed(99)
    noise = torch.randn(count, 1, 1, 2, generator=rng, dtype=torch.float64)
    times = torch.full((count,), t)
    noisy = problem.denoiser.schedule.add_noise(problem.start.expand_as(noise), noise, times)
    known = problem.conditioning(count)
    parts = [problem.denoiser(noisy, times, part).noise for part in (known.positive, known.null)]
    expected = float(problem.denoiser.schedule.sigmas[t]) ** 2 * (parts[0] - parts[1])
    error = expected.std(0).norm() / count**0.5
    assert float((drawn.mean(0) - expected.mean(0)).norm()) < 5 * float(error)


@pytest.mark.parametrize("name", estimators("empirical"))
def test_every_estimator_can_be_followed(name):
    """All of them by name, in the plane; what they keep, oppose or move away from is supplied."""
    path = descend(estimators("empirical")[name], ring(), Descent(steps=2, particles=4), seed=0)
    assert path.end.isfinite().all() and path.calls[-1] >= 4


def test_an_estimator_that_cannot_work_says_so():
    crowded = replace(SHORT, particles=200)
    with pytest.raises(SettingError, match="flat particles"):
        descend(estimators("empirical")["cfd"], ring(), crowded, seed=0)
