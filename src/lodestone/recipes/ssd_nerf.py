"""SSD (Tang et al. 2023, arXiv 2312.09305) on a neural field."""

from dataclasses import replace

from lodestone.distillation.ssd import StableScoreDistillation
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.optimize.regularizers import Regularizers
from lodestone.prompts.prompt import PromptSettings
from lodestone.prompts.view_dependent import ViewWording
from lodestone.recipes.draft import chain, draft, small_field
from lodestone.recipes.estimators import is_small
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler
from lodestone.scenes.field_settings import Backdrop, DensityBias, Normals, VolumeSettings
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.schedules import Constant, Linear

__all__ = ["ssd_nerf"]


def ssd_nerf(prompt: str, prior: str = "embedded") -> Experiment:
    """SSD on a field whose levels begin one after another, 12 views at 256 x 256, then one at 512 (arXiv 2312.09305).

    Differs: the code is not public, and the paper leaves open the threshold, the sizes, when levels begin (8 at once,
    all at step 6,000 here) and the times of the second stage. The draft's terms weigh as little as its gradient.
    """
    field = HashFieldSettings(
        volume=VolumeSettings(samples=512, normals=Normals.ANALYTIC, backdrop=Backdrop.LEARNED),
        encoding=EncodingSettings(table_bits=19, finest=4096, first_levels=8, level_every=750),
        bias=DensityBias(scale=10.0, radius=0.5),
    )
    rising = Regularizers(orientation=Linear(10.0, 1000.0, over=10_000), sparsity=Constant(10.0))
    low = Experiment(
        prompt=PromptSettings(text=prompt, wording=ViewWording(front=30.0, back=30.0)),
        prior=prior,
        estimator=StableScoreDistillation(threshold=0.2),
        scene=field,
        cameras=OrbitSampler(elevation=(-10.0, 45.0), distance=(1.0, 1.5), field_of_view=(40.0, 70.0)),
        plan=Plan(steps=10_000, views=12, resolution=Constant(0.5), regularizers=rising),
        evaluation=EvaluationCamera(elevation=15.0, distance=1.5, field_of_view=70.0),
    )
    steep = replace(rising, orientation=Constant(1000.0))
    plan = Plan(steps=5_000, views=1, largest_time=Constant(0.5), regularizers=steep)
    every = replace(field.encoding, first_levels=16, level_every=0)
    high = replace(low, scene=replace(field, encoding=every), plan=plan)
    if not is_small(prior):
        return chain(low, high)
    fine = small_field(field, prior)
    fine = replace(fine, volume=replace(fine.volume, normals=Normals.ANALYTIC))
    coarse = replace(fine, encoding=replace(fine.encoding, first_levels=4, level_every=30))
    rising = Regularizers(orientation=Linear(0.1, 1.0, over=240), sparsity=Constant(1.0))
    steep = replace(rising, orientation=Constant(1.0))
    return chain(
        draft(low, "ssd", coarse, resolution=Constant(0.5), regularizers=rising),
        draft(high, "ssd", fine, steps=120, views=1, largest_time=Constant(0.5), regularizers=steep),
    )
