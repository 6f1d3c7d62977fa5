"""Freed memory stays with the process where the C library can do that."""

import platform
import sys

import pytest

from lodestone.allocation import keep_freed_memory


def test_glibc_takes_both_settings() -> None:
    known = sys.platform.startswith("linux") and platform.libc_ver()[0] == "glibc"
    assert keep_freed_memory() is known


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
