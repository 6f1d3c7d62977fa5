"""LODS (Yang et al. 2023, arXiv 2312.04820) on a neural field."""

from lodestone.distillation.estimator import AbstractEstimator
from lodestone.distillation.lods import LearnedNullEmbedding, LearnedNullLora
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.prompts.prompt import PromptSettings
from lodestone.prompts.view_dependent import ViewWording
from lodestone.recipes.draft import draft, small_field
from lodestone.recipes.estimators import is_small
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.field_settings import Backdrop, DensityBias, VolumeSettings
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.schedules import Constant, Piecewise

__all__ = ["lods_ngp_embedding", "lods_ngp_lora"]


def lods_ngp_embedding(prompt: str, prior: str = "embedded") -> Experiment:
    """LODS with a learned null embedding on a neural field (arXiv 2312.04820).

    Differs: Adam without weight decay instead of AdamW's default.
    """
    estimator = LearnedNullEmbedding(guidance_scale=1000.0, learning_rate=1e-5)
    return field(PromptSettings(text=prompt, wording=WORDING), prior, estimator, "lods-embedding")


def lods_ngp_lora(prompt: str, prior: str = "embedded") -> Experiment:
    """LODS whose null branch has a LoRA, on a neural field (arXiv 2312.04820).

    Its negative prompt is the literal "<new1>", which no tokenizer knows; not so in the draft.
    """
    words = PromptSettings(text=prompt, negative="" if is_small(prior) else "<new1>", wording=WORDING)
    return field(words, prior, LearnedNullLora(guidance_scale=1000.0, learning_rate=5e-7), "lods-lora")


WORDING = ViewWording(front=30.0, back=30.0)


def field(prompt: PromptSettings, prior: str, estimator: AbstractEstimator, name: str) -> Experiment:
    """25,000 steps of one view, at 256 x 256 for the first 10,000; all is opaque or empty in the last 10,000."""
    scene = HashFieldSettings(
        volume=VolumeSettings(samples=512, backdrop=Backdrop.LEARNED, plain_share=0.5),
        encoding=EncodingSettings(table_bits=19, finest=4096),
        bias=DensityBias(scale=10.0, radius=0.5),
    )
    sharp, late = Piecewise((0, 10_000), (0.5, 1.0)), Piecewise((0, 10_000), (0.98, 0.5))
    solid = Regularizers(sparsity=Constant(10.0), opaqueness=Piecewise((0, 15_000), (0.0, 100.0)))
    paper = Experiment(
        prompt=prompt,
        prior=prior,
        estimator=estimator,
        scene=scene,
        cameras=OrbitSampler(elevation=(-10.0, 45.0), distance=(1.0, 1.5), field_of_view=(40.0, 70.0)),
        plan=Plan(steps=25_000, views=1, resolution=sharp, largest_time=late, regularizers=solid),
        evaluation=EvaluationCamera(elevation=15.0, distance=1.5, field_of_view=70.0),
    )
    return draft(paper, name, small_field(scene, prior)) if is_small(prior) else paper
