"""What every statistic of a picture is pooled with: shares, quantiles, moments, fits and tiles."""

from __future__ import annotations

import math
from functools import cache

import cv2
import numpy as np

SMALLEST_SIDE = 64
"""A narrower picture is continued beyond its edges to this many pixels."""

LUMA_AND_OPPONENTS = np.array(
    [[0.299, 0.587, 0.114], [0.5, -0.5, 0], [0.25, 0.25, -0.5]], np.float32
)
"""From RGB to luma, red against green, and yellow against blue."""


def wide_enough(rgb: np.ndarray) -> np.ndarray:
    """The picture, continued beyond its edges where a side is below `SMALLEST_SIDE`."""
    height, width = (max(0, SMALLEST_SIDE - side) for side in rgb.shape[:2])
    if not (height or width):
        return rgb
    top, left = height // 2, width // 2
    edges = (top, height - top, left, width - left)
    return cv2.copyMakeBorder(rgb, *edges, cv2.BORDER_REPLICATE)


def half(plane: np.ndarray) -> np.ndarray:
    """Averaged to half its size."""
    height, width = plane.shape[:2]
    size = (max(1, width // 2), max(1, height // 2))
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA)


def magnitude(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of vectors: not cv2.magnitude, whose last bits depend on where in memory its input lies."""
    return np.asarray(np.sqrt(x * x + y * y))


def histogram(plane: np.ndarray, low: float, high: float, bins: int) -> np.ndarray:
    """Shares of pixels in equal bins; what lies outside counts in the outermost ones."""
    if plane.dtype != np.uint8:
        plane, low, high = _numbered(plane, low, high, bins), 0, bins
    counts = cv2.calcHist([plane], [0], None, [bins], [low, high]).ravel().astype(np.float64)
    return counts / counts.sum()


def _numbered(plane: np.ndarray, low: float, high: float, bins: int) -> np.ndarray:
    """The bin of each value, as uint8: OpenCV counts bytes five times as fast as floats."""
    scale = bins / (high - low)
    inside = np.clip(plane, low, high - (high - low) * 1e-6)
    # rounds to the nearest, hence - .5; the rest is for values that lie on a border: up, as always
    return cv2.convertScaleAbs(inside, alpha=scale, beta=-low * scale - 0.5 + 2e-7 * bins)


def quantiles(plane: np.ndarray, low: float, high: float, shares: tuple[float, ...]) -> np.ndarray:
    """Quantiles of values between `low` and `high`, to 1/256 of that range."""
    risen = np.cumsum(histogram(plane, low, high, 256) + 1e-9)
    return np.interp(shares, np.r_[0, risen] / risen[-1], np.linspace(low, high, 257))


def moments(plane: np.ndarray) -> np.ndarray:
    """Mean, standard deviation, skewness and kurtosis; a flat plane has 0 for the last two."""
    mean, deviation = (value.item() for value in cv2.meanStdDev(plane))
    if deviation < 1e-3:
        return np.array([mean, deviation, 0, 0])
    z = (plane - np.float32(mean)) / np.float32(deviation)
    squared = z * z
    # not np.vdot: several threads of BLAS add in an order that changes from run to run
    skewness = cv2.mean(cv2.multiply(squared, z))[0]
    return np.array([mean, deviation, skewness, cv2.norm(squared, cv2.NORM_L2SQR) / z.size])


def entropy(shares: np.ndarray) -> float:
    """In bits."""
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def asymmetric_gaussian(plane: np.ndarray) -> np.ndarray:
    """Shape, mean, left and right spread of the asymmetric generalised Gaussian that fits best.

    By moments, as in BRISQUE: shape 2 is a Gaussian, 1 a Laplacian.

    References:
        Lasmar, Stitou & Berthoumieu (2009), doi:10.1109/ICIP.2009.5414404
    """
    absolute = cv2.norm(plane, cv2.NORM_L1) / plane.size
    squares = cv2.norm(plane, cv2.NORM_L2SQR)
    positive = np.maximum(plane, 0)
    right_squares = cv2.norm(positive, cv2.NORM_L2SQR)
    right_count = max(cv2.countNonZero(positive), 1)
    left_count = max(cv2.countNonZero(np.minimum(plane, 0)), 1)
    right = math.sqrt(right_squares / right_count) + 1e-6
    left = math.sqrt(max(squares - right_squares, 0) / left_count) + 1e-6
    skew = left / right
    ratio = absolute**2 / (squares / plane.size + 1e-12)
    ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shapes, ratios, mean_factors = _shape_table()
    nearest = min(int(np.searchsorted(ratios, ratio)), len(shapes) - 1)
    return np.array([shapes[nearest], (right - left) * mean_factors[nearest], left, right])


@cache
def _shape_table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shapes, the moment ratio of each (rising), and what scales (right - left) to the mean."""
    shapes = np.arange(0.1, 6, 0.005)
    one, two, three = (np.array([math.gamma(k / s) for s in shapes]) for k in (1, 2, 3))
    return shapes, two**2 / (one * three), two / one * np.sqrt(one / three)


def tile_means(plane: np.ndarray, count: int) -> np.ndarray:
    """Means over count x count tiles."""
    return cv2.resize(plane, (count, count), interpolation=cv2.INTER_AREA).astype(np.float64)


@cache
def tile_places() -> tuple[np.ndarray, np.ndarray]:
    """Of 8 x 8 tiles: places along one side from -.5 to .5, and distances from the centre."""
    along = (np.arange(8) + 0.5) / 8 - 0.5
    return along, np.hypot(along[:, None], along[None])


def ranked(tiles: np.ndarray, shares: tuple[float, ...]) -> np.ndarray:
    """The tiles' values at these shares of their order: np.quantile takes longer than all the rest."""
    return np.sort(tiles, axis=None)[[round(share * (tiles.size - 1)) for share in shares]]
