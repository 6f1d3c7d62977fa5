"""The world is a function of its seed and version; what is held out is decided by captions alone."""

import itertools

import pytest
import torch

from lodestone.data.worlds.captions import Attributes, Item, Kind
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.data.worlds.requests import parse
from lodestone.data.worlds.world import HELD_OUT, WORLD_VERSION, World, is_held_out
from lodestone.errors import SettingError


def test_a_sample_is_a_function_of_seed_and_index():
    first, again, other = World(4).sample(7), World(4).sample(7), World(5).sample(7)
    assert first.caption == again.caption and first.attributes == again.attributes
    assert torch.equal(first.mesh.mesh.vertices, again.mesh.mesh.vertices)
    assert first.paraphrase(3) == again.paraphrase(3)
    assert other.key != first.key
    captions = {World(seed).sample(7).caption for seed in range(6)}
    assert len(captions) > 3


def test_samples_are_whole():
    world = World(1)
    for index in range(12):
        mesh = world.sample(index).mesh
        assert float(mesh.mesh.vertices.norm(dim=-1).max()) == pytest.approx(1, abs=1e-4)
        assert bool(mesh.mesh.vertices.isfinite().all()) and bool(mesh.normals.isfinite().all())
        assert len(mesh.material) == len(mesh.owner) == len(mesh.mesh.faces) == len(mesh.normals)
        assert int(mesh.material.max()) == len(mesh.materials) - 1
        assert world.attributes(index) == world.sample(index).attributes


def test_what_is_asked_for_is_made():
    sample = World(2).make(parse("a red mug on a wooden table"))
    assert sample.caption == "a red mug on a wooden table"
    other = World(2).make(parse("a red mug on a wooden table"), number=1)
    assert other.caption == sample.caption
    assert not torch.equal(other.mesh.local, sample.mesh.local)


def described(noun, color, natural=False):
    return Attributes(kind=Kind.SINGLE, items=(Item(noun, noun + "s", color, natural),))


def test_a_tenth_of_the_captions_is_held_out():
    colors = [f"color {i}" for i in range(100)]
    found = [is_held_out(described(noun, color)) for noun in CATEGORIES for color in colors]
    assert sum(found) / len(found) == pytest.approx(HELD_OUT, abs=0.025)


def test_an_object_without_a_color_word_is_never_held_out():
    assert not any(is_held_out(described(f"thing {i}", None)) for i in range(200))
    assert not any(is_held_out(described(f"thing {i}", "red", natural=True)) for i in range(200))


def test_indices_are_those_of_the_split():
    world = World(0)
    held, seen = (list(itertools.islice(world.indices(held_out=flag), 3)) for flag in (True, False))
    assert all(world.sample(index).held_out for index in held)
    assert not any(world.sample(index).held_out for index in seen)


def test_captions_differ_and_are_those_of_the_split():
    captions = World(0).captions(5, held_out=True)
    assert len(set(captions)) == 5
    assert not set(captions) & set(World(0).captions(5, held_out=False))


def test_another_version_is_refused():
    with pytest.raises(SettingError, match=r"world\.version is 0"):
        World(0, version=WORLD_VERSION - 1)
