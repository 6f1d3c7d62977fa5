"""The command line; thin. Every command imports what it needs, so that `lodestone --help` answers at once."""

import os
import sys
from collections.abc import Callable, Sequence

from lodestone import __version__
from lodestone.cli.evaluate import evaluate
from lodestone.cli.files import export, render
from lodestone.cli.flat import edit, play
from lodestone.cli.information import doctor, oracle, recipes
from lodestone.cli.judge import judge
from lodestone.cli.launch import launch
from lodestone.cli.priors import prior
from lodestone.cli.running import generate, resume
from lodestone.cli.world import world
from lodestone.errors import SettingError

__all__ = ["main"]

SUMMARY = f"""lodestone {__version__}: from a sentence to a 3D asset, by score distillation.

usage: lodestone COMMAND ...

  generate "a hamburger"      make a 3D asset from a prompt
  launch --config FILE        the same from a configuration of threestudio
  play "a hamburger"          make pictures alone, by one estimator or by several side by side
  edit PICTURE                change what a picture shows, and leave the rest
  resume RUN                  continue a run that was interrupted
  render RUN                  pictures and a turntable of a run's scene, at any size
  export RUN                  a run's scene in other file formats
  evaluate RUN...             judge finished assets, or those of a file of prompts
  recipes                     list the recipes
  prior sample "a hamburger"  what the prior itself draws
  prior train FOLDER          train the embedded prior
  prior export FOLDER         what the training has led to so far, as a prior
  world sample "a red mug"    an object of the procedural world, from all sides
  world gallery               every category of it
  judge train FOLDER          train the judge of pictures of the world
  oracle                      every estimator against scores that are known exactly
  doctor                      what this machine can do

`lodestone COMMAND --help` explains each command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0, or 2 after a wrong setting, 1 after a run that stopped itself, 130 after Ctrl-C."""
    # Threads that spin while they wait starve each other on a small or busy machine (read when torch is imported).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(SUMMARY)
        return 0
    if words[0] == "--version":
        print(__version__)
        return 0
    try:
        return command(words[0])(words[1:])
    except (SettingError, ModuleNotFoundError, OSError) as error:
        print(f"lodestone: {sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("lodestone: stopped; `lodestone resume RUN` continues from the last checkpoint", file=sys.stderr)
        return 130


EXTRAS = {
    "diffusers": "diffusion",
    "transformers": "diffusion",
    "tokenizers": "diffusion",
    "huggingface_hub": "diffusion",
    "matplotlib": "oracle",
}
"""The extra of this package that brings a library."""


def sentence(error: Exception) -> str:
    """What a person can do about an error of a setting, of a missing optional library or of the file system."""
    if isinstance(error, ModuleNotFoundError):
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise error
        return f"{error.name} is not installed: run `pip install 'lodestone3d[{extra}]'`"
    return f"{error}: check that the path exists and that you may use it" if isinstance(error, OSError) else str(error)


def command(name: str) -> Callable[[list[str]], int]:
    """The function of a command.

    Raises: SettingError if there is none of that name.
    """
    known = {
        "generate": generate,
        "play": play,
        "edit": edit,
        "resume": resume,
        "launch": launch,
        "render": render,
        "export": export,
        "evaluate": evaluate,
        "recipes": recipes,
        "prior": prior,
        "world": world,
        "judge": judge,
        "oracle": oracle,
        "doctor": doctor,
    }
    if name not in known:
        raise SettingError(f"there is no command {name!r}: choose among {', '.join(known)}")
    return known[name]
