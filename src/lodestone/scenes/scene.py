"""The interface of every scene."""

import abc
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lodestone.errors import SettingError
from lodestone.rendering.cameras import Cameras
from lodestone.rendering.samples import RaySamples, TriangleMesh
from lodestone.scenes.surface import Surface, TexturedMesh

__all__ = [
    "AbstractMesher",
    "AbstractScene",
    "AbstractSceneSettings",
    "ParameterGroup",
    "RenderStatistics",
    "Rendering",
    "StructureState",
    "take_over",
]


@dataclass(frozen=True, kw_only=True)
class RenderStatistics:
    """What density control reads after the backward pass."""

    screen_offset: Float[Tensor, "v n 2"]
    """Zeros added to the projected means; their gradient is the screen-space gradient in pixels."""
    radii: Float[Tensor, "v n"]
    """Screen radius in pixels, 0 where a primitive is not seen."""


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """Pictures of a scene, channels last."""

    color: Float[Tensor, "v h w 3"]
    """Over the background, in [0, 1] up to the colours' own range."""
    opacity: Float[Tensor, "v h w 1"]
    depth: Float[Tensor, "v h w 1"]
    """Expected camera depth of what is opaque; 0 where nothing is, and everywhere in a flat scene."""
    normals: Float[Tensor, "v h w 3"] | None = None
    latents: Float[Tensor, "v c height width"] | None = None
    """What a scene that lives in the latents of a prior shows it; `color` is then unused."""
    source_latents: Float[Tensor, "v channels rows columns"] | None = None
    """Latents of the picture that a flat scene began as, if it is edited."""
    statistics: RenderStatistics | None = None
    samples: RaySamples | None = None
    """Of a volume rendering."""
    mesh: TriangleMesh | None = None
    """Of a surface."""


@dataclass(frozen=True)
class ParameterGroup:
    """One parameter with its learning rate, named as in the scene."""

    name: str
    parameter: nn.Parameter
    learning_rate: float
    epsilon: float = 1e-15
    """Adam's: where gradients are smaller, steps are in proportion to them instead of being all of one size."""


class AbstractScene(nn.Module, abc.ABC):
    """A differentiable 3D representation."""

    @abc.abstractmethod
    def render(
        self, cameras: Cameras, background: Float[Tensor, "v 3"], rng: torch.Generator | None = None
    ) -> Rendering:
        """Pictures from every camera over plain backgrounds.

        `rng` is given in training, to scenes that then jitter their samples or draw their background; without it the
        same cameras give the same pictures.
        """

    @abc.abstractmethod
    def coverage(self) -> float:
        """How much of the scene can be seen at all, 0 for an empty scene; the loop's watchdog reads it."""

    def unlit(self) -> "AbstractScene":
        """The scene as its base colours alone show it, which is what mesh files hold; itself if nothing lights it."""
        return self

    def surface(self) -> Surface:
        """What a mesh of the scene is made from.

        Raises: SettingError if the scene has no surface, as here.
        """
        raise SettingError("this scene has no surface to make a mesh of: choose a 3D scene or another format")


def take_over(scene: AbstractScene, previous: AbstractScene) -> None:
    """Gives a fresh scene every tensor of another one that fits it by name and shape."""
    own = scene.state_dict()
    taken = {name: old for name, old in previous.state_dict().items() if name in own and own[name].shape == old.shape}
    scene.load_state_dict({**own, **taken})


class AbstractMesher(abc.ABC):
    """Makes meshes of scenes, for a stage whose scene is another kind than the one before."""

    @abc.abstractmethod
    def mesh(self, scene: AbstractScene, *, texture_size: int) -> TexturedMesh:
        """The scene's surface with its colours as a texture.

        Raises: SettingError if the scene has no surface.
        """


class AbstractSceneSettings(abc.ABC):
    """How a scene begins, learns and changes its structure."""

    def check(self, views: int, image_size: int, latent_shape: tuple[int, int, int]) -> None:
        """Raises: SettingError before any work starts if the scene cannot be shown to the prior in so many views."""
        return None

    @abc.abstractmethod
    def create(self, rng: torch.Generator) -> AbstractScene:
        """The scene before the first step."""

    def begin_after(self, previous: AbstractScene, mesher: AbstractMesher, rng: torch.Generator) -> AbstractScene:
        """The scene of a stage that begins with what the stage before has made.

        Raises: SettingError if it cannot begin so, as here.
        """
        raise SettingError(f"{type(self).__name__} cannot begin with another scene: leave out the stage before it")

    @abc.abstractmethod
    def restore(self, tensors: Mapping[str, Tensor]) -> AbstractScene:
        """The scene whose `state_dict` is given."""

    @abc.abstractmethod
    def parameter_groups(self, scene: AbstractScene, progress: float) -> list[ParameterGroup]:
        """Every parameter with its learning rate at `progress` in [0, 1]."""

    @abc.abstractmethod
    def adapt(self, scene: AbstractScene, state: "StructureState", step: int, rng: torch.Generator) -> "StructureState":
        """Changes the scene's structure after the optimizer's step; returns the state for the next one."""


@dataclass(frozen=True)
class StructureState:
    """What changing the structure needs to know; plain tensors, so that checkpoints can hold it."""

    optimizer: torch.optim.Optimizer
    statistics: Mapping[str, Tensor]
    seen: RenderStatistics | None = None
