"""Runs from their first step to their files: `generate`, `resume`, and reading what they left."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from PIL import Image

from lodestone.errors import SettingError, check_range
from lodestone.export.asset import SplatFormat, gaussians_of, render_frames, write_asset, write_splats
from lodestone.export.mesh import MeshFormat, write_mesh
from lodestone.export.pictures import preview_strip, to_bytes, write_picture, write_turntable
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.journal import Journal
from lodestone.optimize.loop import optimize
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.optimize.rehearsal import rehearse
from lodestone.optimize.run_folder import RunFolder
from lodestone.optimize.state import OptimizationState, load_scene, load_state, new_state
from lodestone.playground.files import column_of, write_flat, write_start
from lodestone.playground.source import begin_as_picture
from lodestone.priors.choose import open_prior
from lodestone.priors.denoiser import Prior
from lodestone.priors.sampling import sample
from lodestone.prompts.conditioning import ConditioningSet
from lodestone.prompts.prompt import EncodedPrompt, PromptSettings
from lodestone.recipes.choose import Choice, build, recipes
from lodestone.rendering.background import White
from lodestone.scenes.image import ImageScene, ImageSettings
from lodestone.scenes.scene import AbstractScene
from lodestone.storage import write_text

__all__ = [
    "FinishedRun",
    "begin",
    "check_device",
    "export_run",
    "generate",
    "read_experiment",
    "read_scene",
    "render_run",
    "resume",
    "sample_prior",
]


MOST_PIXELS = 10**9
"""Of a turntable, whose frames are in memory at once: 3 GB."""


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


def generate(
    experiment: Experiment,
    *,
    output: Path,
    choice: Choice | None = None,
    formats: Sequence[SplatFormat] = (SplatFormat.PLY,),
    quiet: bool = False,
    prior: Prior | None = None,
    below: bool = True,
) -> FinishedRun:
    """Runs an experiment from the start and writes its asset.

    Args:
        experiment: what a recipe returned, edited as you like with `dataclasses.replace`.
        output: a new run folder is made below it, or, if not `below`, here.
        choice: the recipe that the experiment came from, so that `resume` can read the folder; by default the first
            of the package's recipes that the experiment is a variant of.
        formats: of the splat files; flat particles become pictures.
        quiet: without progress line.
        prior: the experiment's, if it is open already.

    Raises: SettingError before any work starts if a setting cannot be met.
    """
    began = time.perf_counter()
    device = check_device(experiment.device)
    origin = to_plain(find_origin(experiment, choice))
    prior = prior or open_prior(experiment.prior, device=device)
    prompt, state = begin(experiment, prior)
    origin["formats"] = [str(wanted) for wanted in formats]
    folder = RunFolder.create(output, experiment, origin, below=below)
    return finish(experiment, folder, state, prompt, prior, began, formats, quiet)


def begin(experiment: Experiment, prior: Prior) -> tuple[EncodedPrompt, OptimizationState]:
    """The encoded prompt and the state before the first step.

    Raises: SettingError if the prior, the scene and the estimator do not go together.
    """
    check_scene(experiment, prior)
    prompt = encode(experiment, prior, torch.device(experiment.device))
    state = new_state(experiment, prompt.conditioning(), prior.denoiser)
    if isinstance(state.scene, ImageScene) and isinstance(experiment.scene, ImageSettings) and experiment.scene.source:
        begin_as_picture(state.scene, Path(experiment.scene.source), prior)
    rehearse(experiment, prompt, state, prior.denoiser)
    return prompt, state


def check_scene(experiment: Experiment, prior: Prior) -> None:
    """Raises: SettingError if the prior cannot be shown this scene."""
    if prior.white_only and not isinstance(experiment.plan.background, White):
        raise SettingError(f"prior {prior.name} has seen objects on white alone: give plan.background as White()")
    experiment.scene.check(experiment.plan.views, prior.image_size, prior.denoiser.latent_shape)


def resume(path: Path, *, quiet: bool = False) -> FinishedRun:
    """Continues a run from its newest checkpoint and writes its asset; needs only the folder."""
    began = time.perf_counter()
    folder = RunFolder(path)
    formats = read_formats(folder)
    experiment = read_experiment(folder)
    device = check_device(experiment.device)
    checkpoint = folder.newest
    prior = open_prior(experiment.prior, device=device)
    if checkpoint is None:  # stopped before its first one
        prompt, state = begin(experiment, prior)
    else:
        check_scene(experiment, prior)
        prompt = encode(experiment, prior, device)
        state = load_state(checkpoint, experiment, prompt.conditioning(), prior.denoiser)
    return finish(experiment, folder, state, prompt, prior, began, formats, quiet)


def finish(
    experiment: Experiment,
    folder: RunFolder,
    state: OptimizationState,
    prompt: EncodedPrompt,
    prior: Prior,
    began: float,
    formats: Sequence[SplatFormat],
    quiet: bool,
) -> FinishedRun:
    """Optimizes what is left of the plan, then writes the last checkpoint, the asset and the time it took."""
    plan, scene = experiment.plan, state.scene
    loaded = time.perf_counter()
    with Journal(
        folder,
        steps=plan.steps,
        first=state.step,
        preview_every=plan.preview_every,
        checkpoint_every=plan.checkpoint_every,
        quiet=quiet,
        preview=column_of(prior.autoencoder) if isinstance(scene, ImageScene) else preview_strip,
    ) as journal:
        if state.step == 0 and isinstance(scene, ImageScene):
            write_start(journal, state, scene, prior.autoencoder)
        complete = optimize(experiment, prior, prompt, state, journal)
        if folder.newest != folder.checkpoint(state.step):
            journal.checkpoint(state)
    optimized = time.perf_counter()
    if isinstance(scene, ImageScene):
        files = write_flat(folder, experiment, state, prior.autoencoder)
    else:
        text, camera = experiment.prompt.text, experiment.evaluation
        files = write_asset(folder.asset, scene, prompt=text, formats=formats, camera=camera)
    seconds = {"loading": loaded - began, "optimization": optimized - loaded, "files": time.perf_counter() - optimized}
    phases = {f"step: {name}": total for name, total in journal.totals.items()}
    report = {name: round(value, 3) for name, value in {**seconds, **phases}.items()}
    write_text(folder.path / "timing.json", json.dumps(report, indent=2) + "\n")
    return FinishedRun(folder, state.scene, tuple(files), complete)


def find_origin(experiment: Experiment, choice: Choice | None) -> Choice:
    """The recipe from whose result the experiment differs in values alone, so that a run folder can hold it.

    Raises: SettingError if there is none, because the run could not be resumed.
    """
    names = [choice] if choice else [Choice(recipe=name, prior=experiment.prior) for name in recipes()]
    for origin in names:
        try:
            if from_plain(build(origin, experiment.prompt.text), to_plain(experiment)) == experiment:
                return origin
        except SettingError:
            continue
    raise SettingError(
        f"recipe {' or '.join(origin.recipe for origin in names)} does not lead to this experiment by other values "
        "alone, so its run could not be resumed: choose a function of your own that returns it, package.module:function"
    )


def read_formats(folder: RunFolder) -> list[SplatFormat]:
    """The stored formats of the splat files.

    Raises: SettingError if one is unknown.
    """
    stored, known = folder.read().get("formats", ["ply"]), list(map(str, SplatFormat))
    if not isinstance(stored, list) or any(name not in known for name in stored):
        raise SettingError(
            f"formats in {folder.path / 'experiment.yaml'} is {stored!r}: choose among {', '.join(known)}"
        )
    return [SplatFormat(name) for name in stored]


def read_experiment(folder: RunFolder) -> Experiment:
    """The stored experiment: its recipe's result with the stored values laid over it.

    Raises: SettingError if this is no run folder, one of another version, or a value has the wrong type.
    """
    stored = folder.read()
    chosen = {field.name: stored[field.name] for field in fields(Choice) if field.name in stored}
    values = stored.get("experiment")
    if not isinstance(values, dict) or not isinstance(values.get("prompt"), dict):
        raise SettingError(f"{folder.path / 'experiment.yaml'} describes no experiment: restore it from a copy")
    default = build(from_plain(Choice(), chosen, "run"), str(values["prompt"].get("text", "")))
    return from_plain(default, values)


def render_run(path: Path, *, views: int, size: int, output: Path | None = None) -> list[Path]:
    """Numbered pictures of a full turn around a run's newest scene, and a turntable of them."""
    if views * size**2 > MOST_PIXELS:
        raise SettingError(
            f"--views {views} of --size {size} do not fit into memory: choose fewer views or a smaller size"
        )
    scene, experiment = read_solid(path)
    folder = output or path / f"render-{views}x{size}"
    frames = list(render_frames(scene, views, size, camera=experiment.evaluation))
    for index, frame in enumerate(frames):
        write_picture(folder / f"{index:04d}.png", Image.fromarray(frame))
    return write_turntable(folder, frames)


