"""How fast the procedural world is made and seen.

    python benchmarks/world.py [--json FILE]

The first scenes of the world, 8 views of 64 x 64 each, from four samples a pixel. The last two lines are
all that a training cache needs: choices, meshes, normals, views, bytes, with one worker thread and with two. The column
`others` gives the share of all cores that other processes used meanwhile.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from splatting import measure

from lodestone.data.worlds.cache import ViewSettings, render_views
from lodestone.data.worlds.views import see_colors, see_geometry
from lodestone.data.worlds.world import World
from lodestone.kernels.rasterization import NATIVE
from lodestone.rendering.cameras import turntable

SCENES, VIEWS, SIZE = 32, 8, 64


def runs() -> dict[str, tuple[Callable[[], object], int]]:
    """What is timed, and how many views or scenes it makes."""
    world = World(0)
    meshes = [world.sample(index).mesh for index in range(SCENES)]
    cameras = turntable(VIEWS, elevation=20.0, distance=2.8, field_of_view=45.0).cameras(SIZE, SIZE)
    settings = ViewSettings(views=VIEWS, size=SIZE)
    views = SCENES * VIEWS
    return {
        "scenes": (lambda: [world.sample(index) for index in range(SCENES)], SCENES),
        "views: colour and mask": (lambda: [see_colors(mesh, cameras) for mesh in meshes], views),
        "views: depth, normals, ...": (lambda: [see_geometry(mesh, cameras) for mesh in meshes], views),
        "cache views, 1 worker": (lambda: render_views(world, range(SCENES), settings, workers=1), views),
        "cache views, 2 workers": (lambda: render_views(world, range(SCENES), settings, workers=2), views),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if not NATIVE.available:
        sys.exit(NATIVE.status)
    print(f"{NATIVE.status}; torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"\n{'':<28} {'per second':>10} {'others':>7}")
    figures = {}
    for name, (run, count) in runs().items():
        timing = measure(run, repeats=3, seconds=0, warm_up=1)
        rate = 1000 * count / timing.milliseconds
        print(f"{name:<28} {rate:>10.0f} {timing.others:>7.0%}", flush=True)
        figures[name] = {"per second": rate, "others": timing.others}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
