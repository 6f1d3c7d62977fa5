"""Objects of a scene do not touch, stand at the right height, and are where the relation says."""

import itertools

import pytest
import torch

from lodestone.data.worlds.captions import Kind, Relation
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.materials import matt
from lodestone.data.worlds.meshes import Placed
from lodestone.data.worlds.scenes import Request, Wanted, arrange, bounds, build, make, placed, put_on, room_of
from lodestone.data.worlds.shapes import box
from lodestone.data.worlds.surroundings import SURROUNDINGS, Room
from lodestone.data.worlds.things import Stand, Thing
from lodestone.data.worlds.world import World
from lodestone.errors import SettingError


def block(x, y, z, **words):
    return Thing("block", [(box(x, y, z).stand(), matt("red"))], 1.0, **words)


def overlap(a, b):
    """Whether the boxes around two objects share volume."""
    (low_a, high_a), (low_b, high_b) = bounds(a), bounds(b)
    return bool((torch.minimum(high_a, high_b) - torch.maximum(low_a, low_b) > 1e-4).all())


@pytest.mark.parametrize("relation", [relation for relation in Relation if relation is not Relation.ON])
@pytest.mark.parametrize("seed", range(4))
def test_objects_beside_each_other_keep_apart(relation, seed):
    things = [block(1, 2, 1), block(2, 0.5, 1), block(1, 1, 1)]
    objects = arrange(things, relation, Draw(seed))
    assert not any(overlap(a, b) for a, b in itertools.combinations(objects, 2))
    assert all(float(bounds(one)[0][2]) == pytest.approx(0, abs=1e-6) for one in objects)
    (low, high), (low_second, high_second) = bounds(objects[0]), bounds(objects[1])
    if relation is Relation.LEFT:
        assert high[1] < low_second[1]
    if relation is Relation.RIGHT:
        assert low[1] > high_second[1]
    if relation is Relation.FRONT:
        assert low[0] > high_second[0]
    if relation is Relation.BEHIND:
        assert high[0] < low_second[0]


def test_what_stands_on_something_touches_it_from_above():
    table = block(2, 3, 1, stand=Stand(1.0, 0.9, 0.2, 0.5))
    support = Placed(table.parts, 0.7, 30.0, 1.0, 2.0, 0.3)
    above = put_on(placed(block(1, 1, 1)), table, support)
    low, high = bounds(above)
    assert float(low[2]) == pytest.approx(0.7 * 1.0 + 0.3, abs=1e-5)
    assert ((low + high) / 2)[:2].tolist() == pytest.approx(
        support.place(torch.tensor([[0.2, 0.5, 0.0]]))[0, :2].tolist()
    )


def test_what_is_too_large_is_not_put_on_top():
    with pytest.raises(SettingError, match="no room"):
        build(Request(items=(Wanted("cooking pot"), Wanted("fork")), relation=Relation.ON), Draw(0))


def test_small_things_are_smaller_but_not_by_as_much():
    small, large = (bounds(placed(Thing("block", [(box(1, 1, 1), matt("red"))], size)))[1][2] for size in (0.1, 10.0))
    assert float(large / small) == pytest.approx(100**0.25, rel=1e-4)


@pytest.mark.parametrize("place", SURROUNDINGS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (0.3, 0.3, 2), (2, 1, 0.2)])
def test_surroundings_leave_room_for_the_object(place, shape):
    """No corner of the surroundings is inside the upright cylinder around the object, which stands on them."""
    standing = placed(block(*shape))
    room = room_of(standing)
    assert room.reach >= room.radius
    for seed in range(5):
        around = Placed(SURROUNDINGS[place].make(room, Draw(place, seed))).vertices()
        height, slack = around[:, 2], 0.02 * room.reach
        inside = (around[:, :2].norm(dim=-1) < 0.99 * room.radius) & (height < room.height)
        assert not bool((height[inside] > slack).any())
        # Something reaches up to its foot.
        assert float(height[height <= slack].max()) == pytest.approx(0, abs=slack + 1e-5)


def test_room_of_an_object():
    room = room_of(placed(block(3, 4, 5)))
    assert (room.radius, room.height) == (pytest.approx(2.5 / 5, rel=1e-4), pytest.approx(1.0, rel=1e-4))
    assert Room(0.1, 2.0).reach == pytest.approx(0.9)


def test_copies_share_their_color_and_differ_otherwise():
    scene = build(Request(items=(Wanted("mug", None, 3),)), Draw("copies"))
    assert scene.attributes.kind is Kind.SEVERAL and scene.attributes.items[0].count == 3
    first, second, _ = scene.objects
    assert not torch.equal(first.local(), second.local())
    assert first.parts[0][1].plain.name == second.parts[0][1].plain.name


@pytest.mark.parametrize("color", ["red", "blue"])
def test_an_object_has_the_color_that_is_asked_for(color):
    assert make(Wanted("mug", color), Draw(0)).color == color


def test_unknown_things_are_refused_with_what_there_is():
    with pytest.raises(SettingError, match=r"no category 'dragonfruit': choose among .*mug"):
        make(Wanted("dragonfruit"), Draw(0))
    with pytest.raises(SettingError, match="banana does not come in blue: choose among yellow"):
        make(Wanted("banana", "blue"), Draw(0))


def test_scenes_of_the_world_keep_their_objects_apart():
    world = World(3)
    for index in range(15):
        _, scene = world.scene(index)
        count = sum(item.count for item in scene.attributes.items)
        pairs = itertools.combinations(scene.objects[:count], 2)
        if scene.attributes.relation is not Relation.ON:
            assert not any(overlap(a, b) for a, b in pairs)
        assert len(scene.objects) == count + (scene.attributes.kind is Kind.SURROUNDINGS)


def test_all_kinds_and_relations_are_drawn():
    found = [World(1).attributes(index) for index in range(60)]
    assert {one.kind for one in found} == set(Kind)
    assert len({one.relation for one in found}) >= 5
    assert len({item.noun for one in found for item in one.items}) > 0.3 * len(CATEGORIES)
