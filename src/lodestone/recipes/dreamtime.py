"""DreamTime (Huang et al. 2023, arXiv 2306.12422): score distillation whose times never rise."""

from dataclasses import replace

from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.timesteps import PriorWeightedTimes
from lodestone.distillation.weighting import Uniform
from lodestone.optimize.experiment import Experiment
from lodestone.recipes.dreamfusion import dreamfusion
from lodestone.recipes.estimators import estimator_for, is_small
from lodestone.schedules import Constant, Linear

__all__ = ["dreamtime"]


def dreamtime(prompt: str, prior: str = "embedded") -> Experiment:
    """DreamTime: DreamFusion at times that fall from noise to details by a prior weight (arXiv 2306.12422).

    The weight of a time is how long it lasts, so that every step weighs the same. Differs: the first version's four
    constants; the field is DreamFusion's here, one of several in the paper; the authors' code is not public.
    """
    host = dreamfusion(prompt, prior)
    if is_small(prior):
        solid = replace(host.plan.regularizers, opaqueness=Linear(0.0, 100.0, over=60, begin=120))
        plan = replace(host.plan, largest_time=Constant(0.98), regularizers=solid)
        return replace(host, estimator=estimator_for("dreamtime", prior), plan=plan)
    estimator = ScoreDistillation(guidance_scale=101.0, times=PriorWeightedTimes(), weight=Uniform())
    return replace(host, estimator=estimator)
