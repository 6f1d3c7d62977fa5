"""A training small enough for a test: 32 x 32 pictures, latents of 8 x 8, texts as random numbers."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_tools import EMOJI

from lodestone.data.emoji import EmojiSet, load_emoji
from lodestone.data.training.mixture import Mixture
from lodestone.data.training.settings import TrainingSettings
from lodestone.data.training.sources import EmojiSource, WorldSource, open_world
from lodestone.data.worlds.cache import ViewSettings, write_cache
from lodestone.data.worlds.world import World


@pytest.fixture(autouse=True)
def always_cut_off(cut_off: Path) -> None:
    """No network, and a prompt cache of its own."""


@pytest.fixture(autouse=True)
def one_thread():
    """What is compared to the bit has as many threads; tiny networks are fastest with one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """Three views each of some scenes; read only."""
    folder = tmp_path_factory.mktemp("cache")
    write_cache(folder, World(0), ViewSettings(views=3, size=32), scenes=24, shard=12, workers=1)
    return folder


@pytest.fixture
def settings(cache) -> TrainingSettings:
    """With a world, from random weights."""
    return replace(EMOJI, world=str(cache), start="scratch")


@pytest.fixture(scope="session")
def emoji() -> EmojiSet:
    """Twelve of them."""
    known = load_emoji()
    return EmojiSet(known.rgba[:12], known.names[:12], known.keywords[:12], known.groups[:12], known.embeddings[:12])


@pytest.fixture
def mixture(settings, emoji) -> Mixture:
    """Both data sets, small."""
    sources = (EmojiSource.of(emoji, settings), WorldSource(open_world(settings), settings))
    return Mixture(sources, (0.3, 0.7), settings)


@pytest.fixture
def emoji_alone(emoji) -> Mixture:
    """What version 0 is trained on."""
    return Mixture((EmojiSource.of(emoji, EMOJI),), (1.0,), EMOJI)
