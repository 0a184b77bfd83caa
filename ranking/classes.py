"""One word for a photo's technical quality: Good, Fair or Poor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .profiles import Profile

CLASSES = ("Good", "Fair", "Poor")


def quality_score(
    table: pd.DataFrame, scores: Mapping[str, np.ndarray], profile: Profile
) -> np.ndarray:
    """The learned column `quality` where there is one, else 1 less the score of the worst fault.

    A minor fault counts half, so that it alone makes no photo Poor.

    Returns:
        (n,) from 0 (worst) to 1; NaN where nothing is known.
    """
    if "quality" in table and _is_measured(table["quality"]):
        return table["quality"].to_numpy(float)
    share = dict.fromkeys(profile.quality["serious"], 1.0)
    share |= dict.fromkeys(profile.quality["minor"], 0.5)
    faults = [share[name] * s for name, s in scores.items() if name in share]
    return 1 - np.fmax.reduce(faults) if faults else np.full(len(table), np.nan)


def _is_measured(column: pd.Series[Any]) -> bool:
    """Whether there are numbers: somebody else's `quality` may be words."""
    return bool(pd.api.types.is_numeric_dtype(column) and column.notna().any())


def quality_class(
    quality: np.ndarray, scores: Mapping[str, np.ndarray], profile: Profile
) -> np.ndarray:
    """(n,) Poor: a serious fault is sure, or the quality is low. Good: no fault, and the quality is high.

    Everything else is Fair. The numbers are in the profile's `[quality]`.
    """
    rule = profile.quality
    nothing = np.zeros(len(quality), bool)
    sure = [scores[n] >= rule["sure_from"] for n in rule["serious"] if n in scores]
    faults = [*rule["serious"], *rule["minor"]]
    fault = [scores[n] >= profile.threshold(n) for n in faults if n in scores]
    poor = np.any([nothing, *sure, quality < rule["poor_below"]], axis=0)
    good = ~np.any([poor, *fault], axis=0) & (quality >= rule["good_from"])
    return np.where(np.isnan(quality), "", np.where(poor, "Poor", np.where(good, "Good", "Fair")))
