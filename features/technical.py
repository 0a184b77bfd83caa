"""What a photo's pixels say of its technical quality: small functions on uint8 arrays.

Below each function stands its declaration. docs/scores.md tells what fools each of them.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

from .base import Column, Feature
from .measures.tiles import tile_means, tile_spread

# Chosen on degraded copies of 257 photos and on human ratings; the figures are in docs/scores.md.
_SHARP_TILE = 32  # pixels of the 512-pixel view
_SHARPEST_SHARE = 0.15  # of the tiles: a subject that fills a seventh of the frame
_FLATTEST_SHARE = 0.05  # of the tiles: what they show is taken for noise
_CORING = 2.5  # detail below this many times the mean noise is not counted
_SOFT_CONTRAST = 60  # 8-bit levels; keeps faint tiles from counting as much as contrasty ones

_SHADOW, _HIGHLIGHT = 5, 250  # levels at and beyond which a channel counts as clipped
_MIDTONES = (75, 150)  # levels: where the detail of well exposed photos lies on average
_OFF_MIDTONES = 40  # levels beyond `_MIDTONES` at which their score falls to .61
_WHITE = 215  # level that the brightest half percent of a well exposed photo reaches
_GREY_WHITES = 4  # power: whites at -1 EV of `_WHITE` leave .3 of the score
_BLOWN = 0.1  # share of clipped highlights at which most of their penalty is due
_BLOWN_KEEPS = 0.25  # clipping alone cannot take everything: it may be lamps or colour
_BACKDROP = 230  # level from which all channels are white enough for a backdrop
_RIM = 0.02  # of the long side: how deep the strips along the frame's sides are


def sharpness(luma: np.ndarray) -> float:
    """Fine detail in the sharpest parts, beyond noise, in percent of the contrast there.

    The sharpest 15 % of the tiles count, so that a blurred background does not condemn a portrait.
    What the flattest tiles show is taken for noise and cut off everywhere, so that noise does not
    pass for detail. Relative to local contrast, so that a hazy view can be sharp too.

    Fooled by: fine texture that fills the whole frame (taken for noise), sharpening halos, sharp
    lettering or borders on a blurred photo. Cannot see: a focus missed by less than about a
    thousandth of the long side. Two values can be compared where the subjects are alike.

    Args:
        luma: (h, w) uint8, the 512-pixel view.

    Returns:
        0 (nothing beyond noise) upwards. Measured on BIQ2021: 5th percentile 4, median 20, 95th
        percentile 53.
    """
    fine = np.abs(cv2.Laplacian(luma, cv2.CV_32F))
    noise = np.quantile(tile_means(fine, _SHARP_TILE), _FLATTEST_SHARE)
    detail = tile_means(np.maximum(fine - np.float32(_CORING * noise), 0), _SHARP_TILE)
    ratio = np.sort((detail / (tile_spread(luma, _SHARP_TILE) + _SOFT_CONTRAST)).ravel())
    count = max(1, round(_SHARPEST_SHARE * ratio.size))
    return float(100 * ratio[-count:].mean())


SHARPNESS = Feature(
    "sharpness",
    "2",
    (Column("sharpness", "higher", "percent of local contrast", heavy_tailed=True),),
    sharpness,
    view="luma",
    size=512,
)


def exposure(rgb: np.ndarray) -> tuple[float, float, float, float]:
    """How well exposed: midtones where they belong, whites that reach white, little clipped.

    Three factors are multiplied: whether the mean brightness of the detailed parts lies where it
    does in well exposed photos (a flat backdrop hardly counts); whether the brightest half percent
    reaches white, since a grey white is the surest sign of underexposure; how much is blown out.
    White along all four sides of the frame, about a subject whose midtones are right, is a backdrop
    and does not count as blown out; a blown sky does not reach the bottom.

    Fooled by: low-key and high-key intent, night, fog, snow, saturated colour (which clips one
    channel). Cannot see: light that is badly distributed.

    Args:
        rgb: (h, w, 3) uint8, the 512-pixel view.

    Returns:
        exposure in [0, 1], 1 = well exposed; brightness (mean luma) in [0, 1]; the share of the
        frame where no channel exceeds level 5, and where any reaches 250. Measured on BIQ2021:
        exposure 5th percentile .16, median .89, 95th percentile 1.
    """
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    brightest = functools.reduce(cv2.max, cv2.split(rgb))
    risen = _risen(brightest)
    shadows = float(risen[_SHADOW] / luma.size)
    highlights = float((luma.size - risen[_HIGHLIGHT - 1]) / luma.size)
    white = int(np.searchsorted(risen, 0.995 * luma.size))
    whites = min(1.0, white / _WHITE) ** _GREY_WHITES
    midtones = _midtone_score(_detail_brightness(luma))
    blown_out = highlights * (1 - midtones * _backdrop(rgb))
    blown = _BLOWN_KEEPS + (1 - _BLOWN_KEEPS) * np.exp(-blown_out / _BLOWN)
    score = midtones * whites * blown
    return float(score), float(luma.mean() / 255), shadows, highlights


EXPOSURE = Feature(
    "exposure",
    "2",
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
    """The 95th minus the 5th percentile of luma, as a share of the whole scale.

    Percentiles, so that a few black or white pixels do not decide it.

    Fooled by: overexposure and backlight, which raise it. Cannot see: contrast within the subject.

    Args:
        luma: (h, w) uint8, the 512-pixel view.

    Returns:
        0 (one tone) to 1 (black and white). Measured on BIQ2021: 5th percentile .25, median .65,
        95th percentile .88.

    >>> contrast(np.arange(200, dtype=np.uint8).reshape(1, 200)) == 180 / 255
    True
    """
    low, high = np.searchsorted(_risen(luma), np.multiply((0.05, 0.95), luma.size))
    return float((high - low) / 255)


CONTRAST = Feature(
    "contrast",
    "2",
    (Column("contrast", "higher", "share of the scale"),),
    contrast,
    view="luma",
    size=512,
)


def colourfulness(rgb: np.ndarray) -> float:
    """Hasler and Süsstrunk's colourfulness: how far colours spread, and how far they are from grey.

    Fooled by: one strong colour cast. Cannot see: whether the colours go together.

    Args:
        rgb: (h, w, 3) uint8, the 512-pixel view.

    Returns:
        0 (grey) upwards; 15 slightly, 45 averagely, 82 highly colourful by the authors' viewers.
        Measured on BIQ2021: 5th percentile 10, median 36, 95th percentile 87.

    References:
        Hasler, Süsstrunk: Measuring colourfulness in natural images, 2003. doi:10.1117/12.477378
    """
    red, green, blue = cv2.split(rgb)
    red_green = cv2.subtract(red, green, dtype=cv2.CV_16S)
    twice_yellow = cv2.add(red, green, dtype=cv2.CV_16S)
    twice_yellow_blue = cv2.subtract(twice_yellow, cv2.add(blue, blue, dtype=cv2.CV_16S))
    (mean_rg, std_rg), (mean_yb, std_yb) = map(_mean_and_spread, (red_green, twice_yellow_blue))
    return float(np.hypot(std_rg, std_yb / 2) + 0.3 * np.hypot(mean_rg, mean_yb / 2))


COLOURFULNESS = Feature(
    "colourfulness",
    "2",
    (Column("colourfulness", "higher", "8-bit levels"),),
    colourfulness,
    size=512,
)


def laplacian_variance(luma: np.ndarray) -> float:
    """Variance of the Laplacian: the common, simple measure of focus, reported for comparison.

    Fooled by: noise, JPEG blocks and sharpening, which raise it; contrast, with whose square it
    grows; a blurred background, which lowers it. Not part of the default score.

    Args:
        luma: (h, w) uint8, the 512-pixel view.

    Returns:
        0 (flat) upwards, 8-bit levels squared. Measured on BIQ2021: 5th percentile 18, median 290,
        95th percentile 2200.

    References:
        Pech-Pacheco et al.: Diatom autofocusing in brightfield microscopy, 2000.
        doi:10.1109/ICPR.2000.903548
    """
    return _mean_and_spread(cv2.Laplacian(luma, cv2.CV_16S))[1] ** 2


LAPLACIAN_VARIANCE = Feature(
    "laplacian_variance",
    "2",
    (Column("laplacian_variance", "higher", "8-bit levels squared", heavy_tailed=True),),
    laplacian_variance,
    view="luma",
    size=512,
)


def _mean_and_spread(values: np.ndarray) -> tuple[float, float]:
    mean, deviation = cv2.meanStdDev(values)
    return mean.item(), deviation.item()


def _risen(levels: np.ndarray) -> np.ndarray:
    """How many pixels do not exceed each of the 256 levels."""
    return np.cumsum(cv2.calcHist([levels], [0], None, [256], [0, 256]), dtype=np.int64)


def _detail_brightness(luma: np.ndarray) -> float:
    """Mean luma, each pixel weighed by the local contrast about it."""
    levels = luma.astype(np.float32)
    detail = cv2.absdiff(levels, cv2.blur(levels, (11, 11)))
    weighed = np.vdot(detail, levels) + 0.5 * levels.sum()
    return float(weighed / (detail.sum() + 0.5 * detail.size))


def _backdrop(rgb: np.ndarray) -> float:
    """How white the least white side of the frame is: 1 if all four are all white."""
    depth = max(1, round(_RIM * max(rgb.shape)))
    rims = (rgb[:depth], rgb[-depth:], rgb[:, :depth], rgb[:, -depth:])
    whites = (functools.reduce(cv2.min, cv2.split(rim)) >= _BACKDROP for rim in rims)
    return float(min(white.mean() for white in whites))


def _midtone_score(level: float) -> float:
    darkest, brightest = _MIDTONES
    off = max(darkest - level, level - brightest, 0) / _OFF_MIDTONES
    return float(np.exp(-(off**2) / 2))
