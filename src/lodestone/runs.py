"""Runs from their first step to their files: `generate` and `resume`, one stage after the other."""

import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image

from lodestone.allocation import keep_freed_memory
from lodestone.errors import SettingError, check_range
from lodestone.export.asset import Format, write_asset
from lodestone.export.mesh import Mesher
from lodestone.export.pictures import preview_strip, to_bytes, write_picture
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.journal import Journal
from lodestone.optimize.loop import optimize
from lodestone.optimize.plain import to_plain
from lodestone.optimize.rehearsal import StandInMesher, rehearse
from lodestone.optimize.run_folder import RunFolder
from lodestone.optimize.state import OptimizationState, load_scene, load_state, new_state
from lodestone.playground.files import column_of, write_flat, write_start
from lodestone.playground.source import begin_as_picture
from lodestone.priors.choose import open_prior
from lodestone.priors.denoiser import Prior
from lodestone.priors.sampling import sample
from lodestone.prompts.conditioning import ConditioningSet
from lodestone.prompts.prompt import EncodedPrompt, PromptSettings
from lodestone.recipes.choose import Choice
from lodestone.rendering.background import White
from lodestone.rendering.cameras import Viewpoints
from lodestone.scenes.image import ImageScene, ImageSettings
from lodestone.scenes.scene import AbstractMesher, AbstractScene
from lodestone.storage import write_text
from lodestone.stored_runs import (
    check_formats,
    find_origin,
    read_experiment,
    read_formats,
    usual_formats,
)

__all__ = ["FinishedRun", "begin", "check_device", "generate", "resume", "sample_prior"]


@dataclass(frozen=True)
class FinishedRun:
    """What a run has led to."""

    folder: RunFolder
    scene: AbstractScene
    files: tuple[Path, ...]
    complete: bool
    """False if the user interrupted it; `resume` continues."""


def check_device(name: str) -> torch.device:
    """The torch device of this name.

    Raises: SettingError if there is none.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SettingError(f"device is {name!r}: choose cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SettingError("device is cuda, but this machine has no usable CUDA device: choose --device cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise SettingError(
            f"device is {name!r}, but this machine has {torch.cuda.device_count()}: choose --device cuda"
        )
    if device.type not in ("cpu", "cuda"):
        raise SettingError(f"device is {name!r}: choose cpu or cuda")
    return device


def encode(experiment: Experiment, prior: Prior, device: torch.device) -> EncodedPrompt:
    """The prompt as the prior understands it, on the prior's device."""
    return EncodedPrompt.encode(experiment.prompt, prior.text_encoder).map(lambda tensor: tensor.to(device))


class OpenPriors:
    """Priors that are open already; stages share them."""

    def __init__(self, known: dict[tuple[str, str], Prior]) -> None:
        self.known = known

    def of(self, experiment: Experiment) -> Prior:
        """The experiment's prior on its device."""
        key = experiment.prior, experiment.device
        if key not in self.known:
            self.known[key] = open_prior(experiment.prior, device=check_device(experiment.device))
        return self.known[key]


Begun = tuple[EncodedPrompt, OptimizationState]
"""What a stage needs besides its prior: the encoded prompt, and the state before the next step."""


def generate(
    experiment: Experiment,
    *,
    output: Path,
    choice: Choice | None = None,
    formats: Sequence[Format] | None = None,
    quiet: bool = False,
    prior: Prior | None = None,
    below: bool = True,
    beside: Mapping[str, str] | None = None,
    after: Path | None = None,
) -> FinishedRun:
    """Runs an experiment from the start, all of its stages, and writes its asset.

    Args:
        experiment: what a recipe returned, edited as you like with `dataclasses.replace`.
        output: a new run folder is made below it, or, if not `below`, here.
        choice: the recipe that the experiment came from, so that `resume` can read the folder; by default the first
            of the package's recipes that the experiment is a variant of.
        formats: to export the scene in; by default splats of Gaussians and a mesh of everything else in 3D.
        quiet: without progress line.
        prior: the experiment's, if it is open already.
        beside: texts that the run folder holds as well, by file name.
        after: folder of a finished run, taken over as the stage before.

    Raises: SettingError before any work starts if a setting cannot be met.
    """
    for stage in experiment.stages:
        check_device(stage.device)
    origin = to_plain(find_origin(experiment, choice))
    formats = usual_formats(experiment) if formats is None else formats
    check_formats(experiment, formats)
    priors = OpenPriors({} if prior is None else {(experiment.prior, experiment.device): prior})
    begun = begin_stages(experiment, priors)
    folder = RunFolder.create(output, experiment, {**origin, "formats": [str(one) for one in formats]}, below=below)
    for name, text in (beside or {}).items():
        write_text(folder.path / name, text)
    if after is not None and experiment.previous is not None:
        shutil.copytree(after, folder.previous.path)
        folder.previous.describe(experiment.previous, folder.origin_of_previous())
    return advance(experiment, folder, priors, quiet, begun)


