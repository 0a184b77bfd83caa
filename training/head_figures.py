"""What held-out scores of candidates for a head are worth: figures, each with its interval by scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from photorank.utils.stats import estimate, scene_numbers

from .heads import BALANCED, RIDGE, TREES, order_in_folds, pairs_in_order, r_squared
from .trees import COSTS, HIGH, LOW, rmse

RESAMPLES = 1000
BINS, _MIDDLE = ("low", "mid", "high", "top"), 5.5
"""Ratings from 1 to 10; `low` has both its ends, `top` too."""
_NOTHING = dict.fromkeys(("value", "low", "high"), np.nan)
_FEWEST = 5  # photos of a bin


@dataclass(frozen=True)
class Judge:
    """How scores of held-out photos are judged.

    Attributes:
        labels: (n,) from 1 to 10, or picks.
        groups: (n,) scenes, by which intervals are drawn.
        pool: (n,) within which scores are compared: the fold that they were held out with, or the scene.
        seed: of the draws.
    """

    labels: np.ndarray
    groups: np.ndarray
    pool: np.ndarray
    seed: int
    picks: bool = False

    @property
    def order(self) -> str:
        """What the figure of the order is called."""
        return "pairs" if self.picks else "spearman"

    @property
    def chance(self) -> float:
        return 0.5 if self.picks else 0.0

    def figures(self, found: Mapping[str, np.ndarray]) -> pd.DataFrame:
        """A row per candidate: `candidate`, then each figure with `_low` and `_high`."""
        rows = []
        for name, scores in found.items():
            row: dict[str, Any] = {"candidate": name}
            row |= self._figure(self.order, self._order, scores)
            if not self.picks:
                row |= self._figure("r2", lambda s, y, _: r_squared(s, y), scores)
                row |= self._figure("rmse", lambda s, y, _: rmse(s, y), scores)
            rows.append(row)
        return pd.DataFrame(rows)

    def bins(self, scores: np.ndarray) -> pd.DataFrame:
        """A row per bin of the ratings: `bin n bias r2 rmse spearman`, with `_low` and `_high`."""
        rows = []
        asked: dict[str, Callable[..., float]] = {
            "bias": lambda s, y, _: float(np.mean(s - y)),
            "rmse": lambda s, y, _: rmse(s, y),
            "r2": lambda s, y, _: r_squared(s, y),
            "spearman": order_in_folds,
        }
        for name, rows_in in zip(BINS, in_bins(self.labels), strict=True):
            row: dict[str, Any] = {"bin": name, "n": int(rows_in.sum())}
            for figure, of in asked.items():
                row |= self._figure(figure, of, scores, rows_in)
            rows.append(row)
        return pd.DataFrame(rows)

    def difference(self, one: np.ndarray, other: np.ndarray) -> dict[str, Any]:
        """How much more of the order one has than the other: `value low high`."""

        def figure(a: np.ndarray, b: np.ndarray, y: np.ndarray, pool: np.ndarray) -> float:
            return self._order(a, y, pool) - self._order(b, y, pool)

        columns = (one, other, self.labels, self.pool)
        return _estimated(figure, columns, self.groups, self.seed)

    def _order(self, scores: np.ndarray, labels: np.ndarray, pool: np.ndarray) -> float:
        return (pairs_in_order if self.picks else order_in_folds)(scores, labels, pool)

    def _figure(
        self, name: str, of: Callable[..., float], scores: np.ndarray, rows: Any = slice(None)
    ) -> dict[str, Any]:
        columns = (scores[rows], self.labels[rows], self.pool[rows])
        few = len(columns[0]) < _FEWEST
        found = _NOTHING if few else _estimated(of, columns, self.groups[rows], self.seed)
        return {name: found["value"], f"{name}_low": found["low"], f"{name}_high": found["high"]}


def _estimated(
    figure: Callable[..., float], columns: Any, groups: np.ndarray, seed: int
) -> dict[str, Any]:
    found, _ = estimate(figure, columns, scene_numbers(groups), RESAMPLES, seed)
    return {n: np.nan if v is None else v for n, v in (found or _NOTHING).items()}


def in_bins(labels: np.ndarray) -> list[np.ndarray]:
    """(n,) for each of `BINS`: which ratings lie in it."""
    low, top = labels <= LOW, labels >= HIGH
    mid = (labels > LOW) & (labels <= _MIDDLE)
    return [low, mid, ~low & ~mid & ~top, top]


def balance_table(found: Mapping[str, np.ndarray], labels: np.ndarray) -> pd.DataFrame:
    """Bias by bin of trees before and after extremes count more: `bin n before after`."""
    rows = [
        {
            "bin": name,
            "n": int(rows.sum()),
            "before": float(np.mean((found[TREES] - labels)[rows])) if rows.any() else np.nan,
            "after": float(np.mean((found[BALANCED] - labels)[rows])) if rows.any() else np.nan,
        }
        for name, rows in zip(BINS, in_bins(labels), strict=True)
    ]
    return pd.DataFrame(rows)


def balance_pays(found: Mapping[str, np.ndarray], labels: np.ndarray) -> tuple[bool, str]:
    """Whether the top bin's bias is at least halved for at most 5 % of RMSE, and that in words."""
    top = balance_table(found, labels).set_index("bin").loc["top"]
    costs = rmse(found[BALANCED], labels) / rmse(found[TREES], labels)
    if top["n"] == 0:
        return False, "no rating is 8.5 or more: oversampling and weighting have nothing to mend"
    halved = abs(top["after"]) <= abs(top["before"]) / 2
    pays = bool(halved and costs <= COSTS)
    what = (
        f"oversampling and weighting: bias of the top bin from {top['before']:+.2f} to "
        f"{top['after']:+.2f}, RMSE {costs - 1:+.1%}"
    )
    return pays, f"{what}: {'they pay' if pays else 'no, they do not halve it for at most 5 %'}"


def best_of(figures: pd.DataFrame, order: str) -> str:
    """The candidate of the best order; of equal ones the first, the simplest."""
    values = figures[order].fillna(-np.inf).to_numpy()
    return str(figures["candidate"].iloc[int(np.argmax(values))])


def trees_against_ridge(judge: Judge, found: Mapping[str, np.ndarray]) -> str:
    """Whether trees beat ridge by more than the interval of the difference, in words."""
    name = TREES if TREES in found else BALANCED
    gap = judge.difference(found[name], found[RIDGE])
    said = f"{name} less ridge: {gap['value']:+.3f} ({gap['low']:+.3f} to {gap['high']:+.3f})"
    if gap["low"] > 0:
        return f"{said}: LightGBM is better"
    return f"{said}: LightGBM is {'worse' if gap['high'] < 0 else 'no better'}"
