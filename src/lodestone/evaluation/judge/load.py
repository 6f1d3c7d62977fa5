"""The packaged judge, and where others are kept: half precision with the card of their accuracy in one file."""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from lodestone.data.worlds.world import World
from lodestone.errors import SettingError
from lodestone.evaluation.judge.network import Judge
from lodestone.storage import load_tensors, save_tensors, write_text

__all__ = ["CARD", "WEIGHTS", "load_judge", "made_for", "packaged_weights", "save_judge"]

WEIGHTS = "judge.safetensors"
CARD = "card.json"


def made_for(version: int, digest: str) -> dict[str, Any]:
    """What a judge says of its world, and what two must agree on."""
    return {"version": version, "categories": digest}


def packaged_weights() -> Path:
    """The folder that ships with Lodestone."""
    return Path(str(resources.files("lodestone"))) / "evaluation" / "judge" / "weights"


def save_judge(judge: Judge, folder: Path, card: Mapping[str, Any]) -> None:
    """Writes weights and card; the card is in the weight file, too, protected by its digest."""
    world = World()
    known = {
        "world": made_for(world.version, world.digest),
        "channels": list(judge.channels),
        "oriented": list(judge.oriented),
        **card,
    }
    tensors = {name: tensor.half() for name, tensor in judge.state_dict().items() if tensor.is_floating_point()}
    save_tensors(folder / WEIGHTS, tensors, known)
    write_text(folder / CARD, json.dumps(known, indent=1) + "\n")


def load_judge(folder: Path | None = None) -> Judge:
    """The packaged judge, or the one in a folder of `lodestone judge train`: frozen, in evaluation mode, on the CPU.

    Raises: SettingError if it is missing or damaged, or was made for another world.
    """
    path = (folder or packaged_weights()) / WEIGHTS
    remedy = "install Lodestone again" if folder is None else "train one with `lodestone judge train`"
    try:
        tensors, known = load_tensors(path)
        made, channels, oriented = known["world"], tuple(known["channels"]), tuple(known["oriented"])
    except (SettingError, KeyError, TypeError) as error:
        raise SettingError(f"{path} is missing, damaged or no judge: {remedy}") from error
    world = World()
    if made != made_for(world.version, world.digest):
        raise SettingError(f"the judge in {path} was made for another world ({made}): {remedy}")
    judge = Judge(channels, oriented)
    counters = {name: tensor for name, tensor in judge.state_dict().items() if not tensor.is_floating_point()}
    try:
        judge.load_state_dict({**counters, **{name: tensor.float() for name, tensor in tensors.items()}})
    except RuntimeError as error:
        raise SettingError(f"{path} holds another network: {remedy}") from error
    return judge.eval().requires_grad_(False)
