"""Writes `captions_v1.txt`: held-out captions of the world, of which no scene was ever trained on.

    python benchmarks/world_captions.py

100 single objects of a said colour, 50 objects with surroundings, 50 times several objects. Takes a minute.
"""

from itertools import islice
from pathlib import Path

from lodestone.data.worlds.captions import Kind, plain_caption
from lodestone.data.worlds.world import World
from lodestone.storage import write_text

WANTED = {Kind.SINGLE: 100, Kind.SURROUNDINGS: 50, Kind.SEVERAL: 50}
WORLD = World(1_000_003)


def main():
    found = {kind: {} for kind in WANTED}
    for index in islice(WORLD.indices(held_out=True), 10_000):
        attributes = WORLD.attributes(index)
        captions = found[attributes.kind]
        if len(captions) < WANTED[attributes.kind]:
            captions.setdefault(plain_caption(attributes))
        if all(len(found[kind]) == count for kind, count in WANTED.items()):
            break
    lines = [caption for captions in found.values() for caption in captions]
    write_text(Path(__file__).parent / "captions_v1.txt", "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
