"""`lodestone world`: files that are whole, and one sentence for what is not of this world."""

import json

import pytest
from PIL import Image

from lodestone.cli import main
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.export.mesh_files import read_mesh


def test_sample_writes_pictures_mesh_and_words(tmp_path, capsys):
    assert main(["world", "sample", "a red mug", "--output", str(tmp_path), "--views", "3", "--size", "32"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    with Image.open(tmp_path / "views.png") as sheet:
        assert sheet.size == (3 * 32, 6 * 32)
    words = json.loads((tmp_path / "sample.json").read_text())
    assert words["caption"] == "a red mug" and words["attributes"]["items"][0]["color"] == "red"
    mesh = read_mesh(tmp_path / "object.glb")
    assert len(mesh.faces) == words["triangles"]
    red, green, _ = mesh.texture.reshape(-1, 3).median(dim=0).values.tolist()
    assert red > 0.6 > 0.3 > green


def test_sample_by_index(tmp_path):
    assert main(["world", "sample", "3", "--output", str(tmp_path), "--views", "1", "--size", "16"]) == 0
    assert json.loads((tmp_path / "sample.json").read_text())["key"][:4] == ["world", 1, 0, 3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sample", "a red dragonfruit"], ("dragonfruit", "mug", "lemon")),
        (["sample", "a mauve mug"], ("mauve", "turquoise")),
        (["sample", "a blue banana"], ("blue", "yellow")),
        (["sample", "a mug", "--views", "0"], ("--views", "1 to 16")),
        (["gallery", "dragons"], ("dragons", "food", "mug")),
        (["gallery", "--columns", "9"], ("--columns",)),
        (["dance"], ("dance", "sample or gallery")),
        (["sample"], ("caption", "--help")),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(words, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["world", *words]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and all(word in captured.err for word in said)
    assert captured.out == "" and not list(tmp_path.iterdir())


def test_gallery_of_a_group(tmp_path):
    output = tmp_path / "gallery.png"
    assert main(["world", "gallery", "mug", "lemon", "--columns", "2", "--output", str(output)]) == 0
    with Image.open(output) as sheet:
        assert sheet.width > 2000 and sheet.height < 200


def test_gallery_of_scenes(tmp_path):
    output = tmp_path / "scenes.webp"
    assert main(["world", "gallery", "--scenes", "2", "--columns", "2", "--output", str(output)]) == 0
    with Image.open(output) as sheet:
        assert sheet.width > 1000 and sheet.height < 200


def test_help_names_both_commands(capsys):
    assert main(["world"]) == 0
    assert "sample" in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert "world sample" in capsys.readouterr().out
    assert "mug" in CATEGORIES
