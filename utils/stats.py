"""Correlation, and how sure a figure is: intervals by drawing whole scenes with replacement."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from .words import plural

FEWEST_SCENES = 5  # down to these the intervals hold what they promise: docs/agreement.md
INTERVAL = (0.025, 0.975)
NEARLY_CONSTANT = 1e-13  # as in scipy.stats.pearsonr: spread beside the mean that is rounding error

_DEFINED = 0.95  # of the resamples: fewer would speak for a selection of them


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's r of two (n,) columns; NaN where one is constant, as far as rounding can tell."""
    return _cosine(_centred(x), _centred(y))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    length = math.sqrt((a @ a) * (b @ b))
    return max(-1.0, min(1.0, float(a @ b) / length)) if length else math.nan


def _centred(values: np.ndarray) -> np.ndarray:
    """Less their mean, times a power of two, which rounds nothing, so that no square overflows."""
    values = np.ldexp(values, -np.frexp(np.abs(values).max())[1])
    centred = values - values.mean()
    return centred * bool(np.linalg.norm(centred) > NEARLY_CONSTANT * abs(values.mean()))


def kendall(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's tau-b; NaN where one is constant."""
    from scipy.stats import kendalltau  # a third of a second to import

    return float(kendalltau(x, y, method="asymptotic").statistic)


def spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rho: Pearson's r of the ranks, where equal values share their mean rank."""
    return spearman_of_places(places(x), places(y))


def spearman_of_places(x: np.ndarray, y: np.ndarray) -> float:
    """The same of what `places` returned: drawn rows keep their order, and need no sorting anew."""
    middle = len(x) / 2
    return _cosine(_ranks(x) - middle, _ranks(y) - middle)


def places(values: np.ndarray) -> np.ndarray:
    """(n,) the place of each value among the different ones, from 0."""
    return np.unique(values, return_inverse=True)[1]


def ranks(values: np.ndarray) -> np.ndarray:
    """(n,) from .5 up; equal values share their mean: SciPy's `rankdata`, ten times as fast."""
    return _ranks(places(values))


def _ranks(place: np.ndarray) -> np.ndarray:
    counts = np.bincount(place)
    return (counts.cumsum() - counts / 2)[place]


def scene_numbers(names: np.ndarray) -> np.ndarray:
    """Scenes numbered from 0; a photo without one is a scene of its own."""
    named = pd.factorize(names)[0]
    alone = len(named) + np.arange(len(named))
    return pd.factorize(np.where(named < 0, alone, named))[0]


def scene_draws(scenes: np.ndarray, number: int, seed: int) -> Iterator[np.ndarray]:
    """(n,) how often each photo counts in each of `number` draws of scenes with replacement.

    Args:
        scenes: (n,) of each photo, numbered from 0. The same seed draws the same ones.
    """
    count = int(scenes.max()) + 1
    rng = np.random.default_rng(seed)
    for _ in range(number):
        yield np.bincount(rng.integers(count, size=count), minlength=count)[scenes]


def estimate(
    figure: Callable[..., float],
    columns: Sequence[np.ndarray],
    scenes: np.ndarray,
    resamples: int,
    seed: int,
) -> tuple[dict[str, float | None] | None, str]:
    """A figure with its 95 % interval.

    Args:
        figure: of these columns; NaN where it is undefined.
        columns: (n,) each.
        scenes: (n,) of each photo, numbered from 0.

    Returns:
        `value low high`, and the reason if there is no value (None) or no interval.

    Raises:
        ValueError: a number of resamples that is none.
    """
    if isinstance(resamples, bool) or not isinstance(resamples, int) or resamples < 1:
        raise ValueError(f"resamples is a whole number from 1 up, got {resamples!r}")
    value, count = figure(*columns), int(scenes.max()) + 1
    if np.isnan(value):
        return None, "too nearly constant to compute"
    alone: dict[str, float | None] = {"value": value, "low": None, "high": None}
    if count < FEWEST_SCENES:
        return alone, f"{plural(count, 'scene')}: an interval needs {FEWEST_SCENES}"
    draws = scene_draws(scenes, resamples, seed)
    drawn = np.array([figure(*(np.repeat(c, counts) for c in columns)) for counts in draws])
    lost = int(np.isnan(drawn).sum())
    if lost > (1 - _DEFINED) * resamples:
        return alone, f"the same for all photos in {lost} of {resamples} resamples"
    low, high = np.nanquantile(drawn, INTERVAL)
    return {"value": value, "low": float(low), "high": float(high)}, ""
