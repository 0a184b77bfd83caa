"""What to do about a tag, in one sentence made from the measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

_EV_PER_BRIGHTNESS, _RIGHT_BRIGHTNESS = 4.58, 0.461
_SEEN = 0.3  # EV: less is within a camera's metering

_SENTENCES = {
    "out_of_focus": "The sharpest edges are {edge_width:.1f} thousandths of the long side wide: focus "
    "again, or stop down.",
    "motion_blur": "Edges are {blur_direction:.1f} times as wide in one direction as in the other: a "
    "shorter exposure, or a support.",
    "low_light": "Little light (brightness {brightness:.2f}): {more_light}, or add light.",
    "underexposed": "Too dark: {more_light}.",
    "overexposed": "{clipped_highlights:.0%} of the frame is blown out: {less_light}.",
    "low_contrast": "The tones span {contrast:.0%} of the scale: raise the contrast.",
    "noisy": "Grain of {noise:.1f} levels: a lower ISO, or denoise.",
    "compressed": "Strongly compressed: go back to the original, or save with a higher quality.",
    "low_resolution": "{megapixels:.2g} megapixels: go back to the original size.",
    "near_duplicate": "A better photo of the same is there: {because}.",
    "exact_duplicate": "The same is there already: {because}.",
    "face_too_small": "Faces cover {face_area:.1%} of the frame: go nearer, or crop.",
}


def exposure_error(brightness: float) -> float:
    """By how many EV a photo is too bright (above 0) or too dark, judged by its mean brightness.

    A straight line fitted to 250 photos of BIQ2021 made brighter and darker by up to 2.25 EV. It knows
    no scene: night, snow and a black backdrop are taken for errors. On 14 other photos that were
    developed 1 or 1.5 EV too bright or too dark its median absolute error is .21 EV, which is
    optimistic: the formula was chosen among 16 with these 14 in view.

    Args:
        brightness: mean luma, 0 to 1.

    >>> round(exposure_error(0.461), 2), round(exposure_error(0.15), 1)
    (0.0, -1.4)
    """
    return _EV_PER_BRIGHTNESS * (brightness - _RIGHT_BRIGHTNESS)


def suggestion(tag: str, photo: Mapping[Any, Any], because: str) -> str:
    """The sentence for this tag and photo; nothing where there is none, or a number for it is missing."""
    known = {str(name): value for name, value in photo.items() if not pd.isna(value)}
    known["because"] = because
    off = exposure_error(known.get("brightness", math.nan))  # without it no EV can be named
    known["more_light"] = f"expose about {-off:+.1f} EV" if off <= -_SEEN else "lift the shadows"
    known["less_light"] = f"expose about {-off:+.1f} EV" if off >= _SEEN else "spare the highlights"
    try:
        return _SENTENCES.get(tag, "").format_map(known)
    except (KeyError, ValueError, TypeError):
        return ""
