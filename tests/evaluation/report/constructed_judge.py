"""A judge whose verdicts are given, so that every figure is known."""

import torch

from lodestone.evaluation.judge.network import COLOR_NAMES, NOUNS, RELATIONS, Verdicts
from lodestone.evaluation.judge.quadrants import Quadrant

FRONT, RIGHT, BACK, LEFT = Quadrant
AROUND = (FRONT, FRONT, RIGHT, RIGHT, BACK, BACK, LEFT, LEFT)
"""Sides of eight views of an object as it is; those of the corners may be anything."""


def sure(names, rows, surely=0.9):
    """Log probabilities that are high for one name in each row, or shared by several."""
    table = torch.full((len(rows), len(names)), 1e-4)
    for row, said in zip(table, rows, strict=True):
        chosen = said if isinstance(said, tuple) else (said,)
        for place, name in enumerate(chosen):
            row[names.index(name)] = surely / len(chosen) - 0.01 * place
    return (table / table.sum(dim=1, keepdim=True)).log()


class ConstructedJudge:
    """Says the same of any pictures: row i of what it is told belongs to picture i."""

    def __init__(self, nouns, sides=AROUND, colors=None, relations=None, oriented=("mug", "chair")):
        self.nouns, self.sides, self.oriented = nouns, sides, oriented
        self.said_colors, self.said_relations, self.looked = colors or {}, relations, 0

    def __call__(self, images):
        count = len(images)
        self.looked += count
        return Verdicts(
            category=sure(NOUNS, self.spread(self.nouns, count)),
            quadrant=sure(tuple(Quadrant), self.spread(self.sides, count)),
            features=torch.zeros(count, 1),
        )

    def colors(self, verdicts, category):
        return sure(COLOR_NAMES, self.spread(self.said_colors[category], len(verdicts.category)))

    def relations(self, verdicts, first, second, azimuth):
        assert (first, second) == ("mug", "lemon") and len(azimuth) == len(verdicts.category)
        return sure(RELATIONS, self.spread(self.said_relations, len(azimuth)))

    def spread(self, said, count):
        return said if isinstance(said, (list, tuple)) and len(said) == count else [said] * count


def turn(count=8):
    """Azimuths of a full turn."""
    return torch.arange(count) * (360.0 / count)


def pictures(count=8, size=8):
    """White ones."""
    return torch.ones(count, size, size, 3)
