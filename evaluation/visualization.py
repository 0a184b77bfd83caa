"""Histograms of a ranking's score and columns; montages are in montage.py, the page in contact_sheet.py."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import Locator, MaxNLocator, ScalarFormatter, SymmetricalLogLocator

from photorank.utils.rows import finite, measured_rows

from .plots import figures
from .plots.lettering import INK, MUTED

_PER_ROW = 3
_BARS = 24
_TICKS = 5  # so few that 0.0025 stands clear of 0.0050
_STRAY = 10  # quartile ranges beyond the quartiles
_FEW = 12  # so many different whole numbers get a bar each
_SCORE_COLOUR, _FEATURE_COLOUR = "#2f5d8a", "#8a8f98"
_BETTER = {"higher": "higher is better", "lower": "lower is better", "neither": "not ranked"}
_NOT_MEASURED = {"rank", "width", "height", "bytes", "dup_group", "dup_distance", "scene"}


def histograms(
    table: pd.DataFrame,
    path: str | os.PathLike[str],
    columns: Iterable[Mapping[str, Any]] | None = None,
    title: str = "",
) -> None:
    """Draw how the score and each measured column are distributed, as a PNG of 1200 px width.

    Args:
        table: ranked photos; rows with an `error` are left out.
        path: where to write; the suffix gives the format (.png, .pdf, .svg).
        columns: declarations `{name, better, unit, range, heavy_tailed}`, in the order to draw
            them; None: every numeric column of the table, without direction and unit.
        title: what the photos are, such as the folder's name.

    Raises:
        ValueError: no column `final_score`.
    """
    if "final_score" not in table:
        raise ValueError(
            "histograms need a ranked table with the column 'final_score'; "
            f"this one has {', '.join(map(str, table.columns)) or 'no columns'}"
        )
    table = measured_rows(table)
    declared = _numeric_columns(table) if columns is None else list(columns)
    drawn = [column for column in declared if len(_values(table, column["name"]))]
    rows = math.ceil(len(drawn) / _PER_ROW)
    figure = figures.blank(12, 3.4 + 2.35 * rows)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)  # type: ignore[union-attr, call-arg]
    grid = figure.add_gridspec(rows + 1, _PER_ROW, height_ratios=[1.3] + [1] * rows)
    score = {"name": "final_score", "range": (0, 1)}
    _histogram(figure.add_subplot(grid[0, :]), table, score, _SCORE_COLOUR)
    for i, column in enumerate(drawn):
        axes = figure.add_subplot(grid[1 + i // _PER_ROW, i % _PER_ROW])
        _histogram(axes, table, column, _FEATURE_COLOUR)
    count = "1 photo" if len(table) == 1 else f"{len(table):,} photos"
    figures.entitle(figure, title, count)
    figures.save(figure, path)


def _numeric_columns(table: pd.DataFrame) -> list[dict[str, Any]]:
    derived = ("_norm", "_contribution")
    return [
        {"name": name}
        for name in table.select_dtypes("number")
        if name not in _NOT_MEASURED | {"final_score"} and not str(name).endswith(derived)
    ]


def _values(table: pd.DataFrame, name: str) -> np.ndarray:
    """A column's finite numbers; none where there is no such column.

    Text is no number, even where it reads like one: a hash may have ten digits and no letter.
    """
    if name not in table or pd.api.types.infer_dtype(table[name], skipna=True) == "string":
        return np.empty(0)
    return finite(table[name])


def _histogram(axes: Axes, table: pd.DataFrame, column: Mapping[str, Any], colour: str) -> None:
    values = _values(table, column["name"])
    missing = len(table) - len(values)
    heavy = bool(column.get("heavy_tailed")) and len(values) and values.min() >= 0
    heavy = bool(heavy and values.max() > 10)
    shown = values if heavy or column.get("range") else without_strays(values)
    counts = {"missing": missing, "beyond": len(values) - len(shown)}
    notes = [_BETTER.get(str(column.get("better")), "")]
    notes += [f"{count:,} {what}" for what, count in counts.items() if count]
    note = ", ".join(filter(None, notes))
    figures.dress(axes, column["name"], note, column.get("unit") or "")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    if len(values) == 0:
        axes.text(0.5, 0.5, "no values", ha="center", transform=axes.transAxes, color=MUTED)
        return
    if heavy:
        axes.set_xscale("symlog", linthresh=1)
        axes.xaxis.set_major_formatter(ScalarFormatter())
    edges = bin_edges(shown, heavy, column.get("range"))
    axes.xaxis.set_major_locator(_ticks(shown, heavy))
    if len(edges) == 2:  # one bar, in the middle and narrow
        axes.set_xlim(edges[0] * 5 - edges[1] * 4, edges[1] * 5 - edges[0] * 4)
    axes.hist(values, bins=list(edges), color=colour, rwidth=0.9)
    _mark_median(axes, values)


def _ticks(values: np.ndarray, heavy: bool) -> Locator:
    if _few_whole(values):
        return MaxNLocator(integer=True)
    if heavy:
        return SymmetricalLogLocator(base=10, linthresh=1, subs=[1, 2, 5])
    return MaxNLocator(nbins=_TICKS)


def _mark_median(axes: Axes, values: np.ndarray) -> None:
    """A dashed line, and its value in the headroom above the bars."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * 1.15)
    median = float(np.median(values))
    axes.axvline(median, color=INK, linewidth=1, linestyle=(0, (3, 2)))
    on_axes = (axes.transData + axes.transAxes.inverted()).transform((median, 0))[0]
    axes.annotate(
        f"median {median:.3g}" if np.ptp(values) else f"all are {median:.3g}",
        (median, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if on_axes > 0.5 else 4, 0),
        textcoords="offset points",
        ha="right" if on_axes > 0.5 else "left",
        va="top",
        fontsize=9,
        color=INK,
    )


def without_strays(values: np.ndarray) -> np.ndarray:
    """The values less those so far out that all others would share one bar."""
    if not len(values):
        return values
    low, high = np.quantile(values, [0.25, 0.75])
    reach = _STRAY * (high - low)
    near = values[(values >= low - reach) & (values <= high + reach)]
    return near if high > low else values


def bin_edges(values: np.ndarray, heavy: bool, declared: Sequence[float] | None) -> np.ndarray:
    """Bin edges: one bar per value for few whole numbers, else equal steps (of log1p if heavy)."""
    low, high = float(values.min()), float(values.max())
    if _few_whole(values):
        return np.arange(low - 0.5, high + 1)
    if declared is not None and declared[0] <= low and high <= declared[1]:
        low, high = float(declared[0]), float(declared[1])
    if high - low < 1e-9 * max(1.0, abs(high)):
        half = abs(high) / 100
        return np.array([low - half, high + half])
    if heavy:
        return np.expm1(np.linspace(np.log1p(low), np.log1p(high), _BARS + 1))
    return np.linspace(low, high, _BARS + 1)


def _few_whole(values: np.ndarray) -> bool:
    return bool(np.all(values == np.round(values)) and np.ptp(values) < _FEW)
