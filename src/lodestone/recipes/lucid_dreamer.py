"""LucidDreamer (Liang et al. 2023, arXiv 2311.11284): interval score matching on Gaussians."""

from lodestone.distillation.estimator import AbstractEstimator
from lodestone.distillation.ism import IntervalScoreMatching
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.prompts.prompt import PromptSettings
from lodestone.prompts.view_dependent import ViewWording
from lodestone.recipes.draft import draft, small_gaussians
from lodestone.recipes.estimators import is_small
from lodestone.rendering.background import PlainColors
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.density_control import DensityControl
from lodestone.scenes.gaussian_settings import GaussianLearningRates, GaussianSettings
from lodestone.scenes.initialize import BallInitialization
from lodestone.schedules import Constant, Linear

__all__ = ["configuration", "lucid_dreamer"]

NEGATIVE_PROMPT = (
    "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark, low-resolution, oversaturation."
)
"""Of the authors' hamburger and of most of their examples."""


def lucid_dreamer(prompt: str, prior: str = "embedded") -> Experiment:
    """LucidDreamer: interval score matching on Gaussians (arXiv 2311.11284).

    Differs: Gaussians begin in a ball instead of on a point cloud of Point-E, grow by share and are not reset; the
    interval is 50 times throughout; views do not widen, pictures are not mirrored, depths stand for none, noise has no
    offset; no total variation. The draft stays above time 0.4: the small priors know no noise at small times.
    """
    paper = configuration(prompt, prior, IntervalScoreMatching(guidance_scale=7.5))
    if not is_small(prior):
        return paper
    noisy = {"smallest_time": Constant(0.4), "largest_time": Linear(0.98, 0.6, over=120)}
    return draft(paper, "ism", small_gaussians(prior), **noisy, steps=150)


def configuration(prompt: str, prior: str, estimator: AbstractEstimator) -> Experiment:
    """5,000 steps of 4 views; times up to 0.98, falling to 0.5 in the first 1,500 steps.

    The rate of the means is the authors' 1.6e-4 times the 3.5 that they take for the size of the scene.
    """
    return Experiment(
        prompt=PromptSettings(text=prompt, negative=NEGATIVE_PROMPT, wording=ViewWording(front=30.0, back=30.0)),
        prior=prior,
        estimator=estimator,
        scene=GaussianSettings(
            initialization=BallInitialization(count=100_000, radius=0.5),
            learning_rates=GaussianLearningRates(means=5.6e-4, opacity_logits=5e-2, colors=5e-3, final=0.5),
            density=DensityControl(
                every=100, start=100, stop=3_000, split_scale=0.0105, most=500_000, prune_opacity=0.005
            ),
        ),
        cameras=OrbitSampler(elevation=(-15.0, 45.0), distance=(5.2, 5.5), field_of_view=(18.3, 34.4)),
        plan=Plan(
            steps=5_000, views=4, largest_time=Linear(0.98, 0.5, over=1_500), background=PlainColors(white_share=0.34)
        ),
        evaluation=EvaluationCamera(elevation=15.0, distance=3.5, field_of_view=31.5),
    )
