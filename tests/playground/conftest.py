"""Flat runs are made in an empty folder, without network and with a cache of their own, on one thread."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def alone(apart: Path) -> Path:
    """Every test here stands apart."""
    return apart
