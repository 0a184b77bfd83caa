"""LightGBM's regression trees on vectors: parameters by Optuna, extremes that count more, inside one fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from photorank.features.formulas import Trees, lightgbm

from .folds import Fold, scene_folds

LOW, HIGH = 2.5, 8.5
"""On the scale from 1 to 10: at most and at least these are the extremes."""
COSTS = 1.05
"""What a smaller bias at the ends may cost in RMSE, as a factor."""
_ROUNDS, _PATIENCE = 500, 25
_FEW = 2000  # photos: up to these three inner folds choose, beyond one is enough
_STRENGTHS = (2, 4, 8)
_FIXED = {
    "objective": "regression",
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,
    "bagging_freq": 1,
    "max_bin": 63,
}
_SMALL = 1_000_000  # numbers: for fewer, threads wait for one another longer than they work


@dataclass(frozen=True)
class Balance:
    """How extremes are made to count more: shown several times, weighted, both or neither."""

    oversampling: bool = True
    weighting: bool = True

    def counts(self, extreme: np.ndarray, strength: int) -> tuple[np.ndarray, np.ndarray]:
        """(n,) how often each row is there, and its weight; extremes count `strength` times."""
        often = strength if not self.weighting else 2
        repeat = np.where(extreme & self.oversampling, often, 1)
        weight = np.where(extreme & self.weighting, strength, 1) / repeat**self.weighting
        return repeat, weight


class Tuner:
    """The training rows of one fold, on which parameters are chosen and trees are grown.

    Args:
        vectors, labels: (n, d) and (n,), from 1 to 10.
        groups: (n,) scenes, which the inner folds do not split.
    """

    def __init__(
        self, vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray, seed: int
    ) -> None:
        self._vectors, self._labels, self._seed = vectors, labels, seed
        count = 3 if len(labels) <= _FEW else 4
        folds = scene_folds(groups, count, seed)
        self._folds = folds if len(labels) <= _FEW else folds[:1]
        self._fixed = _FIXED | {"num_threads": 1 if vectors.size < _SMALL else 0, "seed": seed}
        self._data = [self._datasets(fold) for fold in self._folds]

    def _datasets(self, fold: Fold) -> tuple[Any, Any]:
        train, test = (
            lightgbm().Dataset(
                self._vectors[rows], self._labels[rows], params=self._fixed, free_raw_data=False
            )
            for rows in (fold.train, fold.test)
        )
        return train.construct(), test.set_reference(train).construct()

    def choose(self, trials: int, tick: Callable[[], object]) -> dict[str, Any]:
        """The best of `trials` sets of parameters by the RMSE of the inner folds, with early stopping."""
        import optuna

        quiet = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=self._seed))
            for _ in range(trials):
                trial = study.ask()
                params = self._proposed(trial)
                lost, rounds = zip(
                    *(self._tried(params, *data) for data in self._data), strict=True
                )
                trial.set_user_attr("params", params | {"num_iterations": int(np.mean(rounds))})
                study.tell(trial, float(np.mean(lost)))
                tick()
        finally:
            optuna.logging.set_verbosity(quiet)
        return dict(study.best_trial.user_attrs["params"])

    def _proposed(self, trial: Any) -> dict[str, Any]:
        most = max(4, min(100, len(self._labels) // 8))
        return self._fixed | {
            "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.2, log=True),
            "num_leaves": trial.suggest_int("num_leaves", 4, 31, log=True),
            "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 3, most, log=True),
            "feature_fraction": trial.suggest_float("feature_fraction", 0.05, 0.5, log=True),
            "bagging_fraction": trial.suggest_float("bagging_fraction", 0.5, 1.0),
            "lambda_l2": trial.suggest_float("lambda_l2", 0.01, 100.0, log=True),
        }

    def _tried(self, params: dict[str, Any], train: Any, test: Any) -> tuple[float, int]:
        package = lightgbm()
        stop = package.early_stopping(_PATIENCE, verbose=False)
        asked = params | {"metric": "rmse"}
        grown = package.train(asked, train, _ROUNDS, valid_sets=[test], callbacks=[stop])
        return float(grown.best_score["valid_0"]["rmse"]), max(1, int(grown.best_iteration))

    def strength(self, params: dict[str, Any], balance: Balance) -> tuple[np.ndarray, int]:
        """Which rows are to count more, and how much: as the inner folds of a first fit tell.

        An extreme is one that the first fit puts too far to the middle. The least strength that halves
        the bias of these is taken, or the last whose RMSE is within 5 % of the first fit's.
        """
        rows = np.concatenate([fold.test for fold in self._folds])
        labels = self._labels[rows]
        first = self._held_out(params, np.zeros(len(self._labels), bool), balance, 1)
        ends = [
            (end, bias)
            for end in (self._labels <= LOW, self._labels >= HIGH)
            if end[rows].any() and (bias := abs((first - labels)[end[rows]].mean())) > 0
        ]
        extreme = np.logical_or.reduce(
            [end for end, _ in ends] or [np.zeros(len(self._labels), bool)]
        )
        best = 1
        for strength in _STRENGTHS if ends else ():
            found = self._held_out(params, extreme, balance, strength)
            if rmse(found, labels) > COSTS * rmse(first, labels):
                break
            best = strength
            if all(abs((found - labels)[end[rows]].mean()) <= bias / 2 for end, bias in ends):
                break
        return extreme, best

    def _held_out(
        self, params: dict[str, Any], extreme: np.ndarray, balance: Balance, strength: int
    ) -> np.ndarray:
        parts = []
        for fold in self._folds:
            train = fold.train
            trees = _grown(
                self._vectors[train],
                self._labels[train],
                params,
                *balance.counts(extreme[train], strength),
            )
            parts.append(trees.score(self._vectors[fold.test]))
        return np.concatenate(parts)

    def grow(self, params: dict[str, Any], balance: Balance | None = None) -> Trees:
        """Trees on all rows; with `balance`, extremes count as much as `strength` says."""
        some, strength = self.strength(params, balance) if balance else (self._labels < 0, 1)
        return _grown(
            self._vectors, self._labels, params, *(balance or Balance()).counts(some, strength)
        )


def _grown(
    vectors: np.ndarray,
    labels: np.ndarray,
    params: dict[str, Any],
    repeat: np.ndarray,
    weight: np.ndarray,
) -> Trees:
    rows = np.repeat(np.arange(len(labels)), repeat)
    data = lightgbm().Dataset(vectors[rows], labels[rows], weight=weight[rows], params=params)
    rounds = params["num_iterations"]
    asked = {name: value for name, value in params.items() if name != "num_iterations"}
    return Trees(lightgbm().train(asked, data, rounds).model_to_string())


def rmse(found: np.ndarray, wanted: np.ndarray) -> float:
    """The root of the mean square of their difference."""
    return float(np.sqrt(np.mean((found - wanted) ** 2)))
