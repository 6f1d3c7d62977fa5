"""Every test of the priors runs offline and with a prompt cache of its own; tiny folders are built once."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lodestone.priors.denoiser import PredictionType
from lodestone.testing.tiny_stable_diffusion import build_tiny_stable_diffusion


@pytest.fixture(autouse=True)
def always_cut_off(cut_off: Path) -> None:
    """Applies `cut_off` to every test here."""


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny networks lose more to threads that wait for each other than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[PredictionType, Path]:
    """One tiny Stable Diffusion for each prediction type; read only."""
    base = tmp_path_factory.mktemp("tiny")
    return {kind: build_tiny_stable_diffusion(base / kind.name, prediction_type=kind) for kind in PredictionType}


@pytest.fixture(scope="session")
def tiny(tiny_folders: dict[PredictionType, Path]) -> Path:
    """A tiny Stable Diffusion that predicts noise; read only."""
    return tiny_folders[PredictionType.NOISE]
