"""Where cameras stand and what they see: OpenCV axes in a right-handed world with z up."""

import math

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.rendering.cameras import EvaluationCamera, OrbitSampler, Viewpoints, look_at_origin


def viewpoints(azimuth=0.0, elevation=0.0, distance=2.0, field_of_view=90.0):
    names = ("azimuth", "elevation", "distance", "field_of_view")
    numbers = (azimuth, elevation, distance, field_of_view)
    return Viewpoints(**{name: torch.tensor([number]) for name, number in zip(names, numbers, strict=True)})


def project(cameras, point):
    """Pixel coordinates (x right, y down) and depth of a world point in the first camera."""
    local = torch.linalg.inv(cameras.camera_to_world[0]) @ torch.tensor([*point, 1.0])
    x, y, w = cameras.intrinsics[0] @ local[:3]
    return float(x / w), float(y / w), float(w)


def test_pose_of_a_camera_in_front_is_known_by_hand():
    """Azimuth 0, elevation 0, distance 2: at (2, 0, 0), right is +y, down is -z, forward is -x."""
    pose = look_at_origin(torch.tensor([0.0]), torch.tensor([0.0]), torch.tensor([2.0]))[0]
    expected = torch.tensor([[0.0, 0, -1, 2], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    torch.testing.assert_close(pose, expected)


def test_pose_of_a_raised_camera_is_known_by_hand():
    """Azimuth 90, elevation 30, distance 4: at (0, 2 sqrt 3, 2), looking along (0, -sqrt 3 / 2, -1/2)."""
    pose = look_at_origin(torch.tensor([90.0]), torch.tensor([30.0]), torch.tensor([4.0]))[0]
    torch.testing.assert_close(pose[:3, 3], torch.tensor([0.0, 2 * math.sqrt(3), 2.0]), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(pose[:3, 2], torch.tensor([0.0, -math.sqrt(3) / 2, -0.5]), atol=1e-6, rtol=1e-6)


def test_azimuth_90_stands_on_the_side_of_plus_y():
    x, _, depth = project(viewpoints(azimuth=90.0).cameras(10, 10), (0.0, 1.0, 0.0))
    assert depth == pytest.approx(1.0) and x == pytest.approx(5.0)
    assert project(viewpoints(azimuth=90.0).cameras(10, 10), (0.0, -1.0, 0.0))[2] == pytest.approx(3.0)


def test_poses_are_rotations():
    drawn = OrbitSampler(elevation=(-90.0, 90.0)).sample(64, torch.Generator().manual_seed(0)).cameras(8, 8)
    rotation = drawn.camera_to_world[:, :3, :3]
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(64))
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(64, 3, 3), atol=1e-6, rtol=0)


def test_the_origin_lands_in_the_centre_of_every_image():
    cameras = OrbitSampler().sample(1, torch.Generator().manual_seed(1)).cameras(30, 50)
    assert project(cameras, (0.0, 0.0, 0.0))[:2] == pytest.approx((25.0, 15.0), abs=1e-4)


@pytest.mark.parametrize("azimuth", [0.0, 77.0, 180.0, -90.0])
def test_the_worlds_up_is_up_in_the_image(azimuth):
    cameras = viewpoints(azimuth=azimuth, elevation=20.0).cameras(10, 10)
    assert project(cameras, (0.0, 0.0, 0.3))[1] < 5.0 < project(cameras, (0.0, 0.0, -0.3))[1]


def test_what_is_on_the_objects_left_is_right_in_the_image_from_the_front():
    assert project(viewpoints().cameras(10, 10), (0.0, 0.5, 0.0))[0] > 5.0


def test_a_field_of_view_of_90_degrees_sees_as_high_as_far():
    """At distance 2, the upper border is at height 2 tan 45 = 2; a wider image sees more at the sides only."""
    for width in (10, 40):
        assert project(viewpoints().cameras(10, width), (0.0, 0.0, 2.0))[1] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_azimuths_are_stratified(seed):
    """Each eighth of the circle has exactly one of eight cameras."""
    drawn = OrbitSampler(azimuth=(-180.0, 180.0)).sample(8, torch.Generator().manual_seed(seed)).azimuth
    assert ((drawn + 180) / 45).floor().tolist() == list(range(8))


def test_every_draw_stays_within_its_bounds():
    sampler = OrbitSampler(
        azimuth=(0.0, 90.0), elevation=(-10.0, 45.0), distance=(2.0, 3.0), field_of_view=(40.0, 70.0)
    )
    drawn = vars(sampler.sample(5_000, torch.Generator().manual_seed(0)))
    for name, values in drawn.items():
        low, high = getattr(sampler, name)
        assert low - 1e-3 <= values.min() and values.max() <= high + 1e-3
        assert values.max() - values.min() > 0.98 * (high - low)


def test_half_of_the_elevations_are_uniform_on_the_sphere():
    """On the whole sphere E|elevation| is 45 by angle and (180 / pi)(pi / 2 - 1) = 32.70 by area; 4 standard errors."""
    drawn = OrbitSampler(elevation=(-90.0, 90.0)).sample(40_000, torch.Generator().manual_seed(0)).elevation.abs()
    standard_error = float(drawn.std()) / math.sqrt(len(drawn))
    assert float(drawn.mean()) == pytest.approx((45.0 + 32.7042) / 2, abs=4 * standard_error)


def test_a_turntable_begins_at_the_front_and_turns_evenly():
    turn = EvaluationCamera(elevation=15.0, distance=3.0, field_of_view=50.0).viewpoints(8)
    assert turn.azimuth.tolist() == [0, 45, 90, 135, 180, 225, 270, 315]
    assert set(turn.elevation.tolist()) == {15.0} and set(turn.distance.tolist()) == {3.0}


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"elevation": (-10.0, 91.0)}, "cameras.elevation"),
        ({"elevation": (45.0, -10.0)}, "cameras.elevation"),
        ({"distance": (0.0, 1.0)}, "cameras.distance"),
        ({"field_of_view": (40.0, 180.0)}, "cameras.field_of_view"),
        ({"azimuth": (float("nan"), 1.0)}, "cameras.azimuth"),
    ],
)
def test_impossible_cameras_are_refused_by_name(settings, name):
    with pytest.raises(SettingError, match=name):
        OrbitSampler(**settings)


def test_impossible_evaluation_cameras_are_refused_by_name():
    with pytest.raises(SettingError, match=r"evaluation\.distance"):
        EvaluationCamera(distance=0.0)
