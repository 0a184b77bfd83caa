"""What a photograph's pixels say about its technical quality: small functions on uint8 arrays."""

from __future__ import annotations

import cv2
import numpy as np

from .base import Column, Feature

_TILE = 32
_SHARPEST = 0.15
_NOISE_TILE = 16


def sharpness(luma: np.ndarray) -> float:
    """Detail of the sharpest tiles over what noise would leave there, in 8-bit levels."""
    detail = cv2.Laplacian(luma, cv2.CV_32F)
    energy = np.sort(_tile_means(detail * detail, _TILE).ravel())
    count = max(1, round(_SHARPEST * energy.size))
    noise = np.quantile(energy, 0.05)
    return float(np.sqrt(max(0.0, energy[-count:].mean() - noise)))


SHARPNESS = Feature(
    "sharpness",
    "1",
    (Column("sharpness", "higher", "8-bit levels", heavy_tailed=True),),
    sharpness,
    view="luma",
    size=512,
)


def exposure(rgb: np.ndarray) -> tuple[float, float, float, float]:
    """How well exposed, the mean brightness, and the shares of clipped shadows and highlights."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    brightness = float(luma.mean() / 255)
    shadows = float((luma <= 4).mean())
    highlights = float((luma >= 251).mean())
    white = float(np.quantile(luma, 0.99) / 255)
    middle = np.exp(-0.5 * ((brightness - 0.45) / 0.25) ** 2)
    score = middle * min(1.0, white / 0.9) * (1 - min(1.0, 3 * highlights))
    return float(score), brightness, shadows, highlights


EXPOSURE = Feature(
    "exposure",
    "1",
    (
        Column("exposure", "higher", range=(0.0, 1.0)),
        Column("brightness", "neither", "share of white"),
        Column("clipped_shadows", "lower", "share of the frame"),
        Column("clipped_highlights", "lower", "share of the frame"),
    ),
    exposure,
    size=512,
)


def contrast(luma: np.ndarray) -> float:
    """The 95th minus the 5th percentile of luma, as a share of the whole scale."""
    low, high = np.quantile(luma, (0.05, 0.95))
    return float((high - low) / 255)


CONTRAST = Feature(
    "contrast",
    "1",
    (Column("contrast", "higher", "share of the scale"),),
    contrast,
    view="luma",
    size=512,
)


def noise(luma: np.ndarray) -> float:
    """Standard deviation of the noise in the flattest parts, in 8-bit levels."""
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    fine = cv2.filter2D(luma, cv2.CV_32F, mask)
    return float(np.sqrt(np.quantile(_tile_means(fine * fine, _NOISE_TILE), 0.1) / 36))


NOISE = Feature(
    "noise", "1", (Column("noise", "lower", "8-bit levels", heavy_tailed=True),), noise, view="luma"
)


def colourfulness(rgb: np.ndarray) -> float:
    """Hasler and Suesstrunk's colourfulness: spread and distance from grey of the opponent colours."""
    red, green, blue = (channel.astype(np.float32) for channel in cv2.split(rgb))
    red_green = red - green
    yellow_blue = (red + green) / 2 - blue
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean()))


COLOURFULNESS = Feature(
    "colourfulness",
    "1",
    (Column("colourfulness", "higher", "8-bit levels"),),
    colourfulness,
    size=512,
)


def laplacian_variance(luma: np.ndarray) -> float:
    """Variance of the Laplacian, in 8-bit levels squared."""
    return float(cv2.Laplacian(luma, cv2.CV_32F).var())


LAPLACIAN_VARIANCE = Feature(
    "laplacian_variance",
    "1",
    (Column("laplacian_variance", "higher", "8-bit levels squared", heavy_tailed=True),),
    laplacian_variance,
    view="luma",
    size=512,
)


def _tile_means(values: np.ndarray, side: int) -> np.ndarray:
    """Means over a grid of about square tiles of `side` pixels that covers the picture evenly."""
    height, width = values.shape
    grid = (max(1, round(width / side)), max(1, round(height / side)))
    return cv2.resize(values, grid, interpolation=cv2.INTER_AREA)
