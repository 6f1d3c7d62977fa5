"""Trains the embedded prior: a small text-conditioned pixel-space diffusion model on captioned pictures.

The network predicts the clean picture from `x_t = alpha_t x + sigma_t eps` and minimises

    E_{x, y, t, eps}  min(1 / sigma_t^2, 5) || D(x_t, t, y) - x ||^2

(clean prediction with a clamped signal-to-noise weight, after Hang et al. 2023, arXiv 2303.09556). A share of the
captions is dropped, so that the same network is the unconditional model (Ho & Salimans 2022, arXiv 2207.12598). Before
it, a draft network learns the mean picture of each caption (`lodestone.prompts.draft`), which the denoiser is shown;
a mirrored picture comes with a mirrored draft, so that the two orientations of a thing are never mixed.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import affine_grid, grid_sample, interpolate, pixel_unshuffle

from lodestone.data.captions import vary
from lodestone.data.emoji import EmojiSet, load_emoji
from lodestone.errors import SettingError
from lodestone.prompts.draft import DRAFT_SIDE, DraftNetwork, draft_channels
from lodestone.prompts.text_encoder import MiniLM
from lodestone.storage import load_tensors, save_tensors, write_text

__all__ = ["Batch", "Captions", "PictureSource", "TrainingSettings", "encode_captions", "train"]

SOLID = ("animals-nature", "food-drink", "travel-places", "activities", "objects")
"""Groups that hold things with a body; the rest are faces, people, signs and flags."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Everything that decides what the trained network becomes; written into its model card."""

    steps: int = 12_000
    batch: int = 24
    learning_rate: float = 8e-4
    warm_up: int = 500
    decay: int = 2_500
    """Last steps, over which the learning rate falls linearly to zero."""
    ema: float = 0.9995
    caption_drop: float = 0.1
    solid_share: float = 0.9
    """Share of the batches' pictures that show a thing with a body."""
    white_share: float = 0.7
    """Share of white backgrounds; the others are plain random colours."""
    channels: tuple[int, ...] = (64, 128, 256)
    space_to_depth: int = 4
    draft_steps: int = 4_000
    draft_hidden: int = 512
    tokens: int = 16
    caption_variants: int = 12
    time_power: float = 0.7
    """Times are drawn as `1000 u^power` with u uniform: below 1 favours high noise, where 3D gets its shape."""
    seed: int = 0


@dataclass(frozen=True)
class Captions:
    """Encoded variants of every caption: token states and pooled vectors."""

    tokens: Float[Tensor, "n variants length dim"]
    pooled: Float[Tensor, "n variants dim"]


@dataclass(frozen=True)
class Batch:
    """What one optimization step sees; pictures in [-1, 1]."""

    pictures: Float[Tensor, "b c h w"]
    tokens: Float[Tensor, "b length dim"]
    pooled: Float[Tensor, "b dim"]
    kept: Float[Tensor, " b"]
    """0 where the caption was dropped, 1 elsewhere."""
    mirrored: Bool[Tensor, " b"]
    """Which pictures are mirror images: their drafts are mirrored as well, so that the draft tells the orientation."""


