"""The CLIP text encoder of Stable Diffusion (Radford et al. 2021, arXiv 2103.00020).

The conditioning is `last_hidden_state`, the states after the last layer that the folder's configuration keeps and after
the final layer norm: Stable Diffusion 2 was trained on the penultimate layer of its encoder, and its folders hold one
layer less for that reason.
"""

import hashlib
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.pretrained import REMEDY, Component, quiet
from lodestone.prompts.conditioning import Conditioning
from lodestone.prompts.text_encoder import AbstractTextEncoder

__all__ = ["ClipTextEncoder", "check_clip", "clip_identity"]


class ClipTextEncoder(AbstractTextEncoder):
    """Token states of the CLIP text encoder in `folder/text_encoder` with the tokenizer in `folder/tokenizer`.

    The network is loaded in float32 for each call of `encode` and dropped at its end: prompts are encoded once, and an
    optimization that lasts for hours needs the memory for other things.
    """

    def __init__(self, folder: Path, *, device: torch.device) -> None:
        self.folder, self.device = folder, device

    def encode(self, texts: list[str]) -> Conditioning:
        """Conditioning of each text, padded to the encoder's length.

        Raises: SettingError if the folder is damaged or a text has more tokens than the encoder reads.
        """
        from transformers import CLIPTextModel

        tokenizer = load_tokenizer(self.folder)
        model = Component(self.folder, "text_encoder", "model").load(CLIPTextModel, torch.float32).to(self.device)
        if len(tokenizer) > model.config.vocab_size:
            raise SettingError(
                f"the tokenizer in {self.folder} knows {len(tokenizer)} tokens but its text encoder "
                f"{model.config.vocab_size}: use the tokenizer that belongs to this text encoder"
            )
        # One text at a time: a batched product could give a text other bits beside other neighbours.
        return Conditioning(tokens=torch.cat([token_states(model, tokenizer, text) for text in texts]))


@torch.no_grad()
def token_states(model: Any, tokenizer: Any, text: str) -> Float[Tensor, "1 length dim"]:
    """States of one text as Stable Diffusion's pipeline computes them.

    Raises: SettingError if the text is too long; cutting it would silently drop its end, where the view stands.
    """
    length = min(tokenizer.model_max_length, model.config.max_position_embeddings)
    batch = tokenizer([text], padding="max_length", max_length=length, return_tensors="pt")
    count = int(batch["attention_mask"].sum())
    if batch["input_ids"].shape[1] > length:
        raise SettingError(
            f"a prompt of {count - 2} tokens is longer than the {length - 2} that the text encoder reads: "
            f"shorten the text that begins with {text[:40]!r}"
        )
    states: Tensor = model(batch["input_ids"].to(model.device)).last_hidden_state
    return states


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in `folder/tokenizer`.

    Raises: SettingError if it is missing or damaged.
    """
    from transformers import CLIPTokenizer

    try:
        with quiet():
            return CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True)
    # A damaged vocabulary surfaces as whatever its parser raises, down to bare exceptions of its native part.
    except Exception as error:
        detail = " ".join(str(error).split())[:200]
        raise SettingError(f"{folder / 'tokenizer'} cannot be read ({detail}): {REMEDY}") from error


def check_clip(folder: Path) -> dict[str, Any]:
    """Checks text encoder and tokenizer without importing a library; returns the text encoder's configuration.

    Raises: SettingError if a part is missing, truncated or of another family.
    """
    component = Component(folder, "text_encoder", "model")
    config = component.config()
    if config.get("model_type") not in ("clip", "clip_text_model") or not isinstance(config.get("hidden_size"), int):
        raise SettingError(f"{component.path} is no CLIP text encoder: choose a --prior of Stable Diffusion 1 or 2")
    component.check()
    tokenizer_files(folder)
    return config


def tokenizer_files(folder: Path) -> list[Path]:
    """The files that decide how text becomes tokens, in either of the two formats.

    Raises: SettingError if they are missing.
    """
    path = folder / "tokenizer"
    names = ("tokenizer.json",) if (path / "tokenizer.json").exists() else ("vocab.json", "merges.txt")
    vocabulary = [path / name for name in names]
    for file in vocabulary:
        if not file.exists():
            raise SettingError(f"the prior has no {file}: {REMEDY}")
    extra = [path / name for name in ("tokenizer_config.json", "special_tokens_map.json")]
    return vocabulary + [file for file in extra if file.exists()]


def clip_identity(folder: Path) -> str:
    """A digest of everything that decides the states of a text: weights, configuration, tokenizer."""
    component = Component(folder, "text_encoder", "model")
    total = hashlib.sha256()
    for path in (component.path / "config.json", *component.files(torch.float32), *tokenizer_files(folder)):
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return f"clip {total.hexdigest()}"
