"""Every estimator by the name that the command line uses, with the settings that suit a prior.

Published settings are for Stable Diffusion (`vfds` and `rfds-rev` for priors that are flows). The small priors'
conditional model is sharp by itself: they take a low guidance scale and, for what is learned on the side, a rate that
moves it within some hundred steps.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lodestone.distillation.asd import AsynchronousScoreDistillation
from lodestone.distillation.bridge import SOURCE_SUFFIX, SchroedingerBridge
from lodestone.distillation.bsd import BootstrappedScoreDistillation
from lodestone.distillation.csd import ClassifierScoreDistillation
from lodestone.distillation.esd import EntropicScoreDistillation
from lodestone.distillation.estimator import AbstractEstimator
from lodestone.distillation.hifa import HighFidelityDistillation
from lodestone.distillation.inversion import DDIMInversion
from lodestone.distillation.ism import IntervalScoreMatching
from lodestone.distillation.lods import LearnedNullEmbedding, LearnedNullLora
from lodestone.distillation.mvdream import MultiViewReconstruction
from lodestone.distillation.nfsd import NEGATIVE_PROMPT, NoiseFreeScoreDistillation
from lodestone.distillation.normalized_sds import NormalizedScoreDistillation
from lodestone.distillation.refinement import ImageRefinement
from lodestone.distillation.reversal import PredictedNoise
from lodestone.distillation.sdi import ScoreDistillationInversion
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.sjc import ScoreJacobianChaining
from lodestone.distillation.ssd import StableScoreDistillation
from lodestone.distillation.timesteps import LinearTimes, PriorWeightedTimes
from lodestone.distillation.vfds import VelocityFlowDistillation
from lodestone.distillation.view_consistent import ViewConsistentNoise
from lodestone.distillation.vsd import VariationalScoreDistillation
from lodestone.distillation.weighting import SigmaOverAlpha, SigmaSquared, Uniform
from lodestone.errors import SettingError
from lodestone.optimize.experiment import Experiment
from lodestone.priors.choose import is_world
from lodestone.priors.embedded import is_embedded

__all__ = ["estimator_for", "estimators", "is_exact", "is_small", "knows_cameras", "with_estimator"]

SMALL_SCALE = 3.0
"""Guidance scale for the small priors; higher scales oversaturate."""


def published() -> dict[str, AbstractEstimator]:
    """The papers' settings, for Stable Diffusion."""
    return {
        "sds": ScoreDistillation(guidance_scale=100.0),
        "normalized-sds": NormalizedScoreDistillation(),
        "sjc": ScoreJacobianChaining(),
        "dreamtime": ScoreDistillation(guidance_scale=100.0, times=PriorWeightedTimes(), weight=Uniform()),
        "hifa": HighFidelityDistillation(guidance_scale=100.0),
        "csd": ClassifierScoreDistillation(),
        "nfsd": NoiseFreeScoreDistillation(),
        "ssd": StableScoreDistillation(threshold=0.1),
        "bridge": SchroedingerBridge(),
        "lods-embedding": LearnedNullEmbedding(),
        "lods-lora": LearnedNullLora(),
        "vsd": VariationalScoreDistillation(),
        "esd": EntropicScoreDistillation(),
        "bsd": BootstrappedScoreDistillation(),
        "asd": AsynchronousScoreDistillation(),
        "ism": IntervalScoreMatching(),
        "sdi": ScoreDistillationInversion(),
        "cfd": ScoreDistillation(
            guidance_scale=50.0, times=LinearTimes(), noising=ViewConsistentNoise(), weight=SigmaOverAlpha()
        ),
        "mvdream": MultiViewReconstruction(),
        "vfds": VelocityFlowDistillation(),
        "rfds-rev": VelocityFlowDistillation(noising=PredictedNoise()),
        "refinement": ImageRefinement(),
    }


def small() -> dict[str, AbstractEstimator]:
    """Settings for the empirical and the embedded priors: the published methods with other numbers."""
    guided = {
        name: replace(estimator, guidance_scale=SMALL_SCALE)  # type: ignore[call-arg]
        for name, estimator in published().items()
        if name not in ("csd", "ssd", "nfsd")
    }
    learned = {
        name: replace(guided[name], learning_rate=rate, learned_share=0.5)  # type: ignore[call-arg]
        for name, rate in {"lods-embedding": 1e-2, "lods-lora": 1e-3, "vsd": 1e-3, "esd": 1e-3, "bsd": 1e-3}.items()
    }
    own: dict[str, AbstractEstimator] = {
        "nfsd": NoiseFreeScoreDistillation(guidance_scale=SMALL_SCALE),
        "ssd": StableScoreDistillation(),
        "bsd": replace(learned["bsd"], augmentation_steps=5),  # type: ignore[call-arg]
        "mvdream": MultiViewReconstruction(guidance_scale=SMALL_SCALE, views=1),
        "refinement": ImageRefinement(guidance_scale=SMALL_SCALE, sampler_steps=20),
        "ism": IntervalScoreMatching(
            guidance_scale=SMALL_SCALE,
            noising=DDIMInversion(stride=200, most_steps=2, last_step=50, begin=200),
            weight=SigmaSquared(),
        ),
        "sdi": ScoreDistillationInversion(
            guidance_scale=SMALL_SCALE,
            noising=DDIMInversion(
                stride=200, most_steps=5, overshoot=100, begin=200, guidance_scale=-1.0, stochasticity=0.3
            ),
        ),
    }
    return {**published(), **guided, **learned, **own}


def is_small(prior: str) -> bool:
    """True for the exact priors and every embedded one."""
    return is_exact(prior) or prior == "embedded" or is_embedded(Path(prior))


def is_exact(prior: str) -> bool:
    """True for the empirical priors: that of the emoji and that of the world."""
    return prior == "empirical" or is_world(prior)


def knows_cameras(prior: str) -> bool:
    """True for the small priors that were shown things from all sides: all but the pictures of emoji."""
    return prior != "empirical"


def estimators(prior: str) -> Mapping[str, AbstractEstimator]:
    """Every estimator by name, with the settings that suit a prior."""
    return small() if is_small(prior) else published()


def estimator_for(name: str, prior: str) -> AbstractEstimator:
    """One estimator by name.

    Raises: SettingError if there is none of that name.
    """
    if name not in (known := estimators(prior)):
        raise SettingError(f"there is no estimator {name!r}: choose among {', '.join(known)}")
    return known[name]


def with_estimator(experiment: Experiment, name: str) -> Experiment:
    """The experiment with another estimator in every stage, and with the papers' words where that asks for more."""
    prompt, previous = experiment.prompt, experiment.previous
    if name == "nfsd" and not prompt.negative:
        prompt = replace(prompt, negative=NEGATIVE_PROMPT)
    if name == "bridge" and not prompt.source:
        prompt = replace(prompt, source=prompt.text + SOURCE_SUFFIX)
    return replace(
        experiment,
        prompt=prompt,
        estimator=estimator_for(name, experiment.prior),
        previous=previous and with_estimator(previous, name),
    )