def unet_configuration(settings: TrainingSettings) -> dict[str, Any]:
    """The diffusers `UNet2DConditionModel` configuration of the embedded prior."""
    side, depth = 64 // settings.space_to_depth, 3 * settings.space_to_depth**2
    attention = [64 * width // width if index else 0 for index, width in enumerate(settings.channels)]
    down = tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention)
    return {
        "sample_size": side,
        "in_channels": depth + 6 * (DRAFT_SIDE // side) ** 2,
        "out_channels": depth,
        "block_out_channels": settings.channels,
        "down_block_types": down,
        "up_block_types": tuple(name.replace("Down", "Up") for name in reversed(down)),
        "mid_block_type": "UNetMidBlock2DCrossAttn",
        "layers_per_block": 1,
        "cross_attention_dim": 384,
        "attention_head_dim": 32,
        "norm_num_groups": 16,
        "resnet_time_scale_shift": "scale_shift",
        "class_embed_type": "projection",
        "projection_class_embeddings_input_dim": 384,
    }


@torch.no_grad()
def encode_captions(pictures: EmojiSet, settings: TrainingSettings) -> Captions:
    """Encodes several spellings of every caption once, before training; minutes on a CPU."""
    encoder, draw = MiniLM.load(), Random(settings.seed)
    count = settings.caption_variants
    texts = [
        vary(name, keywords, draw) if variant else name
        for name, keywords in zip(pictures.names, pictures.keywords, strict=True)
        for variant in range(count)
    ]
    tokens, pooled = [], []
    for start in range(0, len(texts), 128):
        states, vectors = encoder.condition(texts[start : start + 128], settings.tokens)
        tokens.append(states.half())
        pooled.append(vectors)
    shape = (len(pictures), count)
    return Captions(torch.cat(tokens).unflatten(0, shape), torch.cat(pooled).unflatten(0, shape))


def augment(
    rgba: Float[Tensor, "b 4 h w"], rng: torch.Generator
) -> tuple[Float[Tensor, "b 4 h w"], Bool[Tensor, " b"]]:
    """Small scale, shift and mirror of premultiplied pictures, and which are mirrored.

    What comes in from outside is transparent.
    """
    count = rgba.shape[0]
    scale = 1 + 0.05 * (2 * torch.rand(count, generator=rng) - 1)
    mirrored = torch.rand(count, generator=rng) < 0.5
    mirror = torch.where(mirrored, -1.0, 1.0)
    shift = 0.05 * (2 * torch.rand(count, 2, generator=rng) - 1)
    zero = torch.zeros(count)
    rows = torch.stack([scale * mirror, zero, shift[:, 0], zero, scale, shift[:, 1]], dim=1)
    grid = affine_grid(rows.view(count, 2, 3), list(rgba.shape), align_corners=False)
    moved = grid_sample(rgba, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return moved, mirrored


@dataclass(frozen=True)
class PictureSource:
    """Draws augmented pictures with one of their captions, from the shipped emoji."""

    premultiplied: Float[Tensor, "n 4 h w"]
    weights: Float[Tensor, " n"]
    captions: Captions
    settings: TrainingSettings

    @classmethod
    def load(cls, settings: TrainingSettings) -> "PictureSource":
        """The shipped emoji with freshly encoded captions."""
        emoji = load_emoji()
        rgba = emoji.rgba.float() / 255
        solid = torch.tensor([group in SOLID for group in emoji.groups])
        weights = torch.where(solid, settings.solid_share / solid.sum(), (1 - settings.solid_share) / (~solid).sum())
        premultiplied = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], dim=1)
        return cls(premultiplied, weights, encode_captions(emoji, settings), settings)

    def draw(self, rng: torch.Generator) -> Batch:
        """One batch: pictures on plain backgrounds, captions, a share of them dropped (all zeros)."""
        count = self.settings.batch
        chosen = torch.multinomial(self.weights, count, replacement=True, generator=rng)
        picture, mirrored = augment(self.premultiplied[chosen], rng)
        white = torch.rand(count, 1, generator=rng) < self.settings.white_share
        background = torch.where(white, torch.ones(count, 3), torch.rand(count, 3, generator=rng))
        color = picture[:, :3] + (1 - picture[:, 3:]) * background[:, :, None, None]
        variant = torch.randint(self.settings.caption_variants, (count,), generator=rng)
        kept = (torch.rand(count, generator=rng) >= self.settings.caption_drop).float()
        tokens = self.captions.tokens[chosen, variant].float() * kept[:, None, None]
        return Batch(2 * color - 1, tokens, self.captions.pooled[chosen, variant] * kept[:, None], kept, mirrored)


def draw_times(count: int, power: float, rng: torch.Generator) -> Int[Tensor, " b"]:
    """Training times 0..999 with density proportional to `t^(1/power - 1)`."""
    return (1000 * torch.rand(count, generator=rng) ** power).long().clamp(max=999)


def denoising_loss(
    unet: nn.Module,
    draft: DraftNetwork,
    batch: Batch,
    alphas_cumprod: Float[Tensor, " 1000"],
    settings: TrainingSettings,
    rng: torch.Generator,
) -> Float[Tensor, ""]:
    """The loss of the module's docstring, averaged over entries."""
    clean = pixel_unshuffle(batch.pictures, settings.space_to_depth)
    noise = torch.randn(clean.shape, generator=rng).to(clean.device)
    t = draw_times(len(clean), settings.time_power, rng).to(clean.device)
    alpha_bar = alphas_cumprod[t][:, None, None, None]
    noisy = alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * noise
    drawn = draft(batch.pooled)
    drawn = torch.where(batch.mirrored[:, None, None, None], drawn.flip(-1), drawn)
    picture = draft_channels(drawn, clean.shape[-1]) * batch.kept[:, None, None, None]
    inputs = torch.cat([noisy, picture], dim=1).contiguous(memory_format=torch.channels_last)
    predicted = unet(inputs, t, encoder_hidden_states=batch.tokens, class_labels=batch.pooled).sample
    weight = (1 / (1 - alpha_bar)).clamp(max=5)
    return (weight * (predicted - clean).square()).mean()


