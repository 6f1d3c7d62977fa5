"""DreamGaussian (Tang et al. 2023, arXiv 2309.16653): Gaussians, then a mesh of them with a refined texture."""

from dataclasses import replace

from lodestone.distillation.refinement import ImageRefinement
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.timesteps import LinearTimes
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.prompts.prompt import PromptSettings
from lodestone.recipes.draft import at_one_height, chain, draft, small_gaussians
from lodestone.recipes.estimators import is_small
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.density_control import DensityControl
from lodestone.scenes.gaussian_settings import GaussianLearningRates, GaussianSettings
from lodestone.scenes.initialize import BallInitialization
from lodestone.scenes.textured_mesh import TexturedMeshSettings
from lodestone.schedules import Constant, Piecewise

__all__ = ["dreamgaussian"]


def dreamgaussian(prompt: str, prior: str = "embedded") -> Experiment:
    """DreamGaussian: SDS on Gaussians while the time falls, then a mesh whose texture is refined (arXiv 2309.16653).

    Differs: a fixed share of the Gaussians grows in each round instead of those above a threshold, opacities are not
    reset, and backgrounds are white or of any colour instead of white or black. The mesh is a level of the opacity
    that matches the silhouettes, and is refined over plain colours, too. The draft's texture learns at 0.05 and at one
    height, from which the small priors know things: targets that contradict each other blur what they refine.
    """
    rates = GaussianLearningRates(means=1e-3, log_scales=5e-3, quaternions=5e-3, opacity_logits=5e-2, colors=1e-2)
    splats = GaussianSettings(
        initialization=BallInitialization(count=5_000, radius=0.5),
        learning_rates=rates,
        density=DensityControl(every=50, start=0, stop=500, most=200_000, prune_opacity=0.01),
    )
    gaussians = Experiment(
        prompt=PromptSettings(text=prompt),
        prior=prior,
        estimator=ScoreDistillation(guidance_scale=100.0, times=LinearTimes()),
        scene=splats,
        cameras=OrbitSampler(elevation=(-30.0, 30.0), distance=(2.5, 2.5), field_of_view=(49.1, 49.1)),
        plan=Plan(steps=500, views=1, resolution=Piecewise((0, 150, 300), (0.25, 0.5, 1.0))),
        evaluation=EvaluationCamera(elevation=0.0, distance=2.5, field_of_view=49.1),
    )
    texture = replace(
        gaussians,
        estimator=ImageRefinement(),
        scene=TexturedMeshSettings(texture_size=1024),
        plan=Plan(steps=50, views=1, smallest_time=Constant(0.05), largest_time=Constant(0.2)),
    )
    if not is_small(prior):
        return chain(gaussians, texture)
    growing = Piecewise((0, 36, 72), (0.25, 0.5, 1.0))
    first = draft(gaussians, "sds", small_gaussians(prior), resolution=growing, largest_time=Constant(0.98))
    first = replace(first, estimator=replace(first.estimator, times=LinearTimes()))
    weak = {"steps": 50, "smallest_time": Constant(0.05), "largest_time": Constant(0.2)}
    painted = TexturedMeshSettings(texture_size=256, learning_rate=0.05)
    second = draft(texture, "refinement", painted, **weak, regularizers=Regularizers())
    return chain(first, at_one_height(second))
