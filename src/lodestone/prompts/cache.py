"""Encoded prompts on disk, so that a second run with the same words loads no text encoder.

One file for each text under `$XDG_CACHE_HOME/lodestone/prompts` (`~/.cache` if the variable is unset), named by the
SHA-256 of the encoder's identity and the text. The cache can be deleted at any time. Nothing that goes wrong with it is
an error: a damaged entry is encoded again, and an unwritable folder is not written.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from lodestone.errors import SettingError
from lodestone.prompts.conditioning import AbstractCameraConditioner, Conditioning
from lodestone.prompts.text_encoder import AbstractTextEncoder
from lodestone.storage import load_tensors, save_tensors

__all__ = ["CachedTextEncoder", "prompt_cache_folder"]

FORMAT = 1
"""Raised when the meaning of an entry changes, so that older entries are not found."""


def prompt_cache_folder() -> Path | None:
    """Where encoded prompts are kept; None if this user has no home folder. XDG says to ignore relative settings."""
    setting = os.environ.get("XDG_CACHE_HOME", "")
    try:
        base = Path(setting) if os.path.isabs(setting) else Path.home() / ".cache"
    except RuntimeError:
        return None
    return base / "lodestone" / "prompts"


class CachedTextEncoder(AbstractTextEncoder):
    """Answers from the disk where it can; the wrapped encoder is built for the texts that are missing, and dropped.

    Args:
        identity: names encoder, weights and settings; two encoders that could differ in a single bit must differ here.
        build: makes the encoder; it is called only if a text is not in the cache.
        folder: where entries are kept, `prompt_cache_folder()` if None.
        device: where the conditioning is wanted.
        camera: how the prior is told cameras; entries tell none.
    """

    def __init__(
        self,
        identity: str,
        build: Callable[[], AbstractTextEncoder],
        *,
        folder: Path | None = None,
        device: torch.device = torch.device("cpu"),  # noqa: B008 (immutable)
        camera: AbstractCameraConditioner | None = None,
    ) -> None:
        self.identity, self.build, self.device, self.camera = identity, build, device, camera
        self.folder = prompt_cache_folder() if folder is None else folder

    def encode(self, texts: list[str]) -> Conditioning:
        """Conditioning of each text, to the bit the same from the disk and from the encoder."""
        known = {text: self.read(text) for text in dict.fromkeys(texts)}
        missing = [text for text, entry in known.items() if entry is None]
        fresh = self.encode_missing(missing) if missing else {}
        rows = [fresh.get(text) or known[text] for text in texts]
        return Conditioning.concatenate([row for row in rows if row is not None]).map(lambda part: part.to(self.device))

    def encode_missing(self, texts: list[str]) -> dict[str, Conditioning]:
        """Builds the encoder, encodes and stores."""
        encoded = self.build().encode(texts).map(lambda part: part.detach().cpu())
        rows = {text: encoded.take(torch.tensor([row])) for row, text in enumerate(texts)}
        for text, row in rows.items():
            self.write(text, row)
        return rows

    def path(self, text: str) -> Path | None:
        """The file of one text; None without a cache folder."""
        key = hashlib.sha256(json.dumps([FORMAT, self.identity, text]).encode()).hexdigest()
        return None if self.folder is None else self.folder / key[:2] / f"{key}.safetensors"

    def read(self, text: str) -> Conditioning | None:
        """The stored conditioning of one text, a batch of one; None if there is none or it is damaged."""
        path = self.path(text)
        if path is None or not path.exists():
            return None
        try:
            stored: dict[str, Any] = load_tensors(path)[0]
            return Conditioning(**stored)
        except (SettingError, TypeError):
            return None

    def write(self, text: str, row: Conditioning) -> None:
        """Stores one row; a full disk or a read-only folder costs the next run some seconds and no more."""
        path = self.path(text)
        parts = {"tokens": row.tokens, **row.optional()}
        present = {name: part for name, part in parts.items() if part is not None}
        if path is None:
            return
        try:
            save_tensors(path, present, {"identity": self.identity})
        except SettingError:
            return
