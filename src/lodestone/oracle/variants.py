"""Estimators with one thing changed: what the comparison's surprises come from.

Each variant differs from its origin in one setting, and is followed from the same starts with the same noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lodestone.distillation.estimator import AbstractEstimator
from lodestone.distillation.lods import LearnedNullEmbedding
from lodestone.distillation.noising import IndependentNoise
from lodestone.distillation.sds import ScoreDistillation
from lodestone.distillation.ssd import StableScoreDistillation
from lodestone.distillation.timesteps import UniformTimes
from lodestone.recipes.estimators import estimator_for

__all__ = ["VARIED", "Variant", "contestant", "variants"]

VARIED = ("trap", "ring", "three-pictures")
"""The problems on which variants are followed."""


@dataclass(frozen=True)
class Variant:
    """An estimator, and the name of the one that it was made from."""

    estimator: AbstractEstimator
    origin: str


def variants() -> Mapping[str, Variant]:
    """Every variant by the name that it has in the table."""
    sds, ssd, lods, cfd = (estimator_for(name, "empirical") for name in ("sds", "ssd", "lods-embedding", "cfd"))
    assert isinstance(sds, ScoreDistillation) and isinstance(cfd, ScoreDistillation)
    assert isinstance(ssd, StableScoreDistillation) and isinstance(lods, LearnedNullEmbedding)
    return {
        "sds, s = 1": Variant(replace(sds, guidance_scale=1.0), "sds"),
        "sds, s = 100": Variant(replace(sds, guidance_scale=100.0), "sds"),
        "ssd, unmatched": Variant(replace(ssd, matched=False), "ssd"),
        "lods-embedding, s = 100": Variant(replace(lods, guidance_scale=100.0), "lods-embedding"),
        "cfd, fresh noise": Variant(replace(cfd, noising=IndependentNoise()), "cfd"),
        "cfd, uniform times": Variant(replace(cfd, times=UniformTimes()), "cfd"),
    }


def contestant(name: str) -> AbstractEstimator:
    """An estimator with the settings for the empirical prior, or a variant.

    Raises: SettingError if there is neither of that name.
    """
    found = variants().get(name)
    return estimator_for(name, "empirical") if found is None else found.estimator
