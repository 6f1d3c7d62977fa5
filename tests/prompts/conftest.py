"""Every test of the prompts runs offline and with a prompt cache of its own."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def always_cut_off(cut_off: Path) -> None:
    """Applies `cut_off` to every test here."""
