"""The native splatting kernel equals its float64 reference; the reference equals closed forms and differences."""

import inspect
import math
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from lodestone.kernels import native, native_kernel, splatting
from lodestone.kernels.build import builds
from lodestone.kernels.splatting import Backend, SplattingOutput, splat
from lodestone.kernels.splatting_reference import SMALLEST_ALPHA, project_reference, rotation_matrices

GRADIENTS = ("means", "quaternions", "scales", "opacities", "colors", "screen_offset")
# A missing library fails these tests with the sentence that says how to compile it: the kernel is not optional here.
ON_THE_CPU = [Backend.REFERENCE, Backend.NATIVE]


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@dataclass(frozen=True)
class Scene:
    means: Tensor
    quaternions: Tensor
    scales: Tensor
    opacities: Tensor
    colors: Tensor
    camera_to_world: Tensor
    intrinsics: Tensor
    height: int
    width: int
    screen_offset: Tensor

    def to(self, dtype: torch.dtype) -> "Scene":
        return Scene(*[value.to(dtype) if isinstance(value, Tensor) else value for value in vars(self).values()])

    def render(self, backend: Backend = Backend.REFERENCE) -> SplattingOutput:
        return splat(*vars(self).values(), backend=backend)


def look_at_origin(azimuth: float, elevation: float, distance: float) -> Tensor:
    """camera_to_world in OpenCV axes; angles in radians."""
    outward = torch.tensor(
        [math.cos(azimuth) * math.cos(elevation), math.sin(azimuth) * math.cos(elevation), math.sin(elevation)],
        dtype=torch.float64,
    )
    right = torch.linalg.cross(-outward, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
    right = right / right.norm()
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = torch.stack([right, torch.linalg.cross(-outward, right), -outward], dim=1)
    pose[:3, 3] = distance * outward
    return pose


def pinhole(height: int, width: int, focal: float) -> Tensor:
    return torch.tensor([[focal, 0, 0.48 * width], [0, 1.1 * focal, 0.53 * height], [0, 0, 1]], dtype=torch.float64)


def random_scene(
    count: int,
    views: int,
    height: int,
    width: int,
    seed: int,
    *,
    scale: float = 0.06,
    opacity: tuple[float, float] = (0.1, 0.9),
) -> Scene:
    """Gaussians in the unit ball. Values are rounded to float32 first: both precisions must see the same scene."""
    rng = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=rng, dtype=torch.float64)

    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=rng, dtype=torch.float64), dim=-1)
    low, high = opacity
    poses = [look_at_origin(0.3 + 1.7 * view, 0.4 - 0.3 * view, 2.5 + 0.2 * view) for view in range(views)]
    scene = Scene(
        means=directions * uniform(count, 1) ** (1 / 3),
        quaternions=2 * uniform(count, 4) - 1,
        scales=scale * (0.2 + uniform(count, 3)),
        opacities=low + (high - low) * uniform(count),
        colors=2 * uniform(count, 3) - 0.5,
        camera_to_world=torch.stack(poses),
        intrinsics=pinhole(height, width, 1.1 * max(height, width)).expand(views, 3, 3),
        height=height,
        width=width,
        screen_offset=torch.zeros(views, count, 2, dtype=torch.float64),
    )
    return scene.to(torch.float32)


def one_gaussian(**changes: Tensor) -> Scene:
    """An isotropic Gaussian straight ahead: deviation 0.1 at depth 2, focal length 40, centred on pixel (10, 8)."""
    scene = Scene(
        means=torch.tensor([[0.0, 0.0, 2.0]]),
        quaternions=torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
        scales=torch.full((1, 3), 0.1),
        opacities=torch.tensor([0.8]),
        colors=torch.tensor([[0.2, 0.5, 0.9]]),
        camera_to_world=torch.eye(4)[None],
        intrinsics=torch.tensor([[[40.0, 0.0, 10.5], [0.0, 40.0, 8.5], [0.0, 0.0, 1.0]]]),
        height=17,
        width=21,
        screen_offset=torch.zeros(1, 1, 2),
    )
    return replace(scene, **changes)


