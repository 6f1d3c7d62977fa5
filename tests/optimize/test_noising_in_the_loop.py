"""Every noising policy in a whole run; what a policy keeps from step to step is part of the checkpoint."""

import pytest
import torch
from small_run import Run, small_experiment

from lodestone.distillation.inversion import DDIMInversion
from lodestone.distillation.ism import IntervalScoreMatching
from lodestone.distillation.reversal import PredictedNoise
from lodestone.distillation.sdi import ScoreDistillationInversion
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.vfds import VelocityFlowDistillation
from lodestone.distillation.view_consistent import ViewConsistentNoise
from lodestone.distillation.weighting import SigmaOverAlpha
from lodestone.errors import SettingError
from lodestone.optimize.run_folder import RunFolder

SHAKY_WALK = DDIMInversion(stride=100, most_steps=10, overshoot=100, guidance_scale=-1.0, stochasticity=0.3)
ESTIMATORS = {
    "cfd": ScoreDistillation(guidance_scale=3.0, noising=ViewConsistentNoise(gamma=0.01), weight=SigmaOverAlpha()),
    "ism": IntervalScoreMatching(guidance_scale=3.0),
    "sdi": ScoreDistillationInversion(guidance_scale=3.0, noising=SHAKY_WALK),
    "rfds-rev": VelocityFlowDistillation(guidance_scale=3.0, noising=PredictedNoise()),
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The finished run with each policy."""
    runs = {name: Run.new(tmp_path_factory.mktemp(name), experiment(name)) for name in ESTIMATORS}
    assert all(run.go() for run in runs.values())
    return {name: run.tensors() for name, run in runs.items()}


def experiment(name):
    return small_experiment(steps=8, estimator=ESTIMATORS[name])


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("step", [1, 5])
def test_interrupted_and_resumed_is_undisturbed(tmp_path, undisturbed, name, step):
    assert not Run.new(tmp_path, experiment(name)).go(interrupt_after=step)
    run = Run.resumed(tmp_path, experiment(name))
    assert run.go()
    resumed = run.tensors()
    assert resumed.keys() == undisturbed[name].keys()
    assert all(torch.equal(resumed[key], tensor) for key, tensor in undisturbed[name].items())


def test_only_noise_that_stays_has_a_memory(undisturbed):
    """Texels of a 48 x 48 square and one picture, for each of three channels; the loop has renewed them."""
    assert {name for name, tensors in undisturbed.items() if "noise_memory" in tensors} == {"cfd"}
    memory = undisturbed["cfd"]["noise_memory"]
    assert memory.shape == (3, 48 * 48 + 16 * 16)
    assert 0.9 < float(memory.std()) < 1.1


def test_a_checkpoint_without_the_memory_is_refused(tmp_path):
    Run.new(tmp_path, small_experiment(steps=8)).go(interrupt_after=5)
    assert RunFolder(tmp_path).newest is not None
    with pytest.raises(SettingError, match=r"does not fit its experiment\.yaml"):
        Run.resumed(tmp_path, experiment("cfd"))


def test_a_walk_too_long_for_the_prior_is_refused_before_the_first_step(tmp_path):
    long_walk = ScoreDistillation(noising=DDIMInversion(stride=2000))
    with pytest.raises(SettingError, match=r"estimator\.noising\.stride is 2000"):
        Run.new(tmp_path, small_experiment(estimator=long_walk))
