"""What lies behind the pixels of a rendering: samples on rays, and triangles; regularizers read them."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["RaySamples", "TriangleMesh"]


@dataclass(frozen=True, kw_only=True)
class RaySamples:
    """Every sample of a volume rendering, ray after ray and from near to far within each."""

    ray: Int[Tensor, " s"]
    """Which ray a sample lies on; rays are the pixels of all views, row by row."""
    rays: int
    distance: Float[Tensor, " s"]
    """From the camera, in world units, to the middle of the sample's interval."""
    width: Float[Tensor, " s"]
    """Length of the interval."""
    weight: Float[Tensor, " s"]
    """Opacity times transmittance."""
    direction: Float[Tensor, "s 3"]
    normal: Float[Tensor, "s 3"] | None = None
    """Unit vectors; None where no regularizer or shading asks for them."""
    nearby_normal: Float[Tensor, "s 3"] | None = None
    """Normals at points a little beside the samples; None where no regularizer asks for them."""


@dataclass(frozen=True, kw_only=True)
class TriangleMesh:
    """Triangles with counter-clockwise vertices seen from outside."""

    vertices: Float[Tensor, "n 3"]
    faces: Int[Tensor, "f 3"]
