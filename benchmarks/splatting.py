"""How fast the native splatting kernel is, beside plain torch in the same process.

    python benchmarks/splatting.py [--json FILE] [--quick]

Times are medians in milliseconds after a warm-up. Absolute times depend on the machine and on what else it does, so the
column `others` gives the share of all cores that other processes used meanwhile, and the figures to compare are ratios.
"""

import argparse
import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from lodestone.kernels.splatting import Backend, native_available, native_status, splat
from lodestone.kernels.splatting_reference import (
    ScreenGaussians,
    camera_from_world,
    composite_reference,
    rotation_matrices,
    splat_reference,
)

COUNTS = (5_000, 20_000, 100_000)
SIZES = (64, 128, 256, 512)
# Native over torch, forward and backward, at 128 x 128.
WANTED_RATIOS = {5_000: 40, 20_000: 70, 100_000: 150}


@dataclass(frozen=True)
class Scene:
    """Gaussians in the unit ball, deviations 0.01 to 0.03, opacities 0.3 to 0.7, seen from distance 3."""

    parameters: list[Tensor]
    cameras: list[Tensor]
    size: int
    cotangents: list[Tensor]


@dataclass(frozen=True)
class Timing:
    milliseconds: float
    others: float


Images = tuple[Tensor, Tensor, Tensor]
Renderer = Callable[[Scene], Images]


def camera(azimuth: float, size: int) -> tuple[Tensor, Tensor]:
    """A camera on the equator at distance 3 that looks at the origin; the unit ball fills 0.8 of the image."""
    outward = torch.tensor([math.cos(azimuth), math.sin(azimuth), 0.0])
    down = torch.tensor([0.0, 0.0, -1.0])
    pose = torch.eye(4)
    pose[:3, :3] = torch.stack([torch.linalg.cross(down, -outward), down, -outward], dim=1)
    pose[:3, 3] = 3 * outward
    return pose, torch.tensor([[1.2 * size, 0, size / 2], [0, 1.2 * size, size / 2], [0, 0, 1]])


def make_scene(count: int, size: int, views: int = 1, seed: int = 0) -> Scene:
    rng = torch.Generator().manual_seed(seed)
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=rng), dim=-1)
    means = directions * torch.rand(count, 1, generator=rng) ** (1 / 3)
    quaternions = torch.randn(count, 4, generator=rng)
    scales = 0.01 + 0.02 * torch.rand(count, 3, generator=rng)
    opacities = 0.3 + 0.4 * torch.rand(count, generator=rng)
    colors = torch.rand(count, 3, generator=rng)
    parameters = [tensor.requires_grad_() for tensor in (means, quaternions, scales, opacities, colors)]
    poses, intrinsics = zip(*[camera(2 * math.pi * view / views + 0.2, size) for view in range(views)], strict=True)
    cotangents = [torch.randn(views, size, size, channels, generator=rng) for channels in (3, 1, 1)]
    return Scene(parameters, [torch.stack(poses), torch.stack(intrinsics)], size, cotangents)


def native_renderer(scene: Scene) -> Images:
    output = splat(*scene.parameters, *scene.cameras, scene.size, scene.size, backend=Backend.NATIVE)
    return output.color, output.opacity, output.depth


def reference_renderer(scene: Scene) -> Images:
    return splat_reference(*scene.parameters, *scene.cameras, scene.size, scene.size)[:3]


def torch_renderer() -> tuple[str, Renderer]:
    """gsplat's reference made to run on a CPU: its projection, then pairs with pixels without Python loops."""
    if importlib.util.find_spec("gsplat") is None:
        return "our torch reference (gsplat is not installed)", reference_renderer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from gsplat.cuda._torch_impl import _fully_fused_projection

    def render(scene: Scene) -> Images:
        means, quaternions, scales, opacities, colors = scene.parameters
        factor = rotation_matrices(quaternions) * scales[:, None, :]
        world_to_camera = camera_from_world(scene.cameras[0])
        radii, screen, depths, conics, _ = _fully_fused_projection(
            means, factor @ factor.mT, world_to_camera, scene.cameras[1], scene.size, scene.size
        )
        images = [
            composite_reference(
                ScreenGaussians(screen[view], conics[view], depths[view], radii[view].amax(dim=-1).float()),
                opacities, colors, scene.size, scene.size,
            )
            for view in range(len(radii))
        ]  # fmt: skip
        color, opacity, depth = torch.stack(images).split([3, 1, 1], dim=-1)
        return color, opacity, depth

    return "gsplat's _fully_fused_projection with a vectorised pixel stage", render


def forward_pass(renderer: Renderer, scene: Scene) -> Callable[[], object]:
    def run() -> Images:
        with torch.no_grad():
            return renderer(scene)

    return run


def both_passes(renderer: Renderer, scene: Scene) -> Callable[[], object]:
    return lambda: torch.autograd.grad(renderer(scene), scene.parameters, scene.cotangents)


