"""What the frozen denoiser says of one noised batch; the only way in which estimators reach it."""

from dataclasses import dataclass

import torch

from lodestone.arrays import Latents, Times
from lodestone.distillation.noising import Noised
from lodestone.distillation.step_settings import StepSettings
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.priors.guidance import guided, pushed_away
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import Conditioning, ConditioningSet

__all__ = ["Pair", "Scores"]


@dataclass(frozen=True)
class Pair:
    """The noise predicted for the prompt and for what guidance moves away from, at the same noisy latents."""

    positive: Latents
    null: Latents

    @property
    def difference(self) -> Latents:
        """`eps_y - eps_null`, the direction of guidance."""
        return self.positive - self.null

    def guided(self, scale: float) -> Latents:
        """`eps_null + s (eps_y - eps_null)`."""
        return guided(self.positive, self.null, scale)


@dataclass
class Scores:
    """Answers an estimator's questions in batched calls, and counts them."""

    denoiser: AbstractDenoiser
    noised: Noised
    conditioning: ConditioningSet
    step: StepSettings
    rng: torch.Generator
    denoiser_calls: int = 0
    """Denoiser evaluations for each sample so far."""

    @property
    def noise(self) -> Latents:
        """`eps`, the noise that was added."""
        return self.noised.noise

    @property
    def t(self) -> Times:
        """The diffusion time of each sample."""
        return self.noised.t

    @property
    def schedule(self) -> NoiseSchedule:
        """The denoiser's noise schedule."""
        return self.denoiser.schedule

    def predict(self, *conditionings: Conditioning) -> list[Latents]:
        """The noise predicted at the noised latents under each condition, in one call."""
        return self.ask(*((self.noised, conditioning) for conditioning in conditionings))

    def ask(self, *questions: tuple[Noised, Conditioning]) -> list[Latents]:
        """The noise predicted for each pair of noised latents and condition, in one call."""
        self.denoiser_calls += len(questions)
        noisy = torch.cat([noised.noisy for noised, _ in questions])
        t = torch.cat([noised.t for noised, _ in questions])
        joint = Conditioning.concatenate([conditioning for _, conditioning in questions])
        predicted = self.denoiser(noisy, t, joint).noise
        return list(predicted.split([len(noised.noisy) for noised, _ in questions]))

    def pair(self) -> Pair:
        """Prompt and baseline: the two scores of classifier-free guidance.

        Where conditions are opposed to the prompt, `positive` has been pushed away from them (Perp-Neg), so that
        whatever is built on a pair has Perp-Neg too.
        """
        return self.pair_and()[0]

    def pair_and(self, *others: tuple[Noised, Conditioning]) -> tuple[Pair, list[Latents]]:
        """Prompt and baseline at the noised latents, and the answers to other questions, all in one call."""
        known = self.conditioning
        wanted = [known.positive, known.baseline, *(part.conditioning for part in known.opposed)]
        answers = self.ask(*((self.noised, conditioning) for conditioning in wanted), *others)
        positive, null, *opposed = answers[: len(wanted)]
        pushed = pushed_away(positive, null, opposed, [part.weight for part in known.opposed])
        return Pair(pushed, null), answers[len(wanted) :]