def resume(path: Path, *, quiet: bool = False) -> FinishedRun:
    """Continues a run from its newest checkpoint and writes its asset; needs only the folder."""
    folder = RunFolder(path)
    read_formats(folder)
    return advance(read_experiment(folder), folder, OpenPriors({}), quiet)


def begin_stages(experiment: Experiment, priors: OpenPriors) -> Begun:
    """Begins every stage with what the stage before it begins with; returns the first one's beginning.

    Raises: SettingError if a stage cannot be run, or cannot follow on the one before it.
    """
    begun: list[Begun] = []
    for stage in experiment.stages:
        previous = begun[-1][1].scene if begun else None
        begun.append(begin(stage, priors.of(stage), previous, StandInMesher()))
    return begun[0]


def begin(
    experiment: Experiment,
    prior: Prior,
    previous: AbstractScene | None = None,
    mesher: AbstractMesher | None = None,
) -> Begun:
    """The encoded prompt and the state before the first step; `previous` is what the stage before has made.

    Raises: SettingError if the prior, the scene and the estimator do not go together.
    """
    check_scene(experiment, prior)
    prompt = encode(experiment, prior, torch.device(experiment.device))
    mesher = mesher or Mesher(camera=(experiment.previous or experiment).evaluation)

    def first(rng: torch.Generator) -> AbstractScene:
        return experiment.scene.create(rng) if previous is None else experiment.scene.begin_after(previous, mesher, rng)

    state = new_state(experiment, prompt.conditioning(), prior.denoiser, first)
    if isinstance(state.scene, ImageScene) and isinstance(experiment.scene, ImageSettings) and experiment.scene.source:
        begin_as_picture(state.scene, Path(experiment.scene.source), prior)
    rehearse(experiment, prompt, state, prior.denoiser)
    return prompt, state


def check_scene(experiment: Experiment, prior: Prior) -> None:
    """Raises: SettingError if the prior cannot be shown this scene."""
    if prior.white_only and not isinstance(experiment.plan.background, White):
        raise SettingError(f"prior {prior.name} has seen objects on white alone: give plan.background as White()")
    experiment.scene.check(experiment.plan.views, prior.image_size, prior.denoiser.latent_shape)


def advance(
    experiment: Experiment, folder: RunFolder, priors: OpenPriors, quiet: bool, begun: Begun | None = None
) -> FinishedRun:
    """Does what is left of a run, earlier stages first; `begun` is the beginning of the first one."""
    keep_freed_memory()
    began = time.perf_counter()
    prior, newest = priors.of(experiment), folder.newest
    if newest is not None:
        begun = continued(experiment, newest, prior)
    elif experiment.previous is not None:
        before = advance_previous(experiment.previous, folder, priors, quiet, begun)
        if not before.complete:
            return replace(before, folder=folder)
        began = time.perf_counter()
        begun = begin(experiment, prior, before.scene)
    return finish(experiment, folder, begun or begin(experiment, prior), prior, began, quiet)


def continued(experiment: Experiment, checkpoint: Path, prior: Prior) -> Begun:
    """The encoded prompt and the state that a checkpoint holds."""
    check_scene(experiment, prior)
    prompt = encode(experiment, prior, torch.device(experiment.device))
    return prompt, load_state(checkpoint, experiment, prompt.conditioning(), prior.denoiser)


