"""What a run leaves behind while it works: metrics, previews, checkpoints and a progress line."""

import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TextIO

from PIL import Image
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from lodestone.distillation.step_settings import StepSettings
from lodestone.errors import SettingError
from lodestone.export.pictures import preview_strip, write_picture
from lodestone.optimize.run_folder import RunFolder
from lodestone.optimize.state import OptimizationState, save_state
from lodestone.scenes.scene import Rendering
from lodestone.storage import explain, write_text

__all__ = ["Journal", "StepRecord"]


@dataclass(frozen=True)
class StepRecord:
    """The numbers of one step."""

    step: StepSettings
    score_norm: float
    gradient_norm: float
    losses: Mapping[str, float]
    seconds: Mapping[str, float]
    denoiser_calls: int = 0
    """Of the score gradient, for each view."""

    def line(self) -> dict[str, object]:
        """One line of `metrics.jsonl`."""
        numbers = {"score_norm": self.score_norm, "gradient_norm": self.gradient_norm, **self.losses}
        return {
            "step": self.step.step,
            "window": list(self.step.window),
            "denoiser_calls": self.denoiser_calls,
            "regularizers": {name: weight for name, weight in self.step.regularizers.items() if weight},
            **{name: float(f"{number:.6g}") if math.isfinite(number) else None for name, number in numbers.items()},
            "seconds": {name: round(seconds, 5) for name, seconds in self.seconds.items()},
        }


class Journal:
    """Writes to a run folder; used as a context around the loop.

    Args:
        folder: of the run.
        steps: of the whole plan, for the progress line.
        first: the step at which this session begins; metrics of later steps, left by a killed run, are dropped.
        preview_every: steps between previews, 0 for none.
        checkpoint_every: steps between checkpoints.
        quiet: without progress line.
        preview: what a preview shows of a rendering.
        title: in front of the progress line.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        steps: int,
        first: int,
        preview_every: int,
        checkpoint_every: int,
        quiet: bool = False,
        preview: Callable[[Rendering], Image.Image] = preview_strip,
        title: str = "",
    ) -> None:
        self.preview, self.title = preview, title
        self.folder, self.steps, self.first = folder, steps, first
        self.preview_every, self.checkpoint_every = preview_every, checkpoint_every
        self.totals: dict[str, float] = {}
        columns = (
            *([TextColumn("{task.description}")] if title else []),
            TextColumn("{task.completed}/{task.total}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("[dim]{task.fields[phases]}"),
        )
        self.progress = Progress(*columns, disable=quiet, speed_estimate_period=10.0)
        self.task: TaskID
        self.metrics: TextIO

    def __enter__(self) -> "Journal":
        file = self.folder.path / "metrics.jsonl"
        kept = file.read_text(encoding="utf-8", errors="replace").splitlines()[: self.first] if file.exists() else []
        write_text(file, "".join(line + "\n" for line in kept))
        self.metrics = file.open("a", encoding="utf-8", buffering=1)  # each line is on its way before the next step
        self.progress.start()
        self.task = self.progress.add_task(self.title, total=self.steps, completed=self.first, speed="", phases="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        with suppress(OSError):  # of a line that could not be written, which `record` has reported
            self.metrics.close()

    def record(self, record: StepRecord, rendering: Rendering, state: OptimizationState) -> None:
        """Notes one finished step."""
        try:
            self.metrics.write(json.dumps(record.line()) + "\n")
        except OSError as error:
            raise SettingError(explain(self.folder.path / "metrics.jsonl", error)) from error
        for phase, seconds in record.seconds.items():
            self.totals[phase] = self.totals.get(phase, 0.0) + seconds
        self.show(state.step)
        if self.preview_every and state.step % self.preview_every == 0:
            write_picture(self.folder.path / "preview" / f"step-{state.step:06d}.png", self.preview(rendering))
        if state.step % self.checkpoint_every == 0:
            self.checkpoint(state)

    def show(self, done: int) -> None:
        """Updates the progress line: speed, time left, milliseconds of each phase."""
        count = done - self.first
        phases = "  ".join(f"{name} {1000 * seconds / count:.0f} ms" for name, seconds in self.totals.items())
        self.progress.update(self.task, completed=done, phases=phases)
        speed = self.progress.tasks[0].speed
        self.progress.update(self.task, speed=f"{speed:.1f} it/s" if speed else "")

    def checkpoint(self, state: OptimizationState) -> None:
        """Writes a checkpoint and points `last` at it."""
        path = self.folder.checkpoint(state.step)
        save_state(path, state)
        write_text(path.parent / "last", path.name + "\n")
