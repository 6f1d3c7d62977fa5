"""The draft of a prior that knows cameras."""

import math

import pytest
import torch
from torch.nn.functional import softplus

from lodestone.prompts.camera import CAMERA_FEATURES, camera_features
from lodestone.prompts.draft import DRAFT_SIDE
from lodestone.prompts.solid_draft import (
    DENSITY,
    EMPTINESS,
    REACH,
    VOLUME_SIDE,
    Matter,
    SolidDraft,
    pixel_rays,
    see_volume,
)
from lodestone.rendering.cameras import turntable

AROUND = turntable(4, elevation=20.0, distance=3.0, field_of_view=25.0)
EVERYWHERE = torch.arange(DRAFT_SIDE**2).expand(4, -1)
WIDTH = 6


@pytest.fixture
def draft() -> SolidDraft:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SolidDraft(WIDTH, 16).eval().requires_grad_(False)


def pooled(told: list[bool]) -> torch.Tensor:
    vector = torch.randn(1, WIDTH, generator=torch.Generator().manual_seed(1))
    words = torch.cat([vector, vector, torch.zeros(1, 2 * WIDTH + 6)], dim=1).expand(len(told), -1)
    camera = camera_features(AROUND)[: len(told)] * torch.tensor(told)[:, None]
    return torch.cat([words, camera], dim=1)


def filled(density: float, color: float) -> torch.Tensor:
    volume = torch.full((4, 4, VOLUME_SIDE, VOLUME_SIDE, VOLUME_SIDE), color)
    volume[:, 0] = density
    return volume


def test_rays_are_those_of_the_cameras() -> None:
    origin, direction = pixel_rays(camera_features(AROUND), EVERYWHERE)
    cameras = AROUND.cameras(DRAFT_SIDE, DRAFT_SIDE)
    torch.testing.assert_close(origin, cameras.camera_to_world[:, :3, 3])
    seen = cameras.points(torch.ones(4, DRAFT_SIDE, DRAFT_SIDE, 1)).flatten(1, 2)
    torch.testing.assert_close(origin[:, None] + direction, seen, atol=1e-5, rtol=0)


def test_an_empty_volume_is_white() -> None:
    seen = see_volume(filled(-100.0, -5.0), camera_features(AROUND), EVERYWHERE)
    torch.testing.assert_close(seen, torch.ones_like(seen))


