"""Statistics over the tiles of a picture."""

from __future__ import annotations

import cv2
import numpy as np


def tile_means(values: np.ndarray, side: int) -> np.ndarray:
    """Means over a grid of about square tiles of `side` pixels that covers the picture evenly."""
    height, width = values.shape
    grid = (max(1, round(width / side)), max(1, round(height / side)))
    return cv2.resize(values, grid, interpolation=cv2.INTER_AREA)


def tile_spread(luma: np.ndarray, side: int) -> np.ndarray:
    """Standard deviation of luma within each tile."""
    levels = luma.astype(np.float32)
    variance = tile_means(levels * levels, side) - tile_means(levels, side) ** 2
    return np.asarray(np.sqrt(np.maximum(variance, 0)))
