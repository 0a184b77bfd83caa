"""Fuse columns into one score: normalise each to [0, 1], weigh, add, and keep every contribution."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from photorank.utils.rows import finite, numbers
from photorank.utils.words import plural

from . import saved

NORMALIZATIONS = ("robust", "minmax", "rank")
MISSING = 0.5
"""What a missing value, or any value of a constant column, counts as: neither for nor against."""

_QUANTILES = 1001
_LARGEST = 1e300  # the span of two such values is still a number
Declaration = Mapping[str, Any]


@dataclass(frozen=True, repr=False)
class Scale:
    """Fitted normalisers, one per column: from raw values to [0, 1], where 1 is best.

    `robust` clips to the 2nd and 98th percentile and is linear between them (heavy-tailed columns on
    log1p); a column with a declared range keeps that range. `minmax` is linear between the extremes.
    `rank` is the share of the fitted photos that a value beats, ties shared.

    Attributes:
        method: "robust", "minmax" or "rank".
        knots: per column, the raw values that define its normaliser: (low, high), or for `rank` up to
            1001 sorted values.
        columns: per column, its declaration.
        photos: to how many it was fitted; None where that is not known.
    """

    method: str
    knots: Mapping[str, Sequence[float]]
    columns: Mapping[str, Declaration]
    photos: int | None = None

    def __repr__(self) -> str:
        fitted = "" if self.photos is None else f", fitted to {plural(self.photos, 'photo')}"
        return f"Scale({self.method}, {plural(len(self.columns), 'column')}{fitted})"

    @classmethod
    def fit(
        cls, table: pd.DataFrame, columns: Sequence[Declaration], method: str = "robust"
    ) -> Scale:
        """Fit to the rows of `table`; columns without a single finite value are left out.

        Raises:
            ValueError: an unknown method.
        """
        if method not in NORMALIZATIONS:
            raise ValueError(f"normalization is one of {', '.join(NORMALIZATIONS)}, got {method!r}")
        chosen, knots = {}, {}
        for column in columns:
            name = str(column["name"])
            values = finite(table[name]) if name in table else np.empty(0)
            if len(values):
                chosen[name], knots[name] = column, _knots(values, column, method)
        return cls(method, knots, chosen, len(table))

    def completed(self, columns: Iterable[Declaration]) -> Scale:
        """With those of `columns` that need no fitting, at their own range."""
        added = {c["name"]: c for c in columns if c["name"] not in self.columns}
        added = {name: c for name, c in added.items() if _keeps_range(c, self.method)}
        knots = {name: tuple(column["range"]) for name, column in added.items()}
        return replace(self, knots={**self.knots, **knots}, columns={**self.columns, **added})

    def normalise(self, name: str, values: pd.Series[float]) -> tuple[np.ndarray, int]:
        """The column's values in [0, 1] (1 = best; NaN stays NaN), and how many lay beyond the scale."""
        column, knots = self.columns[name], np.asarray(self.knots[name])
        raw = numbers(values)
        beyond = int(((raw < knots[0]) | (raw > knots[-1])).sum())
        if knots[0] == knots[-1]:
            norm = np.where(np.isnan(raw), np.nan, MISSING)
        elif self.method == "rank":
            norm = _rank(raw, knots)
        else:
            curve = _log if self._is_logarithmic(column) else np.asarray
            low, high = curve(knots)
            norm = np.clip((curve(raw) - low) / (high - low), 0, 1)
        return (1 - norm if column["better"] == "lower" else norm), beyond

    def _is_logarithmic(self, column: Declaration) -> bool:
        return self.method == "robust" and bool(column.get("heavy_tailed"))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what was fitted as JSON (see `ranking/saved.py`); `completed` adds the rest."""
        fitted = {n: c for n, c in self.columns.items() if not _keeps_range(c, self.method)}
        versions = {name: column.get("version", "") for name, column in fitted.items()}
        scale = replace(self, knots={name: self.knots[name] for name in fitted}, columns=fitted)
        saved.save(path, "scale", versions, asdict(scale))

    @classmethod
    def load(cls, path: str | os.PathLike[str], columns: Iterable[Declaration] = ()) -> Scale:
        """Read a saved scale that is to be used on `columns`.

        Raises:
            ValueError: not a scale file, a damaged one, or fitted to another version of a column.
        """
        return cls.of(saved.load(path, "scale", columns), f"the scale file {path}")

    @classmethod
    def of(cls, parts: Mapping[str, Any], where: str) -> Scale:
        """The scale that a file or a table's record holds as plain parts.

        Raises:
            ValueError: `where` is damaged.
        """
        try:
            scale = cls(**parts)
            sound = scale.method in NORMALIZATIONS and all(
                _are_knots(scale.knots[name]) and column["better"] in ("higher", "lower")
                for name, column in scale.columns.items()
            )
        except (TypeError, ValueError, KeyError, AttributeError):
            sound = False
        if not sound:
            raise ValueError(f"{where} is damaged; make it again")
        return scale


@dataclass(frozen=True)
class Fused:
    """What `fuse` found: the columns to add to the table, and what it has to say about them.

    Attributes:
        table: `final_score`, `<column>_norm` and `<column>_contribution` per ranked column, and
            `missing` (the weighted columns without a value for this photo, comma-separated).
        weights: those used, adding up to 1.
        dropped: the weighted columns that have no value in this table.
        notes: one sentence each: constant and clipped columns.
    """

    table: pd.DataFrame
    weights: dict[str, float]
    scale: Scale
    dropped: list[str]
    notes: list[str]


def fuse(
    table: pd.DataFrame,
    columns: Sequence[Declaration],
    weights: Mapping[str, float],
    scale: Scale | str = "robust",
) -> Fused:
    """Score the rows of `table`: the weighted mean of the normalised columns.

    Contributions are weight times normalised value and add up to `final_score`. A missing value
    counts as 0.5, and so does a column that is constant in a table to which the scale was fitted.

    Args:
        table: one row per photo that could be measured.
        columns: declarations; those that are better "higher" or "lower" are ranked.
        weights: per column name; checked with `ranking.weights.check_weights`.
        scale: a fitted scale, or a method ("robust", "minmax", "rank") to fit one to this table.

    Raises:
        ValueError: no weighted column has a value, or the scale lacks a weighted column.
    """
    ranked = [c for c in columns if c["better"] != "neither" and c["name"] in table]
    fitted = Scale.fit(table, ranked, scale) if isinstance(scale, str) else scale.completed(ranked)
    used = _usable(table, weights, fitted)
    notes: list[str] = []
    clipped: list[str] = []
    total = sum(used.values())
    shares = {name: weight / total for name, weight in used.items()}
    parts: dict[str, np.ndarray] = {}
    missing = np.full(len(table), "", dtype=object)
    for name in (c["name"] for c in ranked if c["name"] in fitted.columns):
        norm, beyond = fitted.normalise(name, table[name])
        absent = np.isnan(norm)
        if isinstance(scale, str) and table[name].nunique() == 1 and len(table) > 1:
            norm = np.full(len(table), MISSING)
            if name in shares:
                notes.append(f"{name} is the same for every photo and counts as {MISSING} for each")
        elif beyond and not isinstance(scale, str):
            clipped.append(f"{name} {beyond}")
        if name in shares:
            missing[absent] = [f"{before},{name}".lstrip(",") for before in missing[absent]]
        parts[f"{name}_norm"] = np.where(absent, MISSING, norm)
        parts[f"{name}_contribution"] = shares.get(name, 0.0) * parts[f"{name}_norm"]
    if clipped:
        notes.append(f"beyond the saved scale, of {len(table)}, clipped: {', '.join(clipped)}")
    contributions = [values for part, values in parts.items() if part.endswith("_contribution")]
    fused = {"final_score": np.sum(contributions, axis=0)} | parts | {"missing": missing}
    dropped = [name for name in weights if name not in used]
    return Fused(pd.DataFrame(fused, index=table.index), shares, fitted, dropped, notes)


def _usable(table: pd.DataFrame, weights: Mapping[str, float], scale: Scale) -> dict[str, float]:
    """The weights of columns that have values here."""
    has_values = {n: n in table and len(finite(table[n])) > 0 for n in weights}
    unscaled = [n for n in weights if has_values[n] and n not in scale.columns]
    if unscaled:
        raise ValueError(
            f"the scale has no {', '.join(unscaled)}, which this run weighs: fit it again, or give "
            f"weights for {', '.join(scale.columns)} only"
        )
    used = {n: w for n, w in weights.items() if has_values[n]}
    if not used:
        raise ValueError(
            f"none of the weighted columns ({', '.join(weights)}) has a value here: give other weights"
        )
    return used


def _keeps_range(column: Declaration, method: str) -> bool:
    return method == "robust" and bool(column.get("range"))


def _are_knots(knots: Sequence[float]) -> bool:
    values = np.asarray(knots)
    is_list = values.ndim == 1 and len(values) > 1 and values.dtype.kind in "if"
    return is_list and bool((np.abs(values) <= _LARGEST).all() and (np.diff(values) >= 0).all())


def _knots(finite: np.ndarray, column: Declaration, method: str) -> tuple[float, ...]:
    if _keeps_range(column, method):
        return tuple(column["range"])
    shares = {
        "robust": np.array([0.02, 0.98]),
        "minmax": np.array([0.0, 1.0]),
        "rank": np.linspace(0, 1, min(len(finite), _QUANTILES)),
    }[method]
    knots = np.quantile(finite, shares)
    if knots[0] == knots[-1]:  # a rare value is all that varies: keep it apart from the rest
        knots = np.quantile(finite, [0.0, 1.0])
    return tuple(knots.tolist())


def _rank(raw: np.ndarray, knots: np.ndarray) -> np.ndarray:
    below, up_to = np.searchsorted(knots, raw, "left"), np.searchsorted(knots, raw, "right")
    share = np.clip(((below + up_to) / 2 - 0.5) / (len(knots) - 1), 0, 1)
    return np.where(np.isnan(raw), np.nan, share)


def _log(values: np.ndarray) -> np.ndarray:
    return np.sign(values) * np.log1p(np.abs(values))
