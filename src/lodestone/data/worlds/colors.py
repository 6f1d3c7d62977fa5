"""Colours with names, as sRGB values."""

from dataclasses import dataclass

__all__ = ["ANY", "COLORS", "Color"]


@dataclass(frozen=True)
class Color:
    """An sRGB value and the word for it; no word where captions have none."""

    name: str | None
    rgb: tuple[float, float, float]

    @classmethod
    def parse(cls, text: str, name: str | None = None) -> "Color":
        """From a name, or from `#rrggbb`."""
        if not text.startswith("#"):
            return COLORS[text]
        red, green, blue = (int(text[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return cls(name, (red, green, blue))


COLORS = {
    name: Color.parse(value, name)
    for name, value in {
        "red": "#cc1f1f",
        "orange": "#f0801a",
        "yellow": "#f5cc1f",
        "green": "#2f9437",
        "blue": "#2456c2",
        "purple": "#7a35a8",
        "pink": "#f08fb4",
        "brown": "#7a4a26",
        "black": "#232326",
        "white": "#f2f2ef",
        "gray": "#8a8d91",
        "turquoise": "#23b5b0",
        "light blue": "#8cc7ee",
        "light green": "#a6d66a",
        "beige": "#dcc7a0",
        "dark red": "#7a1420",
        "gold": "#ebb530",
        "silver": "#d2d6da",
    }.items()
}
"""What a caption can call a colour."""

ANY = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "gray", "turquoise")
"""The twelve that anything made by people may have."""