def dense_alphas(scene: Scene, view: int) -> tuple[Tensor, Tensor]:
    """Unclamped alpha of every (pixel, Gaussian), front to back, zero where culled, and the order; float64."""
    world_to_camera = torch.linalg.inv(scene.camera_to_world[view])
    screen = project_reference(
        scene.means, scene.quaternions, scene.scales, scene.opacities, world_to_camera, scene.intrinsics[view],
        scene.height, scene.width,
    )  # fmt: skip
    order = screen.depths.argsort(stable=True)
    row, column = torch.meshgrid(torch.arange(scene.height), torch.arange(scene.width), indexing="ij")
    pixels = torch.stack([column, row], dim=-1).reshape(-1, 1, 2) + 0.5
    d = pixels - screen.means[order]
    xx, xy, yy = screen.conics[order].unbind(-1)
    exponent = 0.5 * (xx * d[..., 0] ** 2 + yy * d[..., 1] ** 2) + xy * d[..., 0] * d[..., 1]
    return torch.where(screen.radii[order] > 0, scene.opacities[order] * torch.exp(-exponent), 0.0), order


def steady_pixels(scene: Scene, relative: float = 2e-4) -> Tensor:
    """Pixels whose result does not hang on rounding: no alpha near a threshold, no transmittance near the stop.

    The image is discontinuous in these thresholds, so there float32 and float64 may rightly differ by up to 1/255.
    """
    masks = []
    for view in range(scene.camera_to_world.shape[0]):
        raw, _ = dense_alphas(scene.to(torch.float64), view)
        alpha = torch.where(raw >= SMALLEST_ALPHA, raw.clamp(max=0.999), 0.0)
        after = torch.cumprod(1 - alpha, dim=1)
        near = ((raw / SMALLEST_ALPHA - 1).abs() < relative) | ((raw / 0.999 - 1).abs() < relative)
        # Near the stop 1 - alpha has lost digits, hence the wider band there.
        near |= (after / 1e-4 - 1).abs() < 20 * relative
        masks.append(~near.any(dim=1).reshape(scene.height, scene.width, 1))
    return torch.stack(masks)


def gradients(scene: Scene, backend: Backend, mask: Tensor) -> tuple[SplattingOutput, dict[str, Tensor]]:
    """The output, and gradients of a random linear functional of all three images, restricted to the mask."""
    leaves = {name: getattr(scene, name).clone().requires_grad_() for name in GRADIENTS}
    output = replace(scene, **leaves).render(backend)
    rng = torch.Generator().manual_seed(7)
    total = torch.zeros((), dtype=scene.means.dtype)
    for image in (output.color, output.opacity, output.depth):
        total = total + (torch.randn(image.shape, generator=rng, dtype=torch.float64) * mask).to(image).mul(image).sum()
    return output, dict(zip(GRADIENTS, torch.autograd.grad(total, list(leaves.values())), strict=True))


def assert_agree(scene: Scene, backend: Backend, gradient_tolerance: float = 1e-5) -> None:
    mask = steady_pixels(scene)
    assert mask.double().mean() > 0.8  # the exception must stay one
    expected, expected_gradients = gradients(scene.to(torch.float64), Backend.REFERENCE, mask)
    actual, actual_gradients = gradients(scene, backend, mask)
    for name in ("color", "opacity", "depth"):
        error = (getattr(actual, name) - getattr(expected, name)).abs().mul(mask).max()
        assert error <= 2e-5, f"{name} differs by {error:.2e}"
    assert (actual.radii - expected.radii).abs().max() <= 1  # whole pixels: rounding up may go either way
    for name, truth in expected_gradients.items():
        error = (actual_gradients[name] - truth).norm() / truth.norm().clamp(min=1e-12)
        assert error <= gradient_tolerance, f"gradient of {name} differs by {error:.2e}"


