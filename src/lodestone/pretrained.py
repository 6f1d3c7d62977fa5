"""Pretrained components on disk: one sub-folder for each network, in the layout of diffusers.

A component is checked before its library is imported: its configuration is JSON and names the expected class, and its
weights are whole safetensors files. Pickled weights (`.bin`, `.ckpt`, `.pt`) are never opened, and nothing here goes
online.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from lodestone.errors import SettingError

__all__ = ["REMEDY", "Component", "quiet", "read_json"]

REMEDY = "download the folder again or choose another --prior"
"""What a person can do about a damaged or unfit folder."""

HALF = "fp16"
"""The suffix that half-precision files carry in the diffusers layout."""

UNUSED = ("position_ids", "text_projection", "logit_scale", "vision_model", "visual_projection")
"""Tensors of a whole CLIP that its text encoder has no place for."""


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises: SettingError if the file is missing, unreadable or holds no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingError(f"the prior has no {path}: {REMEDY}") from error
    except (OSError, ValueError) as error:
        raise SettingError(f"{path} cannot be read as JSON ({error}): {REMEDY}") from error
    if not isinstance(content, dict):
        raise SettingError(f"{path} holds no JSON object: {REMEDY}")
    return content


@dataclass(frozen=True)
class Component:
    """One network of a pretrained prior: `folder/name/config.json` and its safetensors."""

    folder: Path
    name: str
    stem: str = "diffusion_pytorch_model"
    """Name of the weight file without its suffix; transformers calls it `model`."""

    @property
    def path(self) -> Path:
        """The component's own folder."""
        return self.folder / self.name

    def config(self, class_name: str | None = None) -> dict[str, Any]:
        """The configuration; if `class_name` is given, it must be the configuration's own.

        Raises: SettingError if it is missing, no JSON object or of another class.
        """
        config = read_json(self.path / "config.json")
        found = config.get("_class_name")
        if class_name is not None and found != class_name:
            raise SettingError(f"{self.path} is a {found} where a {class_name} is needed: choose another --prior")
        return config

    def variant(self, dtype: torch.dtype) -> str | None:
        """The file variant to read: what was asked for if it is there, else the other one."""
        full = self.path / f"{self.stem}.safetensors"
        half = self.path / f"{self.stem}.{HALF}.safetensors"
        whole = full.exists() or full.with_name(f"{full.name}.index.json").exists()
        return HALF if half.exists() and (dtype is not torch.float32 or not whole) else None

    def files(self, dtype: torch.dtype) -> list[Path]:
        """The safetensors files to read, all of them if the weights are split.

        Raises: SettingError if there is none; pickled weights do not count.
        """
        infix = "." + HALF if self.variant(dtype) else ""
        single = self.path / f"{self.stem}{infix}.safetensors"
        index = single.with_name(f"{single.name}.index.json")
        if not single.exists() and index.exists():
            return [self.path / name for name in sorted(set(read_json(index).get("weight_map", {}).values()))]
        if single.exists():
            return [single]
        pickled = sorted(path.name for suffix in ("bin", "ckpt", "pt", "pth") for path in self.path.glob(f"*.{suffix}"))
        if pickled:
            raise SettingError(
                f"{self.path} holds pickled weights alone ({pickled[0]}), which can run any code when they are opened: "
                "convert them to safetensors or choose another --prior"
            )
        raise SettingError(f"the prior has no {single}: {REMEDY}")

    def check(self, dtype: torch.dtype = torch.float32) -> None:
        """Reads the headers of the weight files.

        Raises: SettingError if a file is missing, truncated or no safetensors file.
        """
        for file in self.files(dtype):
            try:
                with safe_open(file, framework="pt"):
                    pass
            except FileNotFoundError as error:
                raise SettingError(f"the prior has no {file}: {REMEDY}") from error
            except (SafetensorError, OSError) as error:
                raise SettingError(f"{file} is truncated or no safetensors file ({error}): {REMEDY}") from error

    def load(self, network: Any, dtype: torch.dtype) -> Any:
        """The frozen network in eval mode, by `from_pretrained` of its class `network`.

        Raises: SettingError if configuration and weights do not belong together.
        """
        self.check(dtype)
        arguments = {"subfolder": self.name, "local_files_only": True, "use_safetensors": True, "dtype": dtype}
        try:
            with quiet():
                model, report = network.from_pretrained(
                    self.folder, variant=self.variant(dtype), output_loading_info=True, **arguments
                )
        # Two libraries raise what their parsing of a wrong configuration happens to raise.
        except (OSError, ValueError, RuntimeError, TypeError, KeyError, AttributeError, ImportError) as error:
            raise SettingError(self.unfit(" ".join(str(error).split())[:200])) from error
        self.check_report(report)
        for parameter in model.parameters():
            # Weights may be views into the file, at any alignment: a copy of their own makes results the same to the
            # bit however the file is laid out, and keeps them when the file is replaced.
            parameter.data = parameter.data.clone()
        return model.eval().requires_grad_(False)

    def check_report(self, report: dict[str, Any]) -> None:
        """Refuses weights that leave a parameter untouched or have no place, which libraries only log."""
        left_over = [key for key in report["unexpected_keys"] if not any(part in key for part in UNUSED)]
        missing, resized = report["missing_keys"], report["mismatched_keys"]
        for problem, keys in (("they lack", missing), ("it has no place for", left_over), ("they differ at", resized)):
            if keys:
                raise SettingError(self.unfit(f"{problem} {sorted(map(str, keys))[0]}"))

    def unfit(self, detail: str) -> str:
        """The sentence for weights that are not the ones of the configuration."""
        return f"the weights in {self.path} do not fit its config.json ({detail}): {REMEDY}"


@contextmanager
def quiet() -> Iterator[None]:
    """Silences the progress bars and loading reports of diffusers and transformers, and restores them."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries: tuple[Any, ...] = (diffusers_logging, transformers_logging)
    before = [(library.get_verbosity(), library.is_progress_bar_enabled()) for library in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, (verbosity, bar) in zip(libraries, before, strict=True):
            library.set_verbosity(verbosity)
            if bar:
                library.enable_progress_bar()
