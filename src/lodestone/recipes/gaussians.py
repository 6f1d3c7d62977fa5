"""Recipes whose scene is a cloud of 3D Gaussians; they differ in the estimator alone.

The small priors see 64 x 64 pictures and finish on a laptop; Stable Diffusion takes the published settings.
"""

from dataclasses import replace

from lodestone.distillation.estimator import AbstractEstimator
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.prompts.prompt import PromptSettings
from lodestone.recipes.estimators import estimator_for, is_small
from lodestone.rendering.background import PlainColors, White
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.density_control import DensityControl
from lodestone.scenes.gaussian_settings import GaussianLearningRates, GaussianSettings
from lodestone.scenes.initialize import BallInitialization
from lodestone.schedules import Constant, Linear, Piecewise

__all__ = ["csd_gs", "lods_gs_embedding", "sds_gs", "ssd_gs"]

FAST = GaussianLearningRates(means=8e-3, log_scales=2e-2, quaternions=1e-2, opacity_logits=6e-2, colors=8e-2)
"""Learning rates for some hundred steps: Adam moves a parameter by about its rate in each."""


def lods_gs_embedding(prompt: str, prior: str = "embedded") -> Experiment:
    """LODS with a learned null embedding on Gaussians (arXiv 2312.04820): the default."""
    return gaussians(prompt, prior, "lods-embedding")


def sds_gs(prompt: str, prior: str = "embedded") -> Experiment:
    """SDS (DreamFusion, arXiv 2209.14988) on Gaussians."""
    return gaussians(prompt, prior, "sds")


def csd_gs(prompt: str, prior: str = "embedded") -> Experiment:
    """CSD (arXiv 2310.19415) on Gaussians."""
    return gaussians(prompt, prior, "csd")


def ssd_gs(prompt: str, prior: str = "embedded") -> Experiment:
    """SSD (arXiv 2312.09305) on Gaussians."""
    return gaussians(prompt, prior, "ssd")


def gaussians(prompt: str, prior: str, estimator: str) -> Experiment:
    """The experiment around an estimator, by prior."""
    chosen = estimator_for(estimator, prior)
    if prior == "empirical":
        return empirical(prompt, chosen)
    return embedded(prompt, prior, chosen) if is_small(prior) else stable_diffusion(prompt, prior, chosen)


def small_scene(density: DensityControl) -> GaussianSettings:
    """3,000 Gaussians to begin with, learned in some hundred steps."""
    return GaussianSettings(initialization=BallInitialization(radius=0.55), learning_rates=FAST, density=density)


def empirical(prompt: str, estimator: AbstractEstimator) -> Experiment:
    """On white, from a fixed distance: the pictures know nothing else."""
    return Experiment(
        prompt=PromptSettings(text=prompt, view_dependent=False),
        prior="empirical",
        estimator=estimator,
        scene=small_scene(DensityControl(every=25, start=50, stop=150)),
        cameras=OrbitSampler(elevation=(0.0, 20.0), distance=(3.0, 3.0), field_of_view=(25.0, 25.0)),
        plan=Plan(
            steps=200,
            views=8,
            largest_time=Linear(0.98, 0.5, over=150),
            regularizers=Regularizers(sparsity=Constant(5.0)),
            background=White(),
        ),
        evaluation=EvaluationCamera(elevation=10.0, distance=3.0, field_of_view=25.0),
    )


def embedded(prompt: str, prior: str, estimator: AbstractEstimator) -> Experiment:
    """On plain colours, without view wording: every picture that the prior has seen was taken from the front."""
    base = empirical(prompt, estimator)
    return replace(
        base,
        prior=prior,
        scene=small_scene(DensityControl(every=30, start=60, stop=180)),
        plan=replace(
            base.plan,
            steps=240,
            views=4,
            largest_time=Linear(0.98, 0.3, over=180),
            background=PlainColors(white_share=0.7),
        ),
    )


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
