"""Rasterization equals exact point-in-triangle tests; its gradients equal differences; native equals its twin."""

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from lodestone.kernels.native_kernel import Implementation
from lodestone.kernels.rasterization import Edges, Fragments, antialias, edges_of, interpolate, rasterize
from lodestone.kernels.rasterization_reference import edges_reference

# A missing library fails these tests with the sentence that says how to compile it: the kernel is not optional here.
BOTH = [Implementation.REFERENCE, Implementation.NATIVE]
NATIVE, REFERENCE = Implementation.NATIVE, Implementation.REFERENCE


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_triangles(seed: int, *, views: int = 2, vertices: int = 30, faces: int = 40) -> tuple[Tensor, Tensor]:
    """Some corners lie behind the camera, some beyond the near plane."""
    positions = torch.randn(views, vertices, 4, generator=generator(seed))
    positions[..., 3] = 0.7 * positions[..., 3] + 0.8
    return positions, torch.randint(0, vertices, (faces, 3), generator=generator(seed + 1))


def plane(points: list[tuple[float, float]], z: float = 0.0) -> Tensor:
    """Positions with w = 1 and given x / w, y / w."""
    return torch.tensor([[[x, y, z, 1.0] for x, y in points]])


def grid_mesh(cells: int) -> tuple[Tensor, Tensor]:
    """A wavy sheet of triangles that covers the whole image and more."""
    line = torch.linspace(-1.3, 1.3, cells + 1, dtype=torch.float64)
    y, x = torch.meshgrid(line, line, indexing="ij")
    wave = 0.02 * torch.sin(7 * x + 3 * y)
    points = torch.stack([x + wave, y - wave], dim=-1).reshape(-1, 2)
    number = torch.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    return points, torch.cat([torch.stack(t, dim=-1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])


def sphere(rings: int = 12) -> tuple[Tensor, Tensor]:
    """A closed unit sphere of meridians and parallels, float64."""
    polar = torch.arange(1, rings, dtype=torch.float64) * math.pi / rings
    around = torch.arange(2 * rings, dtype=torch.float64) * math.pi / rings
    ring = torch.stack(
        [
            polar.sin()[:, None] * around.cos(),
            polar.sin()[:, None] * around.sin(),
            polar.cos()[:, None].expand(-1, 2 * rings),
        ],
        dim=-1,
    ).reshape(-1, 3)
    vertices = torch.cat([ring, ring.new_tensor([[0, 0, 1], [0, 0, -1]])])
    n, faces = 2 * rings, []
    for j in range(n):
        k = (j + 1) % n
        faces += [(len(ring), j, k), (len(ring) + 1, (rings - 2) * n + k, (rings - 2) * n + j)]
        for i in range(rings - 2):
            a, b, c, d = i * n + j, i * n + k, (i + 1) * n + k, (i + 1) * n + j
            faces += [(a, d, c), (a, c, b)]
    return vertices, torch.tensor(faces)


def project(points: Tensor, distance: float = 3.0, focal: float = 2.5) -> Tensor:
    """One camera on the z axis that looks at the origin."""
    w = distance - points[:, 2]
    near, far = 0.1, 10.0
    z = (far + near) / (far - near) * w - 2 * far * near / (far - near)
    return torch.stack([focal * points[:, 0], focal * points[:, 1], z, w], dim=-1)[None]


# -------------------------------------------------------------------------------------------------------- visibility


@pytest.mark.parametrize("implementation", BOTH)
@pytest.mark.parametrize("seed", range(3))
def test_a_triangle_covers_the_centres_inside_it(implementation: Implementation, seed: int) -> None:
    height, width = 29, 41
    corners = 2.4 * torch.rand(3, 2, generator=generator(seed)) - 1.2
    positions = plane(corners.tolist())
    seen = rasterize(positions, torch.tensor([[0, 1, 2]]), height, width, implementation).triangle[0] == 0
    y, x = torch.meshgrid(torch.arange(height).double() + 0.5, torch.arange(width).double() + 0.5, indexing="ij")
    point = torch.stack([2 * x / width - 1, 2 * y / height - 1], dim=-1)
    a, b, c = positions[0, :, :2].double()

    def side(p: Tensor, q: Tensor) -> Tensor:
        return (q - p)[0] * (point - p)[..., 1] - (q - p)[1] * (point - p)[..., 0] > 0

    sides = torch.stack([side(a, b), side(b, c), side(c, a)])
    assert torch.equal(seen, sides.all(dim=0) | ~sides.any(dim=0))


def hits(positions: Tensor, faces: Tensor, size: int, implementation: Implementation) -> Tensor:
    """How many triangles cover each pixel: every view shows one of them."""
    alone = positions[0, faces]
    return (rasterize(alone, torch.tensor([[0, 1, 2]]), size, size, implementation).triangle >= 0).sum(dim=0)


@pytest.mark.parametrize(
    ("cells", "size", "implementation"),
    [(5, 17, REFERENCE), (8, 33, NATIVE), (26, 52, NATIVE), (40, 31, NATIVE), (64, 64, NATIVE)],
)
def test_shared_edges_leave_no_hole_and_hit_nothing_twice(
    cells: int, size: int, implementation: Implementation
) -> None:
    points, faces = grid_mesh(cells)
    positions = torch.cat([points, torch.zeros_like(points[:, :1]), torch.ones_like(points[:, :1])], dim=-1)[None]
    positions = positions.float()
    assert bool((hits(positions, faces, size, implementation) == 1).all())
    assert bool((rasterize(positions, faces, size, size, implementation).triangle >= 0).all())


@pytest.mark.parametrize("implementation", BOTH)
def test_edges_and_corners_on_centres_belong_to_one_triangle(implementation: Implementation) -> None:
    """A fan around a pixel's centre whose edges run through further centres."""
    size = 9
    rim = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)]
    positions = plane([(0.0, 0.0), *[(float(x), float(y)) for x, y in rim]])
    for turn in (False, True):
        around = [[0, i + 1, (i + 1) % 8 + 1][:: -1 if turn and i % 2 else 1] for i in range(8)]
        assert bool((hits(positions, torch.tensor(around), size, implementation) == 1).all())


