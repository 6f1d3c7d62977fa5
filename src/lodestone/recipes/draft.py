"""Drafts: what a recipe becomes for the small priors, minutes on two cores instead of hours on a GPU.

A draft is its recipe in kind: the same scene, estimator, stages and regularizers, at 64 x 64 pixels and in some hundred
steps, from the distance and with the backgrounds that the small priors have seen, without view wording and
negative prompts: they know the names of things and, but for the pictures of the empirical prior, cameras.
"""

from dataclasses import replace
from typing import Any

from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.recipes.estimators import estimator_for, is_exact, knows_cameras
from lodestone.rendering.background import PlainColors, White
from lodestone.rendering.cameras import SMALL_CAMERA, OrbitSampler
from lodestone.scenes.density_control import DensityControl
from lodestone.scenes.field_settings import (
    Activation,
    Backdrop,
    DensityBias,
    Normals,
    ShadingSettings,
    Space,
    VolumeSettings,
)
from lodestone.scenes.field_training import AbstractFieldSettings, FieldLearningRates
from lodestone.scenes.gaussian_settings import GaussianLearningRates, GaussianSettings
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.scenes.initialize import BallInitialization
from lodestone.scenes.scene import AbstractSceneSettings
from lodestone.scenes.tet_mesh_settings import TetMeshSettings
from lodestone.scenes.texture_field import HashTextureSettings
from lodestone.schedules import Constant, Linear

__all__ = [
    "at_one_height",
    "chain",
    "draft",
    "hardening",
    "small_field",
    "small_gaussians",
    "small_tet_mesh",
    "small_volume",
    "smooth",
]

FAST = GaussianLearningRates(means=8e-3, log_scales=2e-2, quaternions=1e-2, opacity_logits=6e-2, colors=8e-2)
"""Learning rates for 200 steps: Adam moves a parameter by about its rate in each."""

FASTER = GaussianLearningRates(means=1.2e-2, log_scales=3e-2, quaternions=1.5e-2, opacity_logits=9e-2, colors=0.12)
"""Learning rates for 120 steps."""


def draft(paper: Experiment, estimator: str, scene: AbstractSceneSettings, **plan: Any) -> Experiment:
    """The experiment with a small scene, an estimator's settings for the prior, and a short plan with changes."""
    return replace(
        paper,
        prompt=replace(paper.prompt, negative="", view_dependent=False, perp_neg=False),
        estimator=estimator_for(estimator, paper.prior),
        scene=scene,
        cameras=OrbitSampler(
            elevation=(-5.0, 40.0) if knows_cameras(paper.prior) else (0.0, 20.0),
            distance=(SMALL_CAMERA.distance, SMALL_CAMERA.distance),
            field_of_view=(SMALL_CAMERA.field_of_view, SMALL_CAMERA.field_of_view),
        ),
        plan=replace(short_plan(paper.prior, scene), **plan),
        evaluation=SMALL_CAMERA,
    )


def chain(*stages: Experiment) -> Experiment:
    """The stages one after another, the first one first."""
    last = replace(stages[0], previous=None)
    for stage in stages[1:]:
        last = replace(stage, previous=last)
    return last


def at_one_height(stage: Experiment) -> Experiment:
    """For a shape that stays as it is: a prior without cameras paints it as if seen from there, whatever the height."""
    if knows_cameras(stage.prior):
        return stage
    return replace(stage, cameras=replace(stage.cameras, elevation=(8.0, 12.0)))


def smooth(prior: str, normal_consistency: float, laplacian: float) -> Regularizers:
    """What keeps a surface smooth that learns from its normals.

    The empirical prior needs more: its gradient is four times as large and in every step nearly the same.
    """
    pull = 12.0 if is_exact(prior) else 1.0
    return Regularizers(normal_consistency=Constant(pull * normal_consistency), laplacian=Constant(pull * laplacian))


def short_plan(prior: str, scene: AbstractSceneSettings) -> Plan:
    """On white for the empirical prior, which knows nothing else; on plain colours for the embedded one.

    Some hundred steps leave a field a haze, of which no mesh can be made: from half time on it is to be solid.
    """
    few = Regularizers(sparsity=Constant(5.0))
    if isinstance(scene, AbstractFieldSettings):
        few = replace(few, opaqueness=hardening(prior))
    if is_exact(prior):
        return Plan(steps=200, views=8, largest_time=Linear(0.98, 0.5, over=150), regularizers=few, background=White())
    plain = PlainColors(white_share=0.7)
    plan = Plan(steps=240, views=4, largest_time=Linear(0.98, 0.3, over=180), regularizers=few, background=plain)
    if isinstance(scene, GaussianSettings):
        # Gaussians are there in half the steps, if what stays faint is taken away faster.
        few = replace(few, sparsity=Constant(10.0))
        return replace(plan, steps=120, largest_time=Linear(0.98, 0.3, over=90), regularizers=few)
    return plan


def hardening(prior: str) -> Linear:
    """The weight of the opaqueness of a field."""
    return Linear(0.0, 60.0 if is_exact(prior) else 40.0, over=60, begin=120)


def small_gaussians(prior: str) -> GaussianSettings:
    """3,000 Gaussians to begin with."""
    rates, density = FASTER, DensityControl(every=15, start=30, stop=90)
    if is_exact(prior):
        rates, density = FAST, DensityControl(every=25, start=50, stop=150)
    return GaussianSettings(initialization=BallInitialization(radius=0.55), learning_rates=rates, density=density)


def small_field(paper: HashFieldSettings, prior: str) -> HashFieldSettings:
    """A field of the same kind with cells as large as pixels, in the cube that the cameras see."""
    return replace(
        paper,
        volume=small_volume(paper.volume, prior),
        encoding=EncodingSettings(levels=8, table_bits=14, base=8, finest=64),
        bias=DensityBias(scale=10.0, radius=0.4),
        learning_rates=FieldLearningRates(),
    )


def small_volume(paper: VolumeSettings, prior: str) -> VolumeSettings:
    """Unlit and on the plan's colours: the small priors have seen flat pictures on plain backgrounds alone.

    Latents are the prior's: pixels for the empirical one, blocks of 4 x 4 pixels for the embedded one.
    """
    plain = replace(paper, shading=ShadingSettings(), normals=Normals.NONE, backdrop=Backdrop.PLAIN)
    plain = replace(plain, bound=0.75, samples=64, activation=Activation.SOFTPLUS)
    if paper.space is Space.COLOR:
        return plain
    channels, stride = (3, 1) if is_exact(prior) else (48, 4)
    return replace(plain, channels=channels, stride=stride)


def small_tet_mesh(paper: TetMeshSettings) -> TetMeshSettings:
    """A mesh of the same kind on 32 cells along each side of the cube that the cameras see."""
    texture = HashTextureSettings(levels=6, table_bits=14, base=8, finest=64, hidden=32)
    return replace(paper, cells=32, bound=0.75, radii=(0.4, 0.4, 0.4), texture=texture)
