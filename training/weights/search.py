"""Find the weights whose scores agree best with people's ratings, or with the order of degraded copies.

Plain arrays only: columns already brought to [0, 1], and what the scores should agree with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import optuna

from photorank.utils.stats import spearman

from ..folds import Fold, scene_folds

_LEAST = 0.001
"""The search runs on a log scale from this share of the largest weight."""
_NEGLIGIBLE = 0.01
"""A smaller share of the score moves no order worth the column: it becomes 0."""
_TIE = 1e-9


class Task(Protocol):
    """What weights are tuned on: one row per photo or per pair, and how well scores do there.

    Attributes:
        values: (n, columns). A row's score is `values @ weights`.
        groups: (n,) scene of each row; rows of one scene are never split.
        chance: the agreement of scores that know nothing.
        meaning: what agreement is, in words.
    """

    @property
    def values(self) -> np.ndarray: ...
    @property
    def groups(self) -> np.ndarray: ...
    @property
    def chance(self) -> float: ...
    @property
    def meaning(self) -> str: ...
    def agreement(self, scores: np.ndarray, rows: np.ndarray) -> float: ...
    def shuffled(self, seed: int) -> Task: ...


@dataclass(frozen=True)
class Ratings:
    """Photos with people's ratings; agreement is Spearman's rank correlation, -1 to 1.

    Attributes:
        values: (n, columns) in [0, 1], 1 = best.
        ratings: (n,) higher is better.
        groups: (n,) scene of each photo.
    """

    values: np.ndarray
    ratings: np.ndarray
    groups: np.ndarray
    chance: float = 0.0
    meaning: str = "Spearman correlation with the ratings"

    def agreement(self, scores: np.ndarray, rows: np.ndarray) -> float:
        """0 where all scores are equal; NaN where all ratings are, for then there is nothing to find."""
        if len(rows) < 2:
            return float("nan")
        wanted = self.ratings[rows]
        found = spearman(np.round(scores[rows] / _TIE), wanted)
        return 0.0 if np.isnan(found) and np.ptp(wanted) else found

    def shuffled(self, seed: int) -> Ratings:
        """The same ratings, dealt out to the photos at random."""
        return replace(self, ratings=np.random.default_rng(seed).permutation(self.ratings))


@dataclass(frozen=True)
class Pairs:
    """Photos and their degraded copies; agreement is the share of pairs in the right order, 0 to 1.

    Attributes:
        values: (n, columns) the original's columns in [0, 1] minus its copy's.
        kinds: (n,) degradation of the copy.
        levels: (n,) its level.
        groups: (n,) scene of the original.
    """

    values: np.ndarray
    kinds: np.ndarray
    levels: np.ndarray
    groups: np.ndarray
    chance: float = 0.5
    meaning: str = "share of pairs in the right order"

    def agreement(self, scores: np.ndarray, rows: np.ndarray) -> float:
        return float(self.won(scores[rows]).mean()) if len(rows) else float("nan")

    @staticmethod
    def won(ahead: np.ndarray) -> np.ndarray:
        """1 where the original is ahead, 0 where it is behind; a tie counts half, as chance does."""
        return (ahead > _TIE) + 0.5 * (np.abs(ahead) <= _TIE)

    def shuffled(self, seed: int) -> Pairs:
        """The same pairs with original and copy swapped in half of each scene's pairs, at random.

        Half, not a coin for each: weights that see every copy would be right as often as coins fall.
        """
        order = np.lexsort((np.random.default_rng(seed).random(len(self.groups)), self.groups))
        sign = np.empty(len(order))
        sign[order] = np.where(np.arange(len(order)) % 2, -1.0, 1.0)
        return replace(self, values=self.values * sign[:, None])


def kind_folds(pairs: Pairs, seed: int) -> list[Fold]:
    """Each kind judged by weights that saw neither that kind nor those photos: two halves a kind."""
    halves = scene_folds(pairs.groups, 2, seed)
    return [
        Fold(half.train[pairs.kinds[half.train] != kind], half.test[pairs.kinds[half.test] == kind])
        for kind in dict.fromkeys(pairs.kinds)
        for half in halves
    ]


def best_column(task: Task, rows: np.ndarray) -> np.ndarray:
    """All weight on the one column that does best on `rows`."""
    found = [_agreement(task, one, rows) for one in np.eye(task.values.shape[1])]
    return np.eye(len(found))[int(np.argmax(found))]


def tune_weights(
    task: Task,
    rows: np.ndarray,
    starts: Sequence[np.ndarray],
    trials: int,
    seed: int,
    after_trial: Callable[[], object] = lambda: None,
) -> np.ndarray:
    """The best of `trials` sets of weights on `rows`, proposed by Optuna's TPE sampler.

    Args:
        starts: weights that are tried first, the baselines; the rest are proposed.
        after_trial: called after each trial, for a progress bar.

    Returns:
        (columns,) at least 0, adding up to 1. The same arguments give the same weights.
    """
    names = [str(i) for i in range(task.values.shape[1])]
    quiet = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)
        )
        for start in starts:
            raw = np.maximum(start / start.max(), _LEAST)
            study.enqueue_trial(dict(zip(names, raw.tolist(), strict=True)))
        for _ in range(trials):
            trial = study.ask()
            raw = np.array([trial.suggest_float(name, _LEAST, 1, log=True) for name in names])
            study.tell(trial, _agreement(task, _weights(raw), rows))
            after_trial()
    finally:
        optuna.logging.set_verbosity(quiet)
    return _weights(np.array([study.best_params[name] for name in names]))


def _agreement(task: Task, weights: np.ndarray, rows: np.ndarray) -> float:
    """NaN, nothing to agree with, counts as chance."""
    value = task.agreement(task.values @ weights, rows)
    return task.chance if np.isnan(value) else value


def _weights(raw: np.ndarray) -> np.ndarray:
    shares = raw / raw.sum()
    kept = np.where(shares < _NEGLIGIBLE, 0.0, shares)
    return np.round(kept / kept.sum(), 4)
