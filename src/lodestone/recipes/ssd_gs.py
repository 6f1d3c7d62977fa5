"""SSD (Tang et al. 2023, arXiv 2312.09305) on Gaussians."""

from lodestone.distillation.ssd import StableScoreDistillation
from lodestone.distillation.weighting import SigmaOverAlpha
from lodestone.optimize.experiment import Experiment
from lodestone.recipes.draft import draft, small_gaussians
from lodestone.recipes.estimators import is_small
from lodestone.recipes.lucid_dreamer import configuration

__all__ = ["ssd_gs"]


def ssd_gs(prompt: str, prior: str = "embedded") -> Experiment:
    """SSD on Gaussians in LucidDreamer's configuration, without inversion (arXiv 2312.09305).

    Differs: as LucidDreamer's recipe does. The paper leaves the threshold open; it is lower than on a field, because
    the negative prompt tames the colours already: 0.1.
    """
    paper = configuration(prompt, prior, StableScoreDistillation(threshold=0.1, weight=SigmaOverAlpha()))
    return draft(paper, "ssd", small_gaussians(prior)) if is_small(prior) else paper
