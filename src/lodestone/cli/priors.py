"""`prior sample` and `prior train`."""

from pathlib import Path

from lodestone.cli.words import parser, understand
from lodestone.errors import SettingError, check_range

__all__ = ["prior"]


def prior(words: list[str]) -> int:
    """`lodestone prior train|sample`."""
    if words[:1] == ["sample"]:
        return prior_sample(words[1:])
    if words[:1] == ["train"]:
        return prior_train(words[1:])
    if words and words[0] not in ("-h", "--help"):
        raise SettingError(f"there is no command 'prior {words[0]}': choose sample or train")
    print("usage: lodestone prior sample PROMPT | lodestone prior train FOLDER\n\n--help after either explains it.")
    return 0


def prior_sample(words: list[str]) -> int:
    """`lodestone prior sample PROMPT`."""
    options = parser("prior sample", "Draws pictures from a prior itself, without 3D.")
    options.add_argument("prompt", help="what to draw")
    options.add_argument("--prior", default="embedded", help="as for generate")
    options.add_argument("--count", type=int, default=8, help="pictures (1 to 64)")
    options.add_argument("--steps", type=int, default=25, help="denoising steps (1 to 1000)")
    options.add_argument("--guidance-scale", type=float, default=4.0, help="1 is the conditional model")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--device", default="cpu")
    options.add_argument(
        "--output", type=Path, default=Path("samples.png"), help="one picture with all samples in a row"
    )
    chosen = understand(lambda: options.parse_args(words), "lodestone prior sample --help")
    check_range("--count", chosen.count, 1, 64)
    check_range("--steps", chosen.steps, 1, 1000)
    from lodestone.runs import sample_prior

    sample_prior(**{name: value for name, value in vars(chosen).items() if name != "prior"}, choice=chosen.prior)
    print(chosen.output)
    return 0


def prior_train(words: list[str]) -> int:
    """`lodestone prior train FOLDER`."""
    options = parser(
        "prior train", "Trains the embedded prior on the shipped pictures; resumes if FOLDER has a checkpoint."
    )
    options.add_argument("folder", type=Path, help="receives the checkpoint and the finished prior")
    options.add_argument("--device", default="cpu", help="cpu or cuda")
    options.epilog = "Any training setting: --steps, --batch, --learning-rate, ... (`prior train FOLDER --fields`)"
    options.add_argument("--fields", action="store_true", help="list every training setting and stop")
    chosen, rest = understand(lambda: options.parse_known_args(words), "lodestone prior train --help")

    import tyro

    from lodestone.data.train_prior import TrainingSettings, train
    from lodestone.runs import check_device

    fields = ["--help"] if chosen.fields else rest
    settings = understand(
        lambda: tyro.cli(TrainingSettings, args=fields, prog="lodestone prior train FOLDER"),
        "lodestone prior train FOLDER --fields",
    )
    train(chosen.folder, settings, device=check_device(chosen.device))
    return 0
