"""A photo made worse by a known amount: eight kinds, five levels each, seeded.

A score that prefers one of these copies to its original is wrong, whatever one's taste. They are
what the demo shows, what the tests of the measures stand on and what the tuner can learn from.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

# Levels 1 to 5. Level 1 is barely seen next to the original, 2 is seen by an attentive person who
# views the picture whole, 5 spoils it. What is given relative to the picture looks alike on small
# and large ones; noise and JPEG quality act per pixel, so a larger picture hides more of them.
#
# defocus: a circle of confusion is taken for a point up to 1/1500 of the diagonal (radius .0004 of
#   the long side); prints begin to look soft at a few times that.
# motion_blur: a hand-held exposure several times too long smears by .5 % to 1 % of the frame.
# gaussian_noise: on a smooth surface at arm's length, 3 levels are just seen.
# sensor_noise: about as visible as the Gaussian noise of its level; on mid-grey its sigma is alike.
# under-/overexposure: cameras meter within 1/2 EV; at 1 EV most people would correct the picture.
# jpeg_compression: 4:2:0; viewers begin to find artefacts between quality 70 and 50.
# rescaling: what a thumbnail or a messenger leaves when it is enlarged again.
PARAMETERS: dict[str, tuple[float, float, float, float, float]] = {
    "defocus": (0.001, 0.002, 0.004, 0.007, 0.012),  # disc radius / long side
    "motion_blur": (0.003, 0.006, 0.012, 0.020, 0.035),  # length of the path / long side
    "gaussian_noise": (3, 6, 10, 16, 25),  # sigma, 8-bit levels
    "sensor_noise": (2500, 700, 270, 120, 55),  # electrons a pixel holds at white
    "underexposure": (-0.5, -1, -1.5, -2.25, -3),  # EV
    "overexposure": (0.5, 1, 1.5, 2.25, 3),  # EV
    "jpeg_compression": (70, 45, 28, 16, 8),  # quality, as libjpeg counts
    "rescaling": (0.75, 0.55, 0.4, 0.28, 0.18),  # side kept, of 512 pixels (or of a smaller photo)
}
KINDS: tuple[str, ...] = tuple(PARAMETERS)
LEVELS: tuple[int, ...] = (1, 2, 3, 4, 5)

_READ_NOISE = 2.0  # electrons
_ROW_NOISE = 0.15  # of the pixel noise's sigma: faint banding, as in pushed shadows
_SHARED_NOISE = 0.5  # share of the variance that demosaicing spreads over all three channels
_CAMERA_QUALITY = 92


def degrade(rgb: np.ndarray, kind: str, level: int, seed: int = 0) -> np.ndarray:
    """A copy of `rgb` with one degradation of known strength.

    The same arguments give the same bytes; levels of one seed share direction and noise pattern.

    Args:
        rgb: (h, w, 3) uint8, sRGB.
        kind: one of `KINDS`.
        level: 1 (barely visible) to 5 (severe); the parameters are in `PARAMETERS`.
        seed: chooses the direction of motion and the noise.

    Returns:
        (h, w, 3) uint8.

    Raises:
        ValueError: an unknown kind or level, or another type or shape of array.

    >>> degrade(np.full((8, 8, 3), 128, np.uint8), "underexposure", 2)[0, 0].tolist()
    [92, 92, 92]
    """
    if kind not in PARAMETERS:
        raise ValueError(f"unknown degradation {kind!r}; there are {', '.join(KINDS)}")
    if level not in LEVELS:
        raise ValueError(f"{kind} has levels 1 to {len(LEVELS)}, got {level!r}")
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise ValueError(f"a picture is uint8 (h, w, 3), got {rgb.dtype} {rgb.shape}")
    rng = np.random.default_rng((seed, KINDS.index(kind)))
    return _APPLY[kind](rgb, PARAMETERS[kind][level - 1], rng)


def _defocus(rgb: np.ndarray, radius: float, rng: np.random.Generator) -> np.ndarray:
    return _filter_light(rgb, _disc(radius * max(rgb.shape[:2])))


def _motion_blur(rgb: np.ndarray, length: float, rng: np.random.Generator) -> np.ndarray:
    return _filter_light(rgb, _path(length * max(rgb.shape[:2]), rng.uniform(0, math.pi)))


def _gaussian_noise(rgb: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    return _to_uint8(rgb + sigma * rng.standard_normal(rgb.shape, np.float32))


def _sensor_noise(rgb: np.ndarray, full_well: float, rng: np.random.Generator) -> np.ndarray:
    light = to_light(rgb)
    sigma = np.sqrt(light * full_well + _READ_NOISE**2) / full_well
    own, shared = math.sqrt(1 - _SHARED_NOISE), math.sqrt(_SHARED_NOISE)
    pattern = own * _demosaiced(rng.standard_normal(rgb.shape, np.float32))
    pattern += shared * _demosaiced(rng.standard_normal((*rgb.shape[:2], 1), np.float32))
    pattern += _ROW_NOISE * rng.standard_normal((rgb.shape[0], 1, 1), np.float32)
    return _jpeg_compression(from_light(light + sigma * pattern), _CAMERA_QUALITY, rng)


def _exposure(rgb: np.ndarray, ev: float, rng: np.random.Generator) -> np.ndarray:
    return from_light(to_light(rgb) * np.float32(2**ev))


def _jpeg_compression(rgb: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    _, file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR))[..., ::-1])


def _rescaling(rgb: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    height, width = rgb.shape[:2]
    scale = share * min(512, max(height, width)) / max(height, width)
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    reduced = cv2.resize(rgb, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(reduced, (width, height), interpolation=cv2.INTER_CUBIC)


_APPLY: dict[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "defocus": _defocus,
    "motion_blur": _motion_blur,
    "gaussian_noise": _gaussian_noise,
    "sensor_noise": _sensor_noise,
    "underexposure": _exposure,
    "overexposure": _exposure,
    "jpeg_compression": _jpeg_compression,
    "rescaling": _rescaling,
}


def to_light(rgb: np.ndarray) -> np.ndarray:
    """sRGB levels to linear light, float32 in [0, 1]."""
    share = np.arange(256) / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(light.astype(np.float32)[rgb])


def from_light(light: np.ndarray) -> np.ndarray:
    light = np.clip(light, 0, 1)
    share = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return _to_uint8(share * 255)


def _to_uint8(levels: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.rint(levels), 0, 255).astype(np.uint8))


def _filter_light(rgb: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Blur as a lens or a moving camera does: light adds up, sRGB levels do not."""
    return from_light(cv2.filter2D(to_light(rgb), -1, kernel, borderType=cv2.BORDER_REFLECT_101))


