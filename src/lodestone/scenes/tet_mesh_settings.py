"""How a tetrahedral mesh begins and learns."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lodestone.errors import SettingError, check_range
from lodestone.rendering.samples import TriangleMesh
from lodestone.scenes.learning_rates import AbstractLearningRates, decay
from lodestone.scenes.scene import (
    AbstractMesher,
    AbstractScene,
    AbstractSceneSettings,
    ParameterGroup,
    StructureState,
    take_over,
)
from lodestone.scenes.signed_distance import FARTHEST, distance_to_ellipsoid, distance_to_level, distance_to_mesh
from lodestone.scenes.surface import Surface, TexturedMesh, Volume
from lodestone.scenes.tet_mesh import Appearance, Deformable, Shows, TetMesh
from lodestone.scenes.tetrahedra import TetrahedralGrid
from lodestone.scenes.texture_field import AbstractTextureSettings, FrequencyTextureSettings, fit_texture
from lodestone.scenes.textured_mesh import sample

__all__ = ["TetMeshLearningRates", "TetMeshSettings"]

COLORS = 512
"""Side of the texture from which the colours of another scene are taken."""

POINTS = 2**18
"""Points of which a density is asked at once."""


@dataclass(frozen=True, kw_only=True)
class TetMeshLearningRates(AbstractLearningRates):
    """Adam's learning rate for each part."""

    distances: float = 2e-2
    """In cells."""
    deformation: float = 1e-2
    """Before the hyperbolic tangent."""
    texture: float = 1e-2


