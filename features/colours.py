"""Statistics of a picture's colours: their distributions and where they lie in the frame."""

from __future__ import annotations

import math

import cv2
import numpy as np

from .pooling import entropy, histogram, magnitude, quantiles, tile_means, tile_places

_MOST = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_CHROMA = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


def colour(rgb: np.ndarray) -> np.ndarray:
    """Distributions of lightness, the two Lab opponents, saturation, value, chroma and hue."""
    lightness, a, b = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB))
    hue, saturation, value = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV_FULL))
    found = [_levels(plane) for plane in (lightness, a, b, saturation, value)]
    red, green, blue = cv2.split(rgb)
    darkest, brightest = cv2.min(cv2.min(red, green), blue), value
    window = np.ones((7, 7), np.uint8)
    found += [
        quantiles(_chroma(a, b), 0, 128, _CHROMA),
        np.sqrt(histogram(lightness, 0, 256, 12)),
        _hues(hue, saturation, value),
        _colourfulness(rgb),
        quantiles(cv2.erode(darkest, window), 0, 256, (0.1, 0.5, 0.9, 0.99)),
        quantiles(cv2.dilate(brightest, window), 0, 256, (0.01, 0.1, 0.5, 0.9)),
        _shares_beyond(darkest, brightest),
    ]
    coarse = cv2.calcHist([rgb], [0, 1, 2], None, [4, 4, 4], [0, 256] * 3).ravel()
    coarse = coarse.astype(np.float64) / coarse.sum()
    return np.concatenate([*found, np.sqrt(coarse), [entropy(coarse)]])


def layout(rgb: np.ndarray) -> np.ndarray:
    """Lightness, saturation and chroma: middle against border, top against bottom, unevenness."""
    lightness, a, b = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB))
    saturation = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV_FULL))[1]
    _, distance = tile_places()
    found = []
    for plane in (lightness.astype(np.float32), saturation.astype(np.float32), _chroma(a, b)):
        tiles = tile_means(plane, 8)
        found += [
            tiles[distance < 0.3].mean() - tiles[distance > 0.5].mean(),
            tiles[:4].mean() - tiles[4:].mean(),
            tiles.std(),
            np.abs(tiles - tiles[:, ::-1]).mean(),
            tiles.max(),
            tiles.min(),
        ]
    return np.array(found)


def _shares_beyond(darkest: np.ndarray, brightest: np.ndarray) -> np.ndarray:
    """Shares of white, nearly white, somewhere blown, black and nearly black pixels."""
    white, nearly_white = darkest >= 250, darkest >= 235
    blown, black, nearly_black = brightest >= 254, brightest <= 8, brightest <= 25
    found = (white, nearly_white, blown, black, nearly_black)
    return np.array([np.count_nonzero(mask) / mask.size for mask in found])


def _levels(plane: np.ndarray) -> np.ndarray:
    """Quantiles, mean, deviation, skewness and entropy of 8-bit values."""
    shares = histogram(plane, 0, 256, 256)
    values = np.arange(256)
    mean = shares @ values
    deviation = math.sqrt(shares @ (values - mean) ** 2) + 1e-3
    skewness = shares @ (values - mean) ** 3 / deviation**3
    return np.r_[quantiles(plane, 0, 256, _MOST), mean, deviation, skewness, entropy(shares)]


def _chroma(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return magnitude(a.astype(np.float32) - 128, b.astype(np.float32) - 128)


def _hues(hue: np.ndarray, saturation: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Shares of 16 hues, each pixel counted by how colourful it is; harmonics and entropy."""
    weights = saturation.astype(np.float64) * value / 255**2
    shares: np.ndarray = np.bincount((hue >> 4).ravel(), weights.ravel(), minlength=16)
    shares /= weights.sum() + 1e-3
    angles = np.arange(16) / 16 * 2 * np.pi
    waves = [(shares * np.exp(1j * k * angles)).sum() for k in (1, 2)]
    harmonics = [part for wave in waves for part in (wave.real, wave.imag, abs(wave))]
    return np.r_[np.sqrt(shares), entropy(shares), weights.mean(), harmonics]


def _colourfulness(rgb: np.ndarray) -> np.ndarray:
    """Hasler & Süsstrunk (2003), doi:10.1117/12.477378, and its four terms."""
    red, green, blue = cv2.split(rgb.astype(np.float32))
    opponents = (red - green, (red + green) / 2 - blue)
    means, deviations = ([f(plane) for plane in opponents] for f in (np.mean, np.std))
    return np.r_[math.hypot(*deviations) + 0.3 * math.hypot(*means), means, deviations]
