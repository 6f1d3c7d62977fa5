"""LODS (Yang et al. 2023, arXiv 2312.04820) on Gaussians."""

from dataclasses import replace

from lodestone.distillation.lods import LearnedNullEmbedding
from lodestone.optimize.experiment import Experiment
from lodestone.prompts.prompt import PromptSettings
from lodestone.recipes.draft import draft, small_gaussians
from lodestone.recipes.estimators import is_small
from lodestone.recipes.gaussians import stable_diffusion
from lodestone.rendering.background import Black

__all__ = ["lods_gs_embedding"]


def lods_gs_embedding(prompt: str, prior: str = "embedded") -> Experiment:
    """LODS with a learned null embedding on Gaussians (arXiv 2312.04820): the default.

    The null embedding begins as "a point cloud image", from which guidance then moves away, and learns at 1e-4.
    Differs: Gaussians begin in a ball instead of on a point cloud of Shap-E; the authors' sparsity is of the normalised
    depth, ours of the opacity. Until a late commit of theirs the embedding was in no optimizer. The draft's embedding
    begins as the empty prompt.
    """
    paper = stable_diffusion(prompt, prior, LearnedNullEmbedding(guidance_scale=1000.0, learning_rate=1e-4))
    if is_small(prior):
        return draft(paper, "lods-embedding", small_gaussians(prior))
    words = PromptSettings(text=prompt, negative="a point cloud image")
    camera = replace(paper.evaluation, distance=4.0)
    return replace(paper, prompt=words, plan=replace(paper.plan, background=Black()), evaluation=camera)
