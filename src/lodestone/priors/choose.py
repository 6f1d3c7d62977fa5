"""From the value of `--prior` to a loaded prior."""

from pathlib import Path

import torch

from lodestone.errors import SettingError
from lodestone.priors.denoiser import Prior
from lodestone.priors.hub import ALIASES, is_hub_id, is_path_like

__all__ = ["is_world", "open_prior"]


def is_world(choice: str) -> bool:
    """True for `world` and `world:N`, the empirical prior of the world with N objects for each caption."""
    return choice.partition(":")[0] == "world"


def open_prior(choice: str, *, device: torch.device) -> Prior:
    """Loads the prior that `choice` names.

    Args:
        choice: `embedded`, `empirical`, `world` or `world:N`, a folder (of the embedded prior's or of Stable
            Diffusion's format), an alias such as `sd21-base`, or a hub id `owner/name`; `./name` is always a folder.
        device: where its networks live.

    Raises: SettingError if there is no such prior or if it cannot be loaded.
    """
    if choice == "embedded":
        from lodestone.priors.embedded import load_embedded

        return load_embedded(device=device)
    if choice == "empirical":
        from lodestone.priors.empirical import load_empirical

        return load_empirical(device=device)
    if is_world(choice):
        return open_world(choice, device=device)
    folder = Path(choice).expanduser()
    if choice and folder.is_dir():
        return open_folder(folder, device=device)
    if choice in ALIASES or is_hub_id(choice):
        from lodestone.priors.stable_diffusion import load_stable_diffusion

        return load_stable_diffusion(choice, device=device)
    problem = "there is no folder" if is_path_like(choice) else "there is no prior called"
    raise SettingError(
        f"{problem} {choice!r}: choose for --prior embedded, empirical, world, {', '.join(ALIASES)}, an existing "
        "folder or a hub id owner/name"
    )


def open_world(choice: str, *, device: torch.device) -> Prior:
    """The empirical prior of the world.

    Raises: SettingError if the number of objects is none.
    """
    from lodestone.priors.empirical_world import WorldSettings, load_world

    _, told, count = choice.partition(":")
    if not told:
        return load_world(device=device)
    if not count.isdecimal():
        raise SettingError(f"--prior {choice} has no number of objects behind the colon: write world or world:1")
    return load_world(WorldSettings(objects=int(count)), device=device)


def open_folder(folder: Path, *, device: torch.device) -> Prior:
    """Loads a folder with the loader that its `model_index.json` asks for."""
    from lodestone.priors.embedded import is_embedded, load_embedded
    from lodestone.priors.stable_diffusion import load_stable_diffusion

    return load_embedded(folder, device=device) if is_embedded(folder) else load_stable_diffusion(folder, device=device)