def fit_draft(draft: DraftNetwork, source: "PictureSource", settings: TrainingSettings) -> float:
    """Regresses the white, unmoved pictures from their captions by least squares; returns the last mean loss."""
    rng = torch.Generator().manual_seed(settings.seed)
    white = 2 * (source.premultiplied[:, :3] + (1 - source.premultiplied[:, 3:])) - 1
    targets = interpolate(white, size=DRAFT_SIDE, mode="area")
    optimizer = torch.optim.Adam(draft.parameters(), lr=2e-3)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.draft_steps)
    recent = 0.0
    for _ in range(settings.draft_steps):
        chosen = torch.multinomial(source.weights, 256, replacement=True, generator=rng)
        variant = torch.randint(settings.caption_variants, (256,), generator=rng)
        loss = (draft(source.captions.pooled[chosen, variant]) - targets[chosen]).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        falling.step()
        recent = 0.98 * recent + 0.02 * float(loss.detach())
    draft.requires_grad_(False)
    return recent


def learning_rate(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, then constant, then linear decay to zero at the last step."""
    rise = min(1.0, (step + 1) / settings.warm_up)
    fall = min(1.0, (settings.steps - step) / settings.decay)
    return settings.learning_rate * max(0.0, min(rise, fall))


class Training:
    """The mutable state of a training run: network, averaged network, optimizer, generator, step."""

    def __init__(self, settings: TrainingSettings, device: torch.device) -> None:
        from diffusers import DDPMScheduler, UNet2DConditionModel

        torch.manual_seed(settings.seed)
        self.settings, self.device = settings, device
        self.unet = UNet2DConditionModel(**unet_configuration(settings)).to(device, memory_format=torch.channels_last)
        self.draft = DraftNetwork(hidden=settings.draft_hidden)
        self.scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="sample", clip_sample=False)
        self.alphas_cumprod = self.scheduler.alphas_cumprod.to(device)
        self.average = {name: p.detach().clone() for name, p in self.unet.named_parameters()}
        self.optimizer = torch.optim.AdamW(
            self.unet.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
        )
        self.rng = torch.Generator().manual_seed(settings.seed)
        self.step = 0
        self.losses: list[tuple[int, float]] = []

    def advance(self, source: PictureSource) -> float:
        """One optimization step; returns its loss."""
        drawn = source.draw(self.rng)
        batch = Batch(
            drawn.pictures.to(self.device),
            drawn.tokens.to(self.device),
            drawn.pooled.to(self.device),
            drawn.kept.to(self.device),
            drawn.mirrored.to(self.device),
        )
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step, self.settings)
        loss = denoising_loss(self.unet, self.draft, batch, self.alphas_cumprod, self.settings, self.rng)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.unet.parameters(), 1.0)
        self.optimizer.step()
        self.update_average()
        self.step += 1
        return loss.item()

    @torch.no_grad()
    def update_average(self) -> None:
        """Exponential moving average, faster in the beginning."""
        keep = min(self.settings.ema, (1 + self.step) / (10 + self.step))
        parameters = [p.detach() for p in self.unet.parameters()]
        torch._foreach_lerp_(list(self.average.values()), parameters, 1 - keep)

    def tensors(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, as named tensors."""
        named = dict(self.unet.named_parameters())
        state = self.optimizer.state
        moments = {
            f"optimizer.{key}.{name}": torch.as_tensor(value)
            for name, p in named.items()
            for key, value in state.get(p, {}).items()
        }
        network = {f"unet.{name}": p for name, p in named.items()}
        average = {f"average.{name}": p for name, p in self.average.items()}
        draft = {f"draft.{name}": p for name, p in self.draft.named_parameters()}
        return {**network, **average, **moments, **draft, "generator": self.rng.get_state()}

    def save(self, folder: Path) -> None:
        """Writes the checkpoint and the diffusers-format prior with averaged weights."""
        metadata = {"step": self.step, "losses": self.losses, "settings": asdict(self.settings)}
        save_tensors(folder / "training.safetensors", self.tensors(), metadata)
        export(self, folder / "prior")

    @torch.no_grad()
    def restore(self, folder: Path) -> None:
        """Continues where `save` stopped.

        Raises: SettingError if the checkpoint is damaged or belongs to another network.
        """
        tensors, metadata = load_tensors(folder / "training.safetensors")
        self.step, self.losses = metadata["step"], [tuple(entry) for entry in metadata["losses"]]
        self.rng.set_state(tensors["generator"])
        for name, p in self.draft.named_parameters():
            p.copy_(tensors[f"draft.{name}"])
        for name, p in self.unet.named_parameters():
            if f"unet.{name}" not in tensors or tensors[f"unet.{name}"].shape != p.shape:
                raise SettingError(f"{folder} holds another network: train into another --output folder")
            p.copy_(tensors[f"unet.{name}"])
            self.average[name].copy_(tensors[f"average.{name}"])
            moments = {key: tensors[f"optimizer.{key}.{name}"] for key in ("exp_avg", "exp_avg_sq")}
            # The fused optimizer walks raw memory, so moments must be laid out as their parameter is.
            laid_out = {key: torch.empty_like(p).copy_(value) for key, value in moments.items()}
            self.optimizer.state[p] = {"step": tensors[f"optimizer.step.{name}"].to(p.device), **laid_out}


def export(training: Training, folder: Path) -> None:
    """Writes a folder in the diffusers format: averaged network in half precision, scheduler, index."""
    from diffusers import UNet2DConditionModel

    copy = UNet2DConditionModel(**unet_configuration(training.settings))
    copy.load_state_dict({name: p.cpu() for name, p in training.average.items()})
    copy.half().save_pretrained(folder / "unet")
    training.scheduler.save_pretrained(folder / "scheduler")
    draft = {name: p.half() for name, p in training.draft.state_dict().items()}
    save_tensors(folder / "draft.safetensors", draft, {"hidden": training.settings.draft_hidden})
    index = {
        "_class_name": "LodestonePipeline",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "scheduler": ["diffusers", "DDPMScheduler"],
        "autoencoder": {"kind": "space_to_depth", "factor": training.settings.space_to_depth},
        "text_encoder": {"kind": "minilm", "tokens": training.settings.tokens},
    }
    write_text(folder / "model_index.json", json.dumps(index, indent=2) + "\n")
    card = {"settings": asdict(training.settings), "steps": training.step, "losses": training.losses}
    write_text(folder / "training.json", json.dumps(card, indent=1) + "\n")


def train(
    folder: Path,
    settings: TrainingSettings,
    *,
    device: torch.device,
    report: Callable[[str], None] = print,
    every: int = 100,
    save_every: int = 1_000,
) -> None:
    """Trains until `settings.steps`, resuming from `folder` if a checkpoint stands there.

    Args:
        folder: receives `training.safetensors` (everything) and `prior/` (what `lodestone --prior` loads).
        device: CPU or CUDA.
        report: is told the mean loss and the speed now and then.
    """
    training = Training(settings, device)
    if (folder / "training.safetensors").exists():
        training.restore(folder)
        training.draft.requires_grad_(False)
        report(f"resuming at step {training.step}")
    source = PictureSource.load(settings)
    if training.step == 0:
        report(f"draft network: mean squared error {fit_draft(training.draft, source, settings):.4f}")
    training.draft.to(device)
    recent: list[float] = []
    began, first = time.monotonic(), training.step
    while training.step < settings.steps:
        recent.append(training.advance(source))
        if training.step % every == 0:
            mean = math.fsum(recent) / len(recent)
            training.losses.append((training.step, round(mean, 6)))
            speed = (training.step - first) * settings.batch / (time.monotonic() - began)
            report(f"step {training.step}/{settings.steps}  loss {mean:.5f}  {speed:.1f} pictures/s")
            recent = []
        if training.step % save_every == 0 or training.step == settings.steps:
            training.save(folder)
    report(f"the prior is in {folder / 'prior'}: lodestone generate PROMPT --prior {folder / 'prior'}")
