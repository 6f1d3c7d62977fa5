"""`world sample` and `world gallery`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lodestone.cli.words import check_text, parser, understand
from lodestone.errors import SettingError, check_range

if TYPE_CHECKING:
    from lodestone.data.worlds.world import WorldSample

__all__ = ["world"]


def world(words: list[str]) -> int:
    """`lodestone world sample|gallery`."""
    if words[:1] == ["sample"]:
        return world_sample(words[1:])
    if words[:1] == ["gallery"]:
        return world_gallery(words[1:])
    if words and words[0] not in ("-h", "--help"):
        raise SettingError(f"there is no command 'world {words[0]}': choose sample or gallery")
    print("usage: lodestone world sample CAPTION | lodestone world gallery\n\n--help after either explains it.")
    return 0


def world_sample(words: list[str]) -> int:
    """`lodestone world sample CAPTION|INDEX`."""
    options = parser(
        "world sample", "Makes one scene of the procedural world: pictures from all sides, a mesh, its words."
    )
    options.add_argument("caption", help='such as "a red mug on a wooden table"; or the index of a scene, such as 17')
    options.add_argument("--seed", type=int, default=0, help="another seed makes another object")
    options.add_argument("--views", type=int, default=8, help="azimuths on the sheet (1 to 16)")
    options.add_argument("--size", type=int, default=128, help="side of a picture in pixels (16 to 512)")
    options.add_argument(
        "--output", type=Path, default=Path("world-sample"), help="folder for views.png, object.glb and sample.json"
    )
    chosen = understand(lambda: options.parse_args(words), "lodestone world sample --help")
    check_range("--views", chosen.views, 1, 16)
    check_range("--size", chosen.size, 16, 512)
    check_text("the caption", chosen.caption)
    from lodestone.data.worlds.gallery import sample_sheet
    from lodestone.data.worlds.textures import unwrap
    from lodestone.export.mesh_files import write_glb
    from lodestone.export.pictures import write_picture
    from lodestone.scenes.surface import TexturedMesh
    from lodestone.storage import write_text

    sample = find(chosen.caption, chosen.seed)
    unwrapped = unwrap(sample.mesh)
    surface = TexturedMesh(
        vertices=unwrapped.vertices, faces=unwrapped.faces, uv=unwrapped.uv, texture=unwrapped.texture
    )
    write_picture(chosen.output / "views.png", sample_sheet(sample, chosen.views, chosen.size))
    write_glb(chosen.output / "object.glb", surface)
    write_text(chosen.output / "sample.json", json.dumps(described(sample), indent=2) + "\n")
    for name in ("views.png", "object.glb", "sample.json"):
        print(chosen.output / name)
    return 0


def find(caption: str, seed: int) -> "WorldSample":
    """The scene of an index, or one that a caption asks for.

    Raises: SettingError if the caption names what is not of this world.
    """
    from lodestone.data.worlds.requests import parse
    from lodestone.data.worlds.world import World

    if caption.strip().isdecimal():
        return World(seed).sample(int(caption))
    return World(seed).make(parse(caption))


def described(sample: "WorldSample") -> dict[str, Any]:
    """What the file of words says."""
    from lodestone.data.worlds.cache import plain
    from lodestone.data.worlds.world import WORLD_VERSION

    return {
        "caption": sample.caption,
        "paraphrases": [sample.paraphrase(number) for number in range(5)],
        "attributes": plain(sample.attributes),
        "held_out": sample.held_out,
        "key": list(sample.key),
        "world_version": WORLD_VERSION,
        "triangles": len(sample.mesh.mesh.faces),
    }


def world_gallery(words: list[str]) -> int:
    """`lodestone world gallery`."""
    options = parser("world gallery", "Draws the categories of the world from four sides, labelled.")
    options.add_argument("names", nargs="*", help="categories or groups such as food; all if none is named")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--columns", type=int, default=1, help="rows beside each other (1 to 4)")
    options.add_argument("--scenes", type=int, default=0, help="instead, so many scenes of several objects (up to 99)")
    options.add_argument("--output", type=Path, default=Path("gallery.png"), help="one picture")
    chosen = understand(lambda: options.parse_args(words), "lodestone world gallery --help")
    check_range("--columns", chosen.columns, 1, 4)
    check_range("--scenes", chosen.scenes, 0, 99)
    from lodestone.data.worlds.gallery import category_sheet, choose, scene_sheet
    from lodestone.data.worlds.world import World
    from lodestone.export.pictures import write_picture

    if chosen.scenes:
        sheet = scene_sheet(World(chosen.seed), chosen.scenes, chosen.columns)
    else:
        sheet = category_sheet(choose(chosen.names), chosen.seed, chosen.columns)
    write_picture(chosen.output, sheet)
    print(chosen.output)
    return 0
