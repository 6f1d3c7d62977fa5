"""The categories of the world, file by file. The order is part of the world: a change is a new `WORLD_VERSION`."""

from lodestone.data.worlds.categories.animals import ANIMALS
from lodestone.data.worlds.categories.buildings import BUILDINGS
from lodestone.data.worlds.categories.category import CategoryFunction, noun_of
from lodestone.data.worlds.categories.clothing import CLOTHING
from lodestone.data.worlds.categories.food import FOOD
from lodestone.data.worlds.categories.furniture import FURNITURE
from lodestone.data.worlds.categories.instruments import INSTRUMENTS
from lodestone.data.worlds.categories.kitchenware import KITCHENWARE
from lodestone.data.worlds.categories.plants import PLANTS
from lodestone.data.worlds.categories.tools import TOOLS
from lodestone.data.worlds.categories.toys import TOYS
from lodestone.data.worlds.categories.vehicles import VEHICLES

__all__ = ["CATEGORIES", "GROUPS", "CategoryFunction", "noun_of"]

GROUPS: dict[str, tuple[CategoryFunction, ...]] = {
    "food": FOOD,
    "kitchenware": KITCHENWARE,
    "plants": PLANTS,
    "animals": ANIMALS,
    "vehicles": VEHICLES,
    "furniture": FURNITURE,
    "buildings": BUILDINGS,
    "tools": TOOLS,
    "toys": TOYS,
    "instruments": INSTRUMENTS,
    "clothing": CLOTHING,
}
"""By the names of their files."""

CATEGORIES: dict[str, CategoryFunction] = {noun_of(make): make for group in GROUPS.values() for make in group}
"""By their nouns."""