def advance_previous(
    experiment: Experiment, after: RunFolder, priors: OpenPriors, quiet: bool, begun: Begun | None
) -> FinishedRun:
    """The same for the stage before the one in the folder `after`; does nothing if that stage is done."""
    folder = after.previous
    if not folder.exists:
        folder.describe(experiment, after.origin_of_previous())
    if folder.is_done(experiment.plan.steps):
        return FinishedRun(folder, load_scene(folder.last_checkpoint, experiment), (), True)
    return advance(experiment, folder, priors, quiet, begun)


def finish(
    experiment: Experiment, folder: RunFolder, begun: Begun, prior: Prior, began: float, quiet: bool
) -> FinishedRun:
    """Optimizes what is left of a stage's plan, then writes the last checkpoint, the asset and the time it took."""
    plan, (prompt, state) = experiment.plan, begun
    loaded = time.perf_counter()
    with Journal(
        folder,
        steps=plan.steps,
        first=state.step,
        preview_every=plan.preview_every,
        checkpoint_every=plan.checkpoint_every,
        quiet=quiet,
        preview=column_of(prior.autoencoder) if isinstance(state.scene, ImageScene) else preview_strip,
        title=title(experiment, folder),
    ) as journal:
        if state.step == 0 and isinstance(state.scene, ImageScene):
            write_start(journal, state, state.scene, prior.autoencoder)
        complete = optimize(experiment, prior, prompt, state, journal)
        if folder.newest != folder.checkpoint(state.step):
            journal.checkpoint(state)
    optimized = time.perf_counter()
    files = write_files(experiment, folder, state, prior)
    seconds = {"loading": loaded - began, "optimization": optimized - loaded, "files": time.perf_counter() - optimized}
    phases = {f"step: {name}": total for name, total in journal.totals.items()}
    report = {name: round(value, 3) for name, value in {**seconds, **phases}.items()}
    write_text(folder.timing, json.dumps(report, indent=2) + "\n")
    return FinishedRun(folder, state.scene, tuple(files), complete)


def title(experiment: Experiment, folder: RunFolder) -> str:
    """Which stage this is; empty if there is one alone."""
    number = len(experiment.stages)
    count = number + folder.stages_after
    return f"stage {number} of {count}" if count > 1 else ""


def write_files(experiment: Experiment, folder: RunFolder, state: OptimizationState, prior: Prior) -> list[Path]:
    """The asset, as the folder says."""
    scene = state.scene
    if isinstance(scene, ImageScene):
        return write_flat(folder, experiment, state, prior.autoencoder)
    camera = experiment.evaluation
    formats = read_formats(folder)
    return write_asset(folder.asset, scene, prompt=experiment.prompt.text, formats=formats, camera=camera)


def sample_prior(
    *,
    prompt: str,
    choice: str,
    count: int,
    steps: int,
    guidance_scale: float,
    seed: int,
    device: str,
    output: Path,
    viewpoint: Viewpoints | None = None,
) -> None:
    """Draws samples of a prior into one picture; from one viewpoint if it is given and the prior knows cameras."""
    place = check_device(device)
    check_range("--seed", seed, 0, 2**63 - 1)
    if output.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise SettingError(f"--output is {output}: give the picture a name that ends in .png, .jpg or .webp")
    prior = open_prior(choice, device=place)
    encoded = EncodedPrompt.encode(PromptSettings(text=prompt, view_dependent=False), prior.text_encoder)
    one = encoded.map(lambda tensor: tensor.to(place))
    rows = ConditioningSet(positive=one.directions.take(torch.zeros(count).long()), null=one.null.expand(count))
    if viewpoint is not None:
        around = one.for_viewpoints(viewpoint)
        rows = replace(rows, positive=around.positive.expand(count))
    rng = torch.Generator().manual_seed(seed)
    latents = sample(prior.denoiser, rows, steps=steps, guidance_scale=guidance_scale, rng=rng)
    strip = torch.cat(list(prior.autoencoder.decode(latents)), dim=2).permute(1, 2, 0)
    write_picture(output, Image.fromarray(to_bytes(strip)))
