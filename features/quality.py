"""The learned technical quality of a photo, and its blur, by a small model that ships with the project.

Quality is a weighted sum of similarities to a few thousand training photos and to degraded copies
of them. Similar is who has similar statistics (`statistics.py`) and similar patches (`codebook.py`).
docs/quality.md says how it was made, models/quality.md what it may be used for.
"""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path

import numpy as np

from .base import Column, Feature
from .codebook import GRIDS, occurrences, patches
from .statistics import statistics

MODEL_PATH = Path(__file__).parent / "models" / "quality.npz"

Model = dict[str, np.ndarray]


def quality(rgb: np.ndarray) -> tuple[float, float]:
    """How good people would find the photo technically: sharp, clean, well lit, pleasant in colour;
    and how blurred it is, by what blurred copies of good photos look like.

    Learned from 3,200 photographs, each rated by about 30 people. It knows what raters saw at 512
    pixels, so it cannot see a slightly missed focus; it does not know what a photo shows, so that
    an intended blur, a night scene or fog counts against it.

    Args:
        rgb: (h, w, 3) uint8, sRGB, longest side 512: `Photo.view("rgb", 512)`.

    Returns:
        quality: from 0 (worst) to 1 (best), about the mean rating; half of BIQ2021's photos lie
        between .56 and .77 when held out. learned_blur: the radius of the disc that blurs a sharp
        photo as much, in thousandths of the long side: about 0 (none, or a little less) to 10; above
        that it no longer grows.

    References:
        Ahmed & Asif (2022), BIQ2021, doi:10.1117/1.JEI.31.5.053010
    """
    model = _shipped()
    points = coordinates(model, describe(model, rgb)[None])
    return float(_rating(model, points)[0]), float(blur_radius(model, points)[0])


def describe(codes: Model, rgb: np.ndarray) -> np.ndarray:
    """Everything the model reads of one photo, as float32: statistics, then each codebook."""
    found = [statistics(rgb)]
    for name, grid in GRIDS.items():
        found.append(
            occurrences(patches(rgb, grid), codes[f"{name}_codes"], codes[f"{name}_offsets"])
        )
    return np.concatenate(found).astype(np.float32)


def predict(model: Model, descriptions: np.ndarray) -> np.ndarray:
    """(n, d) descriptions -> (n,) quality in (0, 1)."""
    return _rating(model, coordinates(model, descriptions))


def blur_radius(model: Model, points: np.ndarray) -> np.ndarray:
    """(n, p) points -> (n,) radii in thousandths of the long side; training/blur.py fits it."""
    return np.asarray(2 ** (points @ model["blur_slopes"] + model["blur_intercept"]) - 1)


def _rating(model: Model, points: np.ndarray) -> np.ndarray:
    raw = similarities(model, points) @ model["weights"] + points @ model["slopes"]
    return np.asarray(1 / (1 + np.exp(-(model["slope"] * raw + model["intercept"]))))


def coordinates(model: Model, descriptions: np.ndarray) -> np.ndarray:
    """Normal scores, projected so that squared distances are the ones that matter: (n, p)."""
    scores = normal_scores(model, descriptions)
    blocks = np.split(scores, model["block_ends"][:-1], axis=1)
    parts = [block @ model[f"projection_{i}"] for i, block in enumerate(blocks)]
    return np.concatenate(parts, axis=1)


def similarities(model: Model, points: np.ndarray) -> np.ndarray:
    """1 / (1 + squared distance) of every point to every landmark: (n, m)."""
    landmarks = model["landmarks"]
    lengths = np.einsum("md,md->m", landmarks, landmarks)
    squares = (points**2).sum(1)[:, None] + lengths - 2 * points @ landmarks.T
    return 1 / (1 + np.maximum(squares, 0))


def normal_scores(model: Model, descriptions: np.ndarray) -> np.ndarray:
    """Where each value stands in the training photos' distribution, as a normal deviate: (n, d).

    A value that many photos share (0, often) gets the middle of their scores.
    """
    return np.stack([_normal_scores(row, model["knots"], model["scores"]) for row in descriptions])


def _normal_scores(row: np.ndarray, knots: np.ndarray, scores: np.ndarray) -> np.ndarray:
    first = _interpolated(row, knots, scores, (knots < row).sum(0))
    last = _interpolated(row, knots, scores, (knots <= row).sum(0))
    return (first + last) / 2


def _interpolated(
    row: np.ndarray, knots: np.ndarray, scores: np.ndarray, above: np.ndarray
) -> np.ndarray:
    """Linear between the knot below and the one above, `above` telling which that is."""
    upper = np.clip(above, 1, len(knots) - 1)
    low = np.take_along_axis(knots, upper[None] - 1, 0)[0]
    high = np.take_along_axis(knots, upper[None], 0)[0]
    share = np.clip((row - low) / np.maximum(high - low, 1e-9), 0, 1)
    return scores[upper - 1] + share * (scores[upper] - scores[upper - 1])


@cache
def _shipped() -> Model:
    with np.load(MODEL_PATH, allow_pickle=False) as arrays:
        return {name: _unpacked(arrays[name]) for name in arrays.files}


def _unpacked(array: np.ndarray) -> np.ndarray:
    """Stored in half precision, used in single."""
    return array.astype(np.float32) if array.dtype == np.float16 else array


def identity(model: Path) -> str:
    """Of its bytes: what was measured by another model, one trained anew, is measured again."""
    return f"{zlib.crc32(model.read_bytes()):08x}"


QUALITY = Feature(
    "quality",
    "4",
    (
        Column("quality", range=(0, 1)),
        Column("learned_blur", "neither", "thousandths of the long side"),
    ),
    quality,
    size=512,
    settings=(identity(MODEL_PATH),),
)
