"""Drafts: what a recipe becomes for the small priors, minutes on two cores instead of hours on a GPU.

A draft is its recipe in kind: the same scene, estimator, stages and regularizers, at 64 x 64 pixels and in some hundred
steps, from the distance and with the backgrounds that the small priors have seen, without view wording.
"""

from dataclasses import replace

from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.recipes.estimators import estimator_for
from lodestone.rendering.background import PlainColors, White
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.density_control import DensityControl
from lodestone.scenes.field_settings import Backdrop, DensityBias, Normals, ShadingSettings
from lodestone.scenes.gaussian_settings import GaussianLearningRates, GaussianSettings
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.scenes.initialize import BallInitialization
from lodestone.scenes.scene import AbstractSceneSettings
from lodestone.scenes.tet_mesh_settings import TetMeshSettings
from lodestone.scenes.texture_field import HashTextureSettings
from lodestone.schedules import Constant, Linear

__all__ = ["draft", "small_field", "small_gaussians", "small_tet_mesh"]

FAST = GaussianLearningRates(means=8e-3, log_scales=2e-2, quaternions=1e-2, opacity_logits=6e-2, colors=8e-2)
"""Learning rates for some hundred steps: Adam moves a parameter by about its rate in each."""


def draft(paper: Experiment, estimator: str, scene: AbstractSceneSettings) -> Experiment:
    """The experiment with a small scene and with an estimator's settings for its prior."""
    return replace(
        paper,
        prompt=replace(paper.prompt, view_dependent=False),
        estimator=estimator_for(estimator, paper.prior),
        scene=scene,
        cameras=OrbitSampler(elevation=(0.0, 20.0), distance=(3.0, 3.0), field_of_view=(25.0, 25.0)),
        plan=short_plan(paper.prior),
        evaluation=EvaluationCamera(elevation=10.0, distance=3.0, field_of_view=25.0),
    )


def short_plan(prior: str) -> Plan:
    """On white for the empirical prior, which knows nothing else; on plain colours for the embedded one."""
    solid = Regularizers(sparsity=Constant(5.0))
    if prior == "empirical":
        return Plan(
            steps=200, views=8, largest_time=Linear(0.98, 0.5, over=150), regularizers=solid, background=White()
        )
    plain = PlainColors(white_share=0.7)
    return Plan(steps=240, views=4, largest_time=Linear(0.98, 0.3, over=180), regularizers=solid, background=plain)


def small_gaussians(prior: str) -> GaussianSettings:
    """3,000 Gaussians to begin with."""
    density = DensityControl(every=30, start=60, stop=180)
    if prior == "empirical":
        density = DensityControl(every=25, start=50, stop=150)
    return GaussianSettings(initialization=BallInitialization(radius=0.55), learning_rates=FAST, density=density)


def small_field(paper: HashFieldSettings) -> HashFieldSettings:
    """A field of the same kind with cells as large as pixels, in the cube that the cameras see.

    Unlit and on the plan's colours: the small priors have seen flat pictures on plain backgrounds alone.
    """
    plain = replace(paper.volume, shading=ShadingSettings(), normals=Normals.NONE, backdrop=Backdrop.PLAIN)
    return replace(
        paper,
        volume=replace(plain, bound=0.75, samples=64),
        encoding=EncodingSettings(levels=8, table_bits=14, base=8, finest=64),
        bias=DensityBias(scale=10.0, radius=0.4),
    )


def small_tet_mesh(paper: TetMeshSettings) -> TetMeshSettings:
    """A mesh of the same kind on 32 cells along each side of the cube that the cameras see."""
    texture = HashTextureSettings(levels=6, table_bits=14, base=8, finest=64, hidden=32)
    return replace(paper, cells=32, bound=0.75, radii=(0.4, 0.4, 0.4), texture=texture)
