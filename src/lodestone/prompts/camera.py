"""The camera as part of the conditioning: a prior that has seen things from all sides is told from where to look.

A camera is told by numbers without a seam, for azimuth a, elevation e, distance d and the vertical field of view f:

    c = 4 (sin a, cos a, sin 2a, cos 2a, sin e, cos e, log(d tan(f / 2)), 1)

The 4 lets eight numbers count beside the 384 of the text: an optimizer that moves all weights alike learns them sooner.
The seventh says how large things appear: `d tan(f / 2)` is half the height, in world units, of what the picture shows
at the origin. The last says that a camera is told; where none is, all of them are 0. They stand behind the pooled
text vector, in what the U-Net adds to its time embedding; the draft is seen from them.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from lodestone.prompts.caption_parts import without_view
from lodestone.prompts.conditioning import AbstractCameraConditioner, Conditioning
from lodestone.prompts.draft import AbstractDraft, draft_channels
from lodestone.prompts.text_encoder import AbstractTextEncoder
from lodestone.rendering.cameras import Viewpoints

__all__ = ["CAMERA_FEATURES", "SPOKEN", "CameraConditioner", "SpokenCamera", "camera_features"]

CAMERA_FEATURES = 8
"""Numbers that tell a camera."""
SCALE = 4.0


def camera_features(viewpoints: Viewpoints) -> Float[Tensor, "v 8"]:
    """c of each viewpoint."""
    a, e, f = (torch.deg2rad(x) for x in (viewpoints.azimuth, viewpoints.elevation, viewpoints.field_of_view))
    shown = (viewpoints.distance * (f / 2).tan()).log()
    numbers = [a.sin(), a.cos(), (2 * a).sin(), (2 * a).cos(), e.sin(), e.cos(), shown, torch.ones_like(a)]
    return SCALE * torch.stack(numbers, dim=-1)


SPOKEN = Viewpoints(
    azimuth=torch.tensor([0.0, 90.0, 180.0, 0.0]),
    elevation=torch.tensor([15.0, 15.0, 15.0, 60.0]),
    distance=torch.full((4,), 3.1),
    field_of_view=torch.full((4,), 26.0),
)
"""The camera that the words for each `Direction` mean: the middle of the direction, and of the world's views."""


class SpokenCamera(AbstractTextEncoder):
    """Reads words for a view, such as ", back view", as a camera; where there are none, no camera is told.

    The words themselves are not said to the inner encoder. A side view is that of azimuth 90.

    Args:
        inner: an encoder with a pooled vector.
    """

    def __init__(self, inner: AbstractTextEncoder) -> None:
        self.inner = inner

    def encode(self, texts: list[str]) -> Conditioning:
        plain, views = zip(*map(without_view, texts), strict=True)
        words = self.inner.encode(list(plain))
        assert words.pooled is not None
        cameras = pad(camera_features(SPOKEN), (0, 0, 0, 1)).to(words.pooled)
        rows = torch.tensor([len(cameras) - 1 if view is None else view.value for view in views])
        return replace(words, pooled=torch.cat([words.pooled, cameras[rows]], dim=1))


@dataclass(frozen=True)
class CameraConditioner(AbstractCameraConditioner):
    """Puts cameras into rows that tell none: into their pooled vectors, and into what their drafts show."""

    draft: AbstractDraft | None
    """The network that drafts the mean picture of a caption from a camera; None for a prior without drafts."""
    side: int
    """Of the denoiser's latents."""

    @torch.no_grad()
    def __call__(self, rows: Conditioning, viewpoints: Viewpoints) -> Conditioning:
        assert rows.pooled is not None
        camera = camera_features(viewpoints).to(rows.pooled)
        pooled = torch.cat([rows.pooled[:, :-CAMERA_FEATURES], camera], dim=1)
        if self.draft is None:
            return replace(rows, pooled=pooled)
        weight = next(self.draft.parameters())
        assert rows.draft_words is not None
        drawn = self.draft(torch.cat([rows.draft_words, camera], dim=1).to(weight))
        return replace(rows, pooled=pooled, picture=draft_channels(drawn, self.side).to(pooled))
