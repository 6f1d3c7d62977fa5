"""`judge train`."""

from pathlib import Path

from lodestone.cli.words import fill_in_settings, parser, understand
from lodestone.errors import SettingError

__all__ = ["judge"]


def judge(words: list[str]) -> int:
    """`lodestone judge train`."""
    if words[:1] == ["train"]:
        return judge_train(words[1:])
    if words and words[0] not in ("-h", "--help"):
        raise SettingError(f"there is no command 'judge {words[0]}': choose train")
    print("usage: lodestone judge train FOLDER\n\n--help after it explains it.")
    return 0


def judge_train(words: list[str]) -> int:
    """`lodestone judge train FOLDER`."""
    options = parser(
        "judge train",
        "Trains a judge of pictures of the procedural world and measures it; goes on, with the settings it began with, "
        "if FOLDER has a checkpoint.",
    )
    options.add_argument("folder", type=Path, help="receives views, checkpoint and the finished judge")
    options.epilog = "Any setting: --steps, --scenes, ... (`judge train FOLDER --fields` lists them)"
    options.add_argument("--fields", action="store_true", help="list every setting and stop")
    chosen, rest = understand(lambda: options.parse_known_args(words), "lodestone judge train --help")
    from lodestone.evaluation.judge.state import read_settings
    from lodestone.evaluation.judge.training import train_judge

    usage = "lodestone judge train FOLDER"
    settings = fill_in_settings(read_settings(chosen.folder), rest, usage, fields=chosen.fields)
    train_judge(chosen.folder, settings)
    return 0
