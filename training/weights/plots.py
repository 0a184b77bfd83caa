"""The report of a tuning as one picture: the weights, how they fare on held-out photos, and per kind."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from photorank.evaluation.plots import figures

_COLOURS = {"tuned": "#1f6f8b", "default": "#c8553d", "equal": "#8a8a8a", "best column": "#e0a030"}
_CONTROL = "#bbbbbb"
_ROW_INCHES = 0.34
_APART = 0.18
"""Rows between two contestants' points, so that equal ones do not hide one another."""


def plot_tuning(
    path: str | os.PathLike[str],
    weights: pd.Series[float],
    by_fold: pd.DataFrame,
    held_out: pd.DataFrame,
    cells: pd.DataFrame,
    agreement: str,
    chance: float,
) -> None:
    """Write a PNG.

    Args:
        weights: by column, tuned on all photos: bars.
        by_fold: a row of tuned weights per fold: dots on the bars.
        held_out: `contestant value low high`: points with intervals.
        cells: `cell`, then a column per contestant: a row of points per cell; may be empty.
        agreement: what the values are, in words.
        chance: where scores that know nothing lie.
    """
    parts = 3 if len(cells) else 2
    rows = max(len(weights), len(held_out), len(cells))
    figure = figures.blank(5.2 * parts, 1.8 + _ROW_INCHES * rows)
    axes = figure.subplots(1, parts)
    _plot_weights(axes[0], weights, by_fold)
    _plot_held_out(axes[1], held_out, agreement, chance)
    if len(cells):
        _plot_cells(axes[2], cells, agreement, chance)
        figure.legend(loc="outside lower right", ncols=len(_COLOURS), frameon=False)
    figure.savefig(path, format="png", dpi=120, metadata={"Software": "photorank"})


def _plot_weights(axes: Axes, weights: pd.Series[float], by_fold: pd.DataFrame) -> None:
    ordered = weights.sort_values(ascending=False, kind="stable")
    rows = np.arange(len(ordered))
    axes.barh(rows, ordered, color=_COLOURS["tuned"], alpha=0.55)
    for _, fold in by_fold[ordered.index].iterrows():
        axes.plot(fold, rows, "o", color="black", ms=3, alpha=0.5)
    _name_rows(axes, list(ordered.index))
    axes.set_title("tuned weights (dots: each fold)")
    axes.set_xlabel("share of the score")
    axes.set_xlim(left=0)


def _plot_held_out(axes: Axes, held_out: pd.DataFrame, agreement: str, chance: float) -> None:
    axes.axvline(chance, color="black", lw=0.8, ls=":")
    parts = held_out[["contestant", "value", "low", "high"]].itertuples(index=False)
    for row, (name, value, low, high) in enumerate(parts):
        colour = _COLOURS.get(name, _CONTROL)
        axes.plot([low, high], [row, row], color=colour, lw=3, solid_capstyle="butt")
        axes.plot(value, row, "o", color=colour, ms=7)
        axes.annotate(f"{value:.3f}", (value, row), (0, 7), textcoords="offset points", ha="center")
    _name_rows(axes, list(held_out["contestant"]))
    axes.set_title("on held-out photos (95 % interval by scene)")
    axes.set_xlabel(f"{agreement} (dotted: chance)")


def _plot_cells(axes: Axes, cells: pd.DataFrame, agreement: str, chance: float) -> None:
    axes.axvline(chance, color="black", lw=0.8, ls=":")
    for place, name in enumerate(n for n in _COLOURS if n in cells):
        rows = np.arange(len(cells)) + _APART * (place - 1.5)
        axes.plot(cells[name], rows, "o", color=_COLOURS[name], label=name, ms=4.5)
    axes.hlines(np.arange(len(cells) - 1) + 0.5, 0, 1, color="#dddddd", lw=0.6)
    _name_rows(axes, list(cells["cell"]))
    axes.set_title("per kind and level, tuned without that kind")
    axes.set_xlabel(f"{agreement} (dotted: chance)")
    axes.set_xlim(-0.03, 1.03)


def _name_rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(np.arange(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.spines[["top", "right"]].set_visible(False)
