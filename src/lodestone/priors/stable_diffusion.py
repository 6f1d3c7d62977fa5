"""Stable Diffusion 1.x and 2.x as a prior (Rombach et al. 2022, arXiv 2112.10752), from a folder in diffusers' format.

The noise schedule is the folder's own `alphas_cumprod`, the VAE brings its scaling factor, and the prompt is read by
the folder's CLIP text encoder, which is in memory only while prompts are encoded.
"""

from pathlib import Path
from typing import Any

import torch

from lodestone.errors import SettingError
from lodestone.pretrained import Component
from lodestone.priors.autoencoder import VariationalAutoencoder
from lodestone.priors.denoiser import Prior
from lodestone.priors.hub import locate
from lodestone.priors.network import NetworkDenoiser, read_scheduler
from lodestone.prompts.cache import CachedTextEncoder
from lodestone.prompts.clip import ClipTextEncoder, check_clip, clip_identity

__all__ = ["check_stable_diffusion", "load_stable_diffusion"]

LATENT_CHANNELS = 4


def load_stable_diffusion(
    source: str | Path, *, device: torch.device, dtype: torch.dtype | None = None, revision: str | None = None
) -> Prior:
    """Loads Stable Diffusion 1.x or 2.x.

    Args:
        source: a folder in the diffusers format, an alias (`lodestone.priors.hub.ALIASES`) or a hub id `owner/name`.
            The hub is asked only for the last two, and only for what its cache on this machine lacks.
        device: where the networks live.
        dtype: float16 on CUDA and float32 elsewhere unless given; half precision is for CUDA only.
        revision: branch, tag or commit of a hub repository.

    Raises: SettingError if the source does not exist, is incomplete, damaged or of another family, or if half precision
        is asked for without CUDA.
    """
    dtype = choose_dtype(device, dtype)
    half = dtype is not torch.float32
    folder = locate(str(source), check=check_stable_diffusion, half=half, revision=revision)
    schedule, prediction_type = read_scheduler(folder / "scheduler" / "scheduler_config.json")
    unet, vae = load_networks(folder, device, dtype)
    denoiser = NetworkDenoiser(unet, schedule, prediction_type)
    encoder = CachedTextEncoder(clip_identity(folder), lambda: ClipTextEncoder(folder, device=device), device=device)
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    return Prior(
        name=Path(source).name,
        denoiser=denoiser,
        autoencoder=VariationalAutoencoder(vae),
        text_encoder=encoder,
        image_size=factor * denoiser.latent_shape[1],
    )


def choose_dtype(device: torch.device, dtype: torch.dtype | None) -> torch.dtype:
    """The dtype asked for, or the device's own.

    Raises: SettingError for half precision without CUDA.
    """
    if dtype is None:
        return torch.float16 if device.type == "cuda" else torch.float32
    if dtype is not torch.float32 and device.type != "cuda":
        raise SettingError(f"dtype {dtype} runs on CUDA only: use torch.float32 on {device.type}")
    return dtype


def load_networks(folder: Path, device: torch.device, dtype: torch.dtype) -> tuple[Any, Any]:
    """U-Net and VAE on their device."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    unet = Component(folder, "unet").load(UNet2DConditionModel, dtype)
    vae = Component(folder, "vae").load(AutoencoderKL, dtype)
    return unet.to(device), vae.to(device)


def check_stable_diffusion(folder: Path) -> None:
    """Checks that the folder holds a whole Stable Diffusion 1.x or 2.x whose parts belong together; imports no library.

    Raises: SettingError that names the first problem.
    """
    unet, vae = Component(folder, "unet"), Component(folder, "vae")
    network, autoencoder = unet.config("UNet2DConditionModel"), vae.config("AutoencoderKL")
    for component in (unet, vae):
        component.check()
    clip = check_clip(folder)
    for key, wanted in (("in_channels", LATENT_CHANNELS), ("out_channels", LATENT_CHANNELS)):
        if network.get(key) != wanted:
            raise SettingError(
                f"{unet.path} has {key} {network.get(key)} where text-to-image has {wanted}: "
                "choose a --prior that is no inpainting, depth or upscaling model"
            )
    if autoencoder.get("latent_channels") != LATENT_CHANNELS:
        found = autoencoder.get("latent_channels")
        raise SettingError(f"{vae.path} has {found} latent channels where {unet.path} takes 4: choose another --prior")
    if network.get("cross_attention_dim") != clip["hidden_size"]:
        raise SettingError(
            f"{unet.path} attends to text states of width {network.get('cross_attention_dim')} but the text encoder "
            f"beside it has width {clip['hidden_size']}: use the text encoder that belongs to this U-Net"
        )
