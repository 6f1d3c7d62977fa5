"""The run folder: everything needed to judge, repeat and continue a run, in plain files.

outputs/<slug>-<hash>/<YYYYMMDD-HHMMSS>/
  experiment.yaml  command.txt  environment.json  metrics.jsonl
  checkpoints/step-000500.safetensors ...  checkpoints/last
  preview/step-000200.png
  asset/splats.ply  turntable.webp  views.png
  timing.json                    written last
  previous/                      the same for the stage before, if there is one
"""

import hashlib
import json
import platform
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
import yaml

import lodestone
from lodestone.errors import SettingError
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.plain import to_plain
from lodestone.storage import write_text

__all__ = ["RUN_FORMAT", "RunFolder", "slug", "unused"]

RUN_FORMAT = 1
"""Raised whenever older run folders can no longer be read."""


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run, and its stored experiment."""

    path: Path

    @property
    def asset(self) -> Path:
        """Folder of the files that the user keeps."""
        return self.path / "asset"

    @property
    def timing(self) -> Path:
        """The file that is written last: where the time went."""
        return self.path / "timing.json"

    @property
    def previous(self) -> "RunFolder":
        """Folder of the stage before."""
        return RunFolder(self.path / "previous")

    def is_done(self, steps: int) -> bool:
        """Whether so many steps are done and everything is written."""
        return self.newest == self.checkpoint(steps) and self.timing.is_file()

    @property
    def exists(self) -> bool:
        """Whether it describes a run."""
        return (self.path / "experiment.yaml").is_file()

    @property
    def furthest(self) -> "RunFolder":
        """The latest stage that has a checkpoint; this one if none has."""
        if self.newest is None and self.previous.exists:
            return self.previous.furthest
        return self

    @property
    def stages_after(self) -> int:
        """How many stages come after the one in this folder.

        Raises: SettingError if the stored number is none.
        """
        stored = self.read().get("stages_after", 0)
        if not isinstance(stored, int) or not 0 <= stored <= 100:
            raise SettingError(f"stages_after in {self.path / 'experiment.yaml'} is {stored!r}: restore the file")
        return stored

    def origin_of_previous(self) -> dict[str, Any]:
        """What is stored of the stage before besides its experiment: the same recipe, and nothing to export."""
        kept = {name: value for name, value in self.read().items() if name not in ("experiment", "format", "lodestone")}
        return {**kept, "formats": [], "stages_after": self.stages_after + 1}

    def checkpoint(self, step: int) -> Path:
        """Path of the checkpoint after `step` steps."""
        return self.path / "checkpoints" / f"step-{step:06d}.safetensors"

    @property
    def last_checkpoint(self) -> Path:
        """The newest checkpoint.

        Raises: SettingError if the run has none yet.
        """
        if (newest := self.newest) is None:
            raise SettingError(f"{self.path} holds no checkpoint yet: `lodestone resume {self.path}` starts it again")
        return newest

    @property
    def newest(self) -> Path | None:
        """Where `checkpoints/last` points; None before the first checkpoint.

        Raises: SettingError if it names no checkpoint.
        """
        pointer = self.path / "checkpoints" / "last"
        if not pointer.is_file():
            return None
        name = pointer.read_text(encoding="utf-8", errors="replace").strip()
        if not re.fullmatch(r"step-\d+\.safetensors", name):
            raise SettingError(f"{pointer} names no checkpoint: write the name of a file beside it into it")
        return pointer.parent / name

    @classmethod
    def create(
        cls, output: Path, experiment: Experiment, origin: Mapping[str, Any], *, below: bool = True
    ) -> "RunFolder":
        """Makes a new folder; nothing is ever overwritten. `origin` says which recipe it came from.

        It is `below` the folder `output`, named by the prompt and the time, or `output` itself.

        Raises: SettingError if the folder cannot be written.
        """
        stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
        folder = cls(unused(output / slug(experiment.prompt.text) / stamp if below else output))
        folder.describe(experiment, origin)
        return folder

    def describe(self, experiment: Experiment, origin: Mapping[str, Any]) -> None:
        """Writes what the run is; `origin` says which recipe it came from."""
        stored = {"format": RUN_FORMAT, "lodestone": lodestone.__version__, **origin}
        text = yaml.safe_dump({**stored, "experiment": to_plain(experiment)}, sort_keys=False, allow_unicode=True)
        write_text(self.path / "command.txt", shlex.join(sys.argv) + "\n")
        write_text(self.path / "environment.json", json.dumps(environment(), indent=2) + "\n")
        write_text(self.path / "experiment.yaml", text)

    def read(self) -> dict[str, Any]:
        """The mapping in `experiment.yaml`.

        Raises: SettingError if this is no run folder, or one of another version.
        """
        file = self.path / "experiment.yaml"
        if not file.is_file():
            raise SettingError(f"{self.path} is not a run folder (it has no experiment.yaml): name the folder of a run")
        try:
            stored = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
            raise SettingError(f"{file} is not readable YAML: restore it from a copy") from error
        if not isinstance(stored, dict):
            raise SettingError(f"{file} holds no mapping: restore it from a copy")
        if stored.get("format") != RUN_FORMAT:
            raise SettingError(
                f"{self.path} was written by another version (run format {stored.get('format')}, this is "
                f"{RUN_FORMAT}): use lodestone {stored.get('lodestone', 'of that time')}"
            )
        return stored


def unused(path: Path) -> Path:
    """The path, with a number behind it if there is something already."""
    count, free = 1, path
    while free.exists():
        count += 1
        free = path.with_name(f"{path.name}-{count}")
    return free


def slug(prompt: str) -> str:
    """A short folder name for any prompt: its first words and a hash of the whole."""
    words = re.sub(r"[^a-z0-9]+", "-", prompt.lower()).strip("-")[:40].strip("-")
    return f"{words or 'run'}-{hashlib.sha256(prompt.encode()).hexdigest()[:6]}"


def environment() -> dict[str, Any]:
    """What the result may depend on besides the experiment."""
    return {
        "lodestone": lodestone.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "cuda": torch.version.cuda if torch.cuda.is_available() else None,
    }
