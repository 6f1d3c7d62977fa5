"""A cache of views is made once, goes on after a stop, and refuses what another world made."""

import pytest
import torch

from lodestone.data.emoji import composite
from lodestone.data.worlds import cache, world
from lodestone.data.worlds.cache import ViewSettings, read_cache, render_views, write_cache
from lodestone.data.worlds.world import World
from lodestone.errors import SettingError
from lodestone.rendering.cameras import OrbitSampler
from lodestone.storage import load_tensors, save_tensors

SETTINGS = ViewSettings(views=2, size=16)


@pytest.fixture
def made(tmp_path):
    write_cache(tmp_path, World(0), SETTINGS, scenes=5, shard=2, workers=1)
    return tmp_path


def test_views_do_not_depend_on_workers():
    one, two = (render_views(World(0), range(4), SETTINGS, workers=workers) for workers in (1, 2))
    assert torch.equal(one.rgba, two.rgba) and torch.equal(one.azimuth, two.azimuth)
    assert one.attributes == two.attributes and one.rgba.shape == (4, 2, 4, 16, 16)


def test_threads_are_as_before():
    threads = torch.get_num_threads()
    render_views(World(0), range(1), SETTINGS)
    assert torch.get_num_threads() == threads


def test_views_have_their_cameras_captions_and_colors():
    views = render_views(World(0), range(3), SETTINGS)
    for row in range(3):
        assert views.caption(row) == World(0).sample(int(views.index[row])).caption
        assert isinstance(views.paraphrase(row, 0), str)
    assert float(views.elevation.min()) >= -10 and float(views.elevation.max()) <= 50
    pictures = composite(views.rgba.flatten(0, 1), torch.ones(6, 3))
    assert float(pictures.min()) < 0.9 and float(pictures[:, :, 0, 0].min()) > 0.9


def test_the_radius_is_that_of_the_ball_that_cameras_see():
    """Twice the ball from twice the distance is the same picture."""
    near, far = (
        render_views(
            World(0),
            range(1),
            ViewSettings(
                views=2,
                size=16,
                radius=radius,
                cameras=OrbitSampler(distance=(5 * radius,) * 2, field_of_view=(25.0, 25.0)),
            ),
        )
        for radius in (0.5, 1.0)
    )
    assert torch.equal(near.rgba, far.rgba) and torch.equal(2 * near.distance, far.distance)


def test_a_share_of_the_scenes_has_a_sun_of_its_own():
    """All of them, none, and half: of each scene the picture is one of the two."""
    own, day, half = (
        render_views(World(0), range(8), ViewSettings(views=1, size=8, own_light=share)).rgba
        for share in (1.0, 0.0, 0.5)
    )
    same = [[torch.equal(half[row], of[row]) for of in (own, day)] for row in range(8)]
    assert all(any(pair) for pair in same) and not torch.equal(own, day)
    assert 0 < sum(pair[0] for pair in same) < 8


def test_a_cache_is_read_as_it_was_written(made):
    views = read_cache(made, World(0))
    again = render_views(World(0), range(5), SETTINGS, held_out=False)
    assert torch.equal(views.rgba, again.rgba) and views.attributes == again.attributes
    assert [path.name for path in sorted(made.iterdir())] == [f"views-{number:05d}.safetensors" for number in range(3)]


def test_finished_shards_are_kept(made):
    before = {path: path.stat().st_mtime_ns for path in made.iterdir()}
    last = sorted(before)[-1]
    last.unlink()
    told = []
    write_cache(made, World(0), SETTINGS, scenes=5, shard=2, finished=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert all(path.stat().st_mtime_ns == before[path] for path in before if path != last) and last.exists()


def test_held_out_scenes_have_a_cache_of_their_own():
    settings = ViewSettings(views=1, size=8)
    kept, held = (render_views(World(0), range(24), settings, held_out=flag) for flag in (False, True))
    assert len(kept) + len(held) == 24
    assert not {kept.caption(i) for i in range(len(kept))} & {held.caption(i) for i in range(len(held))}


def test_another_seed_or_other_settings_are_refused(made):
    with pytest.raises(SettingError, match="another seed") as refused:
        write_cache(made, World(1), SETTINGS, scenes=5, shard=2)
    assert "delete it" in str(refused.value)
    with pytest.raises(SettingError, match="other settings"):
        write_cache(made, World(0), ViewSettings(views=3, size=16), scenes=5, shard=2)
    with pytest.raises(SettingError, match="another seed"):
        read_cache(made, World(1))


def test_another_version_is_refused(made, monkeypatch):
    monkeypatch.setattr(world, "WORLD_VERSION", 99)
    newer = World(0, version=99)
    for attempt in (lambda: read_cache(made, newer), lambda: write_cache(made, newer, SETTINGS, scenes=5, shard=2)):
        with pytest.raises(SettingError, match=r"another version of the world \(1, not 99\): delete it"):
            attempt()


def test_other_categories_are_refused(made, monkeypatch):
    monkeypatch.setattr(world, "CATEGORIES", {"mug": None})
    with pytest.raises(SettingError, match="other categories"):
        read_cache(made)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
def test_a_damaged_shard_is_refused(made, damage):
    path = made / "views-00001.safetensors"
    contents = bytearray(path.read_bytes())
    contents[-10] ^= 1
    path.write_bytes({"cut": contents[:-100], "flip": contents, "empty": b"", "text": b"no shard"}[damage])
    for attempt in (
        lambda: read_cache(made),
        lambda: write_cache(made, World(0), SETTINGS, scenes=5, shard=2),
    ):
        with pytest.raises(SettingError, match="damaged: delete it and write the cache again") as refused:
            attempt()
        assert "views-00001" in str(refused.value) and "\n" not in str(refused.value)


def test_another_tensor_file_is_refused(made):
    path = made / "views-00000.safetensors"
    tensors, _ = load_tensors(path)
    save_tensors(path, tensors, {"what": "something else"})
    with pytest.raises(SettingError, match="no shard of a view cache"):
        read_cache(made)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(SettingError, match="there is no view cache"):
        read_cache(tmp_path)


@pytest.mark.parametrize("words", [{"views": 0}, {"size": 4}, {"own_light": 1.5}])
def test_impossible_settings_are_refused(words):
    with pytest.raises(SettingError, match="choose a number"):
        ViewSettings(**words)


def test_settings_are_plain():
    assert cache.origin(World(0), SETTINGS, False)["settings"]["cameras"]["elevation"] == [-10.0, 50.0]