def _disc(radius: float) -> np.ndarray:
    """A disc of this radius in pixels."""
    fine = np.linspace(-radius, radius, 16 * math.ceil(radius) + 1)
    x, y = np.meshgrid(fine, fine)
    inside = x**2 + y**2 <= radius**2
    return _kernel(x[inside], y[inside])


def _path(length: float, angle: float) -> np.ndarray:
    """A straight path of this length in pixels."""
    along = np.linspace(-length / 2, length / 2, 16 * math.ceil(length) + 1)
    return _kernel(along * math.cos(angle), along * math.sin(angle))


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Points spread over their four nearest pixels, together 1: shapes finer than a pixel count too."""
    reach = math.ceil(max(np.abs(x).max(), np.abs(y).max())) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        weight = (1 - np.abs(x - column)) * (1 - np.abs(y - row))
        np.add.at(kernel, (row + reach, column + reach), weight)
    return np.asarray(kernel / kernel.sum())


def _demosaiced(white: np.ndarray) -> np.ndarray:
    """Unit-variance noise, neighbours correlated as interpolating a Bayer pattern leaves them."""
    smooth = cv2.sepFilter2D(white, -1, _INTERPOLATION, _INTERPOLATION)
    return smooth.reshape(white.shape) / float((_INTERPOLATION**2).sum())


_INTERPOLATION = np.array([0.2, 0.6, 0.2], np.float32)
