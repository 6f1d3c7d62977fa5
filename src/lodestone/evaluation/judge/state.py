"""The mutable state of a judge's training, its step, and its checkpoint, from which it goes on to the bit."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn

from lodestone.errors import SettingError
from lodestone.evaluation.judge.degrading import degrade
from lodestone.evaluation.judge.examples import Examples, negative_log_likelihood
from lodestone.evaluation.judge.network import Judge
from lodestone.evaluation.judge.settings import JudgeSettings
from lodestone.optimize.moments import moments, set_moments
from lodestone.optimize.plain import from_plain, to_plain
from lodestone.storage import load_tensors, save_tensors, section

__all__ = ["CHECKPOINT", "JudgeTraining", "has_checkpoint", "learning_rate", "read_settings"]

CHECKPOINT = "training.safetensors"
WARM_UP = 0.05


def learning_rate(step: int, settings: JudgeSettings) -> float:
    """A linear rise, then half a cosine to zero."""
    rise = (step + 1) / (WARM_UP * settings.steps)
    fall = (1 + math.cos(math.pi * min(1.0, step / settings.steps))) / 2
    return settings.learning_rate * min(1.0, rise) * fall


class JudgeTraining:
    """Network, optimizer, generator, step: all that the next step depends on."""

    def __init__(self, settings: JudgeSettings) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.judge = Judge(settings.channels).train()
        self.optimizer = torch.optim.AdamW(self.judge.parameters(), weight_decay=settings.weight_decay, fused=True)
        self.rng = torch.Generator().manual_seed(settings.seed)
        self.step = 0

    def advance(self, examples: Examples) -> float:
        """One optimization step; returns its loss."""
        rows = examples.draw(self.settings.batch, self.rng)
        pictures = degrade(examples.rgba[rows], self.rng)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.settings)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bfloat16):
            loss = negative_log_likelihood(self.judge, pictures, examples.answers[rows])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.judge.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        return float(loss.detach())

    def save(self, folder: Path) -> None:
        """Writes a checkpoint, whole or not at all."""
        network = {f"judge.{name}": tensor for name, tensor in self.judge.state_dict().items()}
        tensors = {**network, **moments("optimizer", self.judge, self.optimizer), "generator": self.rng.get_state()}
        save_tensors(folder / CHECKPOINT, tensors, {"step": self.step, "settings": to_plain(self.settings)})

    def restore(self, folder: Path) -> None:
        """Continues where `save` stopped.

        Raises: SettingError if the checkpoint is damaged or belongs to another network.
        """
        tensors, step, _ = read_checkpoint(folder)
        try:
            self.judge.load_state_dict(section(tensors, "judge"))
        except RuntimeError as error:
            raise SettingError(f"{folder} holds another network: train into another folder") from error
        set_moments("optimizer", self.judge, self.optimizer, tensors)
        self.rng.set_state(tensors["generator"])
        self.step = step


def has_checkpoint(folder: Path) -> bool:
    """Whether a training has begun there."""
    return (folder / CHECKPOINT).exists()


def read_checkpoint(folder: Path) -> tuple[dict[str, Tensor], int, JudgeSettings]:
    """Tensors, step and settings of the training in a folder.

    Raises: SettingError if its checkpoint is damaged or no checkpoint.
    """
    path = folder / CHECKPOINT
    try:
        tensors, metadata = load_tensors(path)
        step, stored = int(metadata["step"]), metadata["settings"]
        if "generator" not in tensors:
            raise KeyError("generator")
    except (SettingError, KeyError, TypeError, ValueError) as error:
        raise SettingError(f"{path} is damaged or no checkpoint of a judge: delete it to begin anew") from error
    return tensors, step, from_plain(JudgeSettings(), stored, "judge")


def read_settings(folder: Path) -> JudgeSettings:
    """Those that the folder's training began with; the defaults if there is none."""
    return read_checkpoint(folder)[2] if has_checkpoint(folder) else JudgeSettings()