@pytest.mark.parametrize("implementation", BOTH)
def test_a_border_goes_to_the_right_and_below(implementation: Implementation) -> None:
    half = [(-1.0, -1.0), (0.0, -1.0), (0.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)]
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]])
    triangle = rasterize(plane(half), faces, 3, 3, implementation).triangle[0]
    assert bool((triangle[:, 1:] >= 2).all()) and bool((triangle[:, 0] < 2).all())
    turned = plane([(y, x) for x, y in half])
    triangle = rasterize(turned, faces, 3, 3, implementation).triangle[0]
    assert bool((triangle[1:] >= 2).all()) and bool((triangle[0] < 2).all())


@pytest.mark.parametrize("implementation", BOTH)
def test_a_closed_mesh_is_hit_once_from_the_front(implementation: Implementation) -> None:
    """Every ray meets one triangle that faces the camera and one that does not, or none."""
    vertices, faces = sphere(6)
    positions = project(vertices).float()
    a, b, c = (positions[0, :, :2] / positions[0, :, 3:])[faces].unbind(dim=1)
    front = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0] > 0
    near, far = (hits(positions, faces[side], 32, implementation) for side in (front, ~front))
    assert torch.equal(near, far) and int(near.amax()) == 1
    seen = rasterize(positions, faces, 32, 32, implementation).triangle[0]
    assert torch.equal(seen >= 0, near > 0)
    assert bool(front[seen[seen >= 0]].all())


@pytest.mark.parametrize("implementation", BOTH)
def test_the_nearest_is_seen_and_the_first_of_equals(implementation: Implementation) -> None:
    corners = [(-1.0, -1.0), (1.0, -1.0), (0.0, 1.0)]
    positions = torch.cat([plane(corners, 0.3), plane(corners, -0.2), plane(corners, -0.2)], dim=1)
    faces = torch.tensor([[0, 1, 2], [3, 4, 5], [6, 7, 8]])
    fragments = rasterize(positions, faces, 8, 8, implementation)
    seen = fragments.triangle >= 0
    assert set(fragments.triangle[seen].tolist()) == {1}
    assert torch.allclose(fragments.depth[seen], torch.tensor(-0.2))
    assert bool((fragments.depth[~seen] == 1).all())


