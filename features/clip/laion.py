"""The column `aesthetic_laion`: LAION's heads on vectors of OpenAI's CLIP, read from their own files."""

from __future__ import annotations

import os
import pickle
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from photorank.utils import hub
from photorank.utils.logging import logger
from photorank.utils.words import one_line

from ..base import Column, Encoder, Head, UndeclaredError

READY = "laion"
"""What `aesthetic_head` calls LAION's own linear head of the run's tower."""
LAION = Column("aesthetic_laion", "higher")

_URL = "https://github.com/LAION-AI/aesthetic-predictor/raw/main"
_LINEAR = {
    "ViT-B-16": "8ad3923d7ecf019df20ecd2ab5542a3075fbba0278d239c0371345f3d7fcbde0",
    "ViT-B-32": "c7b14cead230694acc7b9447974d3cad78003c72da032e402a303b6c2429e85f",
    "ViT-L-14": "2cd4e60f4f24ae3bcd57b847b13c1f3ba27edc28cc1a7f9ce74ee9f421243cba",
}
_IMPROVED = "21dd590f3ccdc646f0d53120778b296013b096a035a2718c9cb0d511bff0f1e0"
_TOWERS = {digest: tower for tower, digest in _LINEAR.items()} | {_IMPROVED: "ViT-L-14"}
"""The tower of OpenAI's whose vectors each file reads, by its SHA-256."""


class Line(NamedTuple):
    """All that these heads compute: their layers have nothing but sums between them."""

    weights: np.ndarray
    bias: float


def laion_head(given: str | os.PathLike[str], encoder: Encoder, clip: tuple[str, str]) -> Head:
    """The head of a file, or LAION's own, on vectors of this encoder.

    Trained on ratings of 1 to 10, it is not held to them: its values reach from about -2 to 11.

    Args:
        given: "laion", or a .pth file.
        clip: model and pretrained tag of the encoder.

    Raises:
        ValueError: a file that is no such head, or one for another tower; a width that does not fit
            shows when the first vector is there.
    """
    path = find(*clip) if given == READY else Path(given).expanduser()
    line, digest = read(path), hub.file_sha256(path)
    _check_tower(_TOWERS.get(digest), clip, path)
    return Head((LAION,), partial(_score, line, path), encoder, settings=(digest[:12],))


def find(model: str, pretrained: str, download: bool = False) -> Path:
    """LAION's linear head for a tower of OpenAI's, on this machine or, if wished, downloaded.

    Raises:
        hub.HubError: it is not here, or not to be had.
        ValueError: there is none for this tower.
    """
    tower = model.removesuffix("-quickgelu")
    if tower not in _LINEAR or pretrained != "openai":
        raise ValueError(
            f"LAION has heads for {', '.join(_LINEAR)} with OpenAI's weights, not for {model} "
            f"{pretrained}: give --clip_model ViT-L-14-quickgelu --clip_pretrained openai, or a file"
        )
    name = f"sa_0_4_{tower.lower().replace('-', '_')}_linear.pth"
    return hub.fetch_plain(f"{_URL}/{name}", _LINEAR[tower], download)


def read(path: str | os.PathLike[str]) -> Line:
    """The layers of a file, multiplied out; read as tensors only.

    Raises:
        ValueError: it cannot be read, or is no head of this kind.
    """
    import torch

    source = Path(path).expanduser()
    try:
        layers = torch.load(source, map_location="cpu", weights_only=True)
        return _line({name: tensor.double().numpy() for name, tensor in layers.items()})
    except OSError as error:
        raise ValueError(f"cannot read the head {path}: {error.strerror}") from error
    except (RuntimeError, pickle.UnpicklingError, EOFError, AttributeError, ValueError) as error:
        raise ValueError(f"{path} is no head of LAION's: {one_line(error)[:200]}") from error


def _line(layers: dict[str, Any]) -> Line:
    names = sorted(
        (name.removesuffix("weight") for name in layers if name.endswith("weight")),
        key=lambda name: [int(part) for part in name.split(".") if part.isdigit()],
    )
    if not names or set(layers) != {n + part for n in names for part in ("weight", "bias")}:
        raise ValueError("it should hold a weight and a bias for each layer")
    weights, bias = layers[names[0] + "weight"], layers[names[0] + "bias"]
    for name in names[1:]:
        weights = layers[name + "weight"] @ weights
        bias = layers[name + "weight"] @ bias + layers[name + "bias"]
    if weights.ndim != 2 or weights.shape[0] != 1 or bias.shape != (1,):
        raise ValueError(f"it should give one number, and gives {weights.shape[:1]}")
    return Line(weights[0], float(bias[0]))


def _check_tower(tower: str | None, clip: tuple[str, str], path: Path) -> None:
    model, pretrained = clip
    if tower is None:
        return
    if os.sep in model or model.startswith("hf-hub:") or Path(model).is_dir():
        logger.warning("%s is for OpenAI's %s: is that what %s holds?", path, tower, model)
    elif (model.removesuffix("-quickgelu"), pretrained) != (tower, "openai"):
        raise ValueError(
            f"{path} is for OpenAI's {tower}, and this run has {model} {pretrained}: give "
            f"--clip_model {tower}-quickgelu --clip_pretrained openai"
        )


def _score(line: Line, path: Path, vectors: np.ndarray) -> np.ndarray:
    """(n, d) vectors of length 1 -> (n,)."""
    if vectors.shape[1] != len(line.weights):
        raise UndeclaredError(
            f"{path} reads vectors of {len(line.weights)} numbers, and this encoder's have "
            f"{vectors.shape[1]}: it was trained on another tower"
        )
    return vectors @ line.weights + line.bias
