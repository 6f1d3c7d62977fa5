"""Foreign code that may hang or crash on bad meshes, run in a process of its own with a time limit.

This file is also that process: it imports numpy and the library that is needed, and nothing of this package.
"""

import logging
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["in_separate_process"]

Arrays = dict[str, np.ndarray]

logger = logging.getLogger(__name__)


def in_separate_process(
    task: str, tensors: "Mapping[str, Tensor]", *, seconds: float, program: Path = Path(__file__)
) -> "dict[str, Tensor] | None":
    """What the task makes of the tensors; None, with a warning, if it crashes or takes longer than `seconds`."""
    from safetensors import SafetensorError
    from safetensors.torch import load, save

    command = [sys.executable, "-P", str(program), task]  # -P: the folder's files do not hide libraries
    try:
        done = subprocess.run(
            command,
            input=save({name: tensor.contiguous() for name, tensor in tensors.items()}),
            capture_output=True,
            timeout=seconds,
            check=True,
        )
        return load(done.stdout)
    except subprocess.TimeoutExpired:
        logger.warning("%s did not finish within %g s", task, seconds)
    except (subprocess.CalledProcessError, SafetensorError) as error:
        said = getattr(error, "stderr", b"").decode(errors="replace").strip().splitlines()
        logger.warning("%s did not succeed (%s)", task, said[-1] if said else error)
    return None


def decimate(arrays: Arrays) -> Arrays:
    """Quadric edge collapse to `count` faces."""
    import fast_simplification

    vertices, faces = fast_simplification.simplify(
        arrays["vertices"].astype(np.float32), arrays["faces"].astype(np.int32), target_count=int(arrays["count"][0])
    )
    return {"vertices": vertices.astype(np.float32), "faces": faces.astype(np.int64)}


def unwrap(arrays: Arrays) -> Arrays:
    """Charts of few distortions, packed into one square of about `size` texels with `gutter` texels between them."""
    import xatlas

    atlas = xatlas.Atlas()
    atlas.add_mesh(arrays["vertices"].astype(np.float32), arrays["faces"].astype(np.uint32))
    packing = xatlas.PackOptions()
    packing.resolution, packing.padding = int(arrays["size"][0]), int(arrays["gutter"][0])
    packing.bilinear = True
    atlas.generate(xatlas.ChartOptions(), packing)
    if atlas.atlas_count != 1:
        raise ValueError(f"the charts need {atlas.atlas_count} textures")
    source, faces, uv = atlas[0]
    return {"source": source.astype(np.int64), "faces": faces.astype(np.int64), "uv": uv.astype(np.float32)}


TASKS: dict[str, Callable[[Arrays], Arrays]] = {"decimate": decimate, "unwrap": unwrap}


def main() -> None:
    """Reads arrays from the standard input and writes the task's result to the standard output."""
    from safetensors.numpy import load, save

    answer: Any = TASKS[sys.argv[1]](load(sys.stdin.buffer.read()))
    sys.stdout.buffer.write(save({name: np.ascontiguousarray(array) for name, array in answer.items()}))


if __name__ == "__main__":
    main()
