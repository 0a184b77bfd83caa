"""Judge tuned weights on what they were not tuned on, beside the baselines and a shuffled control."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from photorank.utils.stats import INTERVAL, scene_draws

from ..folds import Fold
from .search import Pairs, Task, best_column, tune_weights

TUNED, COLUMN, CONTROL = "tuned", "best column", "shuffled control"
SAMPLES = 1000
"""Bootstrap samples behind each interval: its ends then vary by about 3 % of its width."""


@dataclass(frozen=True)
class Result:
    """What `judge` found.

    Attributes:
        weights: (columns,) tuned on all rows.
        by_fold: per contestant, (folds, columns): the weights that each fold was judged with.
        held_out: a row per contestant: `contestant value low high n`.
        differences: a row per baseline: tuned minus baseline on the same rows, `baseline value low high`.
    """

    weights: np.ndarray
    by_fold: dict[str, np.ndarray]
    held_out: pd.DataFrame
    differences: pd.DataFrame


def judge(
    task: Task,
    folds: Sequence[Fold],
    control_folds: Sequence[Fold],
    baselines: Mapping[str, np.ndarray],
    trials: int,
    seed: int,
    after_trial: Callable[[], object] = lambda: None,
) -> Result:
    """Tune on each fold's training rows and judge on its test rows; then tune on all rows.

    The best single column is chosen on the training rows too. The control does the same with
    shuffled answers: whatever it finds above chance is a leak from tuning into judging.

    Args:
        baselines: fixed weights by name.
        after_trial: called after each of `trials * studies(folds, control_folds)` trials.
    """

    def tuned(task: Task, rows: np.ndarray, number: int) -> np.ndarray:
        starts = [*baselines.values(), best_column(task, rows)]
        return tune_weights(task, rows, starts, trials, seed + number, after_trial)

    by_fold = {TUNED: np.array([tuned(task, f.train, i) for i, f in enumerate(folds, 1)])}
    by_fold |= {name: np.array([weights] * len(folds)) for name, weights in baselines.items()}
    by_fold[COLUMN] = np.array([best_column(task, fold.train) for fold in folds])
    shuffled = task.shuffled(seed)
    control = np.array(
        [tuned(shuffled, f.train, i) for i, f in enumerate(control_folds, len(folds) + 1)]
    )

    agreements = {name: _bootstrapped(task, folds, w, seed) for name, w in by_fold.items()}
    differences = {n: agreements[TUNED] - agreements[n] for n in agreements if n != TUNED}
    agreements[CONTROL] = _bootstrapped(shuffled, control_folds, control, seed)
    count = {name: sum(len(fold.test) for fold in folds) for name in agreements}
    count[CONTROL] = sum(len(fold.test) for fold in control_folds)
    return Result(
        weights=tuned(task, np.arange(len(task.values)), 0),
        by_fold=by_fold,
        held_out=_with_intervals(agreements, "contestant", 2 * task.chance - 1).assign(
            n=list(count.values())
        ),
        differences=_with_intervals(differences, "baseline", -1),
    )


def studies(folds: Sequence[Fold], control_folds: Sequence[Fold]) -> int:
    """How many times `judge` tunes."""
    return len(folds) + len(control_folds) + 1


def _counts(groups: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """(n,) how often each row counts: first once each, then in `SAMPLES` draws of scenes."""
    yield np.ones(len(groups), int)
    yield from scene_draws(np.unique(groups, return_inverse=True)[1], SAMPLES, seed)


def _bootstrapped(task: Task, folds: Sequence[Fold], weights: np.ndarray, seed: int) -> np.ndarray:
    """(SAMPLES + 1,) held-out agreement: as it is, then in each bootstrap sample.

    The mean over folds, each by its size: scores of two folds come from two sets of weights and are
    not compared. The seed draws the same scenes for every contestant, so that they can be paired.
    """
    scores = [task.values[fold.test] @ w for fold, w in zip(folds, weights, strict=True)]
    counts = _counts(task.groups, seed)
    return np.array([_mean_agreement(task, folds, scores, count) for count in counts])


def _mean_agreement(
    task: Task, folds: Sequence[Fold], scores: Sequence[np.ndarray], count: np.ndarray
) -> float:
    total = size = 0.0
    everywhere = np.zeros(len(task.values))
    for fold, score in zip(folds, scores, strict=True):
        everywhere[fold.test] = score
        rows = np.repeat(fold.test, count[fold.test])
        value = task.agreement(everywhere, rows)
        if not np.isnan(value):
            total, size = total + value * len(rows), size + len(rows)
    return total / size if size else float("nan")


def _with_intervals(found: Mapping[str, np.ndarray], key: str, least: float) -> pd.DataFrame:
    """Value and 95 % interval, from `least` to 1, of each: from its first entry and the resampled ones.

    The basic bootstrap: how far resampled values lie below the value says how far it may lie below
    the truth. Resampled rank correlations are biased towards 0, and so this way round stays honest.
    """
    value = np.array([values[0] for values in found.values()])
    below, above = np.nanquantile([values[1:] for values in found.values()], INTERVAL, axis=1)
    low, high = np.clip([2 * value - above, 2 * value - below], least, 1)
    return pd.DataFrame({key: list(found), "value": value, "low": low, "high": high})


def by_cell(
    task: Pairs, cells: np.ndarray, folds: Sequence[Fold], by_fold: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Held-out agreement of each contestant in each cell: `cell n`, then a column per contestant.

    Args:
        cells: (n,) the name of each row's cell: its kind, or its kind and level.
    """
    found = []
    for cell in dict.fromkeys(cells):
        inside = [Fold(f.train, f.test[cells[f.test] == cell]) for f in folds]
        row: dict[str, object] = {"cell": cell, "n": sum(len(f.test) for f in inside)}
        for name, weights in by_fold.items():
            scores = [task.values[f.test] @ w for f, w in zip(inside, weights, strict=True)]
            row[name] = _mean_agreement(task, inside, scores, np.ones(len(cells), int))
        found.append(row)
    return pd.DataFrame(found)


