"""`world sample` and `world gallery`."""

from pathlib import Path

from lodestone.cli.words import parser, understand
from lodestone.errors import SettingError, check_range

__all__ = ["world"]


def world(words: list[str]) -> int:
    """`lodestone world sample|gallery`."""
    if words[:1] == ["gallery"]:
        return world_gallery(words[1:])
    if words and words[0] not in ("-h", "--help"):
        raise SettingError(f"there is no command 'world {words[0]}': choose sample or gallery")
    print("usage: lodestone world sample CAPTION | lodestone world gallery\n\n--help after either explains it.")
    return 0


def world_gallery(words: list[str]) -> int:
    """`lodestone world gallery`."""
    options = parser("world gallery", "Draws the categories of the world from four sides, labelled.")
    options.add_argument("names", nargs="*", help="categories or groups such as food; all if none is named")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--columns", type=int, default=1, help="categories beside each other (1 to 4)")
    options.add_argument("--output", type=Path, default=Path("gallery.png"), help="one picture")
    chosen = understand(lambda: options.parse_args(words), "lodestone world gallery --help")
    check_range("--columns", chosen.columns, 1, 4)
    from lodestone.data.worlds.gallery import category_sheet, choose
    from lodestone.export.pictures import write_picture

    write_picture(chosen.output, category_sheet(choose(chosen.names), chosen.seed, chosen.columns))
    print(chosen.output)
    return 0
