"""How far an asset is from the truth: from the nearest object that its caption means in the world.

The asset and every object `World.make(caption, m)`, m < M, are seen from V azimuths on white. An object that is turned
by psi about the vertical is seen from azimuth a as it is seen unturned from a - psi. With pictures x_i of the asset and
y_i of an object, A_i and B_i the pixels that are more than half covered, and p the number of a picture's values,

    IoU  = 1/V sum_i |A_i and B_i| / |A_i or B_i|
    PSNR = 1/V sum_i min(60, -10 log10(||x_i - y_i||^2 / p)) .

The best match is the object with the highest PSNR: as it stands (aligned), and over R rotations (turned). The light
turns with the object. A generated asset is as large as those of the drafts; sizes are not matched.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lodestone.arrays import Images
from lodestone.data.worlds.meshes import PaintedMesh
from lodestone.data.worlds.requests import parse
from lodestone.data.worlds.scenes import Request
from lodestone.data.worlds.world import World
from lodestone.errors import SettingError, check_range
from lodestone.export.pictures import render_views
from lodestone.priors.world_views import see_scene
from lodestone.rendering.cameras import EvaluationCamera, Viewpoints
from lodestone.scenes.scene import AbstractScene

__all__ = ["Looks", "Match", "TruthDistance", "TruthSettings", "distance_to_truth", "fixes_object", "nearest"]

LARGEST_PSNR = 60.0
"""In decibels; of pictures that are all but equal."""


@dataclass(frozen=True, kw_only=True)
class TruthSettings:
    """With how much an asset is compared, and how closely."""

    objects: int = 8
    """M, how many objects a caption may mean; the first ones are those of the empirical prior of the world."""
    views: int = 8
    """V, from how many azimuths."""
    rotations: int = 24
    """R, a multiple of the views."""
    size: int = 128
    """Side of the pictures in pixels."""

    def __post_init__(self) -> None:
        check_range("truth.objects", self.objects, 1, 1000)
        check_range("truth.views", self.views, 1, 360)
        check_range("truth.rotations", self.rotations, 1, 360)
        check_range("truth.size", self.size, 8, 1024)
        if self.rotations % self.views:
            raise SettingError(
                f"truth.rotations is {self.rotations}: choose a multiple of truth.views, which is {self.views}"
            )


@dataclass(frozen=True, kw_only=True)
class Looks:
    """A thing on white, from evenly spaced azimuths that begin at the front."""

    pictures: Images
    masks: Bool[Tensor, "v h w"]

    @classmethod
    def of_scene(cls, scene: AbstractScene, viewpoints: Viewpoints, size: int) -> "Looks":
        """What an asset looks like."""
        seen = list(render_views(scene, viewpoints, size))
        color, opacity = (torch.cat([getattr(each, name).cpu() for each in seen]) for name in ("color", "opacity"))
        return cls(pictures=color.permute(0, 3, 1, 2).clamp(0, 1), masks=opacity[..., 0] > 0.5)

    @classmethod
    def of_object(cls, mesh: PaintedMesh, viewpoints: Viewpoints, size: int) -> "Looks":
        """What an object of the world looks like."""
        seen = see_scene(mesh, viewpoints, size)
        pictures = seen.over(torch.ones(len(viewpoints.azimuth), 3)).permute(0, 3, 1, 2)
        return cls(pictures=pictures, masks=seen.mask[..., 0] > 0.5)


@dataclass(frozen=True, kw_only=True)
class Match:
    """The nearest object."""

    number: int
    """m, of the object."""
    rotation: float
    """psi, by which it is turned, in degrees counter-clockwise seen from above."""
    iou: float
    psnr: float


@dataclass(frozen=True, kw_only=True)
class TruthDistance:
    """How near an asset comes to what its caption means."""

    aligned: Match
    """The best object as it stands."""
    turned: Match
    """The best object in its best rotation."""


def fixes_object(request: Request) -> bool:
    """Whether a caption says all but the proportions: one thing, alone, and its colour."""
    first = request.items[0]
    alone = len(request.items) == 1 and first.count == 1 and request.surroundings is None
    return alone and first.color is not None


def distance_to_truth(
    scene: AbstractScene, caption: str, camera: EvaluationCamera, settings: TruthSettings | None = None
) -> TruthDistance:
    """Compares an asset with the objects that its caption means.

    Args:
        scene: the asset.
        caption: that fixes its object.
        camera: from where assets of its recipe are judged.
        settings: with how much it is compared.

    Raises: SettingError if the caption is not of the world or does not fix its object.
    """
    chosen = settings or TruthSettings()
    truths = looks_of_truth(caption, camera, chosen)
    return nearest(Looks.of_scene(scene, camera.viewpoints(chosen.views), chosen.size), truths)


def looks_of_truth(caption: str, camera: EvaluationCamera, settings: TruthSettings) -> list[Looks]:
    """The objects that a caption means, from all azimuths.

    Raises: SettingError if the caption is not of the world or does not fix its object.
    """
    request = parse(caption)
    if not fixes_object(request):
        raise SettingError(f"{caption!r} does not fix an object: name one thing and its colour, such as 'a red mug'")
    meshes = (World(0).make(request, number).mesh for number in range(settings.objects))
    return [Looks.of_object(mesh, camera.viewpoints(settings.rotations), settings.size) for mesh in meshes]


def nearest(asset: Looks, truths: Sequence[Looks]) -> TruthDistance:
    """The best matches of an asset's views among objects whose views are a multiple of them."""
    psnr = torch.stack([by_rotation(psnr_table(asset, truth)) for truth in truths])
    iou = torch.stack([by_rotation(iou_table(asset, truth)) for truth in truths])
    return TruthDistance(aligned=best(psnr[:, :1], iou[:, :1], 360.0), turned=best(psnr, iou, 360 / psnr.shape[1]))


def best(psnr: Float[Tensor, "m r"], iou: Float[Tensor, "m r"], step: float) -> Match:
    """The place of the highest PSNR among objects and rotations of some degrees."""
    number, turn = divmod(int(psnr.argmax()), psnr.shape[1])
    return Match(number=number, rotation=turn * step, iou=float(iou[number, turn]), psnr=float(psnr[number, turn]))


def by_rotation(table: Float[Tensor, "v r"]) -> Float[Tensor, " r"]:
    """Means over the views of the asset, for each rotation of an object, of what all pairs of views score."""
    return table.gather(1, seen_index(*table.shape)).mean(dim=0)


def seen_index(views: int, rotations: int) -> Int[Tensor, "v r"]:
    """Which view of the unturned object view i shows of it turned by r steps."""
    azimuth = torch.arange(views)[:, None] * (rotations // views)
    return (azimuth - torch.arange(rotations)).remainder(rotations)


def psnr_table(asset: Looks, truth: Looks) -> Float[Tensor, "v r"]:
    """PSNR of each view of the asset and each of the object."""
    errors = [(truth.pictures - picture).square().mean(dim=(1, 2, 3)) for picture in asset.pictures]
    return (-10 * torch.stack(errors).log10()).clamp(max=LARGEST_PSNR)


def iou_table(asset: Looks, truth: Looks) -> Float[Tensor, "v r"]:
    """IoU of each silhouette of the asset and each of the object; 0 of two empty ones."""
    a, b = asset.masks.flatten(1).float(), truth.masks.flatten(1).float()
    common = a @ b.T
    return common / (a.sum(1, keepdim=True) + b.sum(1) - common).clamp(min=1)
