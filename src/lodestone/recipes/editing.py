"""Recipes that edit a picture: it begins as it is, and the prompt says what it shall become.

`prompt.source` says what the picture shows, `scene.source` which file it is; `edit_settings` fills both.

The optimizer is Adam. With its usual epsilon every entry moves alike, and a plain background, whose gradient is small
but has a direction, turns coloured. With an epsilon as large as the gradients it is close to gradient descent with
momentum: a step is at most `rate / epsilon` times the gradient. For DDS on Stable Diffusion that is 0.05, the step of
the authors' script (200 times, at a rate of 0.1 on 2,000 / 64^2 times the gradient). Rates fall to a tenth.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lodestone.distillation.bridge import SchroedingerBridge
from lodestone.distillation.dds import DeltaDenoisingScore
from lodestone.distillation.estimator import AbstractEstimator
from lodestone.distillation.lods import LearnedNullEmbedding
from lodestone.distillation.pds import PosteriorDistillation
from lodestone.errors import SettingError
from lodestone.optimize.experiment import Experiment, Plan
from lodestone.prompts.prompt import PromptSettings
from lodestone.recipes.estimators import is_small
from lodestone.recipes.playground import FRONT, flat_scene
from lodestone.rendering.background import White
from lodestone.scenes.image import ImageSettings
from lodestone.schedules import Constant

__all__ = ["EDITORS", "edit_bridge", "edit_dds", "edit_lods", "edit_pds", "edit_settings"]

TINY = 1e-15
"""The epsilon with which Adam's steps are all of one size."""


def edit_dds(prompt: str, prior: str = "embedded") -> Experiment:
    """An edit by DDS (arXiv 2304.07090)."""
    if is_small(prior):
        return editing(prompt, prior, DeltaDenoisingScore(guidance_scale=2.0), rate=8e-2, epsilon=1.0)
    return editing(prompt, prior, DeltaDenoisingScore(), rate=2e-2, epsilon=0.4)


def edit_pds(prompt: str, prior: str = "embedded") -> Experiment:
    """An edit by PDS (arXiv 2311.13831)."""
    if is_small(prior):
        return editing(prompt, prior, PosteriorDistillation(guidance_scale=2.5), rate=6e-2, epsilon=0.1)
    return editing(prompt, prior, PosteriorDistillation())


def edit_lods(prompt: str, prior: str = "embedded") -> Experiment:
    """An edit by LODS (arXiv 2312.04820) whose null embedding begins as the source's wording."""
    if is_small(prior):
        estimator = LearnedNullEmbedding(guidance_scale=2.0, learning_rate=1e-3)
        return editing(prompt, prior, estimator, rate=4e-2, epsilon=0.1)
    return editing(prompt, prior, LearnedNullEmbedding(guidance_scale=100.0, learning_rate=1e-4))


def edit_bridge(prompt: str, prior: str = "embedded") -> Experiment:
    """An edit along the bridge from the source's wording to the prompt (arXiv 2406.09417, its second stage alone).

    Nothing holds it back, so that it moves more slowly than the others.
    """
    rate, epsilon = (2.5e-2, 0.5) if is_small(prior) else (5e-3, TINY)
    return editing(prompt, prior, SchroedingerBridge(switch=0.0), rate=rate, epsilon=epsilon)


EDITORS: dict[str, Callable[[str, str], Experiment]] = {
    "dds": edit_dds,
    "pds": edit_pds,
    "lods": edit_lods,
    "bridge": edit_bridge,
}
"""Every editor by the name that the command line uses."""


def editing(
    prompt: str, prior: str, estimator: AbstractEstimator, *, rate: float = 2e-2, epsilon: float = TINY
) -> Experiment:
    """One particle; 200 steps and times from 0.05 to 0.95 as DDS has them, larger times for the small priors.

    At small times these know only textures, and the picture would become noisy before it changes its shape.
    """
    small = is_small(prior)
    return Experiment(
        prompt=PromptSettings(text=prompt, view_dependent=False, camera=False),
        prior=prior,
        estimator=estimator,
        scene=replace(flat_scene(prior), particles=1, learning_rate=rate, epsilon=epsilon, final=0.1),
        cameras=FRONT,
        plan=Plan(
            steps=120 if small else 200,
            views=1,
            smallest_time=Constant(0.4 if small else 0.05),
            largest_time=Constant(0.95),
            background=White(),
            preview_every=20,
        ),
    )


def edit_settings(experiment: Experiment, picture: Path, source: str) -> Experiment:
    """The experiment for one picture that shows `source`.

    LODS starts its null embedding at what guidance moves away from: the negative prompt.

    Raises: SettingError if the source is empty.
    """
    if not source.strip():
        raise SettingError("--source is empty: say in a few words what the picture shows")
    assert isinstance(experiment.scene, ImageSettings)
    learned = isinstance(experiment.estimator, LearnedNullEmbedding)
    prompt = replace(experiment.prompt, source=source, negative=source if learned else experiment.prompt.negative)
    return replace(experiment, prompt=prompt, scene=replace(experiment.scene, source=str(picture.resolve())))
