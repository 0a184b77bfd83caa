"""One word for a photo's technical quality, Good, Fair or Poor, and why it is no better."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from photorank.utils.rows import numbers

from .profiles import Profile

CLASSES = ("Good", "Fair", "Poor")

_LEARNED = "quality"
_SEEN = 1.0  # level of a defect that is barely seen next to a faultless copy
_WORTH_SAYING = 0.005  # of the score
_LOWEST = 0.1  # share of the photos that are told why even without a fault
LOOKS = {  # what a level looks like, and the tag that must be told for it to be said
    "defocus_level": ("looks out of focus", "out_of_focus"),
    "motion_blur_level": ("looks moved", "motion_blur"),
    "noise_level": ("looks grainy", "noisy"),
    "underexposure_level": ("looks too dark", "underexposed"),
    "overexposure_level": ("looks too bright", "overexposed"),
    "jpeg_compression_level": ("looks compressed", "compressed"),
    "rescaling_level": ("looks enlarged", "blurry"),
}


def quality_score(
    table: pd.DataFrame, scores: Mapping[str, np.ndarray], profile: Profile
) -> np.ndarray:
    """`final_score` where the learned `quality` makes up most of it, so that class and rank agree; else
    `quality` itself; without it 1 less the score of the worst fault, of which a minor one counts half.

    Returns:
        (n,) from 0 (worst) to 1; NaN where nothing is known.
    """
    learned = numbers(table[_LEARNED]) if _LEARNED in table else np.array([np.nan])
    if not np.isnan(learned).all():  # somebody else's `quality` may be words
        return numbers(table["final_score"]) if _is_most_of_it(table) else learned
    share = dict.fromkeys(profile.quality["serious"], 1.0)
    share |= dict.fromkeys(profile.quality["minor"], 0.5)
    faults = [share[name] * s for name, s in scores.items() if name in share]
    return 1 - np.fmax.reduce(faults) if faults else np.full(len(table), np.nan)


def _is_most_of_it(table: pd.DataFrame) -> bool:
    """Whether half of the table's scores and more comes from `quality`."""
    part = f"{_LEARNED}_contribution"
    if not {part, "final_score"} <= set(table):
        return False
    return bool(2 * np.nansum(numbers(table[part])) >= np.nansum(numbers(table["final_score"])))


def quality_class(quality: np.ndarray, unsure: np.ndarray, profile: Profile) -> np.ndarray:
    """(n,) Good from `good_from` of the profile's `[quality]` up, Poor below `poor_below`, Fair between;
    empty where nothing is known.

    Args:
        quality: (n,) from `quality_score`.
        unsure: (n,) where a photo shows too little for its tags and has no serious one: no worse than
            Fair.
    """
    rule = profile.quality
    names = np.where(quality >= rule["good_from"], "Good", "Fair")
    names = np.where((quality < rule["poor_below"]) & ~unsure, "Poor", names)
    return np.where(np.isnan(quality), "", names)


def reasons(
    table: pd.DataFrame,
    scores: Mapping[str, np.ndarray],
    quality: np.ndarray,
    wanting: np.ndarray,
) -> list[str]:
    """Why each photo scores no higher, for those that no tag says it of; empty for the others.

    Args:
        scores: (n,) of each tag, NaN where it cannot be told; of what cannot nothing is said.
        quality: (n,) from `quality_score`.
        wanting: (n,) whether it is no Good photo, or among the lowest, and has no fault as a tag.
    """
    levels = {name: numbers(table[name]) for name in LOOKS if name in table}
    for name, (_, tag) in LOOKS.items():
        if name in levels and tag in scores:
            levels[name] = np.where(np.isnan(scores[tag]), 0, levels[name])
    lost = _lost(table)
    said = [""] * len(table)
    for row in np.flatnonzero(wanting & ~np.isnan(quality)):
        own = ({name: values[row] for name, values in part.items()} for part in (levels, lost))
        said[row] = f"score {quality[row]:.2f}: {_because(*own)}"
    return said


def are_lowest(quality: np.ndarray) -> np.ndarray:
    """(n,) whether a photo is in the lowest tenth of its table."""
    known = quality[~np.isnan(quality)]
    if not len(known):
        return np.zeros(len(quality), bool)
    return np.asarray(quality < np.sort(known)[int(_LOWEST * len(known))])


def _because(levels: Mapping[str, float], lost: Mapping[str, float]) -> str:
    """What the levels of defects say in words; where they say nothing, what the score lost most by."""
    seen = sorted((name for name in levels if levels[name] >= _SEEN), key=lambda n: -levels[n])[:2]
    if {*seen} == {"underexposure_level", "overexposure_level"}:  # not both at once
        seen.pop()
    if seen:
        return "it " + " and ".join(f"{LOOKS[n][0]} (level {levels[n]:.1f} of 5)" for n in seen)
    others = {name: by for name, by in lost.items() if name != _LEARNED}  # that says nothing new
    most = max(others, key=lambda name: others[name], default="")
    if not most or others[most] < _WORTH_SAYING:
        return "no defect stands out"
    return f"no defect stands out, it loses {others[most]:.2f} by {most}"


def _lost(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """By how much each photo's score would rise if a column were the best possible."""
    end = "_contribution"
    lost = {}
    for name in (str(n).removesuffix(end) for n in table if str(n).endswith(end)):
        if f"{name}_norm" in table:
            norm, added = (numbers(table[f"{name}{part}"]) for part in ("_norm", end))
            gains = added[norm > 0] / norm[norm > 0]
            weight = np.nanmax(gains, initial=0.0)  # what it adds at best
            lost[name] = np.nan_to_num(weight * (1 - norm))
    return lost
