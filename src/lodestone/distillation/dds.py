"""Delta denoising score: editing what is there already."""

import abc
from dataclasses import dataclass, replace

from lodestone.arrays import Latents
from lodestone.distillation.estimator import AbstractGuidedEstimator, Residual
from lodestone.distillation.noising import add_noise
from lodestone.distillation.scores import Scores
from lodestone.distillation.weighting import AbstractWeight, Uniform
from lodestone.errors import SettingError
from lodestone.priors.denoiser import AbstractDenoiser
from lodestone.prompts.conditioning import ConditioningSet

__all__ = ["AbstractEditing", "DeltaDenoisingScore", "Edit"]


@dataclass(frozen=True)
class Edit:
    """A picture beside its source, what it was before the edit."""

    edited: Latents
    """`eps_s(x_t; y)`, the guided score of the picture under the prompt."""
    source: Latents
    """`eps_s(x'_t; y')`, that of the source under its own wording."""
    moved: Latents
    """`x - x'`."""


@dataclass(frozen=True, kw_only=True)
class AbstractEditing(AbstractGuidedEstimator, abc.ABC):
    """An estimator that compares a picture with its source at the same times and with the same noise.

    Four denoiser calls for each sample, in one batch.
    """

    weight: AbstractWeight = Uniform()

    def check(self, denoiser: AbstractDenoiser, conditioning: ConditioningSet, views: int) -> None:
        super().check(denoiser, conditioning, views)
        if conditioning.source is None:
            raise SettingError("prompt.source is empty, but this estimator edits: say what the picture shows now")

    def edit(self, scores: Scores) -> Edit:
        """Both guided scores, in one call.

        Raises: SettingError if there is no source picture.
        """
        known = scores.conditioning
        if known.source is None or known.source_latents is None:
            raise SettingError("scene.source is empty, but this estimator edits: name the picture that it begins with")
        source = add_noise(known.source_latents, scores.noise, scores.t, scores.schedule)
        pair, (positive, null) = scores.pair_and((source, known.source), (source, known.baseline))
        return Edit(
            edited=self.guide(scores, pair.positive, pair.null),
            source=self.guide(replace(scores, noised=source), positive, null),
            moved=scores.noised.clean - source.clean,
        )


@dataclass(frozen=True, kw_only=True)
class DeltaDenoisingScore(AbstractEditing):
    """DDS: `g = w(t) (eps_s(x_t; y) - eps_s(x'_t; y'))`, x' the source and y' its wording; w = 1.

    Hertz et al. 2023, arXiv 2304.07090; s = 7.5, t in [0.05, 0.95], 200 steps of plain gradient descent. The
    second score stands for what SDS would do to a picture that matches its wording, and that is taken away.

    The authors' weight is `alpha^p sigma^q` with p = q = 0, and their loss is multiplied by 2000, which Adam undoes.
    """

    guidance_scale: float = 7.5

    def residual(self, scores: Scores) -> Residual:
        edit = self.edit(scores)
        return Residual(edit.edited - edit.source, {"edited": edit.edited, "source": edit.source})
