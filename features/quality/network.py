"""The network in torch: for training it, and for a GPU. On a CPU ONNX Runtime runs the same weights.

A trunk that is good at recognising things, EfficientNet-Lite0, keeps what it needs for that and
little of how well a picture was taken; so it is read after four of its stages, not at its end: the
first see grain and edges, the last what is shown. Means and standard deviations over the picture do
not depend on its size or shape.

References:
    M. Tan, Q. Le: "EfficientNet: rethinking model scaling for convolutional neural networks", ICML
    2019, arXiv:1905.11946; its Lite variants have no squeeze-and-excitation and ReLU6 throughout.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import nn

from photorank.utils.words import one_line

from . import COLUMNS
from .encoder import ROWS, WIDTH

_STAGES = (1, 2, 4, 6)
_CHANNELS = (24, 40, 112, 320)
POOLED = 2 * sum(_CHANNELS)
_DROPOUT = 0.3
_LEAST_VARIANCE = 1e-6


class Network(nn.Module):
    """uint8 pictures (n, 3, h, w) -> vectors (n, `WIDTH`), and what the heads read of these."""

    def __init__(self) -> None:
        import timm

        super().__init__()
        trunk: Any = timm.create_model("efficientnet_lite0", pretrained=False)
        self.conv_stem, self.bn1, self.blocks = trunk.conv_stem, trunk.bn1, trunk.blocks
        self.norm: nn.Module = nn.BatchNorm1d(POOLED, affine=False)
        self.projection = nn.Linear(POOLED, WIDTH)
        self.dropout = nn.Dropout(_DROPOUT)
        self.heads = nn.Linear(WIDTH, len(COLUMNS))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) uint8 -> (n, `WIDTH`) float32."""
        x = (pictures.float() - 127.5) / 127.5
        return self.projection(self.norm(self.pooled(x)))

    def pooled(self, x: torch.Tensor) -> torch.Tensor:
        """(n, 3, h, w) from -1 to 1 -> (n, `POOLED`): mean and deviation of each channel of four stages."""
        x = self.bn1(self.conv_stem(x))
        found = []
        for stage, block in enumerate(self.blocks):
            x = block(x)
            if stage in _STAGES:
                maps = x.float()
                mean = maps.mean((2, 3), keepdim=True)
                variance = (maps - mean).square().mean((2, 3))
                found += [mean.flatten(1), (variance + _LEAST_VARIANCE).sqrt()]
        return torch.cat(found, 1)


def encode(network: Network, views: Sequence[np.ndarray], device: str) -> np.ndarray:
    """(h, w, 3) uint8 views -> (n, `WIDTH`) float32; those of one shape go together, `ROWS` at a time."""
    vectors = np.empty((len(views), WIDTH), np.float32)
    shapes: dict[tuple[int, ...], list[int]] = {}
    for number, view in enumerate(views):
        shapes.setdefault(view.shape, []).append(number)
    for shape, numbers in shapes.items():
        for start in range(0, len(numbers), ROWS):
            some = numbers[start : start + ROWS]
            rows = np.zeros((ROWS, *shape), np.uint8)
            rows[: len(some)] = [views[number] for number in some]
            pictures = torch.from_numpy(rows).to(device).permute(0, 3, 1, 2)
            with torch.inference_mode():
                vectors[some] = network(pictures)[: len(some)].cpu().numpy()
    return vectors


def fused(network: Network) -> Network:
    """The same function without batch normalisation: each is worked into the layer before or after it."""
    network = copy.deepcopy(network).eval()
    _fuse(network)
    norm, projection = network.norm, network.projection
    if isinstance(norm, nn.BatchNorm1d):
        mean, variance = (norm.get_buffer(name) for name in ("running_mean", "running_var"))
        scale = (variance + norm.eps).rsqrt()
        with torch.no_grad():
            projection.bias.sub_(projection.weight @ (mean * scale))
            projection.weight.mul_(scale)
        network.norm = nn.Identity()
    return network


def _fuse(module: nn.Module) -> None:
    """timm's normalisations hold the activation that follows them; each stands behind its convolution."""
    before = ""
    for name, part in list(module.named_children()):
        if isinstance(part, nn.Conv2d):
            before = name
        elif isinstance(part, nn.BatchNorm2d):
            convolution = getattr(module, before)
            setattr(module, before, nn.utils.fusion.fuse_conv_bn_eval(convolution, part))
            setattr(module, name, part.act)
        else:
            _fuse(part)


def load(path: Path) -> Network:
    """The network that a file of weights holds; `training/quality` writes them fused, in half precision.

    Raises:
        ValueError: the file holds other weights.
    """
    from safetensors.torch import load_file

    network = fused(Network())
    try:
        network.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = one_line(error)[:300]
        raise ValueError(f"{path} holds no weights of this network: {reason}") from error
    return network.eval()
