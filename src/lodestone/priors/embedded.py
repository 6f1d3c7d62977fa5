"""The embedded prior: the small text-conditioned pixel-space model that ships with the package.

It is trained by `lodestone.data.training`, whose `export` writes the folder that is read here: a diffusers U-Net and
scheduler, a draft network, and a `model_index.json` that names the exact autoencoder (blocks of pixels moved into
channels), the text encoder (MiniLM token states) and how many numbers tell a camera (version 1; version 0 knows none,
and has no such entry). A folder without a draft network is read as well.
"""

import hashlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from lodestone.errors import SettingError
from lodestone.pretrained import Component, read_json
from lodestone.priors.autoencoder import SpaceToDepth
from lodestone.priors.denoiser import Prior
from lodestone.priors.network import NetworkDenoiser, read_scheduler
from lodestone.prompts.cache import CachedTextEncoder
from lodestone.prompts.camera import CAMERA_FEATURES, CameraConditioner, SpokenCamera
from lodestone.prompts.caption_parts import READING
from lodestone.prompts.draft import DRAFT_SIDE, AbstractDraft, DraftedText, DraftNetwork
from lodestone.prompts.quantization import dequantized
from lodestone.prompts.solid_draft import SolidDraft
from lodestone.prompts.text_encoder import MINILM_SHA256, AbstractTextEncoder, TokenStates
from lodestone.storage import load_tensors

__all__ = [
    "DRAFT",
    "INDEX",
    "camera_count",
    "check_embedded",
    "embedded_folder",
    "is_embedded",
    "load_draft",
    "load_embedded",
]

TEXT_WIDTH = 384
"""Width of MiniLM's token states and of its pooled vector."""


DRAFT = "draft.safetensors"
"""File of the draft network, where a prior has one."""

INDEX = "model_index.json"
"""File that says of which parts a prior is made."""


def embedded_folder() -> Path:
    """Folder of the weights that ship with the package."""
    return Path(str(resources.files("lodestone"))) / "priors" / "weights" / "world_v1"


def is_embedded(folder: Path) -> bool:
    """True if the folder was written by `lodestone.data.training`, False if it is another diffusers folder."""
    index = folder / INDEX
    return index.exists() and read_json(index).get("_class_name") == "LodestonePipeline"


def load_embedded(folder: Path | None = None, *, device: torch.device) -> Prior:
    """Loads the packaged prior, or one that was trained with `lodestone prior train`; never uses the network.

    The weights are stored in half precision and computed in float32.

    Raises: SettingError if the folder is missing, incomplete, damaged or inconsistent.
    """
    from diffusers import UNet2DConditionModel

    chosen = embedded_folder() if folder is None else folder
    index = check_embedded(chosen)
    schedule, prediction_type = read_scheduler(chosen / "scheduler" / "scheduler_config.json")
    unet = Component(chosen, "unet").load(UNet2DConditionModel, torch.float32).to(device)
    denoiser = NetworkDenoiser(unet, schedule, prediction_type)
    factor, length = index["autoencoder"]["factor"], index["text_encoder"]["tokens"]
    side, cameras = denoiser.latent_shape[1], camera_count(index, chosen / INDEX)
    identity, build = text_encoder(chosen, length, side, cameras)
    camera = camera_conditioner(chosen, side, device) if cameras else None
    return Prior(
        name=chosen.name,
        denoiser=denoiser,
        autoencoder=SpaceToDepth(factor),
        text_encoder=CachedTextEncoder(identity, build, device=device, camera=camera),
        image_size=factor * side,
    )


def text_encoder(folder: Path, length: int, side: int, cameras: int) -> tuple[str, Callable[[], AbstractTextEncoder]]:
    """The identity of the text encoder for latents of a side and so many numbers of a camera, and what builds it."""
    identity, draft = f"minilm {MINILM_SHA256} tokens {length}", folder / DRAFT
    if cameras:
        identity = f"{identity} spoken camera {cameras}"

    def words() -> AbstractTextEncoder:
        return SpokenCamera(TokenStates(length)) if cameras else TokenStates(length)

    if not draft.exists():
        return identity, words
    digest = hashlib.sha256(draft.read_bytes()).hexdigest()
    identity = f"{identity} draft {digest} side {side} reading {READING}"
    return identity, lambda: DraftedText(words(), load_draft(draft, cameras), side)


