"""ProlificDreamer (Wang et al. 2023, arXiv 2305.16213): a neural field by VSD, then its shape, then its texture."""

from dataclasses import replace

from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.vsd import VariationalScoreDistillation
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.prompts.prompt import PromptSettings
from lodestone.prompts.view_dependent import ViewWording
from lodestone.recipes.draft import at_one_height, chain, draft, small_field, small_tet_mesh, smooth
from lodestone.recipes.estimators import is_small
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.field_settings import Backdrop, DensityBias, VolumeSettings
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.scenes.tet_mesh import Shows
from lodestone.scenes.tet_mesh_settings import TetMeshSettings
from lodestone.scenes.texture_field import HashTextureSettings
from lodestone.schedules import Constant, Piecewise

__all__ = ["prolificdreamer"]


def prolificdreamer(prompt: str, prior: str = "embedded") -> Experiment:
    """ProlificDreamer: VSD on a field, SDS on a mesh's normals, VSD on its texture (arXiv 2305.16213).

    Differs: one particle; q is a LoRA of the prior itself, not of its v-prediction sibling; the mesh stands on plain
    colours; threestudio's numbers. The draft's regularizers are as weak as its gradient, its time with normals short.
    """
    field = HashFieldSettings(
        volume=VolumeSettings(samples=512, backdrop=Backdrop.LEARNED),
        encoding=EncodingSettings(table_bits=19, finest=4096),
        bias=DensityBias(scale=10.0, radius=0.5),
    )
    mesh = TetMeshSettings(cells=128, shows=Shows.NORMALS, texture=HashTextureSettings(table_bits=19, finest=4096))
    sharp, late = Piecewise((0, 5_000), (0.125, 1.0)), Piecewise((0, 5_000), (0.98, 0.5))
    solid = Regularizers(sparsity=Constant(10.0), opaqueness=Piecewise((0, 10_000), (0.0, 1000.0)))
    flat = Regularizers(normal_consistency=Constant(10_000.0), laplacian=Constant(10_000.0))
    coarse = Experiment(
        prompt=PromptSettings(text=prompt, wording=ViewWording(front=30.0, back=30.0)),
        prior=prior,
        estimator=VariationalScoreDistillation(),
        scene=field,
        cameras=OrbitSampler(elevation=(-10.0, 45.0), distance=(1.0, 1.5), field_of_view=(40.0, 70.0)),
        plan=Plan(steps=25_000, views=1, resolution=sharp, largest_time=late, regularizers=solid),
        evaluation=EvaluationCamera(elevation=15.0, distance=1.5, field_of_view=70.0),
    )
    plan = Plan(steps=15_000, views=1, largest_time=late, regularizers=flat)
    shape = replace(coarse, estimator=ScoreDistillation(guidance_scale=100.0), scene=mesh, plan=plan)
    painted = replace(mesh, shows=Shows.COLOR, learn_geometry=False)
    texture = replace(coarse, scene=painted, plan=Plan(steps=30_000, views=1, largest_time=late))
    if not is_small(prior):
        return chain(coarse, shape, texture)
    solid = Regularizers(sparsity=Constant(5.0), opaqueness=Piecewise((0, 160), (0.0, 10.0)))
    even = smooth(prior, 500.0, 200.0)
    return chain(
        draft(coarse, "vsd", small_field(field, prior), resolution=Piecewise((0, 80), (0.5, 1.0)), regularizers=solid),
        draft(shape, "sds", small_tet_mesh(mesh), steps=80, largest_time=Constant(0.5), regularizers=even),
        at_one_height(draft(texture, "vsd", small_tet_mesh(painted), steps=160, largest_time=Constant(0.5))),
    )
