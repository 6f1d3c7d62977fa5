"""3D Gaussian splats as `.splat`, the small format of web viewers: 32 bytes for each Gaussian and no header.

    bytes  0-11  position, 3 x float32
    bytes 12-23  scales, 3 x float32 (linear, not logarithms)
    bytes 24-27  red, green, blue, opacity, 4 x uint8 (after their activations, 255 = 1)
    bytes 28-31  unit quaternion w, x, y, z, 4 x uint8 (128 q + 128)

Everything is little endian. The biggest and most opaque Gaussians come first, so that a viewer that draws while it
loads shows the object early. The frame is that of `lodestone.export.frames`.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import normalize

from lodestone.errors import SettingError
from lodestone.export.frames import from_file_frame, to_file_frame
from lodestone.export.ply import read_bytes
from lodestone.export.pruning import finite, keep_visible, select
from lodestone.scenes.gaussians import C0, RawGaussians
from lodestone.storage import write_atomically

__all__ = ["RECORD", "read_splat", "write_splat"]

RECORD = np.dtype([("position", "<f4", 3), ("scale", "<f4", 3), ("rgba", "u1", 4), ("rotation", "u1", 4)])
"""One Gaussian."""


def write_splat(path: Path, raw: RawGaussians) -> None:
    """Writes the visible Gaussians of a scene (internal frame), atomically; colours and quaternions keep 8 bits.

    Raises: SettingError if no Gaussian is visible or the file cannot be written.
    """
    kept = to_file_frame(keep_visible(raw))
    kept = select(kept, by_importance(kept))
    records = np.zeros(len(kept), dtype=RECORD)
    records["position"] = kept.means.numpy()
    records["scale"] = kept.scales.numpy()
    records["rgba"] = to_byte(255 * torch.cat([kept.rgb, kept.opacities[:, None]], dim=-1))
    records["rotation"] = to_byte(128 * normalize(kept.quaternions, dim=-1) + 128)
    write_atomically(path, lambda temporary: temporary.write_bytes(records.tobytes()))


def by_importance(raw: RawGaussians) -> Int[Tensor, " n"]:
    """Indices that sort by falling volume times opacity."""
    return torch.argsort(raw.scales.prod(dim=-1) * raw.opacities, descending=True, stable=True)


def to_byte(values: Float[Tensor, "n 4"]) -> UInt8[np.ndarray, "n 4"]:
    """The nearest integers in 0..255."""
    return values.round().clamp(0, 255).to(torch.uint8).numpy()


def read_splat(path: Path) -> RawGaussians:
    """Reads a `.splat` file into the internal frame, in the file's order.

    An opacity byte of 0 or 255 is read as half a step inside, where the logit is finite.

    Raises: SettingError if the file is missing, truncated or holds something else.
    """
    contents = read_bytes(path)
    if not contents or len(contents) % RECORD.itemsize:
        raise SettingError(f"{path} is truncated or not a .splat file: copy or export it again")
    records = np.frombuffer(contents, RECORD)
    rgba = torch.tensor(records["rgba"]).float() / 255
    raw = RawGaussians(
        means=torch.tensor(records["position"]),
        log_scales=torch.tensor(records["scale"]).log(),
        quaternions=(torch.tensor(records["rotation"]).float() - 128) / 128,
        opacity_logits=rgba[:, 3].logit(eps=0.5 / 255),
        colors=(rgba[:, :3] - 0.5) / C0,
    )
    if not finite(raw).all():
        raise SettingError(f"{path} is not a .splat file (its positions or scales are no numbers): choose another file")
    return from_file_frame(raw)
