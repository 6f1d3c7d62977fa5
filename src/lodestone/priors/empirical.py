"""The exact score of a captioned picture set: the prior that needs no training.

Every picture and its mirror image is one component `N(picture, s^2 I)` of a mixture (see `analytic`). A prompt
restricts the *support*: in 12,288 dimensions the likelihood swamps any log-weight that text could add, so the mixture
keeps only the few captions nearest to the prompt in the text encoder and excludes all others.
"""

import re

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.data.emoji import EmojiSet, composite, load_emoji
from lodestone.priors.analytic import GaussianMixture, component_conditioning
from lodestone.priors.autoencoder import SpaceToDepth
from lodestone.priors.denoiser import Prior
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import Conditioning
from lodestone.prompts.text_encoder import AbstractTextEncoder, minilm

__all__ = ["CaptionSupport", "empirical_denoiser", "load_empirical"]

KERNEL_WIDTH = 0.1
"""Standard deviation of each component around its picture, in [-1, 1] units."""

DRESSING = re.compile(
    r"^(a|an|the)\s+|\b(a |an )?(high quality |dslr |close-up )?(photo|picture|image|render|rendering|3d render) of\b|"
    r",?\s*\b(front|side|back|overhead) view\b|,?\s*3d asset\b",
    re.IGNORECASE,
)
"""Words that say how a thing is shown, not which thing it is."""


class CaptionSupport(AbstractTextEncoder):
    """Text into the set of captions nearest to it.

    Kept are the captions whose cosine similarity lies within `margin` of the best, at most `most` of them, all with
    equal weight; both mirror images of a picture belong to its caption.
    """

    def __init__(self, pictures: EmojiSet, *, margin: float = 0.04, most: int = 3) -> None:
        self.pictures, self.margin, self.most = pictures, margin, most

    def encode(self, texts: list[str]) -> Conditioning:
        rows = [self.weights(undress(text)) for text in texts]
        return component_conditioning(torch.stack([torch.cat([row, row]) for row in rows]))

    def weights(self, subject: str) -> Float[Tensor, " n"]:
        """1 for each caption in the support; all ones for the empty text."""
        names = self.pictures.names
        if not subject:
            return torch.ones(len(names))
        if subject in names:
            return torch.nn.functional.one_hot(torch.tensor(names.index(subject)), len(names)).float()
        similarity = self.pictures.embeddings @ minilm().sentences([subject])[0]
        best, order = similarity.topk(self.most)
        return torch.zeros(len(names)).index_fill(0, order[best >= best[0] - self.margin], 1.0)


def undress(text: str) -> str:
    """The thing that a prompt names: `A DSLR photo of a hamburger, back view` becomes `hamburger`."""
    previous, subject = None, text.strip().lower()
    while subject != previous:
        previous, subject = subject, DRESSING.sub("", subject).strip(" ,.")
    return subject


def empirical_denoiser(pictures: Float[Tensor, "n 3 h w"], width: float = KERNEL_WIDTH) -> GaussianMixture:
    """The exact denoiser of pictures in [0, 1] and their mirror images."""
    return GaussianMixture(2 * pictures - 1, width**2, NoiseSchedule.scaled_linear(), mirrored=True)


def load_empirical(*, device: torch.device) -> Prior:
    """The shipped emoji on white."""
    emoji = load_emoji()
    pictures = composite(emoji.rgba, torch.ones(len(emoji), 3))
    return Prior(
        name="empirical",
        denoiser=empirical_denoiser(pictures).to(device),
        autoencoder=SpaceToDepth(1),
        text_encoder=CaptionSupport(emoji),
        image_size=64,
        white_only=True,
    )