def export_run(
    path: Path,
    formats: Sequence[SplatFormat | MeshFormat],
    *,
    output: Path | None = None,
    faces: int = 20_000,
    texture_size: int = 1024,
) -> list[Path]:
    """A run's newest scene in other file formats; `faces` and `texture_size` are those of meshes."""
    scene, experiment = read_solid(path)
    folder = output or RunFolder(path).asset
    splats = [wanted for wanted in formats if isinstance(wanted, SplatFormat)]
    meshes = [wanted for wanted in formats if isinstance(wanted, MeshFormat)]
    paths = [write_splats(folder, gaussians_of(scene, wanted), wanted) for wanted in splats]
    if meshes:
        camera = experiment.evaluation
        paths += write_mesh(folder, scene, faces=faces, texture_size=texture_size, formats=meshes, camera=camera)
    return paths


def sample_prior(
    *, prompt: str, choice: str, count: int, steps: int, guidance_scale: float, seed: int, device: str, output: Path
) -> None:
    """Draws samples of a prior into one picture."""
    place = check_device(device)
    check_range("--seed", seed, 0, 2**63 - 1)
    if output.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp"):
        raise SettingError(f"--output is {output}: give the picture a name that ends in .png, .jpg or .webp")
    prior = open_prior(choice, device=place)
    encoded = EncodedPrompt.encode(PromptSettings(text=prompt, view_dependent=False), prior.text_encoder)
    one = encoded.map(lambda tensor: tensor.to(place))
    rows = ConditioningSet(positive=one.directions.take(torch.zeros(count).long()), null=one.null.expand(count))
    rng = torch.Generator().manual_seed(seed)
    latents = sample(prior.denoiser, rows, steps=steps, guidance_scale=guidance_scale, rng=rng)
    strip = torch.cat(list(prior.autoencoder.decode(latents)), dim=2).permute(1, 2, 0)
    write_picture(output, Image.fromarray(to_bytes(strip)))


def read_scene(path: Path) -> tuple[AbstractScene, Experiment]:
    """The newest scene of a run folder, and its experiment."""
    folder = RunFolder(path)
    experiment = read_experiment(folder)
    return load_scene(folder.last_checkpoint, experiment), experiment


def read_solid(path: Path) -> tuple[AbstractScene, Experiment]:
    """As `read_scene`.

    Raises: SettingError if the scene is flat.
    """
    scene, experiment = read_scene(path)
    if isinstance(scene, ImageScene):
        raise SettingError(f"{path} holds flat pictures and nothing in 3D: look into {RunFolder(path).asset}")
    return scene, experiment
