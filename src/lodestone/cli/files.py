"""`render` and `export`: what a finished run can be turned into."""

from pathlib import Path
from typing import TYPE_CHECKING

from lodestone.cli.words import parser, understand
from lodestone.errors import SettingError, check_range

if TYPE_CHECKING:
    from lodestone.export.asset import Format

__all__ = ["all_formats", "export", "render"]


def render(words: list[str]) -> int:
    """`lodestone render RUN --views 120 --size 512`."""
    options = parser("render", "Renders a run's scene: numbered PNG pictures and a turntable.")
    options.add_argument("run", type=Path, help="run folder")
    options.add_argument("--views", type=int, default=120, help="pictures in a full turn (1 to 3600)")
    options.add_argument("--size", type=int, default=512, help="side of a picture in pixels (16 to 4096)")
    options.add_argument("--output", type=Path, help="folder to write to; by default inside the run folder")
    chosen = understand(lambda: options.parse_args(words), "lodestone render --help")
    check_range("--views", chosen.views, 1, 3600)
    check_range("--size", chosen.size, 16, 4096)
    from lodestone.stored_runs import render_run

    for path in render_run(chosen.run, views=chosen.views, size=chosen.size, output=chosen.output):
        print(path)
    return 0


def export(words: list[str]) -> int:
    """`lodestone export RUN --format ply,splat,glb,obj`."""
    options = parser(
        "export", "Writes a run's scene in other file formats: splats (ply, splat), textured meshes (glb, obj)."
    )
    options.add_argument("run", type=Path, help="run folder")
    options.add_argument("--format", default="ply", help="ply, splat, glb, obj, or several separated by commas")
    options.add_argument("--faces", type=int, default=20_000, help="a mesh's largest number of triangles")
    options.add_argument("--texture-size", type=int, default=1024, help="side of a mesh's texture in texels")
    options.add_argument("--output", type=Path, help="folder to write to; by default the run's asset folder")
    chosen = understand(lambda: options.parse_args(words), "lodestone export --help")
    formats = all_formats(chosen.format)
    from lodestone.export.mesh import sentences
    from lodestone.stored_runs import export_run

    numbers = {"faces": chosen.faces, "texture_size": chosen.texture_size}
    for path in export_run(chosen.run, formats, output=chosen.output, **numbers):
        print(path)
        if path.suffix == ".json":
            print("\n".join(sentences(path)))
    return 0


def all_formats(text: str) -> "list[Format]":
    """`ply,glb` as formats.

    Raises: SettingError if one is unknown.
    """
    from lodestone.export.asset import SplatFormat
    from lodestone.export.mesh import MeshFormat

    known: dict[str, Format] = {str(member): member for member in (*SplatFormat, *MeshFormat)}
    return [known[word] for word in chosen_words(text, list(known))]


def chosen_words(text: str, known: list[str]) -> list[str]:
    """Words separated by commas, each once.

    Raises: SettingError if one is unknown.
    """
    wanted = [word.strip().lower() for word in text.split(",") if word.strip()]
    if not wanted or any(word not in known for word in wanted):
        raise SettingError(f"format {text!r} is unknown: choose among {', '.join(known)}, separated by commas")
    return list(dict.fromkeys(wanted))
