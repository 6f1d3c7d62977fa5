"""How a scene says what its surface is; mesh export and later stages read it.

A volume has no surface of its own: a level of its density is chosen so that the silhouettes match. A mesh is its own
surface, and a mesh with a texture needs no baking either.
"""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from lodestone.rendering.samples import TriangleMesh

__all__ = ["Color", "ColoredMesh", "Surface", "TexturedMesh", "Volume"]

Color = Callable[[Float[Tensor, "n 3"]], Float[Tensor, "n 3"]]
"""Points in the world to colours in [0, 1], sRGB values."""


@dataclass(frozen=True, kw_only=True)
class Volume:
    """Something denser inside than outside."""

    density: Callable[[Float[Tensor, "n 3"]], Float[Tensor, " n"]]
    """In any unit; not negative if the level is None."""
    low: Float[Tensor, "3"]
    high: Float[Tensor, "3"]
    """Opposite corners of a box outside which there is nothing."""
    level: float | None = None
    """The density at the surface, as 0 for minus a signed distance; None: to be found by matching silhouettes."""
    smoothing: float = 0.0
    """What is finer than this is no part of the shape: the standard deviation of a blur, in world units."""
    color: Color | None = None
    """None if the scene's own pictures are to be projected back onto the surface."""


@dataclass(frozen=True, kw_only=True)
class ColoredMesh:
    """Triangles whose colour is known at points or from pictures."""

    mesh: TriangleMesh
    color: Color | None = None


@dataclass(frozen=True, kw_only=True)
class TexturedMesh:
    """Triangles with a picture on them, as a file holds them."""

    vertices: Float[Tensor, "n 3"]
    faces: Int[Tensor, "f 3"]
    """Counter-clockwise seen from outside; vertices of a seam are listed once for each of its sides."""
    uv: Float[Tensor, "n 2"]
    """u to the right, v downwards, (0, 0) at the top left corner of the texture."""
    texture: Float[Tensor, "h w 3"]
    """Base colour in [0, 1], sRGB values."""


Surface = Volume | ColoredMesh | TexturedMesh
