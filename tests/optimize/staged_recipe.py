"""Recipes of several stages, of a few steps each, for `package.module:function`."""

from dataclasses import replace

from lodestone.distillation.sds import ScoreDistillation
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.prompts.prompt import PromptSettings
from lodestone.rendering.background import White
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.rendering.occupancy import OccupancySettings
from lodestone.scenes.field_settings import VolumeSettings
from lodestone.scenes.gaussian_settings import GaussianSettings
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.scenes.initialize import BallInitialization
from lodestone.scenes.tet_mesh_settings import TetMeshSettings
from lodestone.scenes.texture_field import HashTextureSettings
from lodestone.scenes.textured_mesh import TexturedMeshSettings

GAUSSIANS = GaussianSettings(initialization=BallInitialization(count=60))
FIELD = HashFieldSettings(
    volume=VolumeSettings(samples=24),
    encoding=EncodingSettings(levels=2, table_bits=8, base=4, finest=8),
    occupancy=OccupancySettings(resolution=8, every=2),
    hidden=8,
)
TETRAHEDRA = TetMeshSettings(cells=12, texture=HashTextureSettings(levels=2, table_bits=8, base=4, finest=8, hidden=8))


def stage(prompt, prior, scene, previous=None):
    return Experiment(
        prompt=PromptSettings(text=prompt, view_dependent=False),
        prior=prior,
        estimator=ScoreDistillation(guidance_scale=3.0),
        scene=scene,
        cameras=OrbitSampler(elevation=(0.0, 20.0), distance=(3.0, 3.0), field_of_view=(25.0, 25.0)),
        plan=Plan(steps=5, views=1, background=White(), checkpoint_every=2, preview_every=0),
        evaluation=EvaluationCamera(elevation=10.0, distance=3.0, field_of_view=25.0),
        previous=previous,
    )


def twice(prompt, prior):
    """Gaussians, and the same Gaussians with other numbers."""
    return replace(stage(prompt, prior, GAUSSIANS, stage(prompt, prior, GAUSSIANS)), seed=1)


def refined(prompt, prior):
    """A field, a field on top of it, a mesh with the geometry of the field, and the same mesh once more."""
    first = stage(prompt, prior, FIELD)
    second = stage(prompt, prior, FIELD, first)
    third = stage(prompt, prior, TETRAHEDRA, second)
    return stage(prompt, prior, replace(TETRAHEDRA, learn_geometry=False), third)


def painted(prompt, prior):
    """Gaussians, then a texture on their surface."""
    return stage(prompt, prior, TexturedMeshSettings(texture_size=64), stage(prompt, prior, GAUSSIANS))


def impossible(prompt, prior):
    """Gaussians after a field."""
    return stage(prompt, prior, GAUSSIANS, stage(prompt, prior, FIELD))