def camera_conditioner(folder: Path, side: int, device: torch.device) -> CameraConditioner:
    """How the prior in a folder is told cameras."""
    draft = folder / DRAFT
    network = load_draft(draft, CAMERA_FEATURES).to(device) if draft.exists() else None
    return CameraConditioner(network, side)


def load_draft(path: Path, cameras: int = 0) -> AbstractDraft:
    """The frozen draft network of a prior that is told a camera by so many numbers, computed in float32.

    Raises: SettingError if the file is damaged or holds another network.
    """
    tensors, metadata = load_tensors(path)
    try:
        network = (SolidDraft if cameras else DraftNetwork)(TEXT_WIDTH, metadata["hidden"])
        network.load_state_dict(dequantized(tensors))
    except (KeyError, TypeError, RuntimeError) as error:
        raise SettingError(f"{path} holds no draft network: export it again or choose another --prior") from error
    return network.eval().requires_grad_(False)


def check_embedded(folder: Path) -> dict[str, Any]:
    """Checks that the folder is whole and its parts belong together; returns its index.

    Raises: SettingError that names the first problem.
    """
    if not folder.is_dir():
        raise SettingError(f"there is no folder {folder}: reinstall the package or choose another --prior")
    path, unet = folder / INDEX, Component(folder, "unet")
    index, network = read_json(path), unet.config("UNet2DConditionModel")
    factor = whole_number(index, "autoencoder", "space_to_depth", "factor", path)
    whole_number(index, "text_encoder", "minilm", "tokens", path)
    unet.check()
    cameras = camera_count(index, path)
    expected = {
        "in_channels": 3 * factor**2 + draft_channel_count(folder, network, cameras),
        "out_channels": 3 * factor**2,
        "cross_attention_dim": TEXT_WIDTH,
        "projection_class_embeddings_input_dim": TEXT_WIDTH + cameras,
    }
    for key, wanted in expected.items():
        if network.get(key) != wanted:
            raise SettingError(
                f"{unet.path} has {key} {network.get(key)} where {path.name} needs {wanted}: "
                "export the prior again or choose another --prior"
            )
    return index


def camera_count(index: dict[str, Any], path: Path) -> int:
    """How many numbers tell the prior a camera; 0 for version 0, whose index has no such entry.

    Raises: SettingError if they are not those of this Lodestone.
    """
    entry = index.get("camera", {"kind": "orbit", "features": 0})
    known = [{"kind": "orbit", "features": count} for count in (0, CAMERA_FEATURES)]
    if entry not in known:
        raise SettingError(
            f"{path} tells cameras by {entry!r}, which this Lodestone does not: export the prior again or choose "
            "another --prior"
        )
    features: int = entry["features"]
    return features


def draft_channel_count(folder: Path, network: dict[str, Any], cameras: int) -> int:
    """How many channels a draft and its mirror image take beside the latents; 0 without a draft network.

    Raises: SettingError if the draft network is damaged or a draft does not divide into the latents.
    """
    if not (folder / DRAFT).exists():
        return 0
    load_draft(folder / DRAFT, cameras)
    side = network.get("sample_size")
    if not isinstance(side, int) or side < 1 or DRAFT_SIDE % side:
        raise SettingError(
            f"{folder / 'unet'} has sample_size {side}, which does not divide the draft's {DRAFT_SIDE}: "
            "export the prior again or choose another --prior"
        )
    return 6 * (DRAFT_SIDE // side) ** 2


def whole_number(index: dict[str, Any], part: str, kind: str, key: str, path: Path) -> int:
    """A positive whole number of one part of the index.

    Raises: SettingError if the part is missing, of another kind, or the number is not positive and whole.
    """
    entry = index.get(part)
    if not isinstance(entry, dict) or entry.get("kind") != kind:
        raise SettingError(f"{path} names no {part} of kind {kind}: export the prior again or choose another --prior")
    number = entry.get(key)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise SettingError(f"{path} gives {part} the {key} {number!r}, no positive whole number: export it again")
    return number
