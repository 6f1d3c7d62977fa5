"""Files that are either whole or absent: atomic writes and tensor files that notice a flipped byte.

Nothing here pickles. A tensor file is a safetensors file whose metadata holds JSON text and a SHA-256 digest of
everything else in it.
"""

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from lodestone.errors import SettingError

__all__ = ["explain", "load_tensors", "save_tensors", "write_atomically", "write_text"]


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Calls `write(temporary)` beside `path`, then renames: a reader sees the old file, the new file or none.

    Raises: SettingError if the disk is full or the folder cannot be written; nothing half-written stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=path.suffix)
    except OSError as error:
        raise SettingError(explain(path, error)) from error
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        flush(temporary)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except (OSError, SafetensorError) as error:
        raise SettingError(explain(path, error)) from error
    finally:
        temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Waits until the file's bytes are on the disk, so that the rename cannot outrun them."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def explain(path: Path, error: Exception) -> str:
    """The sentence that a person needs when a file cannot be written."""
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
        return f"the disk is full while writing {path}: free some space or choose another --output folder"
    return f"cannot write {path} ({error}): choose an --output folder that you may write to"


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text atomically."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def digest(tensors: Mapping[str, Tensor], text: str) -> str:
    """SHA-256 over names, types, shapes and bytes of all tensors and over the JSON text."""
    total = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return total.hexdigest()


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Writes tensors and JSON-able metadata in one atomic, digest-protected safetensors file."""
    text = json.dumps(metadata, sort_keys=True)
    kept = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    header = {"json": text, "sha256": digest(kept, text)}
    write_atomically(path, lambda temporary: save_file(kept, temporary, metadata=header))


def section(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `name.`, without that beginning."""
    start = f"{name}."
    return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Reads a file of `save_tensors` and checks its digest.

    Raises: SettingError if the file is missing, truncated or altered.
    """
    remedy = "restore it from a copy or use an earlier one"
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except FileNotFoundError as error:
        raise SettingError(f"there is no file {path}: {remedy}") from error
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise SettingError(f"{path} is damaged ({error}): {remedy}") from error
    text = header.get("json", "")
    if header.get("sha256") != digest(tensors, text):
        raise SettingError(f"{path} is damaged (its contents do not match its SHA-256 digest): {remedy}")
    return tensors, json.loads(text)
