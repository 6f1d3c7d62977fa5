"""The denoiser of every diffusers-style U-Net: the embedded prior and Stable Diffusion are both this class."""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lodestone.arrays import Latents, Times
from lodestone.errors import SettingError
from lodestone.precision import call_in_precision
from lodestone.pretrained import read_json
from lodestone.priors.adapters import AdaptedAttention, LowRankAdapter, LowRankSettings
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, PredictionType
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import Conditioning
from lodestone.threads import over_threads, workers_for

__all__ = ["NetworkDenoiser", "read_scheduler"]

POOLED_KINDS = ("projection", "simple_projection", "identity")
"""Values of `class_embed_type` whose class labels are vectors, which `Conditioning.pooled` provides."""

SCHEDULE_KEYS = (
    "num_train_timesteps",
    "beta_start",
    "beta_end",
    "beta_schedule",
    "trained_betas",
    "rescale_betas_zero_snr",
)
"""Everything in a scheduler's configuration that decides its `alphas_cumprod`."""


class NetworkDenoiser(AbstractDenoiser):
    """A frozen `UNet2DConditionModel` (Rombach et al. 2022, arXiv 2112.10752) behind the interface of every prior.

    The network computes `output = F(x_t, t, tokens, pooled)` in its own dtype; `prediction_type` says whether that is
    the noise, the clean latents or the velocity, and the other two follow exactly. The result has the dtype of the
    noisy latents. Gradients flow to the noisy latents and to the tokens (a learned null prompt), never to the weights;
    through float16 weights they are rescaled on the way as in `lodestone.precision`, so that a null prompt learned on
    a half-precision network does not starve. A network with more input than output channels is shown
    `Conditioning.picture` beside the noisy latents (a draft, a reference view).

    Raises: SettingError if the network needs conditioning that no `Conditioning` holds.
    """

    def __init__(self, network: Any, schedule: NoiseSchedule, prediction_type: PredictionType) -> None:
        super().__init__()
        network = network.eval().requires_grad_(False)
        if network.device.type == "cpu":
            # Convolutions on a CPU are fastest with the channels innermost.
            network.to(memory_format=torch.channels_last)
        self.pooled_embedding = network.class_embedding
        self.network = with_open_time_embedding(network)
        self.schedule, self.prediction_type = schedule, prediction_type
        size = network.config.sample_size
        height, width = (size, size) if isinstance(size, int) else size
        self.latent_shape = (network.config.out_channels, height, width)
        self.takes_picture = network.config.in_channels > network.config.out_channels
        self.takes_pooled = takes_pooled(network.config)
        self.adaptable = install_adapted_attention(self.network)

    def forward(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Prediction:
        workers = workers_for(len(noisy), noisy.device)
        if workers == 1:
            return self.predict(noisy, t, conditioning)
        rows = torch.arange(len(noisy)).tensor_split(workers)
        parts = over_threads(lambda some: self.predict(noisy[some], t[some], conditioning.take(some)), rows, workers)
        return Prediction(
            noise=torch.cat([part.noise for part in parts]),
            clean=torch.cat([part.clean for part in parts]),
            velocity=torch.cat([part.velocity for part in parts]),
        )

    def predict(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Prediction:
        """What `forward` returns, in one call of the network."""
        sample = noisy
        if self.takes_picture:
            sample = torch.cat([noisy, present(conditioning.picture, "picture").to(noisy.dtype)], dim=1)
        inputs = [sample, conditioning.tokens, self.vector(conditioning)]
        adapter = conditioning.adapter
        if isinstance(adapter, LowRankAdapter):
            inputs += adapter.weights()

        def run(sample: Tensor, tokens: Tensor, vector: Tensor, *low_rank: Tensor) -> Tensor:
            extra = None
            if isinstance(adapter, LowRankAdapter):
                extra = {"adapter": adapter.by_layer(list(low_rank)), "adapter_scale": conditioning.adapter_scale}
            return self.run(sample, t, tokens, vector, extra)

        output = call_in_precision(run, self.network.dtype, *inputs)
        prediction = Prediction.of(self.prediction_type, output, noisy, t, self.schedule)
        views = (prediction.noise, prediction.clean, prediction.velocity)
        # The schedule's tables are float32, which would promote a half-precision caller's latents.
        return Prediction(*(view.to(noisy.dtype) for view in views))

    def vector(self, conditioning: Conditioning) -> Tensor:
        """What is added to the time embedding: the pooled text vector's projection and a learned offset."""
        dtype, device = self.network.dtype, conditioning.tokens.device
        vector = torch.zeros(len(conditioning), self.time_width, dtype=dtype, device=device)
        if self.takes_pooled:
            vector = self.pooled_embedding(present(conditioning.pooled, "pooled text vector").to(dtype))
        return vector if conditioning.time_offset is None else vector + conditioning.time_offset

    def run(
        self, sample: Tensor, t: Tensor, tokens: Tensor, vector: Tensor, extra: dict[str, Any] | None = None
    ) -> Tensor:
        """The network itself, on inputs of its own dtype."""
        if sample.device.type == "cpu":
            sample = sample.contiguous(memory_format=torch.channels_last)
        prediction = self.network(
            sample,
            t,
            encoder_hidden_states=tokens,
            class_labels=vector,
            cross_attention_kwargs=extra,
            return_dict=False,
        )
        output: Tensor = prediction[0]
        return output.contiguous()

    @property
    def time_width(self) -> int:
        width: int = self.network.time_embedding.linear_2.out_features
        return width

    def adapter(self, settings: LowRankSettings, rng: torch.Generator, *, parts: int = 1) -> LowRankAdapter:
        shapes = {name: shape for name, shape in self.adaptable.items() if name.endswith(settings.targets)}
        if not shapes:
            raise SettingError(
                f"the prior has no attention layers that end in {', '.join(settings.targets)}, which a LoRA could "
                "adapt: choose an estimator without LoRA or another --prior"
            )
        return LowRankAdapter(shapes, settings.rank, rng, parts=parts).to(self.network.device)


def with_open_time_embedding(network: Any) -> Any:
    """The network, sharing all weights, with `class_labels` added to its time embedding as they are."""
    opened = copy.copy(network)
    opened._modules = {**network._modules, "class_embedding": nn.Identity()}
    return opened


def install_adapted_attention(network: Any) -> dict[str, tuple[int, int]]:
    """Gives every transformer block the processor that knows adapters; inputs and outputs of its linear layers."""
    shapes: dict[str, tuple[int, int]] = {}
    for name, module in network.named_modules():
        if not name.endswith((".attn1", ".attn2")):
            continue
        module.set_processor(AdaptedAttention(name))
        layers = {"to_q": module.to_q, "to_k": module.to_k, "to_v": module.to_v, "to_out.0": module.to_out[0]}
        shapes |= {f"{name}.{key}": (layer.in_features, layer.out_features) for key, layer in layers.items()}
    return shapes


def present(part: Tensor | None, name: str) -> Tensor:
    """The part of a conditioning that the network cannot do without.

    Raises: SettingError if it is missing.
    """
    if part is None:
        raise SettingError(f"the prior needs a {name} in its conditioning: use the text encoder that belongs to it")
    return part


def takes_pooled(config: Any) -> bool:
    """True if the network adds a projected vector to its time embedding.

    Raises: SettingError if it wants class indices or the extra inputs of SDXL.
    """
    kind = config.class_embed_type
    if config.addition_embed_type is not None:
        raise SettingError(
            f"a network with addition_embed_type {config.addition_embed_type} (SDXL, Kandinsky) cannot be a prior yet: "
            "choose a --prior of Stable Diffusion 1 or 2"
        )
    if config.num_class_embeds is not None or (kind is not None and kind not in POOLED_KINDS):
        raise SettingError("a network conditioned on class indices cannot be a prior: choose another --prior")
    return kind is not None


def read_scheduler(path: Path) -> tuple[NoiseSchedule, PredictionType]:
    """The exact `alphas_cumprod` and the prediction type of a `scheduler_config.json`.

    A configuration without a prediction type is from the time when all networks predicted noise.

    Raises: SettingError if the file is missing or describes no discrete DDPM schedule.
    """
    from diffusers import DDPMScheduler

    config = read_json(path)
    kind = config.get("prediction_type", PredictionType.NOISE)
    if "beta_schedule" not in config or kind not in list(PredictionType):
        raise SettingError(
            f"{path} describes no DDPM noise schedule with a known prediction_type: "
            "choose a --prior of Stable Diffusion 1 or 2"
        )
    try:
        scheduler = DDPMScheduler(**{key: config[key] for key in SCHEDULE_KEYS if key in config})
    except (NotImplementedError, ValueError, TypeError) as error:
        raise SettingError(f"{path} describes no known noise schedule ({error}): choose another --prior") from error
    return NoiseSchedule.from_scheduler(scheduler), PredictionType(kind)
