"""One function for each published system or estimator, returning a complete experiment.

A recipe takes the prompt and the prior's name and returns an `Experiment`; variants are made with
`dataclasses.replace`, from the command line, or by writing another function anywhere
(`--recipe package.module:function`).
"""

from lodestone.recipes.dreamfusion import dreamfusion
from lodestone.recipes.editing import edit_bridge, edit_dds, edit_lods, edit_pds
from lodestone.recipes.gaussians import csd_gs, sds_gs, ssd_gs
from lodestone.recipes.lods_gs import lods_gs_embedding
from lodestone.recipes.lods_ngp import lods_ngp_embedding, lods_ngp_lora
from lodestone.recipes.magic3d import magic3d
from lodestone.recipes.playground import playground, playground_lora

__all__ = [
    "csd_gs",
    "dreamfusion",
    "edit_bridge",
    "edit_dds",
    "edit_lods",
    "edit_pds",
    "lods_gs_embedding",
    "lods_ngp_embedding",
    "lods_ngp_lora",
    "magic3d",
    "playground",
    "playground_lora",
    "sds_gs",
    "ssd_gs",
]
