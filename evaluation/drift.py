"""Whether the columns of one table are distributed as those of another: drift."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from photorank.utils.rows import failed

ALPHA, LEAST_PSI = 0.01, 0.1
MISSING = " missing"
_BINS = 10
_EMPTY = 0.5  # photos in a bin where one table has none: the logarithm needs more than 0
_EXACT = 10_000  # photos up to which ks_2samp is exact by default


def drift(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    columns: Sequence[str],
    alpha: float = ALPHA,
    least_psi: float = LEAST_PSI,
) -> dict[str, Any]:
    """Compare two tables column by column: has it moved more than chance would, and by how much?

    A column has drifted if its p-value is below `alpha` after Holm's correction for all that are
    compared, and its population stability index is at least `least_psi`. The first bounds false
    alarms: of comparisons in which nothing changed, at most a share `alpha` finds any drift at all. The
    second leaves out what large tables prove and nobody would see.

    The p-value is the two-sample Kolmogorov-Smirnov test's, where both tables together have two
    values Fisher's exact test's, which is sharper there. Missing values and failed photos (an
    `error`) are left out of both; where there are any, their shares are compared as columns of
    their own, `<column> missing` and `failed`.

    What fools it: photos that are alike (bursts) count as more evidence than they are; two
    folders of different subjects differ, and nothing is wrong.

    Args:
        reference, current: one row per photo; the order of rows does not matter.
        columns: numeric columns of both.
        alpha: 0 to 1, how often a false alarm may be raised.
        least_psi: from 0 up, how much must have moved.

    Returns:
        Ready for JSON: `drifted` (bool), `alpha`, `least_psi`, `reference` and `current` (`photos`,
        `failed`), `least_ks` (the smallest KS distance of a column without missing values that would
        count: with few photos only large drift is seen), and `columns`, a row per column, the one
        that moved most first: what `compare` says of it, `p_holm`, and `verdict`: "drifted",
        "small" (beyond chance, but below `least_psi`), "stable", or "no values".

    Raises:
        ValueError: nothing to compare, or alpha or least_psi out of range.
    """
    if not (0 < alpha < 1 and least_psi >= 0):
        raise ValueError(
            f"alpha is between 0 and 1 and least_psi from 0 up, got {alpha} and {least_psi}"
        )
    if not len(columns):
        raise ValueError("drift needs at least one column to compare, got none")
    tables = {"reference": reference, "current": current}
    values = {which: numbers(table, columns) for which, table in tables.items()}
    shown = [n for n in values["reference"] if n in columns or _any_ones(values, n)]
    rows = [{"column": n} | compare(*(values[w][n] for w in tables)) for n in shown]
    for row, p_holm in zip(rows, _holm([row["p"] for row in rows]), strict=True):
        row |= {"p_holm": p_holm, "verdict": _verdict(row["psi"], p_holm, alpha, least_psi)}
    counts = {w: {"photos": len(t), "failed": int(failed(t).sum())} for w, t in tables.items()}
    n, m = (max(1, c["photos"] - c["failed"]) for c in counts.values())
    return {
        "drifted": any(row["verdict"] == "drifted" for row in rows),
        "alpha": alpha,
        "least_psi": least_psi,
        **counts,
        "least_ks": _least_ks(n, m, alpha / len(rows)),
        "columns": sorted(rows, key=_by_movement),
    }


def compare(reference: np.ndarray, current: np.ndarray) -> dict[str, Any]:
    """How one column differs between two tables; NaN counts as missing.

    Args:
        reference, current: (n,) and (m,) numbers.

    Returns:
        `n_reference`, `n_current`: values that are not missing.
        `psi`: population stability index, 0 (the same) up, see `psi`; `psi_by_chance`: what it is on
        average if nothing changed, as far as the bins are full.
        `ks`: the largest distance between the two cumulative distributions, 0 to 1; `ks_p`: its
        p-value, as `scipy.stats.ks_2samp`; `p`: that which decides.
        `reference`, `current`: `mean`, and `low median high` (10th, 50th and 90th percentile).
        All but the first two are None where one table has no value.
    """
    old, new = (side[np.isfinite(side)] for side in (reference, current))
    row: dict[str, Any] = {"n_reference": len(old), "n_current": len(new)}
    if not (len(old) and len(new)):
        return row | dict.fromkeys(
            ("psi", "psi_by_chance", "ks", "ks_p", "p", "reference", "current")
        )
    with warnings.catch_warnings():  # where the exact p-value overflows scipy takes the asymptotic
        warnings.simplefilter("ignore", RuntimeWarning)
        ks = stats.ks_2samp(
            old, new, method="exact" if max(len(old), len(new)) <= _EXACT else "asymp"
        )
    index, bins = psi(old, new)
    return row | {
        "psi": index,
        "psi_by_chance": (bins - 1) * (1 / len(old) + 1 / len(new)),
        "ks": float(ks.statistic),
        "ks_p": float(ks.pvalue),
        "p": _fisher(old, new) if len(np.union1d(old, new)) <= 2 else float(ks.pvalue),
        "reference": _summary(old),
        "current": _summary(new),
    }


def psi(reference: np.ndarray, current: np.ndarray) -> tuple[float, int]:
    """Population stability index: the sum over bins of (c - r) * ln(c / r), and the number of bins.

    r and c are the shares of the two tables in a bin. The bins end at the reference's deciles, the
    first and the last are open; a bin holds its upper end. A value that is two deciles or more (so
    does a constant column's) has a bin of its own. A bin that is empty in both tables is left
    out; one that is empty in one of them counts as half a photo there.

    Args:
        reference, current: (n,) and (m,) finite numbers, at least one each.

    >>> psi(np.arange(100.0), np.arange(100.0) + 0.05)
    (0.0, 10)
    """
    deciles, often = np.unique(
        np.quantile(reference, np.linspace(0, 1, _BINS + 1)[1:-1]), return_counts=True
    )
    tied = deciles[often > 1]
    ends = np.union1d(deciles, np.nextafter(tied, -np.inf))
    counts = np.array(
        [
            np.bincount(np.searchsorted(ends, side), minlength=len(ends) + 1)
            for side in (reference, current)
        ]
    )
    counts = counts[:, counts.any(axis=0)]
    r, c = np.maximum(counts, _EMPTY) / [[len(reference)], [len(current)]]
    return float(np.sum((c - r) * np.log(c / r))), counts.shape[1]


def numbers(table: pd.DataFrame, columns: Sequence[str]) -> dict[str, np.ndarray]:
    """What is compared, by name: each column's numbers, whether they are missing, what failed (0, 1)."""
    unmeasured = failed(table)
    good = table[~unmeasured]
    measured = {
        n: pd.to_numeric(good[n]).to_numpy(float, na_value=np.nan) for n in columns if n in good
    }
    missing = {f"{n}{MISSING}": (~np.isfinite(v)).astype(float) for n, v in measured.items()}
    return measured | missing | {"failed": unmeasured.astype(float)}


def _any_ones(values: Mapping[str, Mapping[str, np.ndarray]], name: str) -> bool:
    return any(side[name].any() for side in values.values())


def _fisher(old: np.ndarray, new: np.ndarray) -> float:
    """Fisher's exact test of whether two values are shared out alike."""
    top = max(old.max(), new.max())
    both = [[np.sum(side == top), np.sum(side != top)] for side in (old, new)]
    return float(stats.fisher_exact(both).pvalue)


def _summary(values: np.ndarray) -> dict[str, float]:
    low, median, high = np.quantile(values, [0.1, 0.5, 0.9]).tolist()
    ones = bool(np.isin(values, (0, 1)).all())
    return {"mean": float(values.mean()), "low": low, "median": median, "high": high, "share": ones}


def _holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down correction; None stays None and is not counted."""
    known = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for left, (p, i) in zip(range(len(known), 0, -1), known, strict=True):
        highest = max(highest, min(1.0, left * p))
        corrected[i] = highest
    return corrected


def _least_ks(n: int, m: int, alpha: float) -> float:
    """The asymptotic critical distance."""
    return min(1.0, math.sqrt(-math.log(alpha / 2) / 2 * (n + m) / (n * m)))


def _verdict(index: float | None, p: float | None, alpha: float, least_psi: float) -> str:
    if index is None or p is None:
        return "no values"
    if p >= alpha:
        return "stable"
    return "drifted" if index >= least_psi else "small"


def _by_movement(row: Mapping[str, Any]) -> tuple[Any, ...]:
    order = ("drifted", "small", "stable", "no values")
    return order.index(row["verdict"]), -(row["psi"] or 0), row["column"]
