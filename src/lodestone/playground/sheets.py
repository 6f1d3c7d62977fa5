"""Pictures of many particles: one row for each, with labels."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from lodestone.export.pictures import GUTTER, write_caption

__all__ = ["CELL", "sheet"]

CELL = 128
"""Side of a particle on a sheet, in pixels."""

LINE = 22
"""Height of a line of text, in pixels."""


def sheet(
    rows: Sequence[Sequence[Image.Image]],
    *,
    caption: str,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
) -> Image.Image:
    """Rows of particles on white, labels to their left and above them, the caption below."""
    font = ImageFont.load_default(size=14)
    left = GUTTER + round(max([font.getlength(label) + 2 * GUTTER for label in row_labels], default=0.0))
    top, step = GUTTER + (LINE if column_labels else 0), CELL + GUTTER
    columns = max(map(len, rows))
    height = top + len(rows) * step + LINE
    picture = Image.new("RGB", (max(left + columns * step, 2 * step), height), "white")
    draw = ImageDraw.Draw(picture)
    for index, label in enumerate(column_labels):
        draw.text((left + index * step, GUTTER), label, fill="black", font=font)
    for index, label in enumerate(row_labels):
        draw.text((GUTTER, top + index * step + CELL // 2 - 8), label, fill="black", font=font)
    for r, row in enumerate(rows):
        for c, particle in enumerate(row):
            picture.paste(to_cell(particle), (left + c * step, top + r * step))
    write_caption(picture, caption, (GUTTER, height - LINE))
    return picture


def to_cell(particle: Image.Image) -> Image.Image:
    """A square particle at the size of a cell; small ones keep their pixels."""
    filter_ = Image.Resampling.NEAREST if CELL % particle.width == 0 else Image.Resampling.LANCZOS
    return particle.convert("RGB").resize((CELL, CELL), filter_)
