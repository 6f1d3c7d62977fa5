"""Recipes whose scene is flat: pictures, or latents, that an estimator optimizes without any 3D.

For Stable Diffusion the defaults are those of the official LODS scripts (Yang et al. 2023, arXiv 2312.04820):

|                      | embedding | LoRA      |
|---|---|---|
| steps                | 1,000     | 700       |
| s                    | 100       | 1,000,000 |
| negative prompt      | none      | "<new1>"  |
| rate of the latents  | 3e-2      | 3e-2      |
| rate of the slot     | 1e-4      | 1e-5      |

Both: 6 particles, a preview every 50 steps, times 0.02 to 0.98, weight sigma^2, ", front view" after the prompt.

What differs: the optimizer is Adam with betas (0.9, 0.99) and eps 1e-15, theirs AdamW with betas (0.9, 0.999), eps 1e-8
and no decay; a step is one batch of all particles, theirs two batches of three that are drawn with replacement;
latents have the prior's size from the start (see `lodestone.scenes.image`) and are the mean of the VAE's posterior
wherever a picture is encoded; the slot's optimizer is separate, with Adam's usual betas.
"""

from dataclasses import replace
from pathlib import Path

from lodestone.distillation.lods import LearnedNullEmbedding, LearnedNullLora
from lodestone.distillation.slots import AbstractAdaptiveEstimator
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.pretrained import Component
from lodestone.prompts.prompt import PromptSettings
from lodestone.recipes.estimators import estimator_for, is_small
from lodestone.rendering.background import White
from lodestone.rendering.cameras import OrbitSampler
from lodestone.scenes.image import ImageSettings, Space
from lodestone.schedules import Linear

__all__ = ["FRONT", "flat_scene", "playground", "playground_lora", "resized"]

FRONT = OrbitSampler(azimuth=(0.0, 0.0), elevation=(0.0, 0.0), distance=(3.0, 3.0), field_of_view=(50.0, 50.0))
"""The one view of what is flat."""

PARTICLES, SMALL_PARTICLES = 6, 4

LATENT_SIDES = {"sd20": 96, "sd21": 96}
"""Of the priors for 768 x 768; those for 512 x 512 have 64."""


def playground(prompt: str, prior: str = "embedded") -> Experiment:
    """Pictures alone, with LODS and a learned null embedding."""
    return around(prompt, prior, "lods-embedding", LearnedNullEmbedding(guidance_scale=100.0))


def playground_lora(prompt: str, prior: str = "embedded") -> Experiment:
    """Pictures alone, with LODS and a LoRA in the null branch."""
    experiment = around(prompt, prior, "lods-lora", LearnedNullLora(guidance_scale=1e6))
    if is_small(prior):
        return experiment
    negative = replace(experiment.prompt, negative="<new1>")
    return replace(experiment, prompt=negative, plan=replace(experiment.plan, steps=700))


def around(prompt: str, prior: str, name: str, scripted: AbstractAdaptiveEstimator) -> Experiment:
    """The experiment around an estimator: a short one for the small priors, the scripts' own for Stable Diffusion."""
    if is_small(prior):
        return small(prompt, prior, name)
    return Experiment(
        prompt=PromptSettings(text=prompt, camera=False),
        prior=prior,
        estimator=scripted,
        scene=flat_scene(prior),
        cameras=FRONT,
        plan=Plan(steps=1_000, views=PARTICLES, background=White()),
    )


def small(prompt: str, prior: str, name: str) -> Experiment:
    """Pictures of 64 x 64 in some hundred steps."""
    return Experiment(
        prompt=PromptSettings(text=prompt, view_dependent=False, camera=False),
        prior=prior,
        estimator=estimator_for(name, prior),
        scene=flat_scene(prior),
        cameras=FRONT,
        plan=Plan(
            steps=120,
            views=SMALL_PARTICLES,
            largest_time=Linear(0.98, 0.5, over=100),
            background=White(),
            preview_every=10,
        ),
    )


def flat_scene(prior: str) -> ImageSettings:
    """Pictures for the small priors, whose autoencoder is exact; latents for Stable Diffusion.

    The small priors' pictures stand on white or on any one colour, and nothing pulls a colour back to white: the
    particles begin bright.
    """
    if is_small(prior):
        size = 4 * network_side(prior, 16)
        return ImageSettings(particles=SMALL_PARTICLES, size=size, initial_mean=0.9, final=0.1)
    side = network_side(prior, LATENT_SIDES.get(prior, 64))
    return ImageSettings(
        particles=PARTICLES, space=Space.LATENT, size=side, channels=4, initial_mean=0.0, initial_std=0.29
    )


def resized(experiment: Experiment, *, particles: int | None = None, steps: int | None = None) -> Experiment:
    """The experiment with so many particles and steps; the window of times narrows over the same share of them.

    Raises: SettingError if a number is outside its range.
    """
    plan, scene = experiment.plan, experiment.scene
    assert isinstance(scene, ImageSettings)
    if particles is not None:
        scene, plan = replace(scene, particles=particles), replace(plan, views=particles)
    if steps is not None:
        last, share = plan.largest_time, steps / plan.steps
        plan = replace(plan, steps=steps)
        if isinstance(last, Linear):
            plan = replace(plan, largest_time=replace(last, over=round(last.over * share)))
    return replace(experiment, plan=plan, scene=scene)


def network_side(prior: str, usual: int) -> int:
    """Side of what the network of a prior in a folder sees; the usual one for a prior that is no folder."""
    unet = Component(Path(prior).expanduser(), "unet")
    side = unet.config().get("sample_size") if unet.path.is_dir() else usual
    return side if isinstance(side, int) else usual