SCENES = {
    "one view": random_scene(300, 1, 48, 64, seed=0),
    "odd sizes, two views": random_scene(400, 2, 37, 53, seed=1),
    "three views, faint": random_scene(250, 3, 31, 29, seed=2, opacity=(0.005, 0.3)),
    "many small": random_scene(3000, 1, 65, 33, seed=3, scale=0.01),
    "large, reaching past every border": random_scene(60, 2, 40, 40, seed=4, scale=0.6),
    "one row": random_scene(200, 1, 1, 75, seed=5),
}


@pytest.mark.parametrize("name", SCENES)
def test_native_equals_float64_reference(name: str) -> None:
    assert_agree(SCENES[name], Backend.NATIVE)


def test_native_equals_reference_inside_the_cloud() -> None:
    """A camera among the Gaussians: the near plane, the clamp of the Jacobian and splats that fill the view all act."""
    scene = random_scene(150, 1, 33, 47, seed=6, scale=0.05)
    pose = torch.eye(4)
    pose[2, 3] = -0.3
    assert_agree(replace(scene, camera_to_world=pose[None]), Backend.NATIVE, gradient_tolerance=2e-5)


def test_native_equals_reference_for_opaque_gaussians() -> None:
    """What lies behind is found by subtraction and divided by 1 - alpha >= 0.001, which costs two digits."""
    assert_agree(random_scene(200, 1, 40, 44, seed=8, opacity=(0.97, 0.9999)), Backend.NATIVE, gradient_tolerance=1e-4)


def test_native_equals_reference_for_needles() -> None:
    scene = random_scene(100, 1, 48, 48, seed=9)
    scales = scene.scales.clone()
    scales[:, 0], scales[:, 1:] = 1.0, 1e-3
    assert_agree(replace(scene, scales=scales), Backend.NATIVE, gradient_tolerance=1e-4)


