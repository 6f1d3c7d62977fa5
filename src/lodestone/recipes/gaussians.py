"""Recipes whose scene is a cloud of 3D Gaussians; they differ in the estimator alone."""

from lodestone.distillation.estimator import AbstractEstimator
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.prompts.prompt import PromptSettings
from lodestone.recipes.draft import draft, small_gaussians
from lodestone.recipes.estimators import estimator_for, is_small
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.density_control import DensityControl
from lodestone.scenes.gaussian_settings import GaussianLearningRates, GaussianSettings
from lodestone.scenes.initialize import BallInitialization
from lodestone.schedules import Constant, Piecewise

__all__ = ["csd_gs", "sds_gs", "stable_diffusion"]


def sds_gs(prompt: str, prior: str = "embedded") -> Experiment:
    """SDS (DreamFusion, arXiv 2209.14988) on Gaussians."""
    return gaussians(prompt, prior, "sds")


def csd_gs(prompt: str, prior: str = "embedded") -> Experiment:
    """CSD (arXiv 2310.19415) on Gaussians."""
    return gaussians(prompt, prior, "csd")


def gaussians(prompt: str, prior: str, estimator: str) -> Experiment:
    """The experiment around an estimator, by prior."""
    paper = stable_diffusion(prompt, prior, estimator_for(estimator, prior))
    return draft(paper, estimator, small_gaussians(prior)) if is_small(prior) else paper


def stable_diffusion(prompt: str, prior: str, estimator: AbstractEstimator) -> Experiment:
    """The Gaussian configuration of LODS: 2,500 steps of 8 views, times up to 0.98, from step 500 up to 0.55."""
    return Experiment(
        prompt=PromptSettings(text=prompt),
        prior=prior,
        estimator=estimator,
        scene=GaussianSettings(
            initialization=BallInitialization(count=20_000, radius=0.8),
            learning_rates=GaussianLearningRates(means=2e-4),
            density=DensityControl(every=100, start=300, stop=1_000, most=200_000, prune_opacity=0.005),
        ),
        cameras=OrbitSampler(),
        plan=Plan(
            steps=2_500,
            views=8,
            largest_time=Piecewise((0, 500), (0.98, 0.55)),
            regularizers=Regularizers(sparsity=Constant(1.0)),
        ),
        evaluation=EvaluationCamera(elevation=15.0, distance=3.0, field_of_view=50.0),
    )
