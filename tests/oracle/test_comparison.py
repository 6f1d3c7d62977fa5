"""The comparison is fair, and its surprises have the causes that the text gives."""

import math
from dataclasses import replace

import pytest
import torch

from lodestone.distillation.csd import ClassifierScoreDistillation
from lodestone.distillation.step_settings import StepSettings
from lodestone.oracle.comparison import Contest, compete, end_within_budget, problem, reference
from lodestone.oracle.descent import Descent, descend
from lodestone.oracle.measures import entropy
from lodestone.oracle.problems import PROBLEMS, picture_problem
from lodestone.oracle.variants import VARIED, contestant, variants
from lodestone.recipes.estimators import estimators


def end(name, **changed):
    """Where a short descent on the ring ends, with other settings if wanted."""
    return descend(replace(contestant(name), **changed), problem("ring"), Descent(steps=30, particles=4), seed=0).end


def test_every_estimator_starts_at_the_same_place():
    chosen = problem("ring")
    starts = [descend(found, chosen, Descent(steps=1), 3).positions[0] for found in estimators("empirical").values()]
    assert all(torch.equal(start, starts[0]) for start in starts)


def test_normalized_sds_is_sds_to_an_optimizer_that_ignores_scale():
    torch.testing.assert_close(end("sds"), end("normalized-sds"), rtol=1e-4, atol=1e-6)


def test_lods_that_learns_nothing_is_normalized_sds():
    torch.testing.assert_close(end("lods-embedding", learning_rate=0.0), end("normalized-sds"))


def test_vsd_that_learns_nothing_is_csd():
    """`eps_s - eps_q` with q the prompt's own score is `(s - 1) h`."""
    torch.testing.assert_close(end("vsd", learning_rate=0.0), end("csd"), rtol=1e-4, atol=1e-6)


def test_csd_leaves_entries_alone_in_which_all_pictures_agree():
    """The corner of every picture is white: h is 0 there whatever x is, and a descent never moves it."""
    chosen = picture_problem("one", ("teapot",), every=300)
    corner = chosen.denoiser.means.view(-1, *chosen.denoiser.latent_shape)[:, :, 0, 0]
    assert float(corner.std(0).max()) == 0.0
    x = chosen.particles(2, torch.Generator().manual_seed(0))
    settings = StepSettings(step=0, steps=1, window=(600, 600))
    score = ClassifierScoreDistillation().gradient(
        chosen.denoiser, x, chosen.conditioning(2), settings, torch.Generator().manual_seed(1)
    )
    assert float(score.gradient[:, :, 0, 0].abs().max()) < 1e-5 < 1e-2 < float(score.gradient.abs().max())


def test_a_dearer_estimator_has_fewer_steps_for_the_same_calls():
    """NFSD pays three calls a step: two thirds of SDS's steps, and the end of a descent of that length."""
    chosen, plan, nfsd = problem("ring"), Descent(steps=30, particles=4), estimators("empirical")["nfsd"]
    path = descend(nfsd, chosen, plan, 0)
    affordable = end_within_budget(nfsd, chosen, plan, path, 0)
    assert torch.equal(affordable, descend(nfsd, chosen, replace(plan, steps=20), 0).end)
    sds = descend(contestant("sds"), chosen, plan, 0)
    assert end_within_budget(contestant("sds"), chosen, plan, sds, 0) is sds.end


@pytest.mark.parametrize("name", ["trap", "ring"])
def test_exact_samples_are_where_samples_are(name):
    """`E ||alpha (x - mu)||^2 / (2 v d) = alpha^2 s^2 / (2 v)` nats for each dimension; 200 seeds of 8 samples."""
    chosen = problem(name)
    schedule, s2 = chosen.denoiser.schedule, chosen.near**2 / 2
    alpha, sigma = float(schedule.alphas[0]), float(schedule.sigmas[0])
    expected = alpha**2 * s2 / (2 * (alpha**2 * s2 + sigma**2))
    found = [reference("exact samples", name, seed) for seed in range(200)]
    assert sum(figures["gap"] for figures in found) / len(found) == pytest.approx(expected, rel=0.08)
    start = [reference("the start", name, seed) for seed in range(2)]
    assert min(figures["distance"] for figures in start) > chosen.near


def test_exact_samples_reach_every_mode():
    chosen = problem("ring")
    drawn = chosen.samples(4000, torch.Generator().manual_seed(0))
    assert entropy(chosen, drawn) == pytest.approx(math.log(4), abs=0.01)


def test_a_contest_has_every_figure():
    outcome = compete(Contest("trap", "sds", 0, 2))
    assert not isinstance(outcome, str)
    assert outcome.calls == [0.0, 4.0] and outcome.figures["distance"] == outcome.figures["distance_at_budget"]


def test_variants_differ_from_their_origin_in_one_setting():
    known = estimators("empirical")
    assert set(VARIED) < set(PROBLEMS)
    for name, variant in variants().items():
        assert type(variant.estimator) is type(known[variant.origin]) and name.startswith(variant.origin)
        own, origin = vars(variant.estimator), vars(known[variant.origin])
        changed = [key for key in own if own[key] != origin[key]]
        assert len(changed) == 1


def test_noise_that_is_predicted_keeps_the_symmetry_of_the_picture():
    """RFDS-Rev ends in the blend of a picture and its mirror image, SDS at one of the two."""
    chosen, plan = problem("one-picture"), Descent(steps=60, particles=2, rate=0.06)
    blend = chosen.modes.mean(0, keepdim=True)
    away = {}
    for name in ("rfds-rev", "sds"):
        found = descend(contestant(name), chosen, plan, seed=0).end
        away[name] = float((found - blend).square().mean().sqrt())
    assert away["rfds-rev"] < 0.08 < 0.12 < away["sds"]
