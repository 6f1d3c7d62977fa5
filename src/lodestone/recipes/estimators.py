"""Every estimator by the name that the command line uses, with the settings that suit a prior.

Published settings are for Stable Diffusion. The small priors' conditional model is sharp by itself: they take a low
guidance scale and, for what is learned on the side, a rate that moves it within some hundred steps.
"""

from collections.abc import Mapping
from pathlib import Path

from lodestone.distillation.bsd import BootstrappedScoreDistillation
from lodestone.distillation.csd import ClassifierScoreDistillation
from lodestone.distillation.estimator import AbstractEstimator
from lodestone.distillation.lods import LearnedNullEmbedding, LearnedNullLora
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.ssd import StableScoreDistillation
from lodestone.distillation.vsd import VariationalScoreDistillation
from lodestone.errors import SettingError
from lodestone.priors.embedded import is_embedded

__all__ = ["estimator_for", "estimators", "is_small"]

SMALL_SCALE = 3.0
"""Guidance scale for the small priors; higher scales oversaturate."""


def published() -> Mapping[str, AbstractEstimator]:
    """The papers' settings, for Stable Diffusion."""
    return {
        "sds": ScoreDistillation(guidance_scale=100.0),
        "csd": ClassifierScoreDistillation(),
        "ssd": StableScoreDistillation(threshold=0.1),
        "lods-embedding": LearnedNullEmbedding(),
        "lods-lora": LearnedNullLora(),
        "vsd": VariationalScoreDistillation(),
        "bsd": BootstrappedScoreDistillation(),
    }


def small() -> Mapping[str, AbstractEstimator]:
    """Settings for the empirical and the embedded prior."""
    return {
        "sds": ScoreDistillation(guidance_scale=SMALL_SCALE),
        "csd": ClassifierScoreDistillation(),
        "ssd": StableScoreDistillation(),
        "lods-embedding": LearnedNullEmbedding(guidance_scale=SMALL_SCALE, learning_rate=1e-2, learned_share=0.5),
        "lods-lora": LearnedNullLora(guidance_scale=SMALL_SCALE, learning_rate=1e-3, learned_share=0.5),
        "vsd": VariationalScoreDistillation(guidance_scale=SMALL_SCALE, learning_rate=1e-3, learned_share=0.5),
        "bsd": BootstrappedScoreDistillation(
            guidance_scale=SMALL_SCALE, learning_rate=1e-3, learned_share=0.5, augmentation_steps=5
        ),
    }


def is_small(prior: str) -> bool:
    """True for the empirical prior and every embedded one."""
    return prior in ("empirical", "embedded") or is_embedded(Path(prior))


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
