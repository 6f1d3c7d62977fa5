"""The example of an estimator outside the package obeys the same laws as those inside."""

import importlib.util
from pathlib import Path

from lodestone.testing.estimator_contract import EstimatorContract


def load_example():
    path = Path(__file__).parents[1] / "examples" / "own_estimator.py"
    spec = importlib.util.spec_from_file_location("own_estimator", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestOwnEstimator(EstimatorContract):
    """t = 400 lies below half of the schedule, where the noise term is there."""

    def estimator(self):
        return load_example().LateNoise(guidance_scale=2.0)

    def mean(self, positive, null, noise):
        return 2 * positive - null - noise


def test_its_recipe_is_an_experiment():
    experiment = load_example().own_estimator_gs("a hamburger")
    assert experiment.prompt.text == "a hamburger" and experiment.estimator.below == 0.5
