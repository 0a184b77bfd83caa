"""Measures that tags need: blur and its direction, compression blocks, tones, equal pixels.

None of them ranks (`better="neither"`): a tag says that something is so, not what it is worth.
Below each function stands its declaration; docs/scores.md tells what fools each of them.
"""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

from ..base import Column, Feature

# Chosen on BIQ2021 photos and degraded copies of them (docs/tags.md), never on the labels of MMP-2k.
_KERNEL = (7, 7)
_REBLUR = 1.0  # pixels: sigma of the blur that is added to see what it takes from an edge
_SHARPEST = 0.97  # quantile over edge pixels: the subject's edges, not the background's
_FLAT = 0.1  # quantile over all gradients: what flat parts show is noise
_FLOOR = 0.5  # levels per pixel: rounding to 8 bits makes gradients of this size
_EDGE = 2.0  # levels per pixel
_FEWEST = 200  # pixels that count as edges at least
_WIDEST = 10.0  # pixels: edges that re-blurring does not change are this wide or wider
_DIRECTIONS = np.pi * np.arange(8) / 8
_WIDE = 1.2  # pixels: edges from there on are looked at in the halved picture too
_SURE = 1.7  # pixels: what is seen there of narrower ones is too coarse to be believed
_SMALLEST = 64  # pixels: what is halved is no smaller
_BLOCK = 8
_UNIT = 1000 / 512  # pixels of the view to thousandths of the long side


