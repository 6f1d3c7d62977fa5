"""Noise that is found by inverting the sampler."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from lodestone.arrays import Latents, PerSample, Times
from lodestone.distillation.noising import AbstractNoising, Noised, add_noise, standard_normal
from lodestone.errors import SettingError, check_range
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, PredictionType
from lodestone.priors.guidance import guided, predict_each
from lodestone.priors.noise import NoiseSchedule, over_batch
from lodestone.prompts.conditioning import Conditioning, ConditioningSet

__all__ = ["DDIMInversion"]


@dataclass(frozen=True, kw_only=True)
class DDIMInversion(AbstractNoising):
    """Walks from the clean latents x up to time t by DDIM steps and takes as noise what it arrives with.

        x_t' = alpha_t' x0hat(x_t) + sigma_t' epshat(x_t),   kappa = (x_t - alpha_t x) / sigma_t

    Song et al. 2020, DDIM, arXiv 2010.02502, Eq. 12 and Sec. 5.4. The walk passes 0, stride, 2 stride, ..., s and ends
    at t; s is `last_step` before t or, without one, the last multiple of the stride below t. One denoiser call for each
    sample and step, two if guided. Each sample walks its own way and waits for the others when it has arrived.

    The first step takes x itself as x0hat, because x holds no noise yet; the authors of ISM first add the noise of time
    0, those of SDI evaluate their network at a negative time.
    """

    gives_earlier: ClassVar[bool] = True

    stride: int = 200
    """Times between two points of the walk."""
    most_steps: int = 5
    """The walk to s has at most so many steps; a longer way has a wider stride."""
    last_step: int = 0
    """t - s, the length of the last step."""
    begin: int = 0
    """Where the walk begins, at most s. Above 0 x is noised freshly there: a network that predicts clean pictures knows
    hardly any noise at small times, where its errors stand for noise far larger than 1."""
    overshoot: int = 0
    """The last step ends at t + d with `d ~ U{0..overshoot - 1}`, and x_t is made with the kappa found there."""
    guidance_scale: float = 0.0
    """s of the walk: 0 is the null condition, 1 the prompt; a negative scale walks away from the prompt."""
    stochasticity: float = 0.0
    """eta: each step adds eta times the standard deviation of the DDPM step back; nothing is taken away for it."""

    def __post_init__(self) -> None:
        limits = {"stride": (1, 10**9), "most_steps": (1, 10**9), "last_step": (0, 10**9), "overshoot": (0, 10**9)}
        for name, bounds in {**limits, "begin": (0, 10**9)}.items():
            check_range(f"estimator.noising.{name}", getattr(self, name), *bounds)
        check_range("estimator.noising.stochasticity", self.stochasticity, 0.0, 1.0)

    def check(self, denoiser: AbstractDenoiser) -> None:
        length = denoiser.schedule.length
        for name in ("stride", "most_steps", "last_step", "begin", "overshoot"):
            if (value := getattr(self, name)) > length:
                raise SettingError(
                    f"estimator.noising.{name} is {value}, but the prior's schedule has {length} times: "
                    f"choose at most {length}"
                )

    def __call__(
        self, clean: Latents, t: Times, denoiser: AbstractDenoiser, conditioning: ConditioningSet, rng: torch.Generator
    ) -> Noised:
        schedule, walk = denoiser.schedule, self.walk(t)
        end = t + torch.randint(max(1, self.overshoot), t.shape, generator=rng).to(t.device)
        end = end.clamp(max=schedule.length - 1)
        now = t.new_full(t.shape, self.begin).minimum(walk[-1] if walk else torch.zeros_like(t))
        noisy = add_noise(clean, standard_normal(clean, rng), now, schedule).noisy if self.begin else clean
        walk = [later for later in walk if bool((later > now).any())]
        for later in walk:
            rows = (later > now).nonzero()[:, 0]
            told = replace(conditioning, positive=conditioning.positive.take(rows), null=conditioning.null.take(rows))
            here = self.predict(clean[rows], noisy[rows], now[rows], denoiser, told)
            noisy = noisy.index_copy(0, rows, self.leave(here, later[rows], schedule, rng))
            now = later.maximum(now)
        here = self.predict(clean, noisy, now, denoiser, conditioning)
        found = self.leave(here, end, schedule, rng)
        kappa = (found - over_batch(schedule.alpha(end)) * clean) / over_batch(schedule.sigma(end))
        calls = (len(walk) + 1) * (1 if self.guidance_scale in (0, 1) else 2)
        noised = add_noise(clean, kappa.to(clean.dtype), t, schedule)
        return replace(noised, earlier=here, denoiser_calls=calls)

    def walk(self, t: Times) -> list[Times]:
        """The points behind 0 up to s, step by step; a sample that has arrived stays where it is."""
        way = (t - self.last_step).clamp(min=0)
        spacing = (-(-way // self.most_steps)).clamp(min=self.stride)
        last = way if self.last_step else (t - 1).clamp(min=0) // spacing * spacing
        count = int((-(-last // spacing)).max())
        return [torch.minimum(k * spacing, last) for k in range(1, count + 1)]

    def predict(
        self, clean: Latents, noisy: Latents, now: Times, denoiser: AbstractDenoiser, conditioning: ConditioningSet
    ) -> Noised:
        """What the network sees at a point of the walk."""
        known: dict[float, list[Conditioning]] = {0: [conditioning.null], 1: [conditioning.positive]}
        wanted = known.get(self.guidance_scale, [conditioning.positive, conditioning.null])
        answers = [answer.noise for answer in predict_each(denoiser, noisy, now, wanted)]
        noise = answers[0] if len(answers) == 1 else guided(answers[0], answers[1], self.guidance_scale)
        predicted = Prediction.of(PredictionType.NOISE, noise, noisy, now, denoiser.schedule).clean
        return Noised(torch.where((now == 0)[:, None, None, None], clean, predicted), noisy, noise, now)

    def leave(self, here: Noised, later: Times, schedule: NoiseSchedule, rng: torch.Generator) -> Latents:
        """One DDIM step to a later time."""
        moved = add_noise(here.clean, here.noise, later, schedule).noisy
        if self.stochasticity == 0:
            return moved
        spread = self.stochasticity * step_back(here.t, later, schedule)
        return (moved + over_batch(spread) * standard_normal(moved, rng)).to(moved.dtype)


def step_back(now: Times, later: Times, schedule: NoiseSchedule) -> PerSample:
    """Standard deviation of the DDPM step from `later` back to `now`; 0 where now is the clean picture.

    `(sigma / sigma') sqrt(sigma'^2 - (alpha' / alpha)^2 sigma^2)`, Ho et al. 2020, arXiv 2006.11239, Eq. 7.
    """
    alpha, alpha_later, sigma_later = schedule.alpha(now), schedule.alpha(later), schedule.sigma(later)
    sigma = torch.where(now == 0, 0.0, schedule.sigma(now))
    added = (sigma_later.square() - (alpha_later / alpha * sigma).square()).clamp(min=0)
    return sigma / sigma_later * added.sqrt()
