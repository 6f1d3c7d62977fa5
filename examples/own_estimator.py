"""An estimator of your own, outside the package: SDS whose noise term is dropped at high noise.

    PYTHONPATH=examples lodestone generate "a hamburger" --prior empirical --recipe own_estimator:own_estimator_gs

The class is the whole method; the recipe puts it into the usual experiment.
"""

from dataclasses import dataclass, replace

from lodestone.distillation.estimator import AbstractGuidedEstimator, Residual
from lodestone.distillation.scores import Scores
from lodestone.optimize.experiment import Experiment
from lodestone.priors.noise import over_batch
from lodestone.recipes import sds_gs


@dataclass(frozen=True, kw_only=True)
class LateNoise(AbstractGuidedEstimator):
    """`g = w(t) (eps_null + s (eps_y - eps_null) - [t < b T] eps)`."""

    guidance_scale: float = 3.0
    below: float = 0.5
    """b, a fraction of the schedule."""

    def residual(self, scores: Scores) -> Residual:
        pair = scores.pair()
        late = over_batch((scores.t < self.below * scores.schedule.length).to(pair.positive.dtype))
        return Residual(self.guide(scores, pair.positive, pair.null) - late * scores.noise)


def own_estimator_gs(prompt: str, prior: str = "empirical") -> Experiment:
    """SDS without its noise term at high noise, on Gaussians."""
    return replace(sds_gs(prompt, prior), estimator=LateNoise())