@pytest.mark.parametrize("build", native.supported_builds(), ids=lambda build: build.name)
def test_every_build_agrees(build: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the one for processors without AVX2, which this machine would never choose."""
    library = native.load_library(build.library("splatting"))  # type: ignore[attr-defined]
    splatting.NATIVE.declare(library)
    monkeypatch.setattr(native_kernel, "_load", lambda kernel: (library, ""))
    assert_agree(SCENES["odd sizes, two views"], Backend.NATIVE)


def test_reference_gradient_equals_finite_differences() -> None:
    """In float64, on a scene without a pixel near a threshold, along random directions of all parameters at once."""
    scene = random_scene(12, 2, 9, 11, seed=11, scale=0.3, opacity=(0.2, 0.8)).to(torch.float64)
    mask = steady_pixels(scene)
    _, analytic = gradients(scene, Backend.REFERENCE, mask)
    rng = torch.Generator().manual_seed(12)
    for name in GRADIENTS:
        direction = torch.randn(analytic[name].shape, generator=rng, dtype=torch.float64)
        assert_directional(scene, name, direction, analytic[name], mask, Backend.REFERENCE, step=1e-6, tolerance=1e-6)


def assert_directional(
    scene: Scene,
    name: str,
    direction: Tensor,
    gradient: Tensor,
    mask: Tensor,
    backend: Backend,
    step: float,
    tolerance: float,
) -> None:
    rng_weights = [torch.Generator().manual_seed(7) for _ in range(2)]
    values = []
    for sign, rng in zip((1, -1), rng_weights, strict=True):
        moved = replace(scene, **{name: getattr(scene, name) + sign * step * direction}).render(backend)
        images = (moved.color, moved.opacity, moved.depth)
        weights = [torch.randn(image.shape, generator=rng, dtype=torch.float64) * mask for image in images]
        values.append(sum((weight * image.double()).sum() for weight, image in zip(weights, images, strict=True)))
    slope = (values[0] - values[1]) / (2 * step)
    expected = (gradient.double() * direction).sum()
    assert abs(slope - expected) <= tolerance * max(1.0, abs(expected)), name


def test_native_screen_gradient_equals_finite_differences() -> None:
    """The probe reads the gradient with respect to the screen position, view by view."""
    scene = random_scene(10, 2, 16, 18, seed=13, scale=0.3)
    mask = steady_pixels(scene, relative=0.05)
    _, analytic = gradients(scene, Backend.NATIVE, mask)
    direction = torch.randn(2, 10, 2, generator=torch.Generator().manual_seed(14))
    exact, probe = scene.to(torch.float64), analytic["screen_offset"]
    # Differences are taken of the float64 reference, because float32 has no digits left for them.
    assert_directional(
        exact, "screen_offset", direction.double(), probe, mask, Backend.REFERENCE, step=1e-5, tolerance=1e-4
    )


@pytest.mark.parametrize("backend", ON_THE_CPU)
def test_isotropic_gaussian_in_closed_form(backend: Backend) -> None:
    """Straight ahead the screen variance is (f s / z)^2 + 0.3, and with one Gaussian the weight is alpha."""
    output = one_gaussian().render(backend)
    row, column = torch.meshgrid(torch.arange(17), torch.arange(21), indexing="ij")
    variance = (40 * 0.1 / 2) ** 2 + 0.3
    alpha = 0.8 * torch.exp(-((row - 8) ** 2 + (column - 10) ** 2) / (2 * variance))
    alpha = torch.where(alpha >= 1 / 255, alpha, 0.0)[None, ..., None]
    torch.testing.assert_close(output.opacity, alpha, atol=2e-6, rtol=0)
    torch.testing.assert_close(output.color, alpha * torch.tensor([0.2, 0.5, 0.9]), atol=2e-6, rtol=0)
    torch.testing.assert_close(output.depth, alpha * 2, atol=4e-6, rtol=0)
    extent = math.sqrt(2 * math.log(255 * 0.8))
    assert output.radii.item() == math.ceil(extent * math.sqrt(variance))


@pytest.mark.parametrize("backend", ON_THE_CPU)
def test_alpha_is_at_most_0_999(backend: Backend) -> None:
    output = one_gaussian(opacities=torch.tensor([0.99999])).render(backend)
    assert output.opacity[0, 8, 10, 0].item() == pytest.approx(0.999, abs=1e-6)


@pytest.mark.parametrize("backend", ON_THE_CPU)
def test_occluder_hides_what_is_behind_it(backend: Backend) -> None:
    """One opaque sheet lets 1e-3 through and a second less than 1e-4, so there the pixel ends: red 0.999, no blue.

    The farther Gaussian is listed first: the order is that of depth, not of the list.
    """
    scene = one_gaussian(
        means=torch.tensor([[0.0, 0.0, 3.0], [0.0, 0.0, 2.0], [0.0, 0.0, 2.5]]),
        quaternions=torch.tensor([[1.0, 0.0, 0.0, 0.0]]).expand(3, 4),
        scales=torch.full((3, 3), 0.5),
        opacities=torch.full((3,), 0.9999),
        colors=torch.eye(3)[[1, 0, 2]],
        screen_offset=torch.zeros(1, 3, 2),
    )
    center = scene.render(backend).color[0, 8, 10]
    torch.testing.assert_close(center, torch.tensor([0.999, 0.0, 0.0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("backend", ON_THE_CPU)
def test_colors_add_up_linearly(backend: Backend) -> None:
    """With every colour 1 the colour image is the opacity image; twice the colour is twice the image."""
    scene = random_scene(100, 1, 24, 24, seed=15)
    white = replace(scene, colors=torch.ones_like(scene.colors)).render(backend)
    torch.testing.assert_close(white.color, white.opacity.expand_as(white.color), atol=2e-6, rtol=0)
    once, twice = scene.render(backend), replace(scene, colors=2 * scene.colors).render(backend)
    torch.testing.assert_close(2 * once.color, twice.color, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("backend", ON_THE_CPU)
@pytest.mark.parametrize(
    "change",
    [
        {"means": torch.tensor([[0.0, 0.0, -2.0]])},
        {"means": torch.tensor([[0.0, 0.0, 0.005]])},
        {"means": torch.tensor([[50.0, 0.0, 2.0]])},
        {"means": torch.tensor([[0.0, 0.0, float("nan")]])},
        {"opacities": torch.tensor([0.003])},
        {"scales": torch.full((1, 3), float("inf"))},
    ],
    ids=["behind", "nearer than the near plane", "beside the image", "not a number", "too faint", "infinite"],
)
def test_culled_gaussian_leaves_no_trace(backend: Backend, change: dict[str, Tensor]) -> None:
    scene = one_gaussian(**change)
    output = scene.render(backend)
    assert output.radii.item() == 0
    assert not any(image.any() for image in (output.color, output.opacity, output.depth))


@pytest.mark.parametrize("backend", ON_THE_CPU)
def test_gradient_of_culled_gaussians_is_zero(backend: Backend) -> None:
    scene = one_gaussian(means=torch.tensor([[0.0, 0.0, -2.0]]))
    _, found = gradients(scene, backend, torch.ones(1, 17, 21, 1))
    assert not any(gradient.any() for gradient in found.values())


@pytest.mark.parametrize("backend", ON_THE_CPU)
def test_no_gaussians(backend: Backend) -> None:
    empty = Scene(*[value[:0] if index < 5 else value for index, value in enumerate(vars(one_gaussian()).values())])
    output, found = gradients(replace(empty, screen_offset=torch.zeros(1, 0, 2)), backend, torch.ones(1, 17, 21, 1))
    assert output.color.shape == (1, 17, 21, 3) and not output.color.any()
    assert output.radii.shape == (1, 0) and found["means"].shape == (0, 3)


def test_equal_to_the_bit_for_any_number_of_threads(threads: Callable[[int], None]) -> None:
    scene = random_scene(20_000, 2, 128, 128, seed=16, scale=0.02)
    everything = torch.ones(2, 128, 128, 1)
    threads(1)
    first, first_gradients = gradients(scene, Backend.NATIVE, everything)
    for count in (2, 2, 5):
        threads(count)
        again, again_gradients = gradients(scene, Backend.NATIVE, everything)
        for name, image in vars(first).items():
            assert torch.equal(image, getattr(again, name)), name
        for name, gradient in first_gradients.items():
            assert torch.equal(gradient, again_gradients[name]), name


def test_passes_may_interleave() -> None:
    """Each graph owns its workspace: rendering again, also with another size, before going backward changes nothing."""
    scene, other = SCENES["one view"], SCENES["odd sizes, two views"]
    everything = torch.ones(1, scene.height, scene.width, 1)
    _, expected = gradients(scene, Backend.NATIVE, everything)
    means = scene.means.clone().requires_grad_()
    output = replace(scene, means=means).render(Backend.NATIVE)
    for _ in range(3):
        gradients(other, Backend.NATIVE, torch.ones(2, other.height, other.width, 1))
    rng = torch.Generator().manual_seed(7)
    images = (output.color, output.opacity, output.depth)
    weights = [torch.randn(image.shape, generator=rng, dtype=torch.float64).float() for image in images]
    for _ in range(2):  # a retained graph may go backward twice
        (found,) = torch.autograd.grad(images, means, weights, retain_graph=True)
        assert torch.equal(found, expected["means"])


def test_images_without_a_gradient_count_as_zero() -> None:
    """A loss of the depth alone has the gradient that weights of zero give the other images."""
    scene = SCENES["odd sizes, two views"]
    found = []
    for alone in (True, False):
        means = scene.means.clone().requires_grad_()
        output = replace(scene, means=means).render(Backend.NATIVE)
        loss = output.depth.sum() if alone else output.depth.sum() + 0 * output.color.sum() + 0 * output.opacity.sum()
        found.extend(torch.autograd.grad(loss, means))
    assert torch.equal(*found) and found[0].any()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_can_render() -> None:
    """fork copies no threads: a child that waited for its parent's would wait for ever."""
    code = """
import os, sys, torch
from tests.kernels.test_splatting import SCENES
from lodestone.kernels.splatting import Backend
torch.set_num_threads(2)
first = SCENES["many small"].render(Backend.NATIVE).color
child = os.fork()
if child == 0:
    os._exit(0 if torch.equal(first, SCENES["many small"].render(Backend.NATIVE).color) else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["src", ".", os.environ.get("PYTHONPATH", "")])}
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, timeout=50, capture_output=True, check=False
    )
    assert finished.returncode == 0, finished.stderr.decode()


def test_projection_equals_that_of_gsplat() -> None:
    """Against gsplat's own torch code: means, inverse covariances, depths, and who is culled."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gsplat = pytest.importorskip("gsplat.cuda._torch_impl")
    scene = random_scene(500, 1, 40, 56, seed=17, scale=0.2).to(torch.float64)
    world_to_camera = torch.linalg.inv(scene.camera_to_world)
    factor = rotation_matrices(scene.quaternions) * scene.scales[:, None, :]
    radii, means, depths, conics, _ = gsplat._fully_fused_projection(
        scene.means, factor @ factor.mT, world_to_camera, scene.intrinsics, scene.width, scene.height
    )
    screen = project_reference(
        scene.means, scene.quaternions, scene.scales, scene.opacities, world_to_camera[0], scene.intrinsics[0],
        scene.height, scene.width,
    )  # fmt: skip
    for ours, theirs in ((screen.means, means), (screen.conics, conics), (screen.depths, depths)):
        torch.testing.assert_close(ours, theirs[0], atol=1e-10, rtol=1e-8)
    # Its torch code knows no opacities, so its boxes are never smaller than ours.
    assert (screen.radii <= radii[0].amax(dim=-1)).all()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("quaternions", torch.zeros(1, 3), "quaternions must have shape"),
        ("opacities", torch.zeros(1, 1), "opacities must have shape"),
        ("screen_offset", torch.zeros(1, 2), "screen_offset must have shape"),
        ("colors", torch.zeros(1, 3, dtype=torch.float64), "colors must be floating point"),
        ("means", torch.zeros(1, 3, dtype=torch.int64), "means must be floating point"),
        ("camera_to_world", torch.full((1, 4, 4), float("nan")), "must be finite"),
        ("camera_to_world", torch.zeros(1, 4, 4), "rotation and a translation"),
        ("camera_to_world", torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0]))[None], "reflection"),
        ("camera_to_world", torch.diag(torch.tensor([2.0, 2.0, 2.0, 1.0]))[None], "scale"),
        ("camera_to_world", torch.eye(4)[None].requires_grad_(), "no gradient"),
        ("intrinsics", -torch.eye(3)[None], "positive focal lengths"),
        ("intrinsics", torch.ones(1, 3, 3), "form"),
        ("height", 0, "at least one pixel"),
    ],
)
def test_bad_arguments_are_refused(name: str, value: Tensor | int, message: str) -> None:
    arguments = {**vars(one_gaussian()), name: value}
    users_splat = inspect.unwrap(splat)  # annotations are checked in tests only, so a user's call gets past them
    with pytest.raises(ValueError, match=message):
        users_splat(**arguments)


def test_backends_refuse_what_they_cannot_take() -> None:
    with pytest.raises(ValueError, match="float32"):
        one_gaussian().to(torch.float64).render(Backend.NATIVE)
    with pytest.raises(ValueError, match="CUDA device"):
        one_gaussian().render(Backend.CUDA)


def test_without_a_library_the_reference_renders(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = None, "the native splatting kernel is not compiled: ..."
    monkeypatch.setattr(native_kernel, "_load", lambda kernel: missing)
    assert torch.equal(one_gaussian().render(Backend.AUTO).color, one_gaussian().render(Backend.REFERENCE).color)
    with pytest.raises(ValueError, match="not compiled"):
        one_gaussian().render(Backend.NATIVE)


def test_every_machine_has_a_build_without_special_instructions() -> None:
    for machine in ("x86_64", "AMD64", "aarch64", "arm64"):
        assert builds(machine)[-1].name == "baseline"