def test_the_middle_of_a_plain_volume_is_its_colour_by_the_law_of_absorption() -> None:
    """`1 - exp(-sigma L)` of the colour over white, with L the length of the ray in the cube, to a sample's length."""
    level = turntable(4, elevation=0.0, distance=3.0, field_of_view=25.0)
    middle = torch.full((4, 1), DRAFT_SIDE**2 // 2 + DRAFT_SIDE // 2)
    seen = see_volume(filled(-1.0, 0.7), camera_features(level), middle)
    sigma = DENSITY * float(softplus(torch.tensor(-1.0 + EMPTINESS)))
    absorbed = 1 - math.exp(-sigma * 2 * REACH)
    expected = absorbed * (2 / (1 + math.exp(-0.7)) - 1) + 1 - absorbed
    torch.testing.assert_close(seen, torch.full_like(seen, expected), atol=0.02, rtol=0)


def test_what_stands_at_the_front_is_seen_from_the_front_alone() -> None:
    """A black wall before a colourless, dense cube, on the side of +x."""
    volume = filled(20.0, 20.0)
    volume[:, 1:, :, :, -3:] = -20.0
    front, _, back, _ = see_volume(volume, camera_features(AROUND), EVERYWHERE)
    middle = DRAFT_SIDE // 2 * (DRAFT_SIDE + 1)
    assert front[:, middle].max() < -0.9 and back[:, middle].min() > 0.9


def test_a_quarter_turn_of_volume_and_camera_changes_nothing() -> None:
    volume = torch.randn(4, 4, VOLUME_SIDE, VOLUME_SIDE, VOLUME_SIDE, generator=torch.Generator().manual_seed(0))
    camera = camera_features(AROUND)
    turned = volume.transpose(3, 4).flip(4)  # x becomes y, y becomes -x
    one = see_volume(volume, camera, EVERYWHERE)
    two = see_volume(turned, camera[[1, 2, 3, 0]], EVERYWHERE)
    torch.testing.assert_close(one, two, atol=1e-4, rtol=0)


def test_gradients_agree_with_finite_differences() -> None:
    volume = torch.randn(1, 4, 3, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    camera, pixels = camera_features(AROUND)[:1].double(), torch.tensor([[400, 528, 700]])
    assert torch.autograd.gradcheck(lambda v: see_volume(v, camera, pixels), volume.requires_grad_())


def test_an_untold_camera_gives_a_flat_picture_whatever_stands_beside_it(draft: SolidDraft) -> None:
    mixed, alone = draft(pooled([True, False, True])), draft(pooled([False]))
    torch.testing.assert_close(mixed[1:2], alone)
    torch.testing.assert_close(mixed[[0, 2]], draft(pooled([True, True, True]))[[0, 2]])
    assert not torch.allclose(mixed[0], mixed[2])
    assert draft(pooled([])).shape == (0, 3, DRAFT_SIDE, DRAFT_SIDE)


def test_what_is_known_from_flat_pictures_alone_is_flat_from_every_camera(draft: SolidDraft) -> None:
    flat, solid = draft(pooled([False])), draft(pooled([True, True]))
    draft.flatness.bias.fill_(100.0)
    torch.testing.assert_close(draft(pooled([True, True])), flat.expand(2, -1, -1, -1))
    draft.flatness.weight.zero_()
    draft.flatness.bias.zero_()
    half = draft(pooled([True, True]))
    draft.flatness.bias.fill_(-100.0)
    torch.testing.assert_close(half, (draft(pooled([True, True])) + flat) / 2)
    assert not torch.allclose(solid[0], solid[1])


def test_the_error_of_some_pixels_is_that_of_all_in_the_mean(draft: SolidDraft) -> None:
    rows, rng = pooled([True, False, True]), torch.Generator().manual_seed(0)
    pictures = torch.rand(3, 3, DRAFT_SIDE, DRAFT_SIDE, generator=rng)
    whole = float((draft(rows) - pictures).square().mean())
    drawn = torch.stack([draft.squared_error(rows, pictures, rng) for _ in range(100)])
    assert abs(float(drawn.mean()) - whole) < 5 * float(drawn.std()) / 10
    assert rows.shape[1] == 4 * WIDTH + 6 + CAMERA_FEATURES


def two(first: int, second: int, direction: tuple[float, float, float]) -> torch.Tensor:
    """What is read of two things from four sides."""
    vectors = [torch.randn(WIDTH, generator=torch.Generator().manual_seed(seed)) for seed in (9, first, second)]
    row = torch.cat([*vectors, torch.zeros(WIDTH), torch.tensor(direction), torch.zeros(3)]).expand(4, -1)
    return torch.cat([row, camera_features(AROUND)], dim=1)


def test_a_thing_is_the_same_volume_alone_and_in_company(draft: SolidDraft) -> None:
    """With the other emptied, moved nowhere and not scaled, the picture of two things is that of the first alone."""
    read = two(1, 2, (0.0, 0.0, 0.0))
    alone = torch.cat(
        [read[:, WIDTH : 2 * WIDTH]] * 2 + [torch.zeros(4, 2 * WIDTH + 6), camera_features(AROUND)], dim=1
    )
    draft.flatness.bias.fill_(-100.0)
    draft.placement[2].bias.zero_()
    draft.placement[2].bias[5] = 100.0  # out of sight
    torch.testing.assert_close(draft(read), draft(alone))


def test_before_anything_is_learned_two_things_stand_as_the_words_say(draft: SolidDraft) -> None:
    """The second is dense and black, the first is empty: seen from the front it is at the right of "left of"."""
    second = draft.words(two(1, 2, (0.0, 0.0, 0.0))[:1, 2 * WIDTH : 3 * WIDTH])
    volumes = torch.full((2, 4, VOLUME_SIDE**3), -30.0)
    volumes[1, 0] = 30.0

    def volume_of(features: torch.Tensor) -> torch.Tensor:
        chosen = (features - second).abs().amax(dim=1) < 1e-5
        return volumes[chosen.long()].unflatten(2, (VOLUME_SIDE, VOLUME_SIDE, VOLUME_SIDE))

    draft.volume_of = volume_of  # type: ignore[method-assign]
    for direction, side in (((0.0, 1.0, 0.0), "right"), ((0.0, -1.0, 0.0), "left"), ((0.0, 0.0, -1.0), "below")):
        dark = (draft(two(1, 2, direction))[0] < 0).any(dim=0).float()
        rows, columns = (dark.sum(dim=axis) for axis in (1, 0))
        middle = (DRAFT_SIDE - 1) / 2
        place = {name: float((line * torch.arange(DRAFT_SIDE)).sum() / dark.sum()) - middle
                 for name, line in (("down", rows), ("across", columns))}  # fmt: skip
        assert {"right": place["across"] > 3, "left": place["across"] < -3, "below": place["down"] > 3}[side]


def test_densities_add_and_colours_are_averaged_by_them() -> None:
    one = Matter(torch.full((2, 1, 1), 1.0), torch.full((2, 3, 1, 1), -1.0))
    other = Matter(torch.full((1, 1, 1), 3.0), torch.full((1, 3, 1, 1), 1.0))
    both = one.joined(torch.tensor([False, True]), other)
    assert both.density.flatten().tolist() == [1.0, 4.0]
    torch.testing.assert_close(both.color[:, 0].flatten(), torch.tensor([-1.0, 0.5]))


def test_a_caption_is_read_as_the_whole_its_things_and_their_direction() -> None:
    numbers: dict[str, float] = {"": 0.0}

    def embed(texts: list[str]) -> torch.Tensor:
        return torch.tensor([[numbers.setdefault(text, float(len(numbers)))] for text in texts])

    read = SolidDraft.read(["a photo of a cat behind a red car", "two lemons"], embed)
    assert list(numbers) == ["", "a cat behind a red car", "two lemons", "a cat", "a lemon", "a red car"]
    assert read.tolist() == [[1, 3, 5, 0, 1, 0, 0, 0, 0, 0], [2, 4, 4, 0, 0, 1, 0, 0, 0, 0]]


def test_a_third_thing_is_seen_where_it_is_placed(draft: SolidDraft) -> None:
    """The picture of three things of which two are out of sight is that of the other alone."""
    read = two(1, 2, (0.0, 0.0, 0.0)).clone()
    read[:, 3 * WIDTH : 4 * WIDTH] = read[:, 2 * WIDTH : 3 * WIDTH]
    alone = torch.cat(
        [read[:, 3 * WIDTH : 4 * WIDTH]] * 2 + [torch.zeros(4, 2 * WIDTH + 6), camera_features(AROUND)], 1
    )
    draft.flatness.bias.fill_(-100.0)
    draft.placement[2].bias.zero_()
    draft.placement[2].bias[[0, 5]] = 100.0
    torch.testing.assert_close(draft(read), draft(alone))
