"""The denoiser of every diffusers-style U-Net: the embedded prior and Stable Diffusion are both this class."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lodestone.arrays import Latents, Times
from lodestone.errors import SettingError
from lodestone.precision import call_in_precision
from lodestone.pretrained import read_json
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, PredictionType
from lodestone.priors.noise import NoiseSchedule
from lodestone.prompts.conditioning import Conditioning

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
        self.network = network.eval().requires_grad_(False)
        if network.device.type == "cpu":
            # Convolutions on a CPU are fastest with the channels innermost.
            self.network.to(memory_format=torch.channels_last)
        self.schedule, self.prediction_type = schedule, prediction_type
        size = network.config.sample_size
        height, width = (size, size) if isinstance(size, int) else size
        self.latent_shape = (network.config.out_channels, height, width)
        self.takes_picture = network.config.in_channels > network.config.out_channels
        self.takes_pooled = takes_pooled(network.config)

    def forward(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Prediction:
        sample = noisy
        if self.takes_picture:
            sample = torch.cat([noisy, present(conditioning.picture, "picture").to(noisy.dtype)], dim=1)
        inputs = [sample, conditioning.tokens]
        if self.takes_pooled:
            inputs.append(present(conditioning.pooled, "pooled text vector"))

        def run(sample: Tensor, tokens: Tensor, pooled: Tensor | None = None) -> Tensor:
            return self.run(sample, t, tokens, pooled)

        output = call_in_precision(run, self.network.dtype, *inputs)
        prediction = Prediction.of(self.prediction_type, output, noisy, t, self.schedule)
        views = (prediction.noise, prediction.clean, prediction.velocity)
        # The schedule's tables are float32, which would promote a half-precision caller's latents.
        return Prediction(*(view.to(noisy.dtype) for view in views))

    def run(self, sample: Tensor, t: Tensor, tokens: Tensor, pooled: Tensor | None) -> Tensor:
        """The network itself, on inputs of its own dtype."""
        if sample.device.type == "cpu":
            sample = sample.contiguous(memory_format=torch.channels_last)
        prediction = self.network(sample, t, encoder_hidden_states=tokens, class_labels=pooled, return_dict=False)
        output: Tensor = prediction[0]
        return output.contiguous()


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
