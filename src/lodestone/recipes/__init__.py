"""One function for each published system or estimator, returning a complete experiment.

A recipe takes the prompt and the prior's name and returns an `Experiment`; variants are made with
`dataclasses.replace`, from the command line, or by writing another function anywhere
(`--recipe package.module:function`).
"""

from lodestone.recipes.csd import csd
from lodestone.recipes.dreamfusion import dreamfusion
from lodestone.recipes.dreamgaussian import dreamgaussian
from lodestone.recipes.dreamtime import dreamtime
from lodestone.recipes.editing import edit_bridge, edit_dds, edit_lods, edit_pds
from lodestone.recipes.fantasia3d import fantasia3d
from lodestone.recipes.gaussians import csd_gs, sds_gs
from lodestone.recipes.hifa import hifa
from lodestone.recipes.latent_nerf import latent_nerf
from lodestone.recipes.lods_gs import lods_gs_embedding
from lodestone.recipes.lods_ngp import lods_ngp_embedding, lods_ngp_lora
from lodestone.recipes.lucid_dreamer import lucid_dreamer
from lodestone.recipes.magic3d import magic3d
from lodestone.recipes.playground import playground, playground_lora
from lodestone.recipes.prolificdreamer import prolificdreamer
from lodestone.recipes.sjc import sjc
from lodestone.recipes.ssd_gs import ssd_gs
from lodestone.recipes.ssd_nerf import ssd_nerf

__all__ = [
    "csd",
    "csd_gs",
    "dreamfusion",
    "dreamgaussian",
    "dreamtime",
    "edit_bridge",
    "edit_dds",
    "edit_lods",
    "edit_pds",
    "fantasia3d",
    "hifa",
    "latent_nerf",
    "lods_gs_embedding",
    "lods_ngp_embedding",
    "lods_ngp_lora",
    "lucid_dreamer",
    "magic3d",
    "playground",
    "playground_lora",
    "prolificdreamer",
    "sds_gs",
    "sjc",
    "ssd_gs",
    "ssd_nerf",
]
