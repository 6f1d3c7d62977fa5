"""A caption taken apart: the things that it names, how they stand to each other, and the view that it asks for.

`a photo of a cat beside a blue chair, back view` is `a cat`, `a blue chair`, `a cat beside a blue chair` and the back.
A draft is composed of the things that a caption names, and a prior that knows cameras reads words for a view as one.
"""

import re
from dataclasses import dataclass

from lodestone.prompts.view_dependent import Direction, ViewWording

__all__ = ["RELATIONS", "CaptionParts", "take_apart", "without_frame", "without_view"]

RELATIONS = {
    "to the left of": (0.0, 1.0, 0.0),
    "to the right of": (0.0, -1.0, 0.0),
    "left of": (0.0, 1.0, 0.0),
    "right of": (0.0, -1.0, 0.0),
    "in front of": (-1.0, 0.0, 0.0),
    "behind": (1.0, 0.0, 0.0),
    "next to": (0.0, 1.0, 0.0),
    "beside": (0.0, 1.0, 0.0),
    "on top of": (0.0, 0.0, -1.0),
    "on": (0.0, 0.0, -1.0),
    "under": (0.0, 0.0, 0.0),
    "in": (0.0, 0.0, 0.0),
    "by": (0.0, 1.0, 0.0),
    "and": (0.0, 1.0, 0.0),
}
"""Words between two things, longer ones first, and in which direction the second thing is, seen from the first.

The front of the scene looks along +x; in a picture of the front +y is at the right; z is up.
"""
NOWHERE = (0.0, 0.0, 0.0)

LEADING = re.compile(r"^(?:an? |one )?(?:3d render|dslr photo|dslr image|photo|picture|image) of ", re.IGNORECASE)
TRAILING = re.compile(r",? 3d asset$", re.IGNORECASE)
BETWEEN = re.compile(rf"^(.+?) ({'|'.join(RELATIONS)}) (.+)$", re.IGNORECASE)
AROUND = re.compile(r"^(.+) with (.+) (on|in) it$", re.IGNORECASE)
"""`a wooden table with a red mug on it`."""


@dataclass(frozen=True)
class CaptionParts:
    """What a caption says."""

    subject: str
    """The caption without a frame such as "a photo of", and without words for the view."""
    first: str
    """The first thing; the whole subject if it names no two things."""
    second: str
    """The thing that the first one is related to; empty if there is none."""
    direction: tuple[float, float, float]
    """Where the second thing is, seen from the first; zeros if the words do not say or there is none."""
    view: Direction | None
    """From where the words say that it is seen."""


def without_frame(text: str) -> str:
    """Without "a photo of" and its like."""
    return TRAILING.sub("", LEADING.sub("", text))


def take_apart(text: str) -> CaptionParts:
    """The parts of a caption, in whatever words: what is not understood is one thing."""
    text, view = without_view(" ".join(text.split()))
    subject = AROUND.sub(r"\2 \3 \1", without_frame(text))
    found = BETWEEN.match(subject)
    if found is None:
        return CaptionParts(subject, subject, "", NOWHERE, view)
    return CaptionParts(subject, found[1], found[3], RELATIONS[found[2].lower()], view)


def without_view(text: str) -> tuple[str, Direction | None]:
    """The text before words for a view, and the view."""
    for view, suffix in zip(Direction, ViewWording().word(""), strict=True):
        if text.endswith(suffix):
            return text.removesuffix(suffix), view
    return text, None