@pytest.mark.parametrize("implementation", BOTH)
def test_a_triangle_through_the_camera_is_seen_in_front_of_it(implementation: Implementation) -> None:
    """A floor below the eye that reaches behind it: exactly what lies beyond the near plane is seen."""
    near, far, height, size = 0.5, 100.0, 1.0, 32
    floor = torch.tensor([[-500.0, height, -300.0], [500.0, height, -300.0], [0.0, height, 900.0]])
    z = (far + near) / (far - near) * floor[:, 2] - 2 * far * near / (far - near)
    positions = torch.stack([floor[:, 0], floor[:, 1], z, floor[:, 2]], dim=-1)[None]
    fragments = rasterize(positions, torch.tensor([[0, 1, 2]]), size, size, implementation)
    y = (2 * torch.arange(size) + 1 - size) / size
    depth = height / y  # of the floor in each row
    expected = ((y > 0) & (depth > near) & (depth < far))[:, None].expand(size, size)
    assert torch.equal(fragments.triangle[0] >= 0, expected)
    found = interpolate(floor[:, 2:], torch.tensor([[0, 1, 2]]), fragments, implementation)[0, ..., 0]
    assert torch.allclose(found[expected], depth[:, None].expand(size, size)[expected], rtol=1e-4)


@pytest.mark.parametrize("implementation", BOTH)
def test_what_is_no_triangle_is_not_seen(implementation: Implementation) -> None:
    positions = plane([(-1.0, -1.0), (1.0, -1.0), (0.0, 1.0), (0.0, 0.0), (1.0, 1.0)])
    positions[0, 3, 0], positions[0, 4, 2] = math.nan, math.inf
    degenerate = torch.tensor([[0, 0, 1], [0, 1, 3], [1, 2, 4], [2, 2, 2]])
    assert bool((rasterize(positions, degenerate, 8, 8, implementation).triangle < 0).all())
    behind = plane([(-1.0, -1.0), (1.0, -1.0), (0.0, 1.0)]) * torch.tensor([1.0, 1.0, 1.0, -1.0])
    for faces in (torch.zeros(0, 3, dtype=torch.int64), torch.tensor([[0, 1, 2]])):
        fragments = rasterize(behind, faces, 8, 8, implementation)
        assert bool((fragments.triangle < 0).all()) and not fragments.barycentrics.any()
        color = torch.rand(1, 8, 8, 3, generator=generator(0))
        assert torch.equal(antialias(color, fragments, behind, faces, implementation=implementation), color)
    nothing = rasterize(torch.zeros(2, 0, 4), torch.zeros(0, 3, dtype=torch.int64), 4, 4, implementation)
    assert nothing.triangle.shape == (2, 4, 4)


def test_arguments_that_do_not_fit_are_named() -> None:
    positions, faces = random_triangles(0)
    with pytest.raises(ValueError, match="outside 0 to 29"):
        rasterize(positions, faces + 20, 8, 8)
    with pytest.raises(ValueError, match="int64"):
        rasterize(positions, faces.int(), 8, 8)
    with pytest.raises(ValueError, match="at least one pixel"):
        rasterize(positions, faces, 0, 8)
    with pytest.raises(ValueError, match="float32"):
        rasterize(positions.double(), faces, 8, 8, NATIVE)
    fragments = rasterize(positions, faces, 8, 8)
    with pytest.raises(ValueError, match="for each of 2"):
        interpolate(torch.zeros(3, 30, 1), faces, fragments)
    with pytest.raises(ValueError, match="is seen"):
        interpolate(torch.zeros(30, 1), faces[:1], fragments)


# ----------------------------------------------------------------------------------------------------- interpolation


