"""How often a score finds the photo of a scene that people rate best."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

MARGIN = 0.15
"""Of the ratings' range: where people see less difference than this, no photo is the best of its scene."""

_Z = 1.959963984540054  # the normal distribution's 97.5th percentile


def best_of_scene(
    score: Any, rating: Any, scene: Any, margin: float = MARGIN
) -> dict[str, Any] | str:
    """How often the top-scored photo of a scene is the top-rated one, with chance beside it.

    It is the question that a burst asks: which one to keep. Scenes in which people hardly prefer
    one photo are left out. Where several photos share the top score, their chance of being right
    counts; where several share the top rating, each of them is right.

    Args:
        score, rating, scene: (n,) each, without gaps.
        margin: 0 to 1, share of the ratings' range by which a scene's ratings must differ.

    Returns:
        `value low high`: the share of scenes and Wilson's 95 % interval, which unlike a bootstrap's
        has a width where all or none are right; `chance`: what a random choice gets in these scenes;
        `n` scenes; `margin` in units of the rating. Or the reason why there is none.

    Raises:
        ValueError: a margin outside 0 to 1.

    >>> best = best_of_scene([1, 2, 3, 4], [5, 9, 9, 5], ["a", "a", "b", "b"])
    >>> best["value"], best["chance"], best["n"]
    (0.5, 0.5, 2)
    """
    if not 0 <= margin <= 1:
        raise ValueError(f"margin is a share of the ratings' range from 0 to 1, got {margin!r}")
    photos = pd.DataFrame({"score": score, "rating": rating, "scene": scene})
    least = margin * float(np.ptp(photos["rating"])) if len(photos) else 0.0
    by_scene = photos.groupby("scene")
    top = photos["score"] == by_scene["score"].transform("max")
    best = photos["rating"] == by_scene["rating"].transform("max")
    each = photos.assign(top=top * 1.0, best=best * 1.0, right=(top & best) * 1.0).groupby("scene")
    scenes = pd.DataFrame(
        {
            "apart": each["rating"].max() - each["rating"].min(),
            "right": each["right"].sum() / each["top"].sum(),
            "chance": each["best"].mean(),
        }
    )
    differ = scenes[(scenes["apart"] > 0) & (scenes["apart"] >= least * (1 - 1e-9))]
    if differ.empty:
        enough = f" by {least:.3g} or more" if least else ""
        return f"no scene of 2 or more photos whose ratings differ{enough}"
    value, n = float(differ["right"].mean()), len(differ)
    low, high = _wilson(value, n)
    chance = float(differ["chance"].mean())
    return {"value": value, "low": low, "high": high, "chance": chance, "n": n, "margin": least}


def _wilson(share: float, n: int) -> tuple[float, float]:
    middle = share + _Z**2 / (2 * n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    whole = 1 + _Z**2 / n
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)
