"""`lodestone launch`: configurations of threestudio, with the words that people type there."""

import argparse
import sys
from pathlib import Path

from lodestone.cli.running import stopping
from lodestone.cli.words import PRIORS, parser, understand
from lodestone.errors import SettingError

__all__ = ["launch"]

ELSEWHERE = {
    "validate": "`lodestone render RUN` makes pictures of a run's scene, and every run writes previews as it goes",
    "test": "every run ends with its turntable, and `lodestone render RUN` makes another",
    "export": "`lodestone export RUN` writes a run's scene in other formats",
    "gradio": "`lodestone launch --config FILE --train` runs in the terminal",
}
"""What does here what an option does in threestudio."""


def launch(words: list[str]) -> int:
    """`lodestone launch --config FILE --train key=value ...`."""
    options = launch_options()
    chosen = understand(lambda: options.parse_intermixed_args(words), "lodestone launch --help")
    for name, instead in ELSEWHERE.items():
        if getattr(chosen, name):
            raise SettingError(f"--{name} is not needed here: {instead}")
    if not chosen.train:
        raise SettingError("there is nothing to do: add --train, which runs the configuration")
    from lodestone.launch.document import find_config, read_document
    from lodestone.launch.understanding import understand as map_onto_recipe

    document = read_document(find_config(chosen.config), chosen.overrides)
    launched = map_onto_recipe(
        document, prior=chosen.prior or "", device=device(chosen.gpu), ignore_unknown=chosen.ignore_unknown
    )
    if not chosen.quiet:
        print(*launched.lines(), sep="\n")
    elif launched.ignored:
        print(launched.left_out(), file=sys.stderr)
    from lodestone.launch.run import run

    output = chosen.output or Path(launched.output or "outputs")
    return stopping(lambda: run(launched, output=output, quiet=chosen.quiet))


def launch_options() -> argparse.ArgumentParser:
    """The options; settings of the configuration come after them or between them."""
    options = parser("launch", "Runs a configuration of threestudio's kind.")
    options.add_argument("--config", required=True, help="a YAML file, or one of the package's by its name")
    options.add_argument("--train", action="store_true", help="run it")
    options.add_argument("--gpu", default="-1", help="number of the CUDA device; by default the first, or else the CPU")
    options.add_argument("--prior", help=f"instead of the configuration's model: {PRIORS}")
    options.add_argument("--ignore-unknown", action="store_true", help="go on without keys that are not known here")
    options.add_argument("--output", type=Path, help="run folders are made in here; else exp_root_dir, or outputs")
    options.add_argument("--quiet", action="store_true", help="print the finished files only")
    for name, instead in ELSEWHERE.items():
        options.add_argument(f"--{name}", action="store_true", help=f"not needed: {instead}")
    options.add_argument("overrides", nargs="*", metavar="key=value", help="laid over the configuration")
    return options


def device(gpu: str) -> str:
    """The device that `--gpu` means; one line if there is none of its kind."""
    try:
        number = int(gpu)
    except ValueError:
        raise SettingError(f"--gpu is {gpu!r}: give the number of one CUDA device, or -1 for any") from None
    import torch

    if torch.cuda.is_available():
        return f"cuda:{max(0, number)}"
    if number >= 0:
        print("no CUDA device here: the CPU runs it", file=sys.stderr)
    return "cpu"
