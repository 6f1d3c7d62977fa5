"""`metrics.jsonl`: one line for each report of a training."""

import json
from pathlib import Path
from typing import Any

from lodestone.storage import write_text

__all__ = ["append_metrics", "forget_after", "read_metrics"]

METRICS = "metrics.jsonl"


def append_metrics(folder: Path, entry: dict[str, Any]) -> None:
    """Adds a line."""
    with (folder / METRICS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """All whole lines; a training that is killed may leave half a line."""
    path = folder / METRICS
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def forget_after(folder: Path, step: int) -> None:
    """Drops what was reported after a step, which is done again."""
    kept = [entry for entry in read_metrics(folder) if entry["step"] <= step]
    write_text(folder / METRICS, "".join(json.dumps(entry) + "\n" for entry in kept))
