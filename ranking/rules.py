"""How surely the rules of a tag apply to each photo, and where nothing can be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .profiles import Profile, Rule

_SURE, _LIKELY = 0.95, 0.5
_STEEPNESS = np.log(_SURE / (1 - _SURE))


def score(values: pd.DataFrame, rules: Sequence[Rule]) -> tuple[np.ndarray, np.ndarray]:
    """How surely a tag applies, 0 to 1, and the position of the rule that says so.

    The best of the rules counts, and in a rule its worst column: a logistic curve that is .5 at the
    column's first number and .95 at its second. Rules whose columns are missing are passed over.
    """
    each = [
        np.min([_curve(_numbers(values[c]), *ends) for c, ends in rule.items()], axis=0)
        if set(rule) <= set(values)
        else np.full(len(values), np.nan)
        for rule in rules
    ]
    known = np.where(np.isnan(each), -np.inf, each)
    best = known.max(axis=0)
    return np.where(np.isinf(best), np.nan, best), known.argmax(axis=0)


def _curve(values: np.ndarray, at: float, sure: float) -> np.ndarray:
    return np.asarray(0.5 + 0.5 * np.tanh(_STEEPNESS / 2 * (values - at) / (sure - at)))


def begins(rule: Rule, threshold: float) -> dict[str, float]:
    """The value of each of a rule's columns at which its score is `threshold`."""
    shift = np.log(threshold / (1 - threshold)) / _STEEPNESS
    return {column: float(at + shift * (sure - at)) for column, (at, sure) in rule.items()}


def untold(values: pd.DataFrame, least: Mapping[str, float]) -> np.ndarray:
    """(n,) whether a photo shows too little for a tag to be told: none of the columns reaches its least."""
    if not least or not set(least) <= set(values):
        return np.zeros(len(values), bool)
    return np.all([_numbers(values[column]) < value for column, value in least.items()], axis=0)


def why_untold(values: pd.DataFrame, profile: Profile, tags: Iterable[str]) -> list[str]:
    """Per photo which of the tags cannot be told, and why; tags that need the same are named together."""
    why: list[list[str]] = [[] for _ in range(len(values))]
    alike: dict[tuple[tuple[str, float], ...], list[str]] = {}
    for name in tags:
        alike.setdefault(tuple(profile.evidence.get(name, {}).items()), []).append(name)
    for least, names in alike.items():
        for row in np.flatnonzero(untold(values, dict(least))):
            photo = values.iloc[row]
            seen = " and ".join(f"{c} {photo[c]:.2g} (below {v:g})" for c, v in least)
            why[row].append(f"cannot tell {', '.join(names)}: {seen}")
    return ["; ".join(texts) for texts in why]


def having(scores: Mapping[str, np.ndarray], profile: Profile) -> dict[str, np.ndarray]:
    """Which photos have each tag: from its threshold on, unless one that it contradicts is likely."""
    has = {}
    for name, values in scores.items():
        against = [scores[o] >= _LIKELY for o in profile.unless.get(name, ()) if o in scores]
        has[name] = ~np.any([~(values >= profile.threshold(name)), *against], axis=0)
    return has


def _numbers(column: pd.Series[Any]) -> np.ndarray:
    try:
        return column.to_numpy(float, na_value=np.nan)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"the column {str(column.name)!r} is to hold numbers, and does not: {error}; correct it, "
            "or rank the folder of the photos again"
        ) from error