def seen_by(pairs: Pairs, columns: Sequence[str], seed: int) -> pd.DataFrame:
    """The column that best tells the copies of each kind from their originals: `kind column value low`.

    `low` is the lower end of an interval that allows for having picked the best of all columns: at
    0.5 or below, no single column sees this kind.
    """
    found = []
    counts = np.array(list(_counts(pairs.groups, seed)), np.float32)
    for kind in dict.fromkeys(pairs.kinds):
        rows = pairs.kinds == kind
        won = np.stack([pairs.won(column) for column in pairs.values[rows].T], axis=1)
        shares = counts[:, rows] @ won / counts[:, rows].sum(axis=1, keepdims=True)
        best = int(np.argmax(shares[0]))
        above = np.quantile(shares[1:, best], 1 - INTERVAL[0] / len(columns))
        low = 2 * shares[0, best] - above
        found.append({"kind": kind, "column": columns[best], "value": shares[0, best], "low": low})
    return pd.DataFrame(found)


def verdict(result: Result, chance: float) -> str:
    """Whether weights tuned so are any better than each baseline, in words; each fold tunes its own."""
    better: list[str] = []
    same: list[str] = []
    worse: list[str] = []
    for row in result.differences.to_dict("records"):
        name = f"{row['baseline']} weights" if row["baseline"] != COLUMN else f"the {COLUMN}"
        figure = (
            f"{name} ({row['value']:+.3f}, 95 % interval {row['low']:+.3f} to {row['high']:+.3f})"
        )
        (better if row["low"] > 0 else worse if row["high"] < 0 else same).append(figure)
    said = []
    if worse:
        said.append(f"Weights tuned so are worse than {_listed(worse)}: do not use them.")
    if same:
        said.append(
            f"Weights tuned so are no better than {_listed(same)} on held-out photos: "
            "keep the simpler ones."
        )
    if better:
        subject = "They are" if said else "Weights tuned so are"
        said.append(f"{subject} better than {_listed(better)}.")
    control = result.held_out.set_index("contestant").loc[CONTROL]
    if control["low"] > chance:
        said.append(
            f"Doubt these figures: with shuffled answers the same tuning reached "
            f"{control['value']:.3f} ({control['low']:.3f} to {control['high']:.3f}), "
            f"where chance is {chance:g}."
        )
    return " ".join(said)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}" if len(names) > 1 else names[0]
