"""Finished scenes as the judge sees them: eight views on white, from which every figure of an asset is made."""

import io
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from lodestone.data.emoji import load_emoji
from lodestone.data.worlds.scenes import Request
from lodestone.evaluation.judge.quadrants import Quadrant
from lodestone.evaluation.recognition import PictureIndex
from lodestone.evaluation.report.figures import Figures
from lodestone.evaluation.report.judging import Judgement, PictureJudge, Verdict, judge_pictures, understood
from lodestone.evaluation.report.saturation import saturation
from lodestone.export.pictures import render_views, to_bytes
from lodestone.priors.empirical import undress
from lodestone.rendering.cameras import EvaluationCamera
from lodestone.scenes.scene import AbstractScene

__all__ = ["AZIMUTHS", "ELEVATION", "SIZE", "JudgedAsset", "Views", "judge_asset", "look_at", "named"]

AZIMUTHS = 8
"""Views of a full turn that begins at the front; every other one is central in its quadrant."""
ELEVATION = 10.0
"""Of all views, in degrees."""
SIZE = 192
"""Side of a view in pixels, three times that of the judge's pictures."""
CELL = 112
"""Side of a view in the strip, in pixels."""
SOLID = 0.5
"""Opacity of what belongs to the object."""


@dataclass(frozen=True, kw_only=True)
class Views:
    """What is seen of a scene on white."""

    color: Float[Tensor, "v h w 3"]
    solid: Bool[Tensor, "v h w"]
    azimuth: Float[Tensor, " v"]


@dataclass(frozen=True, kw_only=True)
class JudgedAsset:
    """One asset with its figures, and what they were made of."""

    prompt: str
    request: Request | None
    """None if the prompt is not of the procedural world."""
    figures: Figures
    alone: Verdict
    """Each view judged by itself: shares of the views."""
    seen: tuple[tuple[str, float], ...]
    sides: tuple[Quadrant, ...]
    azimuth: tuple[float, ...]
    """Of each view."""
    strip: bytes
    """The views side by side, as WebP."""

    @property
    def kind(self) -> str | None:
        """Which of the three kinds of scenes is asked for."""
        return None if self.request is None else self.request.kind.value


def named(prompt: str) -> int | None:
    """The emoji picture with the name that a prompt says, in whatever dress; None if there is none."""
    names, subject = load_emoji().names, undress(prompt)
    return names.index(subject) if subject in names else None


def look_at(scene: AbstractScene, camera: EvaluationCamera) -> Views:
    """Eight views of a full turn, from the distance of the evaluation camera and 10 degrees above the horizon."""
    viewpoints = replace(camera, elevation=ELEVATION).viewpoints(AZIMUTHS)
    renderings = list(render_views(scene, viewpoints, SIZE))
    color = torch.cat([rendering.color for rendering in renderings]).cpu().nan_to_num(0.0).clamp(0, 1)
    opacity = torch.cat([rendering.opacity[..., 0] for rendering in renderings]).cpu()
    return Views(color=color, solid=opacity > SOLID, azimuth=viewpoints.azimuth)


def judge_asset(
    judge: PictureJudge,
    views: Views,
    *,
    prompt: str,
    seconds: float | None = None,
    index: PictureIndex | None = None,
) -> JudgedAsset:
    """All figures of an asset; without an `index` of the emoji pictures it has no rank."""
    request, picture = understood(prompt), named(prompt)
    judgement = judge_pictures(judge, views.color, request, views.azimuth)
    rank = None if index is None or picture is None else index.rank(views.color.permute(0, 3, 1, 2), picture)
    return JudgedAsset(
        prompt=prompt,
        request=request,
        figures=replace(figures_of(judgement, views), rank=rank, seconds=seconds),
        alone=judgement.alone,
        seen=judgement.seen,
        sides=judgement.sides,
        azimuth=tuple(views.azimuth.tolist()),
        strip=strip(views),
    )


def figures_of(judgement: Judgement, views: Views) -> Figures:
    """What the judge says, and how saturated the object is."""
    colors = saturation(views.color, views.solid)
    return Figures(
        category=judgement.together.category,
        color=judgement.together.color,
        relation=judgement.together.relation,
        viewpoint=judgement.viewpoint,
        janus=judgement.janus,
        chroma=None if colors is None else colors.chroma,
        clipped=None if colors is None else colors.clipped,
    )


def strip(views: Views) -> bytes:
    """All views side by side, small, as WebP."""
    small = interpolate(views.color.permute(0, 3, 1, 2), size=(CELL, CELL), mode="bilinear", antialias=True)
    file = io.BytesIO()
    Image.fromarray(to_bytes(torch.cat(list(small), dim=2).permute(1, 2, 0))).save(file, format="WEBP", quality=85)
    return file.getvalue()
