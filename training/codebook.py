"""Learns the codes by which `features/codebook.py` describes patches; no rating is involved."""

from __future__ import annotations

import numpy as np

_FLOOR = 0.01  # added to the variances before whitening: JPEG leaves the finest ones empty
_ROUNDS = 12


def learn_codes(patches: np.ndarray, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Whiten the patches and cluster their directions, a patch and its negative being alike.

    Args:
        patches: (n, d) at unit contrast.
        count: how many codes.
        seed: of the first guess.

    Returns:
        codes (d, count) and offsets (count,), float32: `patch @ codes - offsets` are the responses.
    """
    rng = np.random.default_rng(seed)
    mean = patches.mean(0)
    variances, axes = np.linalg.eigh(np.cov((patches - mean).T))
    whitening = (axes / np.sqrt(variances + _FLOOR)) @ axes.T
    white = ((patches - mean) @ whitening).astype(np.float32)
    white /= np.linalg.norm(white, axis=1, keepdims=True) + 1e-6
    directions = white[rng.choice(len(white), count, replace=False)]
    for _ in range(_ROUNDS):
        directions = _moved(directions, white, rng)
    codes = (whitening @ directions.T).astype(np.float32)
    return codes, (mean @ codes).astype(np.float32)


def _moved(directions: np.ndarray, white: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each direction becomes the mean of its patches; one without patches starts anew."""
    responses = white @ directions.T
    nearest = np.abs(responses).argmax(1)
    weights = np.take_along_axis(responses, nearest[:, None], 1)
    sums = np.zeros_like(directions)
    np.add.at(sums, nearest, white * weights)
    empty = np.flatnonzero(np.linalg.norm(sums, axis=1) < 1e-6)
    sums[empty] = white[rng.choice(len(white), len(empty), replace=False)]
    return sums / np.linalg.norm(sums, axis=1, keepdims=True)
