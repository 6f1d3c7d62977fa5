"""Textured meshes as `.glb` (glTF 2.0, Khronos) and as `.obj` with `.mtl` and `.png`; the same bytes for the same mesh.

glTF says +y up, +z to the front, metres; .obj says nothing, and its readers expect the same. From the internal frame

    (x, y, z) inside  =  (y, z, x) in the file,    det = +1

Texture coordinates begin at the top left corner in glTF, at the bottom left one in .obj. The base colour is sRGB; the
material is rough and not metallic, because the light is in the colours already.
"""

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from lodestone import __version__
from lodestone.errors import SettingError
from lodestone.export.extras import needs
from lodestone.export.pictures import to_bytes
from lodestone.scenes.surface import TexturedMesh
from lodestone.storage import write_atomically

__all__ = ["from_mesh_frame", "read_mesh", "smooth_normals", "to_mesh_frame", "write_glb", "write_obj"]

FLOAT, UNSIGNED_INT = 5126, 5125
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963
LINEAR, LINEAR_MIPMAP_LINEAR, CLAMP_TO_EDGE = 9729, 9987, 33071


def to_mesh_frame(points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Points or directions, inside -> file: `(x, y, z) -> (y, z, x)`."""
    return points[:, [1, 2, 0]]


def from_mesh_frame(points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Points or directions, file -> inside: `(x, y, z) -> (z, x, y)`."""
    return points[:, [2, 0, 1]]


def smooth_normals(mesh: TexturedMesh) -> Float[Tensor, "n 3"]:
    """Unit normals weighted by area; vertices at one place share theirs, so that seams do not show."""
    _, place = torch.unique(mesh.vertices, dim=0, return_inverse=True)
    a, b, c = mesh.vertices[mesh.faces].unbind(dim=1)
    across = torch.linalg.cross(b - a, c - a)
    total = torch.zeros(int(place.max()) + 1, 3)
    for corner in range(3):
        total.index_add_(0, place[mesh.faces[:, corner]], across)
    up = torch.tensor([0.0, 0.0, 1.0])  # where faces cancel, any direction will do
    total = torch.where(total.norm(dim=-1, keepdim=True) > 1e-20, total, up)
    return normalize(total.double(), dim=-1, eps=1e-30).float()[place]


def picture_bytes(texture: Float[Tensor, "h w 3"]) -> bytes:
    """The texture as a .png file."""
    stream = io.BytesIO()
    Image.fromarray(to_bytes(texture)).save(stream, format="PNG")
    return stream.getvalue()


def write_bytes(path: Path, contents: bytes) -> None:
    """Writes a file atomically."""
    write_atomically(path, lambda temporary: temporary.write_bytes(contents))


def write_glb(path: Path, mesh: TexturedMesh) -> None:
    """Writes one binary glTF file, atomically.

    Raises: SettingError if the file cannot be written.
    """
    position = to_mesh_frame(mesh.vertices).numpy().astype("<f4")
    parts = [
        (position.tobytes(), ARRAY_BUFFER),
        (to_mesh_frame(smooth_normals(mesh)).numpy().astype("<f4").tobytes(), ARRAY_BUFFER),
        (mesh.uv.numpy().astype("<f4").tobytes(), ARRAY_BUFFER),
        (mesh.faces.numpy().astype("<u4").tobytes(), ELEMENT_ARRAY_BUFFER),
        (picture_bytes(mesh.texture), None),
    ]
    views, body = [], b""
    for contents, target in parts:
        view = {"buffer": 0, "byteOffset": len(body), "byteLength": len(contents)}
        views.append(view if target is None else {**view, "target": target})
        body += contents + b"\0" * (-len(contents) % 4)
    text = json.dumps(scene_of(position, mesh.faces.numel(), views, len(body)), separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(body), 0x004E4942) + body
    whole = struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks
    write_bytes(path, whole)


def scene_of(position: np.ndarray, indices: int, views: list[dict[str, Any]], length: int) -> dict[str, Any]:
    """The glTF document: one node, one mesh, one material, one texture."""
    vector: dict[str, Any] = {"componentType": FLOAT, "count": len(position), "type": "VEC3"}
    bounds = {"min": position.min(axis=0).tolist(), "max": position.max(axis=0).tolist()}
    return {
        "asset": {"version": "2.0", "generator": f"Lodestone {__version__}"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [
            {
                "primitives": [
                    {"attributes": {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2}, "indices": 3, "material": 0}
                ]
            }
        ],
        "accessors": [
            {"bufferView": 0, **vector, **bounds},
            {"bufferView": 1, **vector},
            {"bufferView": 2, **vector, "type": "VEC2"},
            {"bufferView": 3, "componentType": UNSIGNED_INT, "count": indices, "type": "SCALAR"},
        ],
        "materials": [
            {
                "name": "baked",
                "doubleSided": True,
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 1.0,
                },
            }
        ],
        "textures": [{"sampler": 0, "source": 0}],
        "samplers": [
            {"magFilter": LINEAR, "minFilter": LINEAR_MIPMAP_LINEAR, "wrapS": CLAMP_TO_EDGE, "wrapT": CLAMP_TO_EDGE}
        ],
        "images": [{"bufferView": 4, "mimeType": "image/png"}],
        "bufferViews": views,
        "buffers": [{"byteLength": length}],
    }  # fmt: skip


def write_obj(path: Path, mesh: TexturedMesh) -> list[Path]:
    """Writes `name.obj`, `name.mtl` and `name.png`; the names inside are relative. Returns what was written.

    Raises: SettingError if a file cannot be written.
    """
    material, picture = path.with_suffix(".mtl"), path.with_suffix(".png")
    flipped = torch.stack([mesh.uv[:, 0], 1 - mesh.uv[:, 1]], dim=-1)
    lines = [
        f"# Lodestone {__version__}: +y up, +z to the front",
        f"mtllib {material.name}",
        "usemtl baked",
        *rows("v", to_mesh_frame(mesh.vertices)),
        *rows("vt", flipped),
        *rows("vn", to_mesh_frame(smooth_normals(mesh))),
        *(f"f {a}/{a}/{a} {b}/{b}/{b} {c}/{c}/{c}" for a, b, c in (mesh.faces + 1).tolist()),
    ]
    described = ["newmtl baked", "Ka 0 0 0", "Kd 1 1 1", "Ks 0 0 0", "illum 1", f"map_Kd {picture.name}"]
    write_bytes(picture, picture_bytes(mesh.texture))
    for file, text in ((material, described), (path, lines)):
        write_bytes(file, ("\n".join(text) + "\n").encode())
    return [path, material, picture]


def rows(word: str, values: Float[Tensor, "n c"]) -> list[str]:
    """One line for each row, with the digits that give back every float32."""
    return [f"{word} " + " ".join(f"{value:.9g}" for value in row) for row in values.tolist()]


def read_mesh(path: Path) -> TexturedMesh:
    """Reads a textured `.glb` or `.obj` file with trimesh, into the internal frame.

    Raises: SettingError if the file cannot be read or has no texture.
    """
    with needs("mesh"):
        import trimesh
    try:
        loaded = trimesh.load(path, force="mesh", process=False, maintain_order=True)
        material, uv = loaded.visual.material, np.array(loaded.visual.uv, dtype=np.float32)
        picture = material.image if path.suffix == ".obj" else material.baseColorTexture
        texture = np.asarray(picture.convert("RGB"), dtype=np.float32) / 255
        vertices, faces = np.array(loaded.vertices, dtype=np.float32), np.array(loaded.faces, dtype=np.int64)
    except Exception as error:  # a foreign reader, which says in many ways that it cannot
        raise SettingError(f"{path} cannot be read as a textured mesh ({error}): export it again") from error
    return TexturedMesh(
        vertices=from_mesh_frame(torch.from_numpy(vertices)),
        faces=torch.from_numpy(faces),
        uv=torch.from_numpy(np.stack([uv[:, 0], 1 - uv[:, 1]], axis=-1)),
        texture=torch.from_numpy(texture),
    )
