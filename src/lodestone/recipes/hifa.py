"""HiFA (Zhu et al. 2023, arXiv 2305.18766): distillation in latent and image space at falling times."""

from lodestone.distillation.hifa import HighFidelityDistillation
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.prompts.prompt import PromptSettings
from lodestone.prompts.view_dependent import ViewWording
from lodestone.recipes.draft import draft, small_field
from lodestone.recipes.estimators import is_small
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.field_settings import Backdrop, DensityBias, VolumeSettings
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.schedules import Constant, Linear

__all__ = ["hifa"]


def hifa(prompt: str, prior: str = "embedded") -> Experiment:
    """HiFA: SDS in latent and image space at falling times, with thin surfaces (arXiv 2305.18766).

    Differs: one denoising step instead of four, evenly spaced samples instead of smoothed importance sampling, Adam
    instead of Adan; no monotonicity, entropy or depth losses along the ray. The draft's terms weigh as little as its
    gradient.
    """
    field = HashFieldSettings(
        volume=VolumeSettings(samples=192, backdrop=Backdrop.LEARNED, plain_share=0.0),
        encoding=EncodingSettings(table_bits=19, finest=2048),
        bias=DensityBias(scale=5.0, radius=0.2),
    )
    paper = Experiment(
        prompt=PromptSettings(text=prompt, perp_neg=True, wording=ViewWording(front=30.0, back=30.0)),
        prior=prior,
        estimator=HighFidelityDistillation(guidance_scale=100.0),
        scene=field,
        cameras=OrbitSampler(elevation=(-15.0, 45.0), distance=(3.0, 3.5), field_of_view=(10.0, 30.0)),
        plan=Plan(
            steps=10_000,
            views=1,
            smallest_time=Constant(0.3),
            regularizers=Regularizers(z_variance=Constant(3.0), opaqueness=Constant(1e-4)),
        ),
        evaluation=EvaluationCamera(elevation=20.0, distance=3.2, field_of_view=20.0),
    )
    if not is_small(prior):
        return paper
    window = {"smallest_time": Constant(0.3), "largest_time": Constant(0.98)}
    solid = Linear(1e-3, 2.0, over=60, begin=120)
    thin = Regularizers(z_variance=Constant(0.1), opaqueness=solid, sparsity=Constant(0.1))
    return draft(paper, "hifa", small_field(field, prior), regularizers=thin, **window)
