"""Writes `captions_v1.txt`: held-out captions of the world, of which no scene was ever trained on.

    python benchmarks/world_captions.py

60 single objects of a said colour, 70 objects with surroundings, 70 times several objects. Colours are those that a
drawn object of the category has.
"""

from itertools import count
from pathlib import Path

from lodestone.data.worlds.captions import Attributes, Item, Kind, Relation, plain_caption
from lodestone.data.worlds.categories import CATEGORIES
from lodestone.data.worlds.draw import Draw
from lodestone.data.worlds.requests import parse
from lodestone.data.worlds.scenes import draw_request
from lodestone.data.worlds.world import World, is_held_out
from lodestone.errors import SettingError
from lodestone.storage import write_text

WANTED = {Kind.SINGLE: 60, Kind.SURROUNDINGS: 70, Kind.SEVERAL: 70}


def proposed(index):
    """The attributes of a request, before any scene of it is built."""
    draw = Draw("captions", index)
    request = draw_request(draw)
    things = [CATEGORIES[item.noun](Draw("captions", index, place)) for place, item in enumerate(request.items)]
    items = tuple(Item.of(thing, item.count) for thing, item in zip(things, request.items, strict=True))
    return Attributes(kind=request.kind, items=items, relation=request.relation, surroundings=request.surroundings)


def can_be_built(attributes, caption):
    """Whether one object has room on the other, if it is to stand there."""
    if attributes.relation is not Relation.ON:
        return True
    try:
        return World(0).make(parse(caption)).caption == caption
    except SettingError:
        return False


def main():
    found = {kind: [] for kind in WANTED}
    for index in count():
        attributes = proposed(index)
        captions, caption = found[attributes.kind], plain_caption(attributes)
        if len(captions) < WANTED[attributes.kind] and is_held_out(attributes) and caption not in captions:
            captions += [caption] if can_be_built(attributes, caption) else []
        if all(len(found[kind]) == wanted for kind, wanted in WANTED.items()):
            break
    lines = [caption for captions in found.values() for caption in captions]
    write_text(Path(__file__).parent / "captions_v1.txt", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
