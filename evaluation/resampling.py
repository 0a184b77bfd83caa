"""Correlations, and their intervals by drawing scenes with replacement: all draws in a few array steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

FEWEST = 3  # photos: with two every correlation is 1 or -1
FEWEST_SCENES = 5  # down to these the intervals hold what they promise: docs/agreement.md
_INTERVAL = (0.025, 0.975)
_DEFINED = 0.95  # of the resamples: fewer would speak for a selection of them
_CELLS = 1_000_000  # photos times resamples at a time: 8 MB per array
_NEARLY_CONSTANT = 1e-13  # as in scipy.stats.pearsonr: below it r is rounding error

Figure = Callable[[np.ndarray], np.ndarray]
"""From (resamples, n), how often each photo counts, to (resamples,), NaN where it is undefined."""


def pearson(x: np.ndarray, y: np.ndarray) -> Figure:
    """Pearson's r of two (n,) columns."""
    x, y = _below_one(x), _below_one(y)
    return lambda counts: _correlation(x, y, counts)


def spearman(x: np.ndarray, y: np.ndarray) -> Figure:
    """Spearman's rho, Pearson's r of the ranks, where equal values share their mean rank."""
    rank_x, rank_y = _ranks_of(x), _ranks_of(y)
    return lambda counts: _correlation(rank_x(counts), rank_y(counts), counts)


def kendall(x: np.ndarray, y: np.ndarray) -> Figure:
    """Kendall's tau-b; about 1 ms per resample of 3,000 photos."""

    def tau(count: np.ndarray) -> float:
        often = count.astype(int)
        drawn = np.repeat(x, often), np.repeat(y, often)
        return float(stats.kendalltau(*drawn, method="asymptotic").statistic)

    return lambda counts: np.array([tau(count) for count in counts])


def _below_one(values: np.ndarray) -> np.ndarray:
    """The values times a power of two, which rounds nothing, so that no square overflows."""
    return np.ldexp(values, -np.frexp(np.abs(values).max())[1])


def _ranks_of(values: np.ndarray) -> Figure:
    """To the ranks (resamples, n) of the photos, less the mean rank, which is then exactly 0."""
    order = np.argsort(values, kind="stable")
    first = np.flatnonzero(np.diff(values[order], prepend=np.nan) != 0)
    place = np.empty(len(values), int)
    place[order] = np.repeat(np.arange(len(first)), np.diff(first, append=len(values)))

    def ranks(counts: np.ndarray) -> np.ndarray:
        equal = np.add.reduceat(counts[:, order], first, axis=1)
        middle = equal.cumsum(axis=1) - equal / 2
        return (middle - counts.sum(axis=1, keepdims=True) / 2)[:, place]

    return ranks


def _correlation(x: np.ndarray, y: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Pearson's r per resample of columns (n,) or (resamples, n); NaN where one is constant."""
    (dx, flat_x), (dy, flat_y) = _centred(x, counts), _centred(y, counts)
    r = np.einsum("ij,ij,ij->i", counts, dx, dy)
    return np.where(flat_x | flat_y, np.nan, np.clip(r, -1, 1))


def _centred(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values less their mean, of length 1 per resample, and where they have no length."""
    mean = (counts * values).sum(axis=1, keepdims=True) / counts.sum(axis=1, keepdims=True)
    centred = values - mean
    length = np.sqrt(np.einsum("ij,ij,ij->i", counts, centred, centred))[:, None]
    flat = length <= _NEARLY_CONSTANT * np.abs(mean)
    return centred / np.where(flat, 1, length), flat[:, 0]


def counted_scenes(count: int) -> str:
    """Their count in words."""
    return f"{count} scene{'s' * (count != 1)}"


def scene_numbers(names: np.ndarray) -> np.ndarray:
    """Scenes numbered from 0; a photo without one is a scene of its own."""
    named = pd.factorize(names)[0]
    alone = len(named) + np.arange(len(named))
    return pd.factorize(np.where(named < 0, alone, named))[0]


@dataclass(frozen=True)
class Draws:
    """Draws of scenes with replacement; the same seed draws the same for every figure.

    Attributes:
        groups: (n,) the scene of each photo, numbered from 0.
        number: how many draws.
        seed: of the random numbers.
    """

    groups: np.ndarray
    number: int
    seed: int

    def __post_init__(self) -> None:
        if isinstance(self.number, bool) or not isinstance(self.number, int) or self.number < 1:
            raise ValueError(f"resamples is a whole number from 1 up, got {self.number!r}")

    @property
    def scenes(self) -> int:
        return int(self.groups.max(initial=-1)) + 1

    def counts(self) -> Iterator[np.ndarray]:
        """(some, n) how often each photo counts in each draw."""
        rng, scenes = np.random.default_rng(self.seed), self.scenes
        at_once = max(1, _CELLS // len(self.groups))
        for start in range(0, self.number, at_once):
            some = min(at_once, self.number - start)
            drawn = rng.integers(scenes, size=(some, scenes)) + scenes * np.arange(some)[:, None]
            by_scene = np.bincount(drawn.ravel(), minlength=some * scenes).reshape(some, scenes)
            yield by_scene[:, self.groups].astype(float)

    def estimate(self, figure: Figure) -> tuple[dict[str, float | None] | None, str]:
        """`value low high` (95 %), and the reason if there is no value or no interval."""
        value = float(figure(np.ones((1, len(self.groups))))[0])
        if np.isnan(value):
            return None, "too nearly constant to compute"
        alone: dict[str, float | None] = {"value": value, "low": None, "high": None}
        if self.scenes < FEWEST_SCENES:
            return alone, f"{counted_scenes(self.scenes)}: an interval needs {FEWEST_SCENES}"
        drawn = np.concatenate([figure(counts) for counts in self.counts()])
        drawn = drawn[np.isfinite(drawn)]
        if len(drawn) < _DEFINED * self.number:
            lost = self.number - len(drawn)
            return alone, f"the same for all photos in {lost} of {self.number} resamples"
        low, high = np.quantile(drawn, _INTERVAL)
        return {"value": value, "low": float(low), "high": float(high)}, ""
