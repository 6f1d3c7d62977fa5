"""How fast the native kernels of fields are, beside plain torch in the same process.

    python benchmarks/fields.py [--json FILE] [--quick]

The problem: a hash encoding of 16 levels from 16 to 512 and two features, a perceptron 32-64-4 or the two of a hash
field, 32-64-1 and 32-64-3, 64 samples on each ray. Times are medians in milliseconds after a warm-up, of runs that take
turns where two are compared. Absolute times depend on the machine and on what else it does, so the column `others`
gives the share of all cores that other processes used meanwhile; `cpu` is the process's own time on all cores, which a
busy machine disturbs less; the figures to compare are ratios.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from splatting import busy_seconds
from torch import Tensor

from lodestone.kernels import compositing, hash_encoding, ray_marching
from lodestone.kernels import perceptron as perceptron_kernel
from lodestone.kernels.compositing import composite
from lodestone.kernels.hash_encoding import HashGrid, encode
from lodestone.kernels.native_kernel import Implementation
from lodestone.kernels.perceptron import perceptron
from lodestone.rendering.cameras import turntable
from lodestone.rendering.occupancy import OccupancySettings
from lodestone.scenes.field_settings import DensityBias, Normals, VolumeSettings
from lodestone.scenes.hash_field import EncodingSettings, HashFieldSettings
from lodestone.scenes.perceptron import Perceptron, decode
from lodestone.scenes.voxel_grid import VoxelGridSettings

SAMPLES = 64
WANTED_STEP = 20.0
WANTED_OCCUPANCY = 4.0


@dataclass(frozen=True)
class Timing:
    milliseconds: float
    cpu: float
    others: float


def measure_together(runs: Sequence[Callable[[], object]], repeats: Sequence[int], rounds: int) -> list[Timing]:
    """Medians of each: in every round each runs so many times; a first run of each warms up."""
    walls, cpus, others = ([[] for _ in runs] for _ in range(3))
    for round_ in range(rounds + 1):
        for index, run in enumerate(runs):
            for _ in range(repeats[index] if round_ else 1):
                busy, wall, cpu = busy_seconds(), time.perf_counter(), time.process_time()
                run()
                elapsed, own = time.perf_counter() - wall, time.process_time() - cpu
                if round_:
                    walls[index].append(1e3 * elapsed)
                    cpus[index].append(1e3 * own)
                    others[index].append((elapsed, busy_seconds() - busy - own))
    cores = os.cpu_count() or 1
    shares = [max(0.0, sum(used for _, used in each) / sum(e for e, _ in each) / cores) for each in others]
    return [
        Timing(statistics.median(wall), statistics.median(cpu), share)
        for wall, cpu, share in zip(walls, cpus, shares, strict=True)
    ]


def measure(run: Callable[[], object], repeats: int) -> Timing:
    """Medians of several runs."""
    return measure_together([run], [repeats], 1)[0]


def show(name: str, timing: Timing) -> None:
    print(f"{name:<44} {timing.milliseconds:>9.1f} {timing.cpu:>9.1f} {timing.others:>7.0%}", flush=True)


class Problem:
    """Rays through the cube with all of their samples, and what decodes them."""

    def __init__(self, table_bits: int, size: int) -> None:
        rng = torch.Generator().manual_seed(0)
        self.grid = HashGrid.geometric(16, 2**table_bits, 16, 512)
        self.table = (0.2 * torch.randn(self.grid.entries, 2, generator=rng)).requires_grad_()
        self.decoder = Perceptron(32, 64, 4, rng)
        self.networks = [Perceptron(32, 64, channels, rng) for channels in (1, 3)]
        rays = size * size
        begin, end = torch.rand(rays, 3, generator=rng), torch.rand(rays, 3, generator=rng)
        along = (torch.arange(SAMPLES) + 0.5) / SAMPLES
        self.points = (begin[:, None] + along[:, None] * (end - begin)[:, None]).reshape(-1, 3)
        self.distance = along.repeat(rays)
        self.width = torch.full_like(self.distance, 1 / SAMPLES)
        self.offsets = torch.arange(rays + 1) * SAMPLES
        self.of_features = torch.randn(len(self.points), 32, generator=rng)
        self.of_raw = torch.randn(len(self.points), 4, generator=rng)
        self.of_colors = torch.randn(rays, 3, generator=rng)

    def encode(self, implementation: Implementation) -> object:
        """Encoding alone, forward and backward."""
        features = encode(self.points, self.table, self.grid, implementation=implementation)
        return torch.autograd.grad(features, self.table, self.of_features)

    def decode(self, implementation: Implementation) -> object:
        """The perceptron 32-64-4 alone, forward and backward."""
        features = self.of_features.detach().requires_grad_()
        raw = perceptron(features, self.decoder.first, self.decoder.second, implementation)
        return torch.autograd.grad(raw, [features, *self.decoder.parameters()], self.of_raw)

    def step(self, implementation: Implementation) -> object:
        """A whole training step but for the optimizer, with one perceptron."""
        features = encode(self.points, self.table, self.grid, implementation=implementation)
        raw = perceptron(features, self.decoder.first, self.decoder.second, implementation)
        return self.composite(*raw.split([1, 3], dim=1), self.decoder.parameters(), implementation)

    def field_step(self, implementation: Implementation) -> object:
        """The same with two perceptrons, as in a hash field."""
        features = encode(self.points, self.table, self.grid, implementation=implementation)
        if implementation is Implementation.NATIVE:
            density, color = decode(features, *self.networks)
        else:
            density, color = (perceptron(features, n.first, n.second, implementation) for n in self.networks)
        parameters = [parameter for network in self.networks for parameter in network.parameters()]
        return self.composite(density, color, parameters, implementation)

    def composite(
        self, density: Tensor, color: Tensor, parameters: Iterable[Tensor], implementation: Implementation
    ) -> object:
        density, color = torch.nn.functional.softplus(density.contiguous()), color.contiguous().sigmoid()
        seen = composite(density[:, 0], self.width, self.distance, color, self.offsets, implementation)
        return torch.autograd.grad(seen.values, [self.table, *parameters], self.of_colors)


def kernels(table_bits: int, size: int) -> dict[str, object]:
    problem = Problem(table_bits, size)
    rows: dict[str, object] = {"table_bits": table_bits, "rays": size * size}
    steps = {"encoding": problem.encode, "perceptron": problem.decode, "whole step": problem.step}
    for name, run in {**steps, "whole step, two perceptrons": problem.field_step}.items():
        both = [lambda run=run, kind=kind: run(kind) for kind in (Implementation.NATIVE, Implementation.REFERENCE)]
        native, slow = measure_together(both, repeats=(3, 1), rounds=3)
        show(f"{name}, 2^{table_bits}, native", native)
        show(f"{name}, 2^{table_bits}, reference", slow)
        ratio, cpu = slow.milliseconds / native.milliseconds, slow.cpu / native.cpu
        wanted = f"; wanted: {WANTED_STEP:.0f}" if name == "whole step" else ""
        print(f"{'':>6}{ratio:.1f} times ({cpu:.1f} in cpu time{wanted})")
        rows[name] = {"native": asdict(native), "torch": asdict(slow), "ratio": ratio, "cpu_ratio": cpu}
    return rows


def occupancy() -> dict[str, object]:
    """Four views of 64 x 64 of a ball that fills about 15 % of the cube, with and without an occupancy grid."""
    cameras = turntable(4, elevation=15.0, distance=3.5, field_of_view=32.0).cameras(64, 64)
    background, rng = torch.ones(4, 3), torch.Generator().manual_seed(0)
    base = HashFieldSettings(
        volume=VolumeSettings(samples=2 * SAMPLES), bias=DensityBias(radius=0.56), encoding=EncodingSettings()
    )
    variants = {
        "dense": replace(base, occupancy=OccupancySettings(every=0)),
        "occupancy grid": base,
        "occupancy grid, analytic normals": replace(base, volume=replace(base.volume, normals=Normals.ANALYTIC)),
        "occupancy grid, voxels": VoxelGridSettings(volume=base.volume, bias=base.bias, resolution=64),
    }
    rows: dict[str, object] = {}
    for name, settings in variants.items():
        scene = settings.create(rng)

        def step(scene=scene) -> int:
            seen = scene.render(cameras, background, rng)
            loss = seen.color.square().mean() + (0.0 if seen.normals is None else seen.normals.mean())
            loss.backward()
            return len(seen.samples.ray)

        samples, timing = step(), measure(step, 5)
        share = scene.occupancy.share
        show(f"4 views of 64^2, {name}", timing)
        print(f"{'':>6}{share:.0%} of the cube occupied, {samples / 4 / 64**2:.1f} samples on a ray")
        rows[name] = {**asdict(timing), "share": share, "samples": samples}
    ratio = rows["dense"]["milliseconds"] / rows["occupancy grid"]["milliseconds"]
    cpu = rows["dense"]["cpu"] / rows["occupancy grid"]["cpu"]
    print(f"{'':>6}occupancy grid: {ratio:.1f} times faster ({cpu:.1f} in cpu time; wanted {WANTED_OCCUPANCY:.0f})")
    return {**rows, "ratio": ratio, "cpu_ratio": cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--quick", action="store_true", help="leave out tables of 2^19 entries")
    options = parser.parse_args()
    for kernel in (hash_encoding.NATIVE, perceptron_kernel.NATIVE, compositing.NATIVE, ray_marching.NATIVE):
        if not kernel.available:
            sys.exit(kernel.status)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'forward and backward':<44} {'ms':>9} {'cpu':>9} {'others':>7}")
    figures = {"kernels": [kernels(bits, 64) for bits in ((15,) if options.quick else (15, 19))]}
    figures["occupancy"] = occupancy()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
