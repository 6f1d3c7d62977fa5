"""The networks that are trained, and what they begin with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from lodestone.data.training.settings import SCRATCH, TEXT_WIDTH, TrainingSettings
from lodestone.errors import SettingError
from lodestone.pretrained import Component
from lodestone.priors.embedded import DRAFT, INDEX, camera_count, check_embedded, embedded_folder, load_draft
from lodestone.prompts.camera import CAMERA_FEATURES
from lodestone.prompts.draft import DRAFT_SIDE, AbstractDraft, DraftNetwork
from lodestone.prompts.solid_draft import SolidDraft

__all__ = ["Start", "begin_with", "draft_kind", "new_draft", "new_unet", "read_start", "unet_configuration"]

WIDENED = "class_embedding.linear_1.weight"
"""Has a column for each number that tells a camera."""


def unet_configuration(settings: TrainingSettings) -> dict[str, Any]:
    """The diffusers `UNet2DConditionModel` configuration of the embedded prior."""
    side, depth = settings.side, 3 * settings.space_to_depth**2
    down = ("DownBlock2D", *["CrossAttnDownBlock2D"] * (len(settings.channels) - 1))
    return {
        "sample_size": side,
        "in_channels": depth + 6 * (DRAFT_SIDE // side) ** 2,
        "out_channels": depth,
        "block_out_channels": settings.channels,
        "down_block_types": down,
        "up_block_types": tuple(name.replace("Down", "Up") for name in reversed(down)),
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        "layers_per_block": 1,
        "cross_attention_dim": TEXT_WIDTH,
        "attention_head_dim": 32,
        "norm_num_groups": 16,
        "resnet_time_scale_shift": "scale_shift",
        "class_embed_type": "projection",
        "projection_class_embeddings_input_dim": settings.pooled_width,
    }


def new_unet(settings: TrainingSettings) -> Any:
    """A network with random weights."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(**unet_configuration(settings))


def draft_kind(settings: TrainingSettings) -> type[SolidDraft] | type[DraftNetwork]:
    """Which draft network the prior has: one of volumes if it is to know cameras."""
    return SolidDraft if settings.camera_features else DraftNetwork


def new_draft(settings: TrainingSettings) -> AbstractDraft:
    """A draft network with random weights."""
    return draft_kind(settings)(TEXT_WIDTH, settings.draft_hidden)


@dataclass(frozen=True)
class Start:
    """The weights of the prior that a training begins with."""

    folder: Path
    unet: Mapping[str, Tensor]
    draft: Mapping[str, Tensor] | None


def read_start(settings: TrainingSettings) -> Start | None:
    """The prior that the settings name; None for random weights.

    Raises: SettingError if the folder holds no prior, or if there is no draft network to keep and none to be fitted.
    """
    from diffusers import UNet2DConditionModel

    if settings.start == SCRATCH or not (settings.start or settings.world):
        if not settings.draft_steps:
            raise SettingError(
                "training.draft_steps is 0, but random weights have no draft network to keep: give steps"
            )
        return None
    folder = Path(settings.start).expanduser() if settings.start else embedded_folder()
    try:
        cameras = camera_count(check_embedded(folder), folder / INDEX)
        draft = load_draft(folder / DRAFT, cameras).state_dict() if (folder / DRAFT).exists() else None
        unet = Component(folder, "unet").load(UNet2DConditionModel, torch.float32).state_dict()
    except SettingError as error:
        raise SettingError(
            f"training.start is {folder}, which is no embedded prior ({str(error).split(': ', maxsplit=1)[0]}): give "
            f"the folder `prior` of a training, or {SCRATCH}"
        ) from error
    return Start(folder, unet, draft)


@torch.no_grad()
def begin_with(start: Start, unet: nn.Module, draft: nn.Module, draft_steps: int) -> None:
    """Carries the weights over; columns for the camera that the start does not have are zero.

    A draft network of another kind is left as it is, to be fitted.

    Raises: SettingError if it is another network, or a draft network of another kind is not to be fitted.
    """
    for name, p in unet.named_parameters():
        if name not in start.unet or not fits(name, start.unet[name], p):
            raise SettingError(
                f"training.start is {start.folder}, which differs from the network of these settings at {name}: "
                f"give its channels and size, or choose {SCRATCH}"
            )
        p.copy_(pad(start.unet[name], (0, p.shape[-1] - start.unet[name].shape[-1])))
    if start.draft is not None and shapes(start.draft) == shapes(draft.state_dict()):
        draft.load_state_dict(start.draft)
    elif not draft_steps:
        raise SettingError(
            f"training.draft_steps is 0, but {start.folder} has no draft network of these settings to keep: give steps"
        )


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    """Of every tensor by name."""
    return {name: tensor.shape for name, tensor in tensors.items()}


def fits(name: str, known: Tensor, wanted: Tensor) -> bool:
    """Whether a tensor has the wanted shape, or lacks the columns for the camera alone."""
    if known.shape == wanted.shape:
        return True
    lacking = (*wanted.shape[:-1], wanted.shape[-1] - CAMERA_FEATURES)
    return name == WIDENED and known.shape == torch.Size(lacking)