@dataclass(frozen=True, kw_only=True)
class TetMeshSettings(AbstractSceneSettings):
    """Everything that decides how a tetrahedral mesh is optimized, except the gradient.

    It begins as an ellipsoid, or as what `begin_as` is given.
    """

    cells: int = 64
    """Along each side of the cube. Magic3D and threestudio: 128."""
    bound: float = 1.0
    """The cube reaches from -bound to bound."""
    radii: tuple[float, float, float] = (0.5, 0.5, 0.5)
    """Of the ellipsoid, along x, y and z. Fantasia3D in threestudio: 0.5."""
    reach: float = 0.5
    """How far a vertex of the grid moves along each axis, in cells."""
    texture: AbstractTextureSettings = FrequencyTextureSettings()
    appearance: Appearance = Appearance.UNLIT
    shows: Shows = Shows.COLOR
    latent_steps: int = 1_000
    """Steps in which normals and mask stand for latents (Fantasia3D in threestudio)."""
    latent_size: int = 64
    """Side of these latents."""
    learn_geometry: bool = True
    """False learns the texture alone (Fantasia3D's appearance stage)."""
    learning_rates: TetMeshLearningRates = TetMeshLearningRates()
    cut_off: float = 2.0
    """Distances beyond this many cells are cut off after every step."""
    smallest_part: float = 0.02
    """Parts and cavities smaller than this share of the largest are removed; 0 keeps all."""
    tidy_every: int = 25
    """Steps between such removals."""

    def __post_init__(self) -> None:
        limits: dict[str, tuple[float, float]] = {"cells": (2, 512), "bound": (1e-3, 1e3), "reach": (0.0, 1.0)}
        limits |= {"latent_steps": (0, 1_000_000), "latent_size": (1, 4096), "cut_off": (0.5, FARTHEST)}
        limits |= {"smallest_part": (0.0, 1.0), "tidy_every": (1, 1_000_000)}
        for name, bounds in limits.items():
            check_range(f"scene.{name}", getattr(self, name), *bounds)
        for radius in self.radii:
            check_range("scene.radii", radius, 1e-3, 1e3)
        if min(self.radii) < self.grid.cell or max(self.radii) >= self.bound:
            raise SettingError(
                f"scene.radii is {self.radii}: choose at least {self.grid.cell:g}, the size of a cell, and less than "
                f"scene.bound, {self.bound:g}"
            )

    @property
    def grid(self) -> TetrahedralGrid:
        """The grid."""
        return TetrahedralGrid(self.cells, self.bound)

    def check(self, views: int, image_size: int, latent_shape: tuple[int, int, int]) -> None:
        expected = (4, self.latent_size, self.latent_size)
        if self.shows is Shows.NORMALS_AND_MASK_LATENT and self.latent_steps and latent_shape != expected:
            raise SettingError(
                f"scene.shows is {self.shows} with latents of shape {expected}, but the prior takes {latent_shape}: "
                "choose --scene.shows normals, or the prior's scene.latent_size if it has 4 channels"
            )

    def build(self, distances: Float[Tensor, " n"], rng: torch.Generator) -> TetMesh:
        """The scene with given distances in cells and a new texture."""
        return TetMesh(
            Deformable(self.grid, self.reach),
            distances.clamp(-self.cut_off, self.cut_off),
            self.texture.create(self.appearance.channels, self.bound, rng),
            appearance=self.appearance,
            shows=self.shows,
            latent_steps=self.latent_steps,
            latent_size=self.latent_size,
            learn_geometry=self.learn_geometry,
        )

    def create(self, rng: torch.Generator) -> TetMesh:
        return self.build(distance_to_ellipsoid(self.grid, self.radii), rng)

    def begin_after(self, previous: AbstractScene, mesher: AbstractMesher, rng: torch.Generator) -> TetMesh:
        """A tetrahedral mesh on the same grid is taken over as it is, its texture if it is of the same kind."""
        if not isinstance(previous, TetMesh) or previous.shape != Deformable(self.grid, self.reach):
            return self.begin_as(mesher.mesh(previous, texture_size=COLORS), rng)
        scene = self.build(previous.distances.detach(), rng)
        take_over(scene, previous)
        scene.step.zero_()
        return scene

    @torch.no_grad()
    def begin_as(self, surface: Surface, rng: torch.Generator) -> TetMesh:
        """The scene with the shape of another one's surface, and its colours if they are known.

        Raises: SettingError if there is nothing inside the cube, or a volume comes without a level.
        """
        scene = self.build(self.distances_to(surface), rng)
        mesh = scene.mesh()
        if not len(mesh.faces):
            raise SettingError("the surface to begin with has nothing inside scene.bound: choose a larger one")
        if isinstance(surface, TexturedMesh):
            colors = sample(surface.texture, surface.uv, surface.uv.new_zeros(len(surface.uv)))
            fit_texture(scene.texture, surface.vertices, colors, rng)
        elif surface.color is not None:
            fit_texture(scene.texture, mesh.vertices, surface.color(mesh.vertices).clamp(0, 1), rng)
        return scene

    def distances_to(self, surface: Surface) -> Float[Tensor, " n"]:
        """In cells, on the grid."""
        if isinstance(surface, Volume):
            if surface.level is None:
                raise SettingError("a volume has no surface without a level of its density: give Volume.level")
            points = self.grid.positions(surface.low.device)
            density = torch.cat([surface.density(part) for part in points.split(POINTS)]).cpu()
            within = ((points >= surface.low) & (points <= surface.high)).all(dim=-1).cpu()
            return distance_to_level(self.grid, torch.where(within, density, torch.nan), surface.level)
        if isinstance(surface, TexturedMesh):
            return distance_to_mesh(self.grid, TriangleMesh(vertices=surface.vertices, faces=surface.faces))
        return distance_to_mesh(self.grid, surface.mesh)

    def restore(self, tensors: Mapping[str, Tensor]) -> TetMesh:
        scene = self.build(tensors["distances"], torch.Generator())
        scene.load_state_dict(tensors)
        return scene

    def parameter_groups(self, scene: AbstractScene, progress: float) -> list[ParameterGroup]:
        rates = self.learning_rates
        factor = decay(rates.final, progress)
        return [
            ParameterGroup(name, parameter, factor * getattr(rates, name.partition(".")[0]))
            for name, parameter in scene.named_parameters()
        ]

    def adapt(self, scene: AbstractScene, state: StructureState, step: int, rng: torch.Generator) -> StructureState:
        assert isinstance(scene, TetMesh)
        scene.step.fill_(step + 1)
        if self.learn_geometry:
            due = (step + 1) % self.tidy_every == 0
            scene.tidy(self.cut_off, self.smallest_part if due else 0.0)
        return StructureState(state.optimizer, {})