@pytest.mark.parametrize("implementation", BOTH)
def test_barycentrics_are_those_of_the_point_in_space(implementation: Implementation) -> None:
    """Interpolating the positions themselves gives back the pixel's own direction: perspective is correct."""
    positions, faces = random_triangles(3)
    fragments = rasterize(positions, faces, 23, 31, implementation)
    seen = fragments.triangle >= 0
    sums = fragments.barycentrics.sum(dim=-1)
    assert torch.allclose(sums[seen], torch.ones(()), atol=1e-6) and not sums[~seen].any()
    assert bool((fragments.barycentrics > -1e-6).all())
    met = interpolate(positions, faces, fragments, implementation).double()
    _, row, column = seen.nonzero(as_tuple=True)
    x, y = (2 * column + 1 - 31) / 31, (2 * row + 1 - 23) / 23
    scale = met[seen].abs().amax(dim=-1).clamp(min=1)
    assert bool(((met[seen][:, 0] - x * met[seen][:, 3]).abs() < 1e-5 * scale).all())
    assert bool(((met[seen][:, 1] - y * met[seen][:, 3]).abs() < 1e-5 * scale).all())
    assert bool((met[seen][:, 3] > 0).all())
    assert torch.allclose(met[seen][:, 2] / met[seen][:, 3], fragments.depth[seen].double(), atol=1e-4)


def test_interpolation_has_the_derivatives_of_its_differences() -> None:
    positions, faces = (part.double() if part.is_floating_point() else part for part in random_triangles(5))
    attributes = torch.randn(30, 4, generator=generator(7), dtype=torch.float64)
    triangle = rasterize(positions, faces, 9, 11, REFERENCE).triangle

    def render(positions: Tensor, attributes: Tensor) -> Tensor:
        fragments = rasterize(positions, faces, 9, 11, REFERENCE)
        kept = (fragments.triangle == triangle)[..., None]
        return interpolate(attributes, faces, fragments, REFERENCE) * kept

    inputs = (positions.requires_grad_(), attributes.requires_grad_())
    assert torch.autograd.gradcheck(render, inputs, eps=1e-7, atol=1e-4, rtol=1e-4, fast_mode=True)


def relative_error(found: Tensor, expected: Tensor) -> float:
    found, expected = found.detach().double(), expected.detach()
    return float((found - expected).norm() / expected.norm().clamp(min=1e-12))


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_native_equals_its_twin(seed: int, shared: bool) -> None:
    positions, faces = random_triangles(10 * seed)
    attributes = torch.randn(*(() if shared else (2,)), 30, 5, generator=generator(seed))
    color, rng = torch.rand(2, 37, 53, 3, generator=generator(seed)), generator(seed + 1)
    images = torch.randn(2, 37, 53, 8, generator=rng)
    results = []
    for implementation, dtype in ((NATIVE, torch.float32), (REFERENCE, torch.float64)):
        inputs = [part.to(dtype).requires_grad_() for part in (positions, attributes, color)]
        fragments = rasterize(inputs[0], faces, 37, 53, implementation)
        mixed = interpolate(inputs[1], faces, fragments, implementation)
        # Rounded alike: which silhouettes count is decided by comparing depths.
        rounded = Fragments(fragments.triangle, fragments.barycentrics, fragments.depth.float().to(dtype))
        smooth = antialias(inputs[2], rounded, inputs[0], faces, implementation=implementation)
        out = torch.cat([mixed, smooth], dim=-1)
        results.append((fragments, out, torch.autograd.grad(out, inputs, images.to(dtype))))
    (native, out, gradients), (twin, expected, wanted) = results
    assert torch.equal(native.triangle, twin.triangle)
    assert relative_error(native.barycentrics, twin.barycentrics) < 1e-6
    assert relative_error(native.depth, twin.depth) < 1e-6
    assert relative_error(out, expected) < 1e-6
    for gradient, one in zip(gradients, wanted, strict=True):
        assert relative_error(gradient, one) < 1e-5


def test_results_do_not_depend_on_the_number_of_threads(threads: Callable[[int], None]) -> None:
    positions, faces = random_triangles(0, views=3, vertices=400, faces=3000)
    attributes, color = torch.randn(400, 3, generator=generator(0)), torch.rand(3, 70, 50, 3, generator=generator(1))
    cotangent, results = torch.randn(3, 70, 50, 3, generator=generator(2)), []
    for count in (1, 2):
        threads(count)
        inputs = [part.clone().requires_grad_() for part in (positions, attributes, color)]
        fragments = rasterize(inputs[0], faces, 70, 50, NATIVE)
        mixed = interpolate(inputs[1], faces, fragments, NATIVE)
        out = antialias(inputs[2] + mixed, fragments, inputs[0], faces, implementation=NATIVE)
        results.append([fragments.triangle, fragments.depth, out, *torch.autograd.grad(out, inputs, cotangent)])
    assert all(torch.equal(one, two) for one, two in zip(*results, strict=True))


