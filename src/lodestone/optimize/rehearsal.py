"""A first and a last step that cost nothing, so that whatever they would refuse is refused before any work starts."""

from dataclasses import replace

import torch

from lodestone.arrays import Latents, Times
from lodestone.errors import SettingError
from lodestone.optimize.experiment import Experiment
from lodestone.optimize.loop import conditioning_of
from lodestone.optimize.regularizers import check_regularizers
from lodestone.optimize.state import OptimizationState
from lodestone.priors.denoiser import AbstractDenoiser, Prediction, PredictionType
from lodestone.prompts.conditioning import Conditioning
from lodestone.prompts.prompt import EncodedPrompt
from lodestone.scenes.scene import AbstractMesher, AbstractScene
from lodestone.scenes.surface import TexturedMesh
from lodestone.scenes.textured_mesh import mapped_sphere

__all__ = ["StandInMesher", "rehearse"]


class StandInMesher(AbstractMesher):
    """Gives a grey sphere instead of a mesh, at no cost."""

    def mesh(self, scene: AbstractScene, *, texture_size: int) -> TexturedMesh:
        vertices, faces, uv = mapped_sphere(24, 12)
        texture = torch.full((texture_size, texture_size, 3), 0.5)
        return TexturedMesh(vertices=0.5 * vertices, faces=faces, uv=uv, texture=texture)


class SilentDenoiser(AbstractDenoiser):
    """Predicts zeros for latents of the shape, and on the schedule, of another denoiser."""

    def __init__(self, other: AbstractDenoiser) -> None:
        super().__init__()
        self.schedule, self.latent_shape = other.schedule, other.latent_shape

    def forward(self, noisy: Latents, t: Times, conditioning: Conditioning) -> Prediction:
        return Prediction.of(PredictionType.NOISE, torch.zeros_like(noisy), noisy, t, self.schedule)


@torch.no_grad()
def rehearse(
    experiment: Experiment, prompt: EncodedPrompt, state: OptimizationState, denoiser: AbstractDenoiser
) -> None:
    """Asks the estimator for two gradients of a small rendering; the state stays as it is.

    Raises: SettingError if the estimator cannot work with these particles, views or words, or a regularizer with this
    scene.
    """
    plan, silent, rng = experiment.plan, SilentDenoiser(denoiser), torch.Generator()
    memory = None if state.noise_memory is None else state.noise_memory.clone()
    device, viewpoints = torch.device(experiment.device), experiment.cameras.sample(plan.views, rng)
    cameras = viewpoints.cameras(8, 8).to(device)
    rendering = state.scene.render(cameras, plan.background.sample(plan.views, rng).to(device), rng)
    if rendering.latents is not None and any(plan.resolution(step) != 1 for step in range(plan.steps)):
        raise SettingError("plan.resolution is for scenes of colours, and this one shows latents: set it to 1")
    check_regularizers(plan.regularizers, plan.steps, rendering)
    conditioning = conditioning_of(prompt, viewpoints, cameras, rendering, replace(state, noise_memory=memory))
    latents = rendering.color.new_zeros(plan.views, *denoiser.latent_shape)
    for step in {0, plan.steps - 1}:
        experiment.estimator.gradient(silent, latents, conditioning, plan.settings(step, silent.schedule), rng)
