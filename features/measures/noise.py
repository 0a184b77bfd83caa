"""Noise that is seen: grain and the blocks of JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from ..base import Column, Feature
from .tiles import tile_means

# Chosen on degraded copies of 257 photos and on human ratings; the figures are in docs/scores.md.
_TILE = 16  # pixels of the canonical picture
_SMOOTH_SHARE = 0.02  # so few that texture rarely leaves none of them smooth
_CLIPPED_TILE = 12  # levels from black or white where clipping hides noise
_UNSEEN = 0.7  # 8-bit levels of noise that nobody sees: blur gains nothing by removing it
_TWICE_EXCESS = np.array([[-1, 2, -1]], np.float32)  # of a step over the mean of its neighbours
_REAL_EDGE = 10  # levels; a larger step between two pixels is the picture's, not the compression's


def noise(luma: np.ndarray) -> float:
    """Visible grain and JPEG blocks: their standard deviation beyond .7 levels, in 8-bit levels.

    Grain is what the smoothest fiftieth of the tiles shows at the finest scale, so that texture
    does not pass for noise; tiles near black and white do not count, since clipping hides noise there.
    Blocks are steps that recur every 8 pixels. The two are added in quadrature. Both are seen only
    at the canonical size: a larger photo is judged as it looks reduced to 960 to 1919 pixels. What
    nobody sees, .7 levels, is taken off, so that a blurred copy of a clean photo is no cleaner.

    Fooled by: texture over the whole frame (taken for grain), denoising and blur (which remove
    it), a real pattern of 8 pixels. Cannot see: coarse colour blotches, ringing beside edges.

    Args:
        luma: (h, w) uint8, the canonical picture.

    Returns:
        0 (none visible) upwards; for white noise about .9 sigma - .7. Measured on BIQ2021: 5th
        percentile 0, median .23, 95th percentile .76.
    """
    blocks = (_blocking(luma) + _blocking(cv2.transpose(luma))) / 2
    return max(0.0, float(np.hypot(_grain(luma), blocks)) - _UNSEEN)


NOISE = Feature(
    "noise", "2", (Column("noise", "lower", "8-bit levels", heavy_tailed=True),), noise, view="luma"
)


def _grain(luma: np.ndarray) -> float:
    """Sigma of the finest scale in the smoothest tiles that are not clipped; 0 if all are."""
    laplacian = cv2.Laplacian(luma, cv2.CV_16S)
    fine = tile_means(np.abs(laplacian, out=laplacian).astype(np.float32), _TILE)
    mean = tile_means(luma, _TILE)
    usable = fine[(mean > _CLIPPED_TILE) & (mean < 255 - _CLIPPED_TILE)]
    if usable.size == 0:
        return 0.0
    # White noise of sigma s: the Laplacian (weights 4, -1 x 4) has sigma s * sqrt(20).
    return float(np.quantile(usable, _SMOOTH_SHARE) * np.sqrt(np.pi / 2 / 20))


def _blocking(luma: np.ndarray) -> float:
    """How much larger the steps between columns are at the worst of the 8 phases, in levels.

    Each step is taken over the mean of its two neighbours and bounded, so that edges cancel out.
    """
    if luma.shape[1] < 32:
        return 0.0
    step = cv2.absdiff(luma[:, 1:], luma[:, :-1])
    excess = cv2.filter2D(step, cv2.CV_16S, _TWICE_EXCESS)[:, 1:-1]
    np.clip(excess, -2 * _REAL_EDGE, 2 * _REAL_EDGE, out=excess)
    columns = cv2.reduce(excess, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel() / 2
    phases = [columns[phase::8].mean() for phase in range(8)]
    return float(max(phases) - np.median(phases))
