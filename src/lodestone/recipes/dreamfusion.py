"""DreamFusion (Poole et al. 2022, arXiv 2209.14988): score distillation of a shaded neural field."""

from lodestone.distillation.sds import ScoreDistillation
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.prompts.prompt import PromptSettings
from lodestone.recipes.draft import draft, small_field
from lodestone.recipes.estimators import is_small
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.field_settings import Backdrop, Blob, DensityBias, Normals, ShadingSettings, VolumeSettings
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.schedules import AbstractSchedule, Constant, Linear

__all__ = ["dreamfusion", "on_field"]


def dreamfusion(prompt: str, prior: str = "embedded") -> Experiment:
    """DreamFusion: SDS on a neural field that is lit from 2,000 steps on (arXiv 2209.14988).

    Differs: a hash grid instead of mip-NeRF's integrated positional encoding, and a latent prior at the size of its own
    pictures instead of Imagen's 64 x 64, as in threestudio; the authors' code is not public. The draft is not lit: the
    small priors have seen flat pictures alone.
    """
    field = HashFieldSettings(
        volume=VolumeSettings(
            samples=512,
            normals=Normals.ANALYTIC,
            backdrop=Backdrop.LEARNED,
            plain_share=0.0,
            shading=ShadingSettings(lit_share=0.75, begin=2_000),
        ),
        encoding=EncodingSettings(table_bits=19, finest=4096),
        bias=DensityBias(shape=Blob.GAUSSIAN, scale=10.0, radius=0.5),
    )
    paper = on_field(prompt, prior, field, orientation=Linear(10.0, 1000.0, over=5_000))
    return draft(paper, "sds", small_field(field, prior)) if is_small(prior) else paper


def on_field(prompt: str, prior: str, field: HashFieldSettings, *, orientation: AbstractSchedule) -> Experiment:
    """10,000 steps of SDS on a field, one view in each."""
    return Experiment(
        prompt=PromptSettings(text=prompt),
        prior=prior,
        estimator=ScoreDistillation(guidance_scale=101.0),
        scene=field,
        cameras=OrbitSampler(elevation=(-10.0, 45.0), distance=(1.5, 2.0), field_of_view=(40.0, 70.0)),
        plan=Plan(steps=10_000, views=1, regularizers=Regularizers(orientation=orientation, sparsity=Constant(1.0))),
        evaluation=EvaluationCamera(elevation=15.0, distance=1.5, field_of_view=70.0),
    )
