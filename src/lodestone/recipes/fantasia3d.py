"""Fantasia3D (Chen et al. 2023, arXiv 2303.13873): a shape from its normals, then a material for it."""

from dataclasses import replace

from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.weighting import PowerOfAlphaSigma
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.prompts.prompt import PromptSettings
from lodestone.recipes.draft import at_one_height, chain, draft, small_tet_mesh, smooth
from lodestone.recipes.estimators import is_small
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.tet_mesh import Appearance, Shows
from lodestone.scenes.tet_mesh_settings import TetMeshLearningRates, TetMeshSettings
from lodestone.scenes.texture_field import HashTextureSettings
from lodestone.schedules import Constant, Linear

__all__ = ["fantasia3d"]


def fantasia3d(prompt: str, prior: str = "embedded") -> Experiment:
    """Fantasia3D: SDS on the normals of a tetrahedral mesh, then on its material in a fixed light (arXiv 2303.13873).

    Differs: one batch of 4 views instead of 8 GPUs with 4 each; distances are optimized themselves, where the authors
    have a network; no normal map, and a light of five lobes instead of a photograph. The small priors have never seen
    normals: the draft has no step in which they are latents, looks at times from 0.3 on, where outlines are decided,
    and keeps the surface smooth, since a normal of the wanted colour is no wanted normal.
    """
    mesh = TetMeshSettings(
        cells=128, shows=Shows.NORMALS_AND_MASK_LATENT, texture=HashTextureSettings(table_bits=19, finest=4096)
    )
    painted = replace(mesh, shows=Shows.COLOR, appearance=Appearance.PHYSICALLY_BASED, learn_geometry=False)
    geometry = Experiment(
        prompt=PromptSettings(text=prompt),
        prior=prior,
        estimator=ScoreDistillation(guidance_scale=100.0, weight=PowerOfAlphaSigma(1.0, 2.0)),
        scene=mesh,
        cameras=OrbitSampler(elevation=(-10.0, 45.0), distance=(3.0, 3.0), field_of_view=(25.0, 45.0)),
        plan=Plan(steps=3_000, views=4, largest_time=Constant(0.5)),
        evaluation=EvaluationCamera(elevation=15.0, distance=3.0, field_of_view=45.0),
    )
    appearance = replace(geometry, scene=painted, plan=replace(geometry.plan, steps=2_000))
    if not is_small(prior):
        return chain(geometry, appearance)
    rates = TetMeshLearningRates(distances=0.05, deformation=0.005, texture=0.02)
    first = replace(small_tet_mesh(mesh), shows=Shows.NORMALS, radii=(0.52, 0.52, 0.5), learning_rates=rates)
    even = smooth(prior, 1000.0, 200.0)
    early = {"smallest_time": Constant(0.3), "largest_time": Linear(0.98, 0.6, over=100)}
    second = replace(small_tet_mesh(painted), learning_rates=rates)
    return chain(
        at_one_height(draft(geometry, "sds", first, steps=120, regularizers=even, **early)),
        at_one_height(draft(appearance, "sds", second, steps=160, regularizers=Regularizers())),
    )
