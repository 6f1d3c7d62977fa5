"""Magic3D (Lin et al. 2022, arXiv 2211.10440): a neural field, then a mesh of it at high resolution."""

from dataclasses import replace

from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.recipes.draft import chain, draft, small_field, small_tet_mesh
from lodestone.recipes.dreamfusion import on_field
from lodestone.recipes.estimators import is_small
from lodestone.scenes.field_settings import Backdrop, Blob, DensityBias, Normals, VolumeSettings
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.scenes.tet_mesh_settings import TetMeshSettings
from lodestone.scenes.texture_field import HashTextureSettings
from lodestone.schedules import Constant, Linear

__all__ = ["magic3d"]


def magic3d(prompt: str, prior: str = "embedded") -> Experiment:
    """Magic3D: SDS on a hash field, then on a tetrahedral mesh with a hash texture (arXiv 2211.10440).

    Differs: one latent prior for both stages, where the authors use eDiff-I at 64 x 64 for the first; their code is not
    public, and the numbers are threestudio's.
    """
    field = HashFieldSettings(
        volume=VolumeSettings(samples=512, normals=Normals.ANALYTIC, backdrop=Backdrop.LEARNED),
        encoding=EncodingSettings(table_bits=19, finest=4096),
        bias=DensityBias(shape=Blob.CONE, scale=10.0, radius=0.5),
    )
    mesh = TetMeshSettings(cells=128, texture=HashTextureSettings(table_bits=19, finest=4096))
    coarse = on_field(prompt, prior, field, orientation=Linear(1.0, 100.0, over=5_000))
    smooth = Regularizers(normal_consistency=Constant(10_000.0))
    fine = replace(
        coarse,
        scene=mesh,
        cameras=replace(coarse.cameras, field_of_view=(30.0, 45.0)),
        plan=Plan(steps=5_000, views=1, largest_time=Constant(0.5), regularizers=smooth),
    )
    if not is_small(prior):
        return chain(coarse, fine)
    gently = Regularizers(normal_consistency=Constant(100.0))
    return chain(
        draft(coarse, "sds", small_field(field, prior)),
        draft(fine, "sds", small_tet_mesh(mesh), largest_time=Constant(0.5), regularizers=gently),
    )
