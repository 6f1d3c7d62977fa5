"""The frame of splat files."""

from dataclasses import fields

import torch
from golden_arrow import arrow, covariances, random_gaussians

from lodestone.export.frames import from_file_frame, points_to_file_frame, to_file_frame

PERMUTATION = torch.tensor([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


def test_points_are_turned_not_mirrored() -> None:
    assert torch.equal(points_to_file_frame(torch.eye(3)).T, PERMUTATION)
    assert torch.linalg.det(PERMUTATION).item() == 1


def test_front_is_plus_z_and_up_is_minus_y() -> None:
    front_and_up = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    assert points_to_file_frame(front_and_up).tolist() == [[0, 0, 1], [0, -1, 0]]


def test_covariances_turn_with_the_points() -> None:
    raw = random_gaussians(50)
    turned = PERMUTATION @ covariances(raw) @ PERMUTATION.T
    torch.testing.assert_close(covariances(to_file_frame(raw)), turned, rtol=1e-5, atol=1e-7)


def test_there_and_back_is_exact() -> None:
    for raw in (arrow(), random_gaussians(50)):
        back = from_file_frame(to_file_frame(raw))
        assert all(torch.equal(getattr(back, field.name), getattr(raw, field.name)) for field in fields(raw))
