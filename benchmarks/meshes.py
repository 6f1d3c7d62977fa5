"""How fast the native rasterizer is, beside its torch twin in the same process, and what a tetrahedral mesh costs.

    python benchmarks/meshes.py [--json FILE] [--quick]

Times are medians in milliseconds after a warm-up, forward and then forward and backward: rasterize, interpolate three
channels, antialias. Absolute times depend on the machine and on what else it does, so the column `others` gives the
share of all cores that other processes used meanwhile, and the figures to compare are ratios.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from splatting import Timing, measure
from torch import Tensor

from lodestone.kernels.native_kernel import Implementation
from lodestone.kernels.rasterization import NATIVE, antialias, edges_of, interpolate, rasterize
from lodestone.rendering.cameras import turntable
from lodestone.rendering.rasterize import clip_positions
from lodestone.rendering.samples import TriangleMesh
from lodestone.scenes.tet_mesh_settings import TetMeshSettings
from lodestone.scenes.tetrahedra import TetrahedralGrid, march

CELLS = (16, 40, 96)
"""Of the grid that the torus comes from: about 2, 13 and 75 thousand triangles."""
SIZES = (64, 256)
VIEWS = 4


def torus(cells: int) -> TriangleMesh:
    grid = TetrahedralGrid(cells, 1.0)
    p = grid.positions()
    return march(grid, ((p[:, :2].norm(dim=-1) - 0.6).square() + p[:, 2].square()).sqrt() - 0.25, p)


def passes(mesh: TriangleMesh, size: int, implementation: Implementation) -> tuple[Callable[[], Tensor], ...]:
    """The forward pass alone, and both."""
    cameras = turntable(VIEWS, elevation=20.0, distance=3.0, field_of_view=40.0).cameras(size, size)
    vertices = mesh.vertices.clone().requires_grad_()
    cotangent = torch.randn(VIEWS, size, size, 3, generator=torch.Generator().manual_seed(0))

    def forward() -> Tensor:
        clip = clip_positions(cameras, vertices)
        fragments = rasterize(clip, mesh.faces, size, size, implementation)
        color = interpolate(vertices, mesh.faces, fragments, implementation)
        edges = edges_of(mesh.faces, len(vertices))
        return antialias(color, fragments, clip, mesh.faces, edges, implementation)

    def alone() -> Tensor:
        with torch.no_grad():
            return forward()

    return alone, lambda: torch.autograd.grad(forward(), vertices, cotangent)[0]


def table(quick: bool) -> list[dict[str, object]]:
    rows = []
    print(f"\n{'triangles':>9} {'image':>5} {'forward':>9} {'both':>9} {'twin both':>10} {'ratio':>6} {'others':>7}")
    for cells in CELLS[:2] if quick else CELLS:
        mesh = torus(cells)
        for size in SIZES:
            forward, both = (measure(run) for run in passes(mesh, size, Implementation.NATIVE))
            slow = measure(passes(mesh, size, Implementation.REFERENCE)[1], repeats=5, seconds=0, warm_up=1)
            ratio, others = slow.milliseconds / both.milliseconds, max(both.others, slow.others)
            print(
                f"{len(mesh.faces):>9} {size:>5} {forward.milliseconds:>9.2f} {both.milliseconds:>9.2f} "
                f"{slow.milliseconds:>10.1f} {ratio:>6.1f} {others:>7.0%}",
                flush=True,
            )
            timings = {"forward": asdict(forward), "both": asdict(both), "twin": asdict(slow)}
            rows.append({"triangles": len(mesh.faces), "image": size, "ratio": ratio, **timings})
    return rows


def training_step() -> Timing:
    """A tetrahedral mesh of 32^3 cells in 4 views of 64 x 64, forward and backward."""
    scene = TetMeshSettings(cells=32).create(torch.Generator().manual_seed(0))
    cameras = turntable(VIEWS, elevation=20.0, distance=3.0, field_of_view=40.0).cameras(64, 64)
    background = torch.ones(VIEWS, 3)

    def run() -> None:
        scene.zero_grad()
        scene.render(cameras, background).color.square().sum().backward()

    timing = measure(run)
    print(f"\n32^3 cells, 4 views of 64 x 64, forward and backward: {timing.milliseconds:.1f} ms")
    print(f"(others {timing.others:.0%})")
    return timing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--quick", action="store_true", help="leave out the largest mesh")
    options = parser.parse_args()
    if not NATIVE.available:
        sys.exit(NATIVE.status)
    print(f"{NATIVE.status}; torch {torch.__version__}, {torch.get_num_threads()} threads, {VIEWS} views")
    figures = {"table": table(options.quick), "training step": asdict(training_step())}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
