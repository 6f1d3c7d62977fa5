"""Builds the shipped emoji atlas from two unpacked npm packages.

    npm pack @lobehub/fluent-emoji-3d@1.1.0 && npm pack emojibase-data@17.0.0   # unpack both
    python -m lodestone.data.build_emoji FLUENT_FOLDER EMOJIBASE_FOLDER

Skin-tone variants are left out. The result is one WebP sheet with alpha, one JSON file of captions and one
safetensors file of sentence embeddings.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.torch import save_file

from lodestone.data.emoji import CELL, emoji_folder
from lodestone.prompts.text_encoder import MiniLM

SKIN_TONES = {"1f3fb", "1f3fc", "1f3fd", "1f3fe", "1f3ff"}


def normalize(code: str) -> str:
    """One spelling for `0031-fe0f-20e3`, `31-FE0F-20E3` and `1f3f4-e0067_e0062`: no selectors, no leading zeros."""
    parts = code.lower().replace("_", "-").split("-")
    return "-".join(part.lstrip("0") for part in parts if part != "fe0f")


def captions(emojibase: Path) -> dict[str, dict[str, Any]]:
    """Name, keywords and group of every emoji, by normalized code."""
    entries = json.loads((emojibase / "en" / "data.json").read_text(encoding="utf-8"))
    groups = json.loads((emojibase / "meta" / "groups.json").read_text(encoding="utf-8"))["groups"]
    return {
        normalize(entry["hexcode"]): {
            "name": entry["label"].lower(),
            "keywords": [tag.lower() for tag in entry.get("tags", [])],
            "group": groups[str(entry["group"])] if "group" in entry else "symbols",
            "order": entry.get("order", 1 << 30),
        }
        for entry in entries
    }


def pictures(fluent: Path, known: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Every picture without a skin tone that has a caption, in Unicode order, one for each name."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted((fluent / "assets").glob("*.webp")):
        code = normalize(file.stem)
        if code in known and not SKIN_TONES & set(code.split("-")):
            found.setdefault(known[code]["name"], {**known[code], "code": code, "file": file})
    return sorted(found.values(), key=lambda entry: entry["order"])


def shrink(file: Path) -> Image.Image:
    """The picture at 64 x 64; resized with premultiplied alpha so that hidden colours do not bleed."""
    with Image.open(file) as picture:
        small = picture.convert("RGBa").resize((CELL, CELL), Image.Resampling.LANCZOS)
    return small.convert("RGBA")


def sheet(entries: list[dict[str, Any]]) -> Image.Image:
    """All pictures in one near-square sheet, row by row."""
    columns = math.ceil(math.sqrt(len(entries)))
    rows = math.ceil(len(entries) / columns)
    cells = np.zeros((rows * columns, CELL, CELL, 4), dtype=np.uint8)
    for index, entry in enumerate(entries):
        cells[index] = np.asarray(shrink(entry["file"]))
    tiled = cells.reshape(rows, columns, CELL, CELL, 4).transpose(0, 2, 1, 3, 4)
    return Image.fromarray(tiled.reshape(rows * CELL, columns * CELL, 4), "RGBA")


def build(fluent: Path, emojibase: Path, destination: Path) -> int:
    """Writes the three files and returns how many pictures they hold."""
    entries = pictures(fluent, captions(emojibase))
    destination.mkdir(parents=True, exist_ok=True)
    sheet(entries).save(destination / "atlas.webp", quality=90, alpha_quality=95, method=6, exact=False)
    kept = [{key: entry[key] for key in ("name", "keywords", "group", "code")} for entry in entries]
    text = json.dumps({"pictures": kept}, ensure_ascii=False, indent=0)
    (destination / "captions.json").write_text(text + "\n", encoding="utf-8")
    embeddings = MiniLM.load().sentences([entry["name"] for entry in entries])
    save_file({"names": embeddings.half()}, destination / "embeddings.safetensors")
    return len(entries)


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), Path(sys.argv[2]), emoji_folder()), "pictures")
