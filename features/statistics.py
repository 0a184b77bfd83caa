"""Hand-made statistics of one picture, the numbers that the learned quality score reads.

All of them are pooled over the picture, so that their count does not depend on its size, and none
changes when the picture is mirrored left to right. Chroma is read from half size on: JPEG keeps no
more of it.
"""

from __future__ import annotations

import itertools
import math

import cv2
import numpy as np

from .colours import colour, layout
from .pooling import (
    LUMA_AND_OPPONENTS,
    asymmetric_gaussian,
    half,
    histogram,
    magnitude,
    moments,
    quantiles,
    ranked,
    tile_means,
    tile_places,
    wide_enough,
)

_SPREADS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)


def statistics(rgb: np.ndarray) -> np.ndarray:
    """Every statistic of a picture, in a fixed order.

    Args:
        rgb: (h, w, 3) uint8, sRGB.

    Returns:
        (n,) float64, finite for every picture.
    """
    rgb = wide_enough(rgb)
    small = half(rgb)
    planes: list[list[np.ndarray]] = [[cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)]]
    opponents = cv2.transform(small.astype(np.float32), LUMA_AND_OPPONENTS)
    planes.append([np.asarray(plane) for plane in cv2.split(opponents)])
    for _ in range(4):
        planes.append([half(plane) for plane in planes[-1]])
    found = [colour(small), layout(small), band_energies(planes)]
    for scale, (luma, *chroma) in enumerate(planes[:3]):
        found += [gradient_laplacian(luma), binary_patterns(luma), tile_sharpness(luma)]
        if scale < 2:
            gradient = _gradient_strength(luma)
            found += [edge_widths(luma, gradient), noise(luma, gradient)]
        if scale > 0:
            found += [natural_scene(luma), orientation(luma)]
            found += [natural_scene_chroma(plane) for plane in chroma]
        if scale == 1:
            found += [noise(plane, _gradient_strength(plane)) for plane in chroma]
    return np.concatenate(found)


def natural_scene(luma: np.ndarray) -> np.ndarray:
    """How locally normalised brightness and its neighbours' products are distributed.

    Sharp, noise-free photographs share one distribution; blur, noise and compression leave it.

    References:
        Mittal, Moorthy & Bovik (2012), BRISQUE, doi:10.1109/TIP.2012.2214050
    """
    normal, spread = _locally_normalised(luma)
    shape, _, left, right = asymmetric_gaussian(normal)
    across = asymmetric_gaussian(normal[:, 1:] * normal[:, :-1])
    down = asymmetric_gaussian(normal[1:] * normal[:-1])
    falling = asymmetric_gaussian(normal[1:, 1:] * normal[:-1, :-1])
    rising = asymmetric_gaussian(normal[1:, :-1] * normal[:-1, 1:])
    values = histogram(normal, -3, 3, 25)
    return np.concatenate(
        [
            [shape, (left + right) / 2, right - left, *across, *down],
            (falling + rising) / 2,
            abs(falling - rising),
            moments(normal)[2:],
            _spread_statistics(spread),
            np.sqrt((values + values[::-1])[:13]),
        ]
    )


def natural_scene_chroma(plane: np.ndarray) -> np.ndarray:
    """The same for one opponent colour, in brief."""
    normal, spread = _locally_normalised(plane)
    shape, _, left, right = asymmetric_gaussian(normal)
    return np.r_[shape, (left + right) / 2, abs(left - right), _spread_statistics(spread)]


def gradient_laplacian(luma: np.ndarray) -> np.ndarray:
    """How gradient and Laplacian, both relative to their surroundings, occur together.

    References:
        Xue et al. (2014), GM-LOG, doi:10.1109/TIP.2014.2355716
    """
    smooth = cv2.GaussianBlur(luma, (0, 0), 0.5)
    gradient = _gradient_strength(smooth)
    laplacian = np.abs(cv2.Laplacian(smooth, cv2.CV_32F, ksize=1, scale=0.25))
    around = cv2.GaussianBlur(gradient * gradient + laplacian * laplacian, (0, 0), 2.0)
    around = cv2.sqrt(around) + np.float32(0.5)
    levels = [
        np.minimum(cv2.divide(plane, around, scale=5, dtype=cv2.CV_8U), 9)
        for plane in (gradient, laplacian)
    ]
    joint = cv2.calcHist(levels, [0, 1], None, [10, 10], [0, 10, 0, 10]).astype(np.float64)
    joint /= joint.sum()
    by_gradient, by_laplacian = joint.sum(1), joint.sum(0)
    given_laplacian = (joint / (by_laplacian + 1e-4)).mean(1)
    given_gradient = (joint / (by_gradient[:, None] + 1e-4)).mean(0)
    return np.sqrt(np.r_[by_gradient, by_laplacian, given_laplacian, given_gradient])


