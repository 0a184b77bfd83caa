"""What to do about a tag, in one sentence made from the measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

_EV_PER_BRIGHTNESS, _RIGHT_BRIGHTNESS = 4.58, 0.461
_SEEN = 0.3  # EV: less is within a camera's metering


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


def suggestion(sentence: str, photo: Mapping[Any, Any], because: str) -> str:
    """A profile's sentence filled in for this photo; nothing if a number for it is missing.

    Args:
        sentence: with columns of the photo in braces, `because`, and `more_light` or `less_light`,
            which say by how many EV.
        because: the file that the photo repeats.
    """
    known = {str(name): value for name, value in photo.items() if not pd.isna(value)}
    off = exposure_error(known.get("brightness", math.nan))  # without it no EV can be named
    known |= {
        "because": because,
        "more_light": f"expose about {-off:+.1f} EV" if off <= -_SEEN else "lift the shadows",
        "less_light": f"expose about {-off:+.1f} EV" if off >= _SEEN else "spare the highlights",
    }
    try:
        return sentence.format_map(known)
    except (KeyError, ValueError, TypeError):
        return ""
