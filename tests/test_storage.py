"""Files are whole or absent, and a tensor file notices every change."""

import errno
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from lodestone import storage
from lodestone.errors import SettingError
from lodestone.storage import load_tensors, save_tensors, write_atomically, write_text

TENSORS = {
    "numbers": torch.linspace(0, 1, 40).view(8, 5),
    "half": torch.ones(3, dtype=torch.float16),
    "count": torch.tensor(7),
    "none": torch.zeros(0, 3),
    "state": torch.arange(9, dtype=torch.uint8),
}


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_tensors_and_metadata_come_back_to_the_bit(tmp_path):
    path = tmp_path / "deep" / "file.safetensors"
    save_tensors(path, TENSORS, {"step": 3, "names": ["a", "ä"]})
    tensors, metadata = load_tensors(path)
    assert metadata == {"step": 3, "names": ["a", "ä"]} and tensors.keys() == TENSORS.keys()
    assert all(
        torch.equal(tensors[name], TENSORS[name]) and tensors[name].dtype == TENSORS[name].dtype for name in TENSORS
    )
    assert files(tmp_path) == ["file.safetensors"]


def test_tensors_that_share_memory_are_written_apart(tmp_path):
    base = torch.arange(6.0)
    save_tensors(tmp_path / "file", {"whole": base, "part": base[2:4], "again": base}, {})
    assert load_tensors(tmp_path / "file")[0]["part"].tolist() == [2.0, 3.0]


@pytest.mark.parametrize("share", [i / 24 for i in range(24)])
def test_a_flipped_byte_is_noticed(tmp_path, share):
    """Anywhere: in the length of the header, in the header, in the digest, in the tensors."""
    path = tmp_path / "file.safetensors"
    save_tensors(path, TENSORS, {"step": 3})
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 0x41
    path.write_bytes(content)
    with pytest.raises(SettingError, match=f"{path} is damaged"):
        load_tensors(path)


@pytest.mark.parametrize("length", [0, 4, 100, -40, -1])
def test_a_truncated_file_is_noticed(tmp_path, length):
    path = tmp_path / "file.safetensors"
    save_tensors(path, TENSORS, {})
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(SettingError, match="is damaged"):
        load_tensors(path)


def test_a_file_that_was_not_written_here_is_noticed(tmp_path):
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(2)}, tmp_path / "foreign")
    with pytest.raises(SettingError, match="SHA-256"):
        load_tensors(tmp_path / "foreign")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingError, match=f"there is no file {tmp_path / 'absent'}"):
        load_tensors(tmp_path / "absent")


def test_a_folder_is_no_tensor_file(tmp_path):
    with pytest.raises(SettingError, match="is damaged"):
        load_tensors(tmp_path)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def half(temporary):
        temporary.write_text("ne")
        full()

    with pytest.raises(SettingError, match=f"the disk is full while writing {path}: free some space"):
        write_atomically(path, half)
    assert path.read_text() == "old" and files(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt()])
def test_whatever_goes_wrong_nothing_half_written_stays(tmp_path, error):
    def fail(temporary):
        temporary.write_text("half")
        raise error

    with pytest.raises(type(error)):
        write_atomically(tmp_path / "file", fail)
    assert files(tmp_path) == []


def test_a_disk_that_is_full_at_the_last_moment_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(storage, "flush", full)
    with pytest.raises(SettingError, match="the disk is full"):
        save_tensors(tmp_path / "file", TENSORS, {})
    assert files(tmp_path) == []


def test_a_path_below_a_file_cannot_be_written(tmp_path):
    write_text(tmp_path / "file", "text")
    with pytest.raises(SettingError, match="choose an --output folder that you may write to"):
        write_text(tmp_path / "file" / "below" / "it", "text")


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if mount is None or subprocess.run([mount, *options], capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a tmpfs needs rights that this user does not have")
    enforced = shutil.disk_usage(folder).total <= 65_536 and not fits(folder / "probe", 131_072)
    if enforced:
        yield folder
    subprocess.run(["umount", str(folder)], check=True)
    if not enforced:
        pytest.skip("this system does not hold a tmpfs to its size")


def fits(path, size):
    """Whether that many bytes can be written."""
    try:
        path.write_bytes(bytes(size))
    except OSError:
        return False
    finally:
        path.unlink(missing_ok=True)
    return True


def test_a_disk_that_is_really_full_keeps_the_last_checkpoint(tiny_disk):
    save_tensors(tiny_disk / "first", {"x": torch.zeros(12_000)}, {"step": 1})
    with pytest.raises(SettingError, match="the disk is full"):
        save_tensors(tiny_disk / "second", {"x": torch.zeros(12_000)}, {"step": 2})
    assert files(tiny_disk) == ["first"]
    assert load_tensors(tiny_disk / "first")[1] == {"step": 1}


def test_metadata_that_json_cannot_hold_is_a_programming_error(tmp_path):
    with pytest.raises(TypeError):
        save_tensors(tmp_path / "file", {}, {"path": Path()})
    assert files(tmp_path) == []
