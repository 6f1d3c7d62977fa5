"""A Stable Diffusion with random weights, about 1 MB: every loader and estimator runs on it without a download.

It has the real thing's classes, files and configuration keys; only the sizes differ (latents 4 x 8 x 8, pictures
16 x 16, text states 32 wide).
"""

import json
from pathlib import Path
from typing import Any

import torch

from lodestone.pretrained import quiet
from lodestone.priors.denoiser import PredictionType
from lodestone.storage import write_text

__all__ = ["build_tiny_stable_diffusion"]

TEXT_WIDTH = 32
TEXT_LENGTH = 77
START, END = "<|startoftext|>", "<|endoftext|>"


def build_tiny_stable_diffusion(
    folder: Path, *, prediction_type: PredictionType = PredictionType.NOISE, seed: int = 0
) -> Path:
    """Writes a folder in the diffusers format and returns it; needs diffusers and transformers, but no network.

    Args:
        folder: where to write; it is made if it does not exist.
        prediction_type: what the scheduler's configuration says of the network.
        seed: decides the weights; the caller's random state is left as it is.
    """
    with torch.random.fork_rng(devices=[]), quiet():
        torch.manual_seed(seed)
        save_unet(folder / "unet")
        save_vae(folder / "vae")
        save_text_encoder(folder)
    save_scheduler(folder / "scheduler", prediction_type)
    index = {
        "_class_name": "StableDiffusionPipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDPMScheduler"],
    }
    write_text(folder / "model_index.json", json.dumps(index, indent=2) + "\n")
    return folder


def save_unet(folder: Path) -> None:
    """A U-Net of two levels with cross-attention on the upper one."""
    from diffusers import UNet2DConditionModel

    UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=8,
        norm_num_groups=8,
    ).save_pretrained(folder)


def save_vae(folder: Path) -> None:
    """A VAE that halves each side."""
    from diffusers import AutoencoderKL

    AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D", "DownEncoderBlock2D"),
        up_block_types=("UpDecoderBlock2D", "UpDecoderBlock2D"),
        latent_channels=4,
        norm_num_groups=4,
        sample_size=16,
        scaling_factor=0.18215,
    ).save_pretrained(folder)


def vocabulary() -> dict[str, int]:
    """Every byte inside a word and at its end, and the two marks: enough to spell any text."""
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(letter + "</w>" for letter in letters), START, END]
    return {word: index for index, word in enumerate(words)}


def save_text_encoder(folder: Path) -> None:
    """A CLIP text encoder of two layers and its tokenizer, which spells every word letter by letter."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    words = vocabulary()
    CLIPTokenizer(vocab=words, merges=[], model_max_length=TEXT_LENGTH).save_pretrained(folder / "tokenizer")
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TEXT_LENGTH,
        bos_token_id=words[START],
        eos_token_id=words[END],
        pad_token_id=words[END],
    )
    CLIPTextModel(config).save_pretrained(folder / "text_encoder")


def save_scheduler(folder: Path, prediction_type: PredictionType) -> None:
    """Stable Diffusion's own schedule."""
    config: dict[str, Any] = {
        "_class_name": "DDPMScheduler",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "num_train_timesteps": 1000,
        "prediction_type": prediction_type.value,
        "clip_sample": False,
        "steps_offset": 1,
        "timestep_spacing": "leading",
    }
    write_text(folder / "scheduler_config.json", json.dumps(config, indent=2) + "\n")
