"""The drift plot: distributions of two tables side by side, the columns that moved first."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import (
    MaxNLocator,
    PercentFormatter,
    StrMethodFormatter,
    SymmetricalLogLocator,
)

from ..drift import MISSING, numbers
from ..visualization import bin_edges, without_strays
from . import figures
from .lettering import MUTED

_OLD, _NEW, _ALARM = "#c9ccd1", "#2f5d8a", "#c8553d"
_PER_ROW, _MOST = 3, 12
_NARROW, _WIDE = 5, 300
"""Largest by least value up to which a logarithmic axis has no labels, and from which too many: then
powers of ten alone."""


def draw_drift(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    found: Mapping[str, Any],
    path: str | os.PathLike[str],
    title: str = "",
) -> None:
    """Draw the columns that drifted, or the nearest to it where none did: shares of photos, not counts.

    Args:
        reference, current: the tables that `drift` compared.
        found: what it returned; a row's `unit` and `heavy_tailed` are used if they are there.
        path: where to write; the suffix gives the format (.png, .pdf, .svg).
        title: what is compared, such as the names of the tables.
    """
    rows = [row for row in found["columns"] if row["psi"] is not None]
    moved = [row for row in rows if row["verdict"] == "drifted"] or rows[:_PER_ROW]
    hidden, moved = max(0, len(moved) - _MOST), moved[:_MOST]
    deep = max(1, math.ceil(len(moved) / _PER_ROW))
    figure = figures.blank(12, 1.1 + 2.9 * deep)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)  # type: ignore[union-attr, call-arg]
    names = [row["column"].removesuffix(MISSING) for row in moved]
    old, new = numbers(reference, names), numbers(current, names)
    for i, row in enumerate(moved):
        axes = figure.add_subplot(deep, _PER_ROW, i + 1)
        _panel(axes, row, *(side[row["column"]] for side in (old, new)))
    verdict = f"{sum(row['verdict'] == 'drifted' for row in rows)} of {len(rows)} columns drifted"
    verdict += f", the first {_MOST} are shown" if hidden else ""
    figures.entitle(figure, title, verdict)
    _legend(figure, found)
    figures.save(figure, path)


def _panel(axes: Axes, row: Mapping[str, Any], old: np.ndarray, new: np.ndarray) -> None:
    old, new = old[np.isfinite(old)], new[np.isfinite(new)]
    both = np.concatenate([old, new])
    heavy = bool(row.get("heavy_tailed")) and both.min() >= 0 and both.max() > 10
    wide = (1 + both.max()) / (1 + both.min()) if heavy else 0
    heavy = wide > _NARROW
    shown = both if heavy else without_strays(both)
    edges = _bars(bin_edges(shown, heavy, None), min(len(old), len(new)))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))
    if heavy:
        subs = (1,) if wide > _WIDE else (1, 2, 5)
        axes.set_xscale("symlog", linthresh=1)
        axes.xaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=1, subs=subs))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    for values, line, style in (
        (old, MUTED, {"color": _OLD}),
        (new, _NEW, {"color": _NEW, "histtype": "step", "lw": 2}),
    ):
        axes.hist(values, edges, weights=np.full(len(values), 1 / len(values)), **style)
        axes.axvline(float(np.median(values)), color=line, lw=1, ls=(0, (3, 2)))
    beyond = f"{len(both) - len(shown):,} beyond" if len(shown) < len(both) else ""
    below = ", ".join(filter(None, [row.get("unit"), beyond]))
    colour = _ALARM if row["verdict"] == "drifted" else MUTED
    note = f"PSI {row['psi']:.2f}, KS {row['ks']:.2f}"
    figures.dress(axes, row["column"], note, below, colour)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))


def _bars(edges: np.ndarray, photos: int) -> list[float]:
    """Every second, third ... edge where few photos would leave gaps between narrow bars."""
    step = next((n for n in (1, 2, 3, 4) if (len(edges) - 1) / n <= 3 * photos ** (1 / 3)), 4)
    return list(edges if (len(edges) - 1) % step else edges[::step])


def _legend(figure: Figure, found: Mapping[str, Any]) -> None:
    counts = {which: f"{found[which]['photos']:,} photos" for which in ("reference", "current")}
    handles = [
        Patch(color=_OLD, label=f"reference, {counts['reference']}"),
        Patch(fill=False, edgecolor=_NEW, lw=2, label=f"current, {counts['current']}"),
    ]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=10,
        title="share of the photos; dashed: medians",
        title_fontsize=9,
    )
