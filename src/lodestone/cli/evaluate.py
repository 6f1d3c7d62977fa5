"""`evaluate`: what the judge says of finished runs, or of a file of prompts that are run first."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lodestone.cli.files import all_formats
from lodestone.cli.running import default_prior_notice, read_choice, read_recipe, recipe_options
from lodestone.cli.words import check_text, parser, understand
from lodestone.errors import SettingError

if TYPE_CHECKING:
    from lodestone.evaluation.judge.network import Judge
    from lodestone.optimize.experiment import Experiment

__all__ = ["evaluate"]

OUTPUT = Path("evaluation")
ABOUT = "Judges finished assets: report.json and report.html, with category, colour, relation, viewpoint and recall."


def evaluate(words: list[str]) -> int:
    """`lodestone evaluate RUN...` or `lodestone evaluate --prompts FILE`."""
    of_prompts = any(word == "--prompts" or word.startswith("--prompts=") for word in words)
    return of_file(words) if of_prompts else of_folders(words)


def of_folders(words: list[str]) -> int:
    """`lodestone evaluate RUN...`."""
    options = parser("evaluate", ABOUT)
    options.add_argument("runs", nargs="*", type=Path, help="run folders, or folders of run folders")
    options.add_argument(
        "--prompts", metavar="FILE", help="instead of run folders, prompts to run first, one on a line"
    )
    options.add_argument("--output", type=Path, default=OUTPUT, help="folder of the report")
    options.add_argument("--quiet", action="store_true", help="print the finished files only")
    options.epilog = "`lodestone evaluate --prompts FILE --help` lists the options of the runs."
    chosen = understand(lambda: options.parse_args(words), "lodestone evaluate --help")
    if not chosen.runs:
        raise SettingError("there is nothing to evaluate: name run folders, or give a file of prompts with --prompts")
    from lodestone.evaluation.judge.load import load_judge
    from lodestone.evaluation.report.runs import find_runs

    found, left_out = dict[Path, None](), dict[str, str]()
    for path in chosen.runs:
        runs, others = find_runs(path)
        found |= dict.fromkeys(runs)
        left_out |= others
    return report(load_judge(), list(found), left_out, chosen)


def of_file(words: list[str]) -> int:
    """`lodestone evaluate --prompts FILE`: runs what is not finished in the output folder, then reports."""
    usage = "lodestone evaluate --prompts FILE"
    options = parser("evaluate", f"{ABOUT} Makes an asset of every prompt first, unless it is finished already.")
    options.add_argument("--prompts", type=Path, metavar="FILE", help="one prompt on each line; # begins a comment")
    recipe_options(options, usage)
    options.set_defaults(output=OUTPUT)
    chosen, rest = understand(lambda: options.parse_known_args(words), f"{usage} --help")
    if rest and not rest[0].startswith("-"):
        raise SettingError(f"{rest[0]} stands beside --prompts: name run folders, or a file of prompts, not both")
    from lodestone.evaluation.judge.load import load_judge
    from lodestone.evaluation.report.runs import read_prompts

    prompts = read_prompts(chosen.prompts)
    experiments = [read_experiment(prompt, chosen, rest, usage) for prompt in prompts]
    judge = load_judge()
    default_prior_notice(read_choice(chosen).prior, chosen)
    runs, left_out = finish_runs(experiments, chosen)
    return 0 if runs is None else report(judge, runs, left_out, chosen)


def read_experiment(prompt: str, chosen: argparse.Namespace, rest: list[str], usage: str) -> "Experiment":
    """What the recipe makes of a prompt.

    Raises: SettingError if the prompt or a setting is wrong, or the recipe makes flat pictures.
    """
    from lodestone.scenes.image import ImageSettings

    check_text("a prompt", prompt)
    experiment = read_recipe(read_choice(chosen), prompt, chosen, rest, usage)
    if isinstance(experiment.scene, ImageSettings):
        raise SettingError(f"recipe {read_choice(chosen).recipe} makes flat pictures: choose one in 3D")
    return experiment


def finish_runs(
    experiments: "Sequence[Experiment]", chosen: argparse.Namespace
) -> tuple[list[Path] | None, dict[str, str]]:
    """The folders of the finished runs, None after Ctrl-C; prompts whose runs stopped themselves."""
    from lodestone.evaluation.report.runs import finish_run
    from lodestone.optimize.watchdog import OptimizationStopped
    from lodestone.priors.choose import open_prior
    from lodestone.runs import check_device

    formats = None if chosen.formats is None else all_formats(chosen.formats)
    first, runs, left_out = experiments[0], list[Path](), dict[str, str]()
    prior, choice = open_prior(first.prior, device=check_device(first.device)), read_choice(chosen)
    where = {"output": chosen.output, "choice": choice, "formats": formats, "quiet": chosen.quiet, "prior": prior}
    for number, experiment in enumerate(experiments, 1):
        if not chosen.quiet:
            print(f"{number}/{len(experiments)}  {experiment.prompt.text}", flush=True)
        try:
            run = finish_run(experiment, **where)
        except OptimizationStopped as error:
            left_out[experiment.prompt.text] = str(error)
            continue
        if run is None:
            print("interrupted; the same command goes on with what is left")
            return None, left_out
        runs.append(run)
    return runs, left_out


def report(judge: "Judge", runs: Sequence[Path], left_out: Mapping[str, str], chosen: argparse.Namespace) -> int:
    """Judges, writes and says where the report is."""
    from lodestone.evaluation.report.page import write_report
    from lodestone.evaluation.report.runs import evaluate_runs

    made = evaluate_runs(judge, runs, left_out=left_out, quiet=chosen.quiet)
    if made.left_out:
        count = len(made.left_out)
        print(f"lodestone: {count} without an asset, for reasons that the report names", file=sys.stderr)
    for path in write_report(chosen.output, made):
        print(path)
    return 0