def binary_patterns(luma: np.ndarray) -> np.ndarray:
    """Uniform local binary patterns, counted apart for four strengths of local contrast.

    References:
        Ojala, Pietikäinen & Mäenpää (2002), doi:10.1109/TPAMI.2002.1017623
    """
    levels = cv2.convertScaleAbs(luma)
    height, width = levels.shape
    centre = levels[1:-1, 1:-1]
    ring = [(0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1)]
    brighter = [
        (levels[1 + y : height - 1 + y, 1 + x : width - 1 + x] > centre).view(np.uint8)
        for y, x in ring
    ]
    changes = sum(a ^ b for a, b in zip(brighter, brighter[1:] + brighter[:1], strict=True))
    pattern = np.where(changes <= 2, sum(brighter), 9).astype(np.uint8)
    contrast = cv2.convertScaleAbs(cv2.Laplacian(levels, cv2.CV_16S))[1:-1, 1:-1]
    strength = cv2.LUT(contrast, np.digitize(np.arange(256), (4, 12, 32)).astype(np.uint8))
    joint = cv2.calcHist([pattern, strength], [0, 1], None, [10, 4], [0, 10, 0, 4])
    return np.sqrt(joint.ravel().astype(np.float64) / joint.sum())


def tile_sharpness(luma: np.ndarray) -> np.ndarray:
    """How much fine detail the 64 tiles of the picture hold, and where it lies."""
    tiles = tile_means(np.abs(luma - cv2.GaussianBlur(luma, (5, 5), 1.0)), 8)
    logs = np.log(tiles + 1e-2)
    along, distance = tile_places()
    share = tiles / (tiles.sum() + 1e-6)
    return np.r_[
        ranked(logs, (0, 0.1, 0.25, 0.5, 0.75, 0.9, 1)),
        logs.mean(),
        logs.std(),
        logs[distance < 0.3].mean() - logs[distance > 0.5].mean(),
        logs[:4].mean() - logs[4:].mean(),
        abs((share * along).sum()),
        (share * along[:, None]).sum(),
        (share * distance**2).sum(),
        share.max(),
    ]


def edge_widths(luma: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """How much the strongest edges lose when blurred once more: sharp ones lose most."""
    blurred = _gradient_strength(cv2.GaussianBlur(luma, (0, 0), 1.5))
    threshold = max(4.0, float(quantiles(gradient, 0, 64, (0.9,))[0]))
    edges = (gradient > threshold).astype(np.uint8)
    share = cv2.countNonZero(edges) / edges.size
    lost = np.minimum(gradient / (blurred + np.float32(0.1)), np.float32(4.99))
    counts = cv2.calcHist([lost], [0], edges, [12], [0.5, 5]).ravel().astype(np.float64)
    counts /= max(counts.sum(), 1)
    return np.r_[threshold, share, np.sqrt(counts), counts @ np.arange(12)]


def noise(plane: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Strength of the highest frequencies in the flattest tiles, and in all.

    References:
        Immerkær (1996), doi:10.1006/cviu.1996.0060
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    tiles = tile_means(np.abs(cv2.filter2D(plane, -1, kernel)), 24).ravel()
    gradients = tile_means(gradient, 24).ravel()
    order = np.argsort(gradients, kind="stable")
    flat, busy = order[:144], order[-144:]
    levels = [tiles[flat].mean(), tiles[busy].mean(), gradients[flat].mean()]
    return np.log(np.r_[ranked(tiles, (0.02, 0.1, 0.25, 0.5, 0.75)), levels] + 0.05)


def orientation(luma: np.ndarray) -> np.ndarray:
    """How far the gradients agree on one direction: a shaken camera leaves only one."""
    x, y = _gradient(luma)
    xx, yy, xy = (tile_means(product, 8) for product in (x * x, y * y, x * y))
    energy = xx + yy
    coherence = np.hypot(xx - yy, 2 * xy) / (energy + 0.1)
    whole = np.hypot((xx - yy).sum(), 2 * xy.sum()) / (energy.sum() + 1)
    balance = np.log((xx.sum() + 1) / (yy.sum() + 1))
    weighted = (coherence * energy).sum() / (energy.sum() + 1e-3)
    return np.r_[balance, whole, weighted, ranked(coherence, (0.1, 0.5, 0.9))]


def band_energies(planes: list[list[np.ndarray]]) -> np.ndarray:
    """Detail per octave in brightness and both opponent colours: level, slope and bend."""
    energies = [
        [
            _band_energy(plane, coarse)
            for plane, coarse in zip(level, below[: len(level)], strict=True)
        ]
        for level, below in itertools.pairwise(planes)
    ]
    luma = np.array([level[0] for level in energies])
    chroma = np.array([level[1:] for level in energies[1:]])
    relative = chroma - luma[1:, None]
    return np.r_[luma, np.diff(luma), np.diff(luma, 2), chroma.ravel(), relative.ravel()]


def _locally_normalised(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean-subtracted, contrast-normalised values, and the local standard deviation."""
    mean = cv2.GaussianBlur(plane, (7, 7), 7 / 6)
    variance = cv2.GaussianBlur(plane * plane, (7, 7), 7 / 6) - mean * mean
    spread = cv2.sqrt(np.maximum(variance, 0))
    return (plane - mean) / (spread + np.float32(1)), spread


def _spread_statistics(spread: np.ndarray) -> np.ndarray:
    logs = cv2.log(spread + np.float32(1))
    return np.r_[moments(logs), quantiles(logs, 0, 4.5, _SPREADS)]


def _gradient(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (
        cv2.Sobel(plane, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8),
        cv2.Sobel(plane, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8),
    )


def _gradient_strength(plane: np.ndarray) -> np.ndarray:
    return magnitude(*_gradient(plane))


def _band_energy(plane: np.ndarray, coarse: np.ndarray) -> float:
    coarse = cv2.resize(coarse, plane.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return math.log(cv2.norm(plane, coarse, cv2.NORM_L1) / plane.size + 0.05)
