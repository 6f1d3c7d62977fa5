"""One function for each published system or estimator, returning a complete experiment.

A recipe takes the prompt and the prior's name and returns an `Experiment`; variants are made with
`dataclasses.replace`, from the command line, or by writing another function anywhere
(`--recipe package.module:function`).
"""

from lodestone.recipes.gaussians import csd_gs, lods_gs_embedding, sds_gs, ssd_gs

__all__ = ["csd_gs", "lods_gs_embedding", "sds_gs", "ssd_gs"]
