"""CSD (Yu et al. 2023, arXiv 2310.19415): the classifier's score alone, on a field and then on its mesh."""

from dataclasses import replace

from lodestone.distillation.csd import COARSE_SHARE, FINE_SHARE, NEGATIVE_PROMPT, ClassifierScoreDistillation
from lodestone.distillation.weighting import Uniform
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.prompts.prompt import PromptSettings
from lodestone.prompts.view_dependent import ViewWording
from lodestone.recipes.draft import chain, draft, small_field, small_tet_mesh
from lodestone.recipes.estimators import is_exact, is_small
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.field_settings import Backdrop, Normals, ShadingSettings, VolumeSettings
from lodestone.scenes.field_training import FieldLearningRates
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.scenes.tet_mesh_settings import TetMeshSettings
from lodestone.scenes.texture_field import HashTextureSettings
from lodestone.schedules import Constant, Linear, Piecewise

__all__ = ["csd"]


def csd(prompt: str, prior: str = "embedded") -> Experiment:
    """CSD: classifier scores with an annealed negative prompt on a field, then on its mesh (arXiv 2310.19415).

    Differs: one latent prior for both stages, where the authors' first has DeepFloyd-IF; the mesh is not lit and has
    rates of its own. The draft stays above time 0.4 and has no negative prompt: else colours saturate.
    """
    lit = ShadingSettings(lit_share=0.5, textureless_share=1.0, begin=5_001)
    volume = VolumeSettings(samples=512, normals=Normals.ANALYTIC, backdrop=Backdrop.LEARNED, shading=lit)
    encoding = EncodingSettings(levels=12, table_bits=19, finest=512)
    field = HashFieldSettings(volume=volume, encoding=encoding, learning_rates=FieldLearningRates(grid=1e-3))
    mesh = TetMeshSettings(cells=256, texture=HashTextureSettings(levels=12, table_bits=19, finest=512))
    words = PromptSettings(prompt, NEGATIVE_PROMPT, wording=ViewWording(front=30.0, back=30.0))
    solid = Regularizers(orientation=Linear(1.0, 100.0, over=5_000), sparsity=Linear(10.0, 1.0, over=5_000))
    coarse = Experiment(
        prompt=replace(words, perp_neg=True),
        prior=prior,
        estimator=ClassifierScoreDistillation(negative_share=COARSE_SHARE, weight=Uniform()),
        scene=field,
        cameras=OrbitSampler(elevation=(-10.0, 45.0), distance=(1.5, 2.0), field_of_view=(40.0, 70.0)),
        plan=Plan(steps=10_000, views=1, largest_time=Piecewise((0, 5_000), (0.98, 0.5)), regularizers=solid),
        evaluation=EvaluationCamera(elevation=15.0, distance=1.5, field_of_view=70.0),
    )
    smooth = Regularizers(normal_consistency=Constant(1_000.0))
    plan = Plan(steps=10_000, views=1, largest_time=Constant(0.5), regularizers=smooth)
    refining = ClassifierScoreDistillation(negative_share=FINE_SHARE)
    fine = replace(coarse, prompt=words, estimator=refining, scene=mesh, plan=plan)
    if not is_small(prior):
        return chain(coarse, fine)
    soft, smooth = Regularizers(sparsity=Constant(1.0)), Regularizers(normal_consistency=Constant(100.0))
    low, high = (0.7, 0.98) if is_exact(prior) else (0.4, 0.6)
    noisy = {"smallest_time": Constant(low), "largest_time": Linear(0.98, high, over=180)}
    still = {"smallest_time": Constant(low), "largest_time": Constant(high)}
    return chain(
        draft(coarse, "csd", small_field(field, prior), **noisy, steps=180, regularizers=soft),
        draft(fine, "csd", small_tet_mesh(mesh), **still, steps=120, regularizers=smooth),
    )
