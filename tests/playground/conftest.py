"""Flat runs are made in an empty folder, without network and with a cache of their own, on one thread."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lodestone.testing.offline import offline


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a resumed run is compared with to the bit must have as many threads."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with offline():
        yield
    torch.set_num_threads(threads)