def test_the_twin_takes_few_pairs_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    positions, faces = random_triangles(4)
    whole = rasterize(positions, faces, 20, 20, REFERENCE)
    monkeypatch.setattr("lodestone.kernels.rasterization_reference.PAIRS", 300)
    assert torch.equal(rasterize(positions, faces, 20, 20, REFERENCE).triangle, whole.triangle)


# ------------------------------------------------------------------------------------------------------ antialiasing


@pytest.mark.parametrize("faces", [torch.randint(0, 9, (25, 3), generator=generator(0)), sphere()[1]])
def test_every_edge_is_listed_once(faces: Tensor) -> None:
    vertices = int(faces.amax()) + 1
    native, twin = edges_of(faces, vertices), edges_reference(faces, vertices)
    assert torch.equal(native.ends, twin.ends) and torch.equal(native.of_face, twin.of_face)
    for corner in range(3):
        ends = faces[:, [(corner + 1) % 3, (corner + 2) % 3]].sort(dim=1).values
        assert torch.equal(native.ends[native.of_face[:, corner]], ends)
    assert len({tuple(ends) for ends in native.ends.tolist()}) == len(native.ends)


def polygon(sides: int, radius: Tensor, center: Tensor) -> tuple[Tensor, Tensor]:
    """A fan in the plane, radius and centre in pixels of an image of 64 x 64."""
    angle = torch.arange(sides, dtype=torch.float64) * 2 * math.pi / sides + 0.1
    rim = center + radius * torch.stack([angle.cos(), angle.sin()], dim=-1)
    points = torch.cat([center[None], rim]) / 32 - 1
    faces = [(0, 1 + i, 1 + (i + 1) % sides) for i in range(sides)]
    return torch.cat([points, torch.zeros_like(points[:, :1]), torch.ones_like(points[:, :1])], -1)[None], torch.tensor(
        faces
    )


def opacity(positions: Tensor, faces: Tensor, implementation: Implementation) -> Tensor:
    positions = positions.float() if implementation is NATIVE else positions
    fragments = rasterize(positions, faces, 64, 64, implementation)
    mask = (fragments.triangle >= 0)[..., None].to(positions.dtype)
    return antialias(mask, fragments, positions, faces, implementation=implementation)


@pytest.mark.parametrize("implementation", BOTH)
@pytest.mark.parametrize("sides", [4, 7, 200])
def test_area_and_centre_move_with_the_shape(implementation: Implementation, sides: int) -> None:
    """Area within 0.5 %, its derivative by the radius within 4 %, the centroid's by the centre within 4 %.

    What is missed are pieces of edges near corners, a fixed number of pixels.
    """
    exact = 0.5 * sides * math.sin(2 * math.pi / sides)
    rows = torch.arange(64) + 0.5
    for x in (31.3, 31.8, 32.4):
        radius = torch.tensor(20.3, dtype=torch.float64, requires_grad=True)
        center = torch.tensor([x, 31.1], dtype=torch.float64, requires_grad=True)
        image = opacity(*polygon(sides, radius, center), implementation)[0, ..., 0]
        by_radius, _ = torch.autograd.grad(image.sum(), (radius, center), retain_graph=True)
        moment = (image * rows).sum() / image.detach().sum()
        _, by_center = torch.autograd.grad(moment, (radius, center))
        assert float(image.detach().sum()) == pytest.approx(exact * 20.3**2, rel=5e-3)
        assert float(by_radius) == pytest.approx(2 * exact * 20.3, rel=0.04)
        assert float(by_center[0]) == pytest.approx(1, abs=0.04) and abs(float(by_center[1])) < 0.04


