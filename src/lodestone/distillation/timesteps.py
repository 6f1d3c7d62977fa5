"""How the diffusion time of a step is drawn.

The window that a law draws from is annealed by the schedules of `Plan` and reaches the law through `StepSettings`; an
annealed window therefore needs no law of its own. A window whose ends are equal makes any descent deterministic.
"""

import abc
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.arrays import Times
from lodestone.distillation.step_settings import StepSettings
from lodestone.errors import SettingError
from lodestone.priors.denoiser import SMALLEST
from lodestone.priors.noise import NoiseSchedule

__all__ = [
    "AbstractTimeLaw",
    "LinearTimes",
    "PriorWeightedTimes",
    "SquareRootTimes",
    "StratifiedTimes",
    "UniformTimes",
]


class AbstractTimeLaw(abc.ABC):
    """A law on the integers of a window of times."""

    @abc.abstractmethod
    def sample(self, count: int, step: StepSettings, schedule: NoiseSchedule, rng: torch.Generator) -> Times:
        """One time for each sample, within `step.window`, both ends included."""


@dataclass(frozen=True)
class UniformTimes(AbstractTimeLaw):
    """`t ~ U{low..high}` (Poole et al. 2022, arXiv 2209.14988); `shared` gives all views of a step the same time.

    SJC's ladder of noise levels (Wang et al. 2022, arXiv 2212.00774) is this law on the window 0.01 to 0.97.
    """

    shared: bool = False

    def sample(self, count: int, step: StepSettings, schedule: NoiseSchedule, rng: torch.Generator) -> Times:
        low, high = step.window
        return torch.randint(low, high + 1, (1 if self.shared else count,), generator=rng).expand(count)


@dataclass(frozen=True)
class StratifiedTimes(AbstractTimeLaw):
    """`t_k = low + floor(((u + k / b) mod 1) (high - low + 1))`, one `u ~ U[0, 1)`: spread evenly over the window.

    Each time is uniform by itself and the batch's mean varies less: the low-discrepancy sampler of Kingma et al. 2021,
    Variational Diffusion Models, arXiv 2107.00630.
    """

    def sample(self, count: int, step: StepSettings, schedule: NoiseSchedule, rng: torch.Generator) -> Times:
        low, high = step.window
        shift = torch.rand(1, generator=rng, dtype=torch.float64)
        place = (shift + torch.arange(count, dtype=torch.float64) / count).remainder(1)
        return (low + (place * (high - low + 1)).long()).clamp(max=high)


@dataclass(frozen=True)
class LinearTimes(AbstractTimeLaw):
    """`t = high - (high - low) i / N` at step i of N, the same for the whole batch.

    DreamGaussian (Tang et al. 2023, arXiv 2309.16653), whose `T (1 - i / N)` is clipped to the window; SDI
    (Lukoianov et al. 2024, arXiv 2405.15891) from 0.98 to 0.25.
    """

    def sample(self, count: int, step: StepSettings, schedule: NoiseSchedule, rng: torch.Generator) -> Times:
        return descended(count, step, step.step / step.steps)


@dataclass(frozen=True)
class SquareRootTimes(AbstractTimeLaw):
    """`t = high - (high - low) sqrt(i / N)` at step i of N, the same for the whole batch.

    HiFA (Zhu et al. 2023, arXiv 2305.18766), from 0.98 to 0.30: fast through the noise, slow where details form.
    """

    def sample(self, count: int, step: StepSettings, schedule: NoiseSchedule, rng: torch.Generator) -> Times:
        return descended(count, step, (step.step / step.steps) ** 0.5)


@dataclass(frozen=True)
class PriorWeightedTimes(AbstractTimeLaw):
    """`t(i) = argmin_t' |sum_{t >= t'} W(t) - i / N|` at step i of N: as many steps at each time as it has weight.

        W(t) = W_d(t) W_p(t) / Z,   W_d = sigma_t / alpha_t,
        W_p = exp(-(t - m1)^2 / 2 s1^2) above m1,   1 between m2 and m1,   exp(-(t - m2)^2 / 2 s2^2) below m2

    DreamTime (Huang et al. 2023, arXiv 2306.12422), its first version's constants, in times of 1,000; a schedule of
    another length scales them. W is normalized over the step's window. The weight of each time lies in how long it
    lasts: combine with the weight `Uniform()`. In a fixed window times never
    rise; a longer plan is another descent.
    """

    m1: float = 800.0
    m2: float = 500.0
    s1: float = 300.0
    s2: float = 100.0

    def __post_init__(self) -> None:
        if not self.m2 <= self.m1:
            raise SettingError(f"estimator.times.m2 is {self.m2:g}: choose at most m1, which is {self.m1:g}")
        if not (self.s1 > 0 and self.s2 > 0):
            raise SettingError(f"estimator.times.s1 and s2 are {self.s1:g} and {self.s2:g}: choose both above 0")

    def sample(self, count: int, step: StepSettings, schedule: NoiseSchedule, rng: torch.Generator) -> Times:
        from_above = self.weights(step.window, schedule).flip(0).cumsum(0)
        nearest = (from_above - step.step / step.steps).abs().argmin()
        return (step.window[1] - nearest).expand(count)

    def weights(self, window: tuple[int, int], schedule: NoiseSchedule) -> Float[Tensor, " times"]:
        """`W(t)` at each time of the window; a softmax, so that no window is too far out for it."""
        t = torch.arange(window[0], window[1] + 1, device=schedule.alphas.device)
        alpha, sigma = (table(t).double().clamp(min=SMALLEST) for table in (schedule.alpha, schedule.sigma))
        thousandth = t * (1000 / schedule.length)
        above, below = (thousandth - self.m1).clamp(min=0) / self.s1, (self.m2 - thousandth).clamp(min=0) / self.s2
        return torch.softmax(sigma.log() - alpha.log() - (above.square() + below.square()) / 2, dim=0)


def descended(count: int, step: StepSettings, share: float) -> Times:
    """The time that has left `share` of the window behind on its way down, for each sample."""
    low, high = step.window
    return torch.tensor([round(high - (high - low) * share)]).expand(count)
