"""Configurations of a few lines."""

import pytest
from launch_checks import build_once

from lodestone import stored_runs
from lodestone.launch import understanding
from lodestone.launch.document import read_document
from lodestone.optimize.experiment import Plan

FIELD = """\
system_type: dreamfusion-system
system:
  prompt_processor: {prompt: a hamburger}
  guidance:
    pretrained_model_name_or_path: stabilityai/stable-diffusion-2-1-base
"""
"""The least that a run needs, in five lines."""


@pytest.fixture
def config(tmp_path):
    """Writes a configuration; returns its path."""

    def write(text, name="one.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def built_once(monkeypatch):
    """Recipes are built once for all tests: their plans look at each of some thousand steps, which takes a second."""
    for module in (understanding, stored_runs):
        monkeypatch.setattr(module, "build", build_once)


@pytest.fixture
def unchecked(monkeypatch, built_once):
    """The same for plans as long as the papers'; their limits are not looked at."""
    monkeypatch.setattr(Plan, "__post_init__", lambda self: None)


@pytest.fixture
def launched(config, built_once):
    """What a configuration becomes, the five lines above with more after them; ten steps unless it says otherwise."""

    def read(more="", *overrides, start=FIELD, **options):
        short = () if any("trainer" in words for words in (more, *overrides)) else ("trainer.max_steps=10",)
        return understanding.understand(read_document(config(start + more), (*overrides, *short)), **options)

    return read