def blur(luma: np.ndarray) -> tuple[float, float, float]:
    """How wide the sharpest edges are, how much wider in one direction than in others, how many there are.

    A little more blur takes much from a sharp edge and little from a wide one: the loss of gradient
    gives the width, whatever the edge's contrast. The sharpest 3 % of the edge pixels count, so that
    a blurred background does not condemn a portrait; what flat parts show is taken off as noise. A
    moved camera widens the edges across its path and spares those along it: the ratio of both says so.

    Fooled by: lettering or a border on a blurred photo, sharpening, strong noise (narrower); a
    subject without an edge, fog (wider); a shake that ran in several directions (ratio 1). Cannot
    see: a focus missed by less than about a thousandth of the long side, or whether the sharp part
    is the subject.

    Args:
        luma: (h, w) uint8, the 512-pixel view.

    Returns:
        edge_width: sigma in thousandths of the long side; measured on sharp photos of BIQ2021 .44 to
        1.0 (5th and 95th percentile), after a blur of .5 % from 2.7. blur_direction: 1 (alike in all
        directions) upwards; 1.0 to 1.2 on those photos, 1.3 to 1.8 when moved by 1.2 %. edge_share:
        how much of the frame are edges at all, 0 to 1; .01 to .02 in silhouettes before a plain sky, of
        which no width can be told, .15 to .6 on the photos of MMP-2k.

    References:
        S. Zhuo, T. Sim: "Defocus map estimation from a single image", Pattern Recognition 44, 2011,
        doi:10.1016/j.patcog.2011.03.009
    """
    width, direction, share = _edge_widths(luma)
    if width > _WIDE and min(luma.shape) >= _SMALLEST:  # a coarser look sees wide edges better
        height, breadth = luma.shape
        half = cv2.resize(luma, (breadth // 2, height // 2), interpolation=cv2.INTER_AREA)
        wide = blur(half)[0] / _UNIT
        width = max(width, 2 * wide) if wide > _SURE else width
    return width * _UNIT, direction, share


BLUR = Feature(
    "blur",
    "2",
    (
        Column("edge_width", "neither", "thousandths of the long side"),
        Column("blur_direction", "neither", "ratio"),
        Column("edge_share", "neither", "share of the frame"),
    ),
    blur,
    view="luma",
    size=512,
)


def blockiness(luma: np.ndarray) -> float:
    """How much larger the steps between blocks of 8 pixels are than the steps between other pixels.

    Fooled by: a real pattern of 8 pixels. Cannot see: the compression of a photo that was reduced or
    enlarged since, as the canonical picture of one with a long side of 1920 pixels and more is.

    Args:
        luma: (h, w) uint8, the canonical picture.

    Returns:
        0 (none) upwards, as a share of the usual step; about .02 at JPEG quality 90, .3 at 28 and 1
        at 8 on BIQ2021.
    """
    return (_block_steps(cv2.transpose(luma)) + _block_steps(luma)) / 2


BLOCKINESS = Feature(
    "blockiness",
    "1",
    (Column("blockiness", "neither", "share of the usual step"),),
    blockiness,
    view="luma",
)


def tones(luma: np.ndarray) -> tuple[float, float, float]:
    """The dark end and the bright end of the tones, and how much they tell: entropy.

    Fooled by: a border, which sets one of the ends; noise, which raises the entropy of an empty frame.

    Args:
        luma: (h, w) uint8, the canonical picture.

    Returns:
        shadow_level and highlight_level: the 5th and the 99th percentile of luma, as shares of
        white; entropy of the levels in bits, 0 (one tone) to 8 (all 256 equally often). Measured on
        BIQ2021: medians .07, .89 and 7.3 bits.

    >>> tones(np.full((10, 10), 51, np.uint8))
    (0.2, 0.2, 0.0)
    """
    counts = cv2.calcHist([luma], [0], None, [256], [0, 256]).ravel()
    shares = counts.astype(np.float64) / luma.size
    dark, bright = np.searchsorted(shares.cumsum(), (0.05, 0.99)) / 255
    there = shares[shares > 0]
    return float(dark), float(bright), abs(float((there * np.log2(there)).sum()))


TONES = Feature(
    "tones",
    "1",
    (
        Column("shadow_level", "neither", "share of white"),
        Column("highlight_level", "neither", "share of white"),
        Column("entropy", "neither", "bits"),
    ),
    tones,
    view="luma",
)


def content_hash(rgb: np.ndarray) -> str:
    """A fingerprint of the pixels: equal for files that show the same picture, whatever else they hold.

    A copy with other EXIF, or saved again without loss, has the same; a copy saved again as JPEG or
    at another size does not. Fooled by: nothing but a change too small to be seen at 512 pixels.

    Args:
        rgb: (h, w, 3) uint8, the 512-pixel view.

    Returns:
        32 hexadecimal digits of the SHA-256 of shape and pixels.
    """
    return hashlib.sha256(repr(rgb.shape).encode() + rgb.tobytes()).hexdigest()[:32]


CONTENT_HASH = Feature(
    "content_hash", "1", (Column("content_hash", "neither"),), content_hash, size=512
)


def _edge_widths(luma: np.ndarray) -> tuple[float, float, float]:
    """Sigma of the sharpest edges in pixels, the ratio of the directions' widths, the share of edges."""
    x, y = cv2.spatialGradient(luma)
    soft_x, soft_y = (cv2.GaussianBlur(part, _KERNEL, _REBLUR) for part in (x, y))
    strength, soft_strength = _magnitude(x, y), _magnitude(soft_x, soft_y)
    flat = float(_quantile(strength[::4, ::4].ravel(), _FLAT))
    least = max(_EDGE, 3 * flat)
    share = np.count_nonzero(soft_strength > least) / luma.size
    edges = _edges(soft_strength, least)
    noise = flat**2 + _FLOOR**2
    kept = (strength.take(edges) ** 2 - noise) / np.maximum(soft_strength.take(edges), 1e-3) ** 2
    before = _by_direction(x, y, edges) - noise / 2 * len(edges)
    widths = _width(before / np.maximum(_by_direction(soft_x, soft_y, edges), 1e-3))
    width = float(_width(np.array(_quantile(kept, _SHARPEST))))
    return width, float(widths.max() / widths.min()), share


def _magnitude(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The length of the gradient in levels per pixel; its parts are in eighths of that."""
    x, y = x.astype(np.float32), y.astype(np.float32)
    # not cv2.magnitude, whose last bits depend on where in memory its input lies
    return np.asarray(np.sqrt(x * x + y * y)) / np.float32(8)


def _edges(strength: np.ndarray, least: float) -> np.ndarray:
    """Positions of the pixels whose gradient exceeds `least`, of the strongest few where that are fewer."""
    few = min(_FEWEST, strength.size)
    found = np.flatnonzero(strength > least)
    return found if len(found) >= few else np.argpartition(strength, -few, axis=None)[-few:]


def _quantile(values: np.ndarray, share: float) -> np.float32:
    """As `np.quantile`, a tenth of its time."""
    place = int(share * (len(values) - 1))
    return np.partition(values, place)[place]


def _width(kept: np.ndarray) -> np.ndarray:
    """Sigma in pixels of edges of which re-blurring leaves 1 / `kept` of the squared gradient.

    An edge of sigma w has a gradient of 1 / w, and after re-blurring of 1 / hypot(w, `_REBLUR`).
    """
    return _REBLUR / np.sqrt(np.maximum(kept - 1, (_REBLUR / _WIDEST) ** 2))


def _by_direction(x: np.ndarray, y: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The summed squares of the gradient's part along each of 8 directions, over the edges."""
    x, y = (part.take(edges).astype(np.float32) / 8 for part in (x, y))
    c, s = np.cos(_DIRECTIONS), np.sin(_DIRECTIONS)
    return np.asarray(c * c * (x @ x) + s * s * (y @ y) + 2 * c * s * (x @ y))


def _block_steps(luma: np.ndarray) -> float:
    """The mean step between columns at the worst of 8 phases over that at the median one, less 1."""
    if luma.shape[1] < 4 * _BLOCK:
        return 0.0
    step = cv2.absdiff(luma[:, 1:], luma[:, :-1])
    lines = cv2.reduce(step, 0, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel()
    phases = [lines[phase::_BLOCK].mean() for phase in range(_BLOCK)]
    usual = float(np.median(phases))
    return float(max(phases) - usual) / usual if usual > 0 else 0.0
