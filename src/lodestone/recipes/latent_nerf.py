"""Latent-NeRF (Metzer et al. 2022, arXiv 2211.07600): a field of latents, then of colours."""

from dataclasses import replace

from lodestone.distillation.sds import ScoreDistillation
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.prompts.prompt import PromptSettings
from lodestone.prompts.view_dependent import ViewWording
from lodestone.recipes.draft import chain, draft, small_field
from lodestone.recipes.estimators import is_small
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.field_settings import Activation, Backdrop, Blob, DensityBias, Space, VolumeSettings
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.schedules import Constant

__all__ = ["latent_nerf"]


def latent_nerf(prompt: str, prior: str = "embedded") -> Experiment:
    """Latent-NeRF: SDS on a field of latents, then on its colours through a linear map (arXiv 2211.07600).

    Differs: samples stop at 512 on a ray, the entropy of the opacity is in nats. The second stage is as long as the
    first. The draft's density is a softplus and begins larger.
    """
    latents = HashFieldSettings(
        volume=VolumeSettings(
            samples=512,
            space=Space.LATENT,
            channels=4,
            activation=Activation.EXPONENTIAL,
            backdrop=Backdrop.LEARNED,
            plain_share=0.0,
        ),
        encoding=EncodingSettings(table_bits=19, finest=2048),
        bias=DensityBias(shape=Blob.GAUSSIAN, scale=5.0, radius=0.2),
    )
    colors = replace(latents, volume=replace(latents.volume, space=Space.REFINED))
    first = Experiment(
        prompt=PromptSettings(text=prompt, wording=ViewWording(front=35.0, back=35.0)),
        prior=prior,
        estimator=ScoreDistillation(guidance_scale=100.0),
        scene=latents,
        cameras=OrbitSampler(elevation=(-15.0, 45.0), distance=(1.0, 1.5), field_of_view=(40.0, 70.0)),
        plan=Plan(steps=5_000, views=1, regularizers=Regularizers(opaqueness=Constant(5e-4))),
        evaluation=EvaluationCamera(elevation=15.0, distance=1.5, field_of_view=55.0),
    )
    if not is_small(prior):
        return chain(first, replace(first, scene=colors))
    short = draft(first, "sds", small_field(latents, prior))
    solid = Regularizers(sparsity=Constant(5.0), opaqueness=Constant(40.0))
    late = {"steps": 100, "views": 2, "largest_time": Constant(0.5), "regularizers": solid}
    return chain(short, draft(first, "sds", small_field(colors, prior), **late))
