"""What every volumetric scene does while it is optimized: learning rates by part, steps counted, occupancy updated."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from lodestone.errors import SettingError
from lodestone.rendering.occupancy import OccupancySettings
from lodestone.scenes.field import AbstractField
from lodestone.scenes.field_settings import DensityBias, VolumeSettings
from lodestone.scenes.learning_rates import AbstractLearningRates, decay
from lodestone.scenes.scene import (
    AbstractMesher,
    AbstractScene,
    AbstractSceneSettings,
    ParameterGroup,
    StructureState,
    take_over,
)

__all__ = ["AbstractFieldSettings", "FieldLearningRates"]


@dataclass(frozen=True, kw_only=True)
class FieldLearningRates(AbstractLearningRates):
    """Adam's learning rate for each part of a field (threestudio's and LODS's)."""

    grid: float = 1e-2
    """Hash tables and voxels."""
    networks: float = 1e-3
    """Perceptrons, and the map from latents to colours."""
    environment: float = 1e-3

    def of(self, name: str) -> float:
        """The rate of the parameter with this name."""
        part = name.partition(".")[0]
        return self.environment if part == "environment" else self.grid if part == "table" else self.networks


@dataclass(frozen=True, kw_only=True)
class AbstractFieldSettings(AbstractSceneSettings):
    """Settings of a field, whatever holds its numbers."""

    volume: VolumeSettings = VolumeSettings()
    bias: DensityBias = DensityBias()
    occupancy: OccupancySettings = OccupancySettings()
    learning_rates: FieldLearningRates = FieldLearningRates()

    @abc.abstractmethod
    def build(self, rng: torch.Generator) -> AbstractField:
        """The field with its first parameters."""

    def check(self, views: int, image_size: int, latent_shape: tuple[int, int, int]) -> None:
        self.volume.check(image_size, latent_shape)

    def create(self, rng: torch.Generator) -> AbstractField:
        scene = self.build(rng)
        scene.update_occupancy(self.occupancy, rng)
        return scene

    def restore(self, tensors: Mapping[str, Tensor]) -> AbstractField:
        scene = self.build(torch.Generator().manual_seed(0))
        scene.load_state_dict(dict(tensors))
        return scene

    def begin_after(self, previous: AbstractScene, mesher: AbstractMesher, rng: torch.Generator) -> AbstractField:
        """A fresh field that takes over every tensor of another that fits it by name and shape."""
        if not isinstance(previous, AbstractField):
            raise SettingError("a field begins with a field alone: choose one for the stage before, too")
        fresh = self.build(rng)
        take_over(fresh, previous)
        fresh.step.zero_()
        fresh.update_occupancy(self.occupancy, rng)
        return fresh

    def parameter_groups(self, scene: AbstractScene, progress: float) -> list[ParameterGroup]:
        factor = decay(self.learning_rates.final, progress)
        rate = self.learning_rates.of
        return [ParameterGroup(name, parameter, factor * rate(name)) for name, parameter in scene.named_parameters()]

    def adapt(self, scene: AbstractScene, state: StructureState, step: int, rng: torch.Generator) -> StructureState:
        assert isinstance(scene, AbstractField)
        scene.step.fill_(step + 1)
        if self.occupancy.due(step):
            scene.update_occupancy(self.occupancy, rng)
        return StructureState(state.optimizer, {})
