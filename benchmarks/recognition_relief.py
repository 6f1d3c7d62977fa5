"""Which views should the recognition metric use? A measurement on objects whose quality is known.

Sixteen pictures of `prompts_v0.txt` are blown up into reliefs of small Gaussians. One version is coloured through and
through, so every view but the narrow ones shows the object; the other has a plain back half, as a flawed result would.
A good metric tells the two apart. Run: python benchmarks/recognition_relief.py (about three minutes on one core).
"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import max_pool2d

from lodestone.data.emoji import load_emoji
from lodestone.evaluation.recognition import PictureIndex, Recall, unit_features
from lodestone.export.pictures import render_views
from lodestone.rendering.cameras import EvaluationCamera
from lodestone.scenes.gaussians import C0, GaussianScene, RawGaussians

CAMERA = EvaluationCamera(distance=3.0, field_of_view=40.0)
LAYERS, DEPTH, WIDTH = 9, 16, 0.018


def inflated(alpha: Float[Tensor, "64 64"]) -> Float[Tensor, "64 64"]:
    """Half the thickness of the relief: the root of the distance to the outline, which is erosion counted."""
    inside, total = (alpha > 0.5).float()[None], torch.zeros(1, 64, 64)
    for _ in range(DEPTH):
        inside = -max_pool2d(-inside, 3, stride=1, padding=1)
        total = total + inside
    return 0.35 * (total[0] / DEPTH).sqrt()


def relief(picture: Float[Tensor, "4 64 64"], *, plain_back: bool) -> GaussianScene:
    """Layers of equal Gaussians from the back (-x) to the front (+x)."""
    rows, columns = torch.nonzero(picture[3] > 0.5, as_tuple=True)
    half, color = inflated(picture[3])[rows, columns], picture[:3, rows, columns].T
    means, colors = [], []
    for depth in torch.linspace(-1, 1, LAYERS):
        means.append(torch.stack([depth * half, (columns - 31.5) / 32, (31.5 - rows) / 32], dim=-1))
        colors.append(color.mean(dim=0).expand_as(color) if plain_back and depth < -0.2 else color)
    count = LAYERS * len(color)
    raw = RawGaussians(
        means=0.8 * torch.cat(means),
        log_scales=torch.full((count, 3), WIDTH).log(),
        quaternions=torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(count, 1),
        opacity_logits=torch.full((count,), 3.0),
        colors=(torch.cat(colors) - 0.5) / C0,
    )
    return GaussianScene(raw)


def cosines(index: PictureIndex, scene: GaussianScene) -> Float[Tensor, "8 n"]:
    """Similarity of eight views around the scene to every picture."""
    views = torch.cat([part.color for part in render_views(scene, CAMERA.viewpoints(8), 128)])
    return unit_features(index.network, views.permute(0, 3, 1, 2)) @ index.features.T


def main() -> None:
    """Prints recall for the mean over all views and for the best view of each picture."""
    emoji, index = load_emoji(), PictureIndex.load()
    names = (Path(__file__).parent / "prompts_v0.txt").read_text(encoding="utf-8").splitlines()[::2]
    for plain_back in (False, True):
        ranks: dict[str, list[int]] = {"mean": [], "best": []}
        for target in map(emoji.names.index, names):
            seen = cosines(index, relief(emoji.rgba[target].float() / 255, plain_back=plain_back))
            for label, scores in (("mean", seen.mean(dim=0)), ("best", seen.amax(dim=0))):
                ranks[label].append(int((scores >= scores[target]).sum()))
        for label, found in ranks.items():
            print(
                f"{'plain back' if plain_back else 'whole':10} {label}  {Recall.from_ranks(found)}  worst {max(found)}"
            )


if __name__ == "__main__":
    main()