def busy_seconds() -> float:
    """Seconds that all processes together have used, where the system says so."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]]
    except OSError:
        return math.nan
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    usage = os.times()
    return usage.user + usage.system


def measure(run: Callable[[], object], repeats: int = 40, seconds: float = 1.5, warm_up: int = 3) -> Timing:
    """The median of at least three runs, of more if they fit into the time."""
    for _ in range(warm_up):
        run()
    times: list[float] = []
    busy, own, start = busy_seconds(), own_seconds(), time.perf_counter()
    while len(times) < 3 or (len(times) < repeats and time.perf_counter() - start < seconds):
        begin = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - begin))
    elapsed = time.perf_counter() - start
    others = (busy_seconds() - busy - (own_seconds() - own)) / (elapsed * (os.cpu_count() or 1))
    return Timing(statistics.median(times), max(0.0, others))


def with_threads(count: int, run: Callable[[], object]) -> Timing:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        return measure(run)
    finally:
        torch.set_num_threads(before)


def table(counts: Iterable[int], sizes: Iterable[int]) -> list[dict[str, object]]:
    rows = []
    print(f"\n{'Gaussians':>9} {'image':>5} {'forward':>9} {'both':>9} {'others':>7}")
    for count in counts:
        for size in sizes:
            scene = make_scene(count, size)
            forward, both = (measure(passes(native_renderer, scene)) for passes in (forward_pass, both_passes))
            others = max(forward.others, both.others)
            print(
                f"{count:>9} {size:>5} {forward.milliseconds:>9.2f} {both.milliseconds:>9.2f} {others:>7.0%}",
                flush=True,
            )
            rows.append({"gaussians": count, "image": size, "forward": asdict(forward), "both": asdict(both)})
    return rows


def ratios(counts: Iterable[int]) -> list[dict[str, object]]:
    name, renderer = torch_renderer()
    print(f"\nforward and backward at 128 x 128 beside {name}")
    rows = []
    for count in counts:
        scene = make_scene(count, 128)
        native = measure(both_passes(native_renderer, scene))
        slow = measure(both_passes(renderer, scene), repeats=3, seconds=0, warm_up=1)
        ratio, wanted = slow.milliseconds / native.milliseconds, WANTED_RATIOS[count]
        print(
            f"{count:>9}: native {native.milliseconds:.2f}, torch {slow.milliseconds:.0f}: {ratio:.0f} times "
            f"(wanted {wanted}); others {max(native.others, slow.others):.0%}",
            flush=True,
        )
        rows.append({"gaussians": count, "twin": name, "native": asdict(native), "torch": asdict(slow), "ratio": ratio})
    return rows


def with_a_busy_neighbour(run: Callable[[], object]) -> Timing:
    """The time while another process keeps one core busy."""
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.3)
        return measure(run, repeats=200, seconds=3)
    finally:
        neighbour.kill()
        neighbour.wait()


def equal_to_the_bit(scene: Scene) -> bool:
    before, results = torch.get_num_threads(), []
    for count in (1, 2):
        torch.set_num_threads(count)
        images = native_renderer(scene)
        results.append([*images, *torch.autograd.grad(images, scene.parameters, scene.cotangents)])
    torch.set_num_threads(before)
    return all(torch.equal(one, two) for one, two in zip(*results, strict=True))


def scaling() -> dict[str, object]:
    scene, four = make_scene(20_000, 128), make_scene(20_000, 128, views=4)
    run = both_passes(native_renderer, scene)
    single, double, single_again = with_threads(1, run), with_threads(2, run), with_threads(1, run)
    quiet = Timing(min(single.milliseconds, single_again.milliseconds), max(single.others, single_again.others))
    views = with_threads(2, both_passes(native_renderer, four))
    crowded = with_a_busy_neighbour(run)
    figures = {
        "1 thread over 2 (wanted >= 1.7)": quiet.milliseconds / double.milliseconds,
        "4 cameras over 1 (wanted <= 4.2)": views.milliseconds / double.milliseconds,
        "busy neighbour over 1 thread (wanted <= 1.3)": crowded.milliseconds / quiet.milliseconds,
        "equal to the bit for 1 and 2 threads": equal_to_the_bit(four),
    }
    others = max(quiet.others, double.others, views.others)
    print(f"\n20k Gaussians at 128 x 128, forward and backward (others {others:.0%} but for the neighbour)")
    for name, figure in figures.items():
        print(f"  {name}: {figure if isinstance(figure, bool) else f'{figure:.2f}'}")
    timings = {"single": quiet, "double": double, "four cameras": views, "busy neighbour": crowded}
    return {**figures, **{name: asdict(timing) for name, timing in timings.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--quick", action="store_true", help="leave out 100k Gaussians")
    options = parser.parse_args()
    if not native_available():
        sys.exit(native_status())
    counts = COUNTS[:2] if options.quick else COUNTS
    print(f"{native_status()}; torch {torch.__version__}, {torch.get_num_threads()} threads")
    figures = {"table": table(counts, SIZES), "scaling": scaling(), "ratios": ratios(counts)}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
