"""The quality of a photo and the size of each defect, by a small network that ships with the project.

One pass over the 512-pixel view gives a vector (`encoder.py`); the columns, and whatever else is
learned of one's own photos, are functions of that vector. docs/quality.md says how it was made,
card.md what it may be used for.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..base import Column, Head
from .encoder import WEIGHTS, network_encoder

LEVELS = (
    *("defocus_level", "motion_blur_level", "noise_level"),
    *("underexposure_level", "overexposure_level"),
    *("jpeg_compression_level", "rescaling_level", "blur_level"),  # the last: of any blur
)
MOST = 5.0
COLUMNS = (
    Column("quality", range=(0, 1)),
    *(Column(name, "neither", "level, 0 to 5", (0, MOST)) for name in LEVELS),
)


def score(vectors: np.ndarray) -> np.ndarray:
    """How good people would find photos technically, and how much of each defect they show.

    Learned from photographs that about 30 people rated each, and from copies of these that were made
    worse by a known amount. It knows what raters saw at 512 pixels, so it cannot see a slightly
    missed focus or fine noise in a large file. What fools it: an intended blur, a night scene or fog
    may count against a photo; noise and exposure are told less surely than blur (docs/tags.md).

    Args:
        vectors: (n, `encoder.WIDTH`) float32, from `encoder.network_encoder`.

    Returns:
        (n, 9): quality from 0 (worst) to 1 (best), about the mean rating; half of BIQ2021's photos
        are rated between .56 and .77. Then each of `LEVELS`, from 0 (none) to 5 (spoilt), as the
        degradations count: 1 is barely seen next to the original, 2 by an attentive person.
        `blur_level` is of whatever blurs it: focus, movement, enlarging; told more surely than which.

    References:
        N. Ahmed, S. Asif: "BIQ2021: a large-scale blind image quality assessment database", Journal of
        Electronic Imaging 31, 2022, doi:10.1117/1.JEI.31.5.053010
    """
    return read(vectors, *_heads())


def read(vectors: np.ndarray, weights: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """(n, 9): what heads with these weights say, kept in the columns' ranges."""
    return np.clip(vectors @ weights.T + bias, 0, [1.0] + [MOST] * len(LEVELS))


@functools.cache
def _heads() -> tuple[np.ndarray, np.ndarray]:
    from safetensors import safe_open

    with safe_open(WEIGHTS, "numpy") as file:
        weights, bias = (file.get_tensor(f"heads.{name}") for name in ("weight", "bias"))
    return weights.astype(np.float32), bias.astype(np.float32)


def quality_head(device: str = "cpu") -> Head:
    """The columns of the network, which runs on this device ("auto", "cpu", "cuda")."""
    return Head(COLUMNS, score, network_encoder(device), version="6")


QUALITY: Any = quality_head()