@pytest.mark.parametrize("implementation", BOTH)
def test_a_square_has_its_area_but_for_its_corners(implementation: Implementation) -> None:
    for size, shift in ((20.0, 0.0), (20.3, 0.15), (20.8, 0.4), (21.2, -0.3)):
        side = torch.tensor(size, dtype=torch.float64, requires_grad=True)
        unit = torch.tensor([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]], dtype=torch.float64)
        points = (side * unit + 32 + shift) / 32 - 1
        positions = torch.cat([points, torch.zeros(4, 1), torch.ones(4, 1)], dim=-1)[None]
        image = opacity(positions, torch.tensor([[0, 1, 2], [0, 2, 3]]), implementation)
        derivative = torch.autograd.grad(image.sum(), side)[0]
        assert float(image.detach().sum()) == pytest.approx(size**2, abs=0.3)
        assert float(derivative) == pytest.approx(2 * size, abs=1.1)


def test_antialiasing_has_the_derivatives_of_its_differences() -> None:
    """Of moving and scaling, while no centre is crossed: the share of rows and columns does not change then."""
    vertices, faces = sphere(8)
    positions = project(vertices)
    color = torch.rand(1, 32, 32, 2, generator=generator(1), dtype=torch.float64)
    weight = torch.randn(1, 32, 32, 2, generator=generator(2), dtype=torch.float64)

    def loss(move: Tensor) -> Tensor:
        factors = torch.stack([1 + move[2], 1 + move[2], move.new_ones(()), move.new_ones(())])
        offset = torch.cat([move[:2], move.new_zeros(2)])
        moved = positions * factors + offset * positions[..., 3:]
        fragments = rasterize(moved, faces, 32, 32, REFERENCE)
        return (weight * antialias(color, fragments, moved, faces, implementation=REFERENCE)).sum()

    move = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    gradient = torch.autograd.grad(loss(move), move)[0]
    step = 1e-7
    for i in range(3):
        shift = step * torch.eye(3, dtype=torch.float64)[i]
        difference = (loss(move.detach() + shift) - loss(move.detach() - shift)) / (2 * step)
        assert float(gradient[i]) == pytest.approx(float(difference), rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("implementation", BOTH)
def test_triangles_smaller_than_pixels_have_the_same_silhouette(implementation: Implementation) -> None:
    """A ball of 18,000 triangles in 64 x 64 pixels: area and its derivative by the radius, within 1 % and 5 %."""
    vertices, faces = sphere(48)
    radius = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    image = opacity(project(radius * vertices), faces, implementation)
    derivative = torch.autograd.grad(image.sum(), radius)[0]
    # A ball is seen as a disc of radius f r / sqrt(d^2 - r^2), d = 3, f = 2.5 half images of 32 pixels.
    area = math.pi * (2.5 * 32) ** 2 / 8
    assert float(image.detach().sum()) == pytest.approx(area, rel=0.01)
    assert float(derivative) == pytest.approx(area * (2 + 2 / 8), rel=0.05)


@pytest.mark.parametrize("implementation", BOTH)
def test_a_hidden_silhouette_changes_nothing(implementation: Implementation) -> None:
    wall = plane([(-1.5, -1.5), (1.5, -1.5), (1.5, 1.5), (-1.5, 1.5)], -0.5)
    square = plane([(-0.53, -0.51), (0.52, -0.5), (0.51, 0.5), (-0.5, 0.53)], 0.5)
    positions = torch.cat([wall, square], dim=1)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    fragments = rasterize(positions, faces, 32, 32, implementation)
    color = torch.rand(1, 32, 32, 3, generator=generator(0))
    assert torch.equal(antialias(color, fragments, positions, faces, implementation=implementation), color)
    positions[..., 2] *= -1  # now the square is in front
    fragments = rasterize(positions, faces, 32, 32, implementation)
    changed = antialias(color, fragments, positions, faces, implementation=implementation) != color
    assert 50 < int(changed.any(dim=-1).sum()) < 80  # the square's rim, of 68 pixels


def test_given_edges_are_used() -> None:
    positions, faces = polygon(7, torch.tensor(20.3), torch.tensor([32.0, 32.0]))
    positions = positions.float()
    fragments = rasterize(positions, faces, 64, 64)
    mask = (fragments.triangle >= 0)[..., None].float()
    edges = edges_of(faces, 8)
    assert torch.equal(
        antialias(mask, fragments, positions, faces, edges), antialias(mask, fragments, positions, faces)
    )
    none = Edges(edges.ends[:0], edges.of_face)
    assert len(none.ends) == 0
