"""The cache of encoded prompts: exact, lazy, and never in the way."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lodestone.prompts.cache import CachedTextEncoder, prompt_cache_folder
from lodestone.prompts.conditioning import Conditioning
from lodestone.prompts.text_encoder import AbstractTextEncoder


class Scrambler(AbstractTextEncoder):
    """A pure function of each text, with every awkward number in it."""

    def encode(self, texts: list[str]) -> Conditioning:
        rows = [torch.randn(3, 4, generator=torch.Generator().manual_seed(len(text))) for text in texts]
        tokens = torch.stack(rows)
        tokens[:, 0, 0], tokens[:, 0, 1] = -0.0, 1e-42
        return Conditioning(tokens=tokens, pooled=tokens[:, :, 0].half())


class Counted:
    """A factory that counts what it builds."""

    def __init__(self) -> None:
        self.built = 0

    def __call__(self) -> AbstractTextEncoder:
        self.built += 1
        return Scrambler()


def refuse() -> AbstractTextEncoder:
    raise AssertionError("the encoder must not be built")


def identical(a: Conditioning, b: Conditioning) -> bool:
    assert a.pooled is not None and b.pooled is not None
    same = (a.tokens.view(torch.int32) == b.tokens.view(torch.int32)).all()
    return bool(same) and a.pooled.dtype is b.pooled.dtype and torch.equal(a.pooled, b.pooled)


TEXTS = ["a fox", "", "日本の狐", "a fox"]


def test_a_hit_is_bitwise_the_same_and_builds_nothing() -> None:
    fresh = CachedTextEncoder("v1", Scrambler).encode(TEXTS)
    again = CachedTextEncoder("v1", refuse).encode(TEXTS)
    assert identical(fresh, again) and identical(fresh, Scrambler().encode(TEXTS))


def test_only_missing_texts_are_encoded() -> None:
    build = Counted()
    encoder = CachedTextEncoder("v1", build)
    encoder.encode(["a"])
    encoder.encode(["a"])
    assert build.built == 1
    assert identical(encoder.encode(["bb", "a", "bb"]), Scrambler().encode(["bb", "a", "bb"]))
    assert build.built == 2


def test_another_identity_is_another_entry() -> None:
    CachedTextEncoder("v1", Scrambler).encode(["a"])
    with pytest.raises(AssertionError, match="must not be built"):
        CachedTextEncoder("v2", refuse).encode(["a"])
    with pytest.raises(AssertionError, match="must not be built"):
        CachedTextEncoder("v1", refuse).encode(["a "])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(bytes(content))


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped bit": flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-8]),
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(b"\x00garbage" * 20),
    "folder": become_a_folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_encoded_again(cut_off: Path, damage: str) -> None:
    CachedTextEncoder("v1", Scrambler).encode(["a"])
    (entry,) = cut_off.rglob("*.safetensors")
    DAMAGES[damage](entry)
    build = Counted()
    assert identical(CachedTextEncoder("v1", build).encode(["a"]), Scrambler().encode(["a"]))
    assert build.built == 1
    if damage != "folder":
        assert identical(CachedTextEncoder("v1", refuse).encode(["a"]), Scrambler().encode(["a"]))


def test_an_unwritable_folder_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    build = Counted()
    encoder = CachedTextEncoder("v1", build, folder=tmp_path / "file" / "below")
    assert identical(encoder.encode(["a"]), encoder.encode(["a"]))
    assert build.built == 2


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert prompt_cache_folder() == tmp_path / "cache" / "lodestone" / "prompts"
    monkeypatch.setenv("HOME", str(tmp_path))
    for setting in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", setting)
        assert prompt_cache_folder() == tmp_path / ".cache" / "lodestone" / "prompts"


def test_a_warm_cache_imports_no_library() -> None:
    """Loading CLIP costs seconds of imports; a second run with the same words must not pay them."""
    CachedTextEncoder("v1", Scrambler).encode(["a fox"])
    program = (
        "import sys\n"
        "from lodestone.prompts.cache import CachedTextEncoder\n"
        "from lodestone.prompts.clip import ClipTextEncoder\n"
        "assert CachedTextEncoder('v1', lambda: 1 / 0).encode(['a fox']).tokens.shape == (1, 3, 4)\n"
        "assert not {'transformers', 'diffusers', 'huggingface_hub', 'tokenizers'} & set(sys.modules)\n"
    )
    source = Path(__file__).parents[2] / "src"
    subprocess.run([sys.executable, "-c", program], check=True, env=os.environ | {"PYTHONPATH": str(source)})
