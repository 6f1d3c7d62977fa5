"""The problems say what they claim to."""

import pytest
import torch

from lodestone.errors import SettingError
from lodestone.oracle.problems import PROBLEMS, named_problem, picture_problem, points, ring, simplex, trap


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_fits_together(name):
    problem = named_problem(name)
    known = problem.conditioning(3)
    assert problem.modes.shape[1:] == problem.denoiser.latent_shape == problem.start.shape[1:]
    assert int(problem.included.sum()) == len(problem.modes) < len(problem.included)
    assert len(known.positive) == len(known.null) == 3
    particles = problem.particles(3, torch.Generator().manual_seed(0))
    assert particles.dtype == problem.modes.dtype and particles.shape == (3, *problem.start.shape[1:])


def test_an_unknown_problem_is_refused():
    with pytest.raises(SettingError, match="choose among trap"):
        named_problem("maze")


@pytest.mark.parametrize("t", [0, 20, 500])
def test_what_the_prompt_excludes_stays_excluded_at_every_time(t):
    """At another picture the prompt's score is that of its own two components, even where they are 20,000 nats less
    likely; and the negative prompt's is that of all others."""
    problem = picture_problem("one", ("teapot",), every=300)
    denoiser, half = problem.denoiser, len(problem.included) // 2
    other = denoiser.means[half - 1].view(1, *denoiser.latent_shape)
    times = torch.tensor([t])
    shares = denoiser.responsibilities(other, times, problem.positive)
    assert float(shares[0, 0] + shares[0, half]) == pytest.approx(1.0)
    rest = denoiser.responsibilities(other, times, problem.complement)
    assert float(rest[0, 0] + rest[0, half]) == 0.0


def test_start_is_as_documented():
    """The distance of 0.57 to the nearest mode; midway between the modes of the simplex; the middle of the ring."""
    start = (trap().start - points([(-1.0, 0.0)])).norm()
    assert float(start) == pytest.approx(0.5657, abs=1e-4)
    middle = simplex(8)
    assert torch.equal(middle.start, middle.modes.mean(0, keepdim=True))
    assert float(ring().start.abs().max()) == 0.0


def test_the_null_condition_has_every_component_equally():
    problem = trap()
    assert torch.equal(problem.null.tokens.softmax(-1), torch.full((1, 1, 3), 1 / 3, dtype=torch.float64))
