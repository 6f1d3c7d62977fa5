"""What run folders hold: their experiment, their scene, and files that can be made of it."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from PIL import Image

from lodestone.errors import SettingError
from lodestone.export.asset import Format, SplatFormat, render_frames, write_formats
from lodestone.export.extras import installed, require
from lodestone.export.mesh import MeshFormat
from lodestone.export.pictures import write_picture, write_turntable
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.optimize.run_folder import RunFolder
from lodestone.optimize.state import load_scene
from lodestone.recipes.choose import Choice, build, recipes
from lodestone.scenes.gaussian_settings import GaussianSettings
from lodestone.scenes.image import ImageScene, ImageSettings
from lodestone.scenes.scene import AbstractScene

__all__ = [
    "check_formats",
    "export_run",
    "find_origin",
    "read_experiment",
    "read_formats",
    "read_scene",
    "render_run",
    "usual_formats",
]

MOST_PIXELS = 10**9
"""Of a turntable, whose frames are in memory at once: 3 GB."""


def usual_formats(experiment: Experiment) -> tuple[Format, ...]:
    """Splats of Gaussians, a mesh of every other scene if the libraries are there; nothing of flat pictures."""
    if isinstance(experiment.scene, ImageSettings):
        return ()
    if isinstance(experiment.scene, GaussianSettings):
        return (SplatFormat.PLY,)
    return (MeshFormat.GLB,) if installed("mesh") else ()


def check_formats(experiment: Experiment, formats: Sequence[Format]) -> None:
    """Raises: SettingError if the experiment's scene cannot be written in these formats."""
    for wanted in formats:
        if isinstance(experiment.scene, ImageSettings):
            raise SettingError(f"format {wanted} is for 3D, and this recipe makes flat pictures: leave out --formats")
        if isinstance(wanted, MeshFormat):
            require("mesh")
        elif not isinstance(experiment.scene, GaussianSettings):
            raise SettingError(f"format {wanted} holds Gaussians only, and this recipe has none: choose glb or obj")


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


def read_formats(folder: RunFolder) -> list[Format]:
    """The stored formats that the scene is exported in.

    Raises: SettingError if one is unknown.
    """
    known: dict[str, Format] = {str(member): member for member in (*SplatFormat, *MeshFormat)}
    stored = folder.read().get("formats", ["ply"])
    if not isinstance(stored, list) or any(name not in known for name in stored):
        raise SettingError(
            f"formats in {folder.path / 'experiment.yaml'} is {stored!r}: choose among {', '.join(known)}"
        )
    return [known[name] for name in stored]


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
    stages = default.stages
    if folder.stages_after >= len(stages):
        raise SettingError(f"stages_after in {folder.path / 'experiment.yaml'} is more than the recipe has: restore it")
    return from_plain(stages[-1 - folder.stages_after], values)


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
    formats: Sequence[Format],
    *,
    output: Path | None = None,
    faces: int = 20_000,
    texture_size: int = 1024,
) -> list[Path]:
    """A run's newest scene in other file formats; `faces` and `texture_size` are those of meshes."""
    scene, experiment = read_solid(path)
    folder = output or RunFolder(path).asset
    return write_formats(folder, scene, formats, experiment.evaluation, faces=faces, texture_size=texture_size)


def read_scene(path: Path) -> tuple[AbstractScene, Experiment]:
    """The newest scene of a run folder, of its latest stage that has one, and that stage's experiment."""
    folder = RunFolder(path).furthest
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
