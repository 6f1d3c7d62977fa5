"""`prior sample`, `prior train` and `prior export`."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lodestone.cli.words import fill_in_settings, parser, understand
from lodestone.errors import SettingError, check_range

if TYPE_CHECKING:
    from lodestone.data.training.settings import TrainingSettings
    from lodestone.rendering.cameras import Viewpoints

__all__ = ["prior"]


def prior(words: list[str]) -> int:
    """`lodestone prior sample|train|export`."""
    commands = {"sample": prior_sample, "train": prior_train, "export": prior_export}
    if words and words[0] in commands:
        return commands[words[0]](words[1:])
    if words and words[0] not in ("-h", "--help"):
        raise SettingError(f"there is no command 'prior {words[0]}': choose sample, train or export")
    print("usage: lodestone prior sample PROMPT | lodestone prior train FOLDER | lodestone prior export FOLDER\n")
    print("--help after any of them explains it.")
    return 0


def prior_sample(words: list[str]) -> int:
    """`lodestone prior sample PROMPT`."""
    options = parser("prior sample", "Draws pictures from a prior itself, without 3D.")
    options.add_argument("prompt", help="what to draw")
    options.add_argument("--prior", default="embedded", help="as for generate")
    options.add_argument("--count", type=int, default=8, help="pictures (1 to 64)")
    options.add_argument("--steps", type=int, default=25, help="denoising steps (1 to 1000)")
    options.add_argument("--guidance-scale", type=float, default=4.0, help="1 is the conditional model")
    options.add_argument(
        "--azimuth", type=float, help="tells a prior that knows cameras from where to look, 0 is the front"
    )
    options.add_argument("--elevation", type=float, help="the same, in degrees above the horizon (-90 to 90)")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--device", default="cpu")
    options.add_argument(
        "--output", type=Path, default=Path("samples.png"), help="one picture with all samples in a row"
    )
    chosen = understand(lambda: options.parse_args(words), "lodestone prior sample --help")
    check_range("--count", chosen.count, 1, 64)
    check_range("--steps", chosen.steps, 1, 1000)
    viewpoint = read_viewpoint(chosen.azimuth, chosen.elevation)
    from lodestone.runs import sample_prior

    elsewhere = ("prior", "azimuth", "elevation")
    known = {name: value for name, value in vars(chosen).items() if name not in elsewhere}
    sample_prior(**known, choice=chosen.prior, viewpoint=viewpoint)
    print(chosen.output)
    return 0


def read_viewpoint(azimuth: float | None, elevation: float | None) -> "Viewpoints | None":
    """A camera from where the drafts look; None if neither angle is given."""
    if azimuth is None and elevation is None:
        return None
    check_range("--azimuth", azimuth or 0.0, -3600, 3600)
    check_range("--elevation", elevation or 0.0, -90, 90)
    from lodestone.rendering.cameras import SMALL_CAMERA

    front = SMALL_CAMERA.at(elevation or 0.0).viewpoints(1)
    return replace(front, azimuth=front.azimuth + (azimuth or 0.0))


def prior_train(words: list[str]) -> int:
    """`lodestone prior train FOLDER`."""
    options = parser(
        "prior train",
        "Trains the embedded prior on the shipped pictures and, with --world, on views of the procedural world; goes "
        "on, with the settings it began with, if FOLDER has a checkpoint.",
    )
    options.add_argument("folder", type=Path, help="receives checkpoint, metrics, sheets and the finished prior")
    options.add_argument("--from", dest="start", help="folder of the prior to begin with, or scratch")
    options.add_argument("--device", default="cpu", help="cpu or cuda")
    options.epilog = "Any training setting: --world, --steps, --minutes, ... (`prior train FOLDER --fields` lists them)"
    options.add_argument("--fields", action="store_true", help="list every training setting and stop")
    chosen, rest = understand(lambda: options.parse_known_args(words), "lodestone prior train --help")
    settings = read_settings(chosen, rest)
    from lodestone.data.training.loop import train
    from lodestone.runs import check_device

    train(chosen.folder, settings, device=check_device(chosen.device))
    return 0


def read_settings(chosen: argparse.Namespace, words: list[str]) -> "TrainingSettings":
    """The settings that the words name, over those that the folder's training began with, if there is one."""
    from lodestone.data.training.checkpoint import has_checkpoint, read_checkpoint
    from lodestone.data.training.settings import TrainingSettings

    known = read_checkpoint(chosen.folder)[2] if has_checkpoint(chosen.folder) else TrainingSettings()
    if chosen.start is not None:
        known = replace(known, start=chosen.start)
    return fill_in_settings(known, words, "lodestone prior train FOLDER", fields=chosen.fields)


def prior_export(words: list[str]) -> int:
    """`lodestone prior export FOLDER`."""
    options = parser("prior export", "Writes the prior of a training's newest checkpoint; the training may be at work.")
    options.add_argument("folder", type=Path, help="of `lodestone prior train`")
    options.add_argument("--output", type=Path, help="folder of the prior; FOLDER/prior if it is not given")
    chosen = understand(lambda: options.parse_args(words), "lodestone prior export --help")
    from lodestone.data.training.export import export_checkpoint

    output = chosen.output or chosen.folder / "prior"
    step = export_checkpoint(chosen.folder, output)
    print(f"{output} (step {step})")
    return 0
