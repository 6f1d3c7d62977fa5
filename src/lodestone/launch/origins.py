"""Where a launched run begins: recipes, or their first stages, in general form, as functions of prompt and prior.

A run folder names one of them, so that it can be resumed without its configuration.
"""

from functools import partial

from lodestone.launch.general import general
from lodestone.optimize.experiment import Experiment
from lodestone.recipes.choose import Choice, build

__all__ = [
    "dreamfusion",
    "fantasia3d",
    "fantasia3d_geometry",
    "latent_nerf",
    "latent_nerf_coarse",
    "lods_gs_embedding",
    "lods_ngp_embedding",
    "lods_ngp_lora",
    "magic3d",
    "magic3d_coarse",
    "prolificdreamer",
    "prolificdreamer_coarse",
    "prolificdreamer_geometry",
    "sds_gs",
    "sjc",
]


def whole(recipe: str, prompt: str, prior: str = "embedded") -> Experiment:
    """A recipe with all of its stages."""
    return general(build(Choice(recipe=recipe, prior=prior), prompt))


def up_to(recipe: str, stage: int, prompt: str, prior: str = "embedded") -> Experiment:
    """A recipe up to one of its stages; 0 is the first."""
    return whole(recipe, prompt, prior).stages[stage]


dreamfusion = partial(whole, "dreamfusion")
magic3d_coarse = partial(up_to, "magic3d", 0)
magic3d = partial(whole, "magic3d")
sjc = partial(whole, "sjc")
latent_nerf_coarse = partial(up_to, "latent-nerf", 0)
latent_nerf = partial(whole, "latent-nerf")
fantasia3d_geometry = partial(up_to, "fantasia3d", 0)
fantasia3d = partial(whole, "fantasia3d")
prolificdreamer_coarse = partial(up_to, "prolificdreamer", 0)
prolificdreamer_geometry = partial(up_to, "prolificdreamer", 1)
prolificdreamer = partial(whole, "prolificdreamer")
lods_gs_embedding = partial(whole, "lods-gs-embedding")
lods_ngp_embedding = partial(whole, "lods-ngp-embedding")
lods_ngp_lora = partial(whole, "lods-ngp-lora")
sds_gs = partial(whole, "sds-gs")
