"""Sheets on which a person judges the categories: each from four sides, and other ones of its kind, small."""

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw, ImageFont

from lodestone.data.worlds.captions import Kind
from lodestone.data.worlds.categories import CATEGORIES, GROUPS, CategoryFunction, noun_of
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.meshes import PaintedMesh, Placed, assemble
from lodestone.data.worlds.things import Thing
from lodestone.data.worlds.views import see_colors, see_geometry
from lodestone.data.worlds.world import World, WorldSample
from lodestone.errors import SettingError
from lodestone.rendering.cameras import Viewpoints

__all__ = ["category_sheet", "choose", "picture_row", "sample_sheet", "scene_sheet", "sheet_of"]

SIDES = (0.0, 90.0, 180.0, 270.0)
"""Azimuths of the first object: front, the right of its picture, back, left."""
OTHERS = (30.0, -40.0, 60.0, 150.0)
"""Azimuths of other objects of the category."""
CELL, LINE, GAP = 128, 16, 2


def choose(names: Sequence[str]) -> list[CategoryFunction]:
    """Categories by the names of groups or by nouns; all of them if there is no name.

    Raises: SettingError if there is no group or category of a name.
    """
    if not names:
        return list(CATEGORIES.values())
    chosen: list[CategoryFunction] = []
    for name in names:
        if name not in GROUPS and name not in CATEGORIES:
            known = ", ".join([*GROUPS, *CATEGORIES])
            raise SettingError(f"there is no category {name!r}: choose among {known}")
        chosen += GROUPS[name] if name in GROUPS else [CATEGORIES[name]]
    return chosen


def picture_row(painted: PaintedMesh, azimuths: Sequence[float], elevation: float, size: int) -> list[Image.Image]:
    """Views on white."""
    full = torch.ones(len(azimuths))
    viewpoints = Viewpoints(
        azimuth=torch.tensor(azimuths), elevation=elevation * full, distance=2.7 * full, field_of_view=45 * full
    )
    color = see_colors(painted, viewpoints.cameras(size, size)).over(torch.ones(len(full), 3))
    return [Image.fromarray(view) for view in (color.clamp(0, 1) * 255).round().byte().numpy()]


def category_row(make: CategoryFunction, seed: int) -> tuple[Thing, list[Image.Image]]:
    """One object from four sides at 128 pixels, four others of the category at 64."""
    things = [make(Draw("gallery", seed, noun_of(make), index)) for index in range(1 + len(OTHERS))]
    pictures = picture_row(assemble([Placed(things[0].parts)]), SIDES, 20.0, CELL)
    for thing, azimuth in zip(things[1:], OTHERS, strict=True):
        pictures += picture_row(assemble([Placed(thing.parts)]), [azimuth], 25.0, CELL // 2)
    return things[0], pictures


def sheet_of(rows: Sequence[tuple[str, Sequence[Image.Image]]], columns: int) -> Image.Image:
    """Labelled rows of pictures, `columns` rows beside each other."""
    across = max(len(pictures) for _, pictures in rows)
    wide, high = across * (CELL + GAP) + 8, CELL + LINE + GAP
    down = -(-len(rows) // columns)
    sheet = Image.new("RGB", (columns * wide, down * high), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for index, (label, pictures) in enumerate(rows):
        left, top = index // down * wide, index % down * high
        draw.text((left + 2, top), label, fill="black", font=font)
        for column, picture in enumerate(pictures):
            cell = picture.resize((CELL, CELL), Image.Resampling.NEAREST)
            sheet.paste(cell, (left + column * (CELL + GAP), top + LINE))
    return sheet


def category_sheet(makes: Sequence[CategoryFunction], seed: int = 0, columns: int = 1) -> Image.Image:
    """One row for each category; the label says what the plain caption would say."""
    rows = []
    for make in makes:
        thing, pictures = category_row(make, seed)
        rows.append((f"{thing.color or ''} {thing.noun}".strip(), pictures))
    return sheet_of(rows, columns)


def scene_sheet(world: World, count: int, columns: int = 3) -> Image.Image:
    """The first scenes of a world that show more than one object, from four sides, under their plain captions."""
    rows: list[tuple[str, list[Image.Image]]] = []
    index = 0
    while len(rows) < count:
        sample = world.sample(index)
        if sample.attributes.kind is not Kind.SINGLE:
            rows.append((sample.caption, picture_row(sample.mesh, SIDES, 25.0, CELL)))
        index += 1
    return sheet_of(rows, columns)


def sample_sheet(sample: WorldSample, views: int, size: int) -> Image.Image:
    """A scene at a glance: two rows of colour, then base colour, normals, canonical coordinates and depth."""
    full = torch.ones(views)
    rows = []
    for elevation in (10.0, 40.0):
        viewpoints = Viewpoints(
            azimuth=torch.arange(views) * (360.0 / views),
            elevation=elevation * full,
            distance=2.7 * full,
            field_of_view=45 * full,
        )
        cameras = viewpoints.cameras(size, size)
        seen = see_colors(sample.mesh, cameras)
        rows.append(seen.over(torch.ones(views, 3)))
    shape = see_geometry(sample.mesh, cameras)
    near = ((4.0 - shape.depth) / 2.4).clamp(0, 1)
    rows += [seen.base_color * seen.mask, *((image + 1) / 2 * shape.mask for image in (shape.normals, shape.canonical))]
    rows.append((near * shape.mask).expand(-1, -1, -1, 3))
    picture = torch.cat([row.transpose(0, 1).flatten(1, 2) for row in rows]).clamp(0, 1)
    return Image.fromarray((picture * 255).round().byte().numpy())
