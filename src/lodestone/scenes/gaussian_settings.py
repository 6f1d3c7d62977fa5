"""How a scene of Gaussians begins, learns and grows."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from lodestone.errors import SettingError
from lodestone.scenes.density_control import DensityControl, DensityStatistics, Edit
from lodestone.scenes.gaussians import GaussianScene
from lodestone.scenes.initialize import BallInitialization
from lodestone.scenes.learning_rates import AbstractLearningRates, decay
from lodestone.scenes.scene import AbstractMesher, AbstractScene, AbstractSceneSettings, ParameterGroup, StructureState

__all__ = ["GaussianLearningRates", "GaussianSettings"]


@dataclass(frozen=True, kw_only=True)
class GaussianLearningRates(AbstractLearningRates):
    """Adam's learning rate for each raw parameter (LODS's Gaussian configuration; means in world units)."""

    means: float = 2e-3
    log_scales: float = 5e-3
    quaternions: float = 1e-3
    opacity_logits: float = 1e-2
    colors: float = 1.25e-2
    final: float = 0.1


@dataclass(frozen=True, kw_only=True)
class GaussianSettings(AbstractSceneSettings):
    """Everything that decides how Gaussians are optimized, except the gradient."""

    initialization: BallInitialization = BallInitialization()
    learning_rates: GaussianLearningRates = GaussianLearningRates()
    density: DensityControl = DensityControl()

    def create(self, rng: torch.Generator) -> GaussianScene:
        return GaussianScene(self.initialization.create(rng))

    def begin_after(self, previous: AbstractScene, mesher: AbstractMesher, rng: torch.Generator) -> GaussianScene:
        if not isinstance(previous, GaussianScene):
            raise SettingError("Gaussians begin with Gaussians alone: choose them for the stage before, too")
        return GaussianScene.from_tensors({name: tensor.clone() for name, tensor in previous.state_dict().items()})

    def restore(self, tensors: Mapping[str, Tensor]) -> GaussianScene:
        return GaussianScene.from_tensors(tensors)

    def parameter_groups(self, scene: AbstractScene, progress: float) -> list[ParameterGroup]:
        factor = decay(self.learning_rates.final, progress)
        rates = self.learning_rates
        return [ParameterGroup(name, p, factor * getattr(rates, name)) for name, p in scene.named_parameters()]

    def adapt(self, scene: AbstractScene, state: StructureState, step: int, rng: torch.Generator) -> StructureState:
        assert isinstance(scene, GaussianScene)
        statistics = read_statistics(state, len(scene.means))
        if not self.density.due(step):
            return StructureState(state.optimizer, vars(statistics))
        edit = self.density.edit(scene.raw, statistics, rng)
        replace_parameters(scene, state.optimizer, edit)
        return StructureState(state.optimizer, vars(DensityStatistics.empty(len(edit.raw))))


def read_statistics(state: StructureState, count: int) -> DensityStatistics:
    """The running sums with the last backward pass added."""
    statistics = DensityStatistics(**state.statistics) if state.statistics else DensityStatistics.empty(count)
    return statistics if state.seen is None else statistics.add(state.seen)


@torch.no_grad()
def replace_parameters(scene: GaussianScene, optimizer: torch.optim.Optimizer, edit: Edit) -> None:
    """Puts edited Gaussians into the scene; optimizer moments follow their parents and are zero for new Gaussians."""
    groups = {group["name"]: group for group in optimizer.param_groups}
    for field in fields(edit.raw):
        old = getattr(scene, field.name)
        new = nn.Parameter(getattr(edit.raw, field.name))
        setattr(scene, field.name, new)
        groups[field.name]["params"] = [new]
        if (moments := optimizer.state.pop(old, None)) is not None:
            optimizer.state[new] = {key: inherit(value, edit) for key, value in moments.items()}


def inherit(moment: Tensor, edit: Edit) -> Tensor:
    """A moment for the edited Gaussians; counters of steps stay as they are."""
    if moment.ndim == 0:
        return moment
    rows = moment[edit.parents]
    return torch.where(edit.fresh.view(-1, *[1] * (rows.ndim - 1)), torch.zeros_like(rows), rows)
