"""Score Jacobian Chaining (Wang et al. 2022, arXiv 2212.00774): a voxel grid of latents."""

from dataclasses import replace

from lodestone.distillation.sjc import ScoreJacobianChaining
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.prompts.prompt import PromptSettings
from lodestone.recipes.draft import draft, hardening, small_volume
from lodestone.recipes.estimators import is_small
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.field_settings import Backdrop, Blob, DensityBias, Space, VolumeSettings
from lodestone.scenes.field_training import FieldLearningRates
from lodestone.scenes.voxel_grid import VoxelGridSettings
from lodestone.schedules import Constant, Piecewise

__all__ = ["sjc"]

SAMPLES = 512
EMPTINESS = 1e4 / SAMPLES
"""The authors' mean is over the samples of a ray, ours is their sum."""


def sjc(prompt: str, prior: str = "embedded") -> Experiment:
    """SJC: score Jacobian chaining into 100^3 voxels of latents (arXiv 2212.00774).

    Differs: Adam instead of Adamax, times drawn from their window instead of from a ladder, a network as backdrop
    instead of 4 x 4 latents; views and samples are threestudio's. The draft has 32^3 voxels that begin as a body.
    """
    grid = VoxelGridSettings(
        resolution=100,
        volume=VolumeSettings(
            samples=SAMPLES, space=Space.LATENT, channels=4, backdrop=Backdrop.LEARNED, plain_share=0.0
        ),
        bias=DensityBias(shape=Blob.NONE, offset=-1.0),
        learning_rates=FieldLearningRates(grid=0.05, environment=1e-4),
    )
    paper = Experiment(
        prompt=PromptSettings(text=prompt),
        prior=prior,
        estimator=ScoreJacobianChaining(guidance_scale=100.0),
        scene=grid,
        cameras=OrbitSampler(elevation=(-10.0, 45.0), distance=(1.5, 1.5), field_of_view=(40.0, 70.0)),
        plan=Plan(
            steps=10_000,
            views=1,
            smallest_time=Constant(0.01),
            largest_time=Constant(0.97),
            regularizers=Regularizers(emptiness=Piecewise((0, 5_000), (EMPTINESS, 20 * EMPTINESS))),
        ),
        evaluation=EvaluationCamera(elevation=20.0, distance=1.5, field_of_view=70.0),
    )
    if not is_small(prior):
        return paper
    coarse = replace(grid, resolution=32, volume=small_volume(grid.volume, prior), bias=DensityBias(radius=0.4))
    late = Regularizers(emptiness=Piecewise((0, 120), (0.05, 1.0)), opaqueness=hardening(prior))
    return draft(paper, "sjc", coarse, regularizers=late)
