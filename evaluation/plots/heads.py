"""The plots of a training: what each candidate is worth, and where the chosen one errs."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd

from . import figures
from .lettering import MUTED

_POINT, _BEFORE, _AFTER = "#2f5d8a", "#c8553d", "#2f5d8a"


def candidates(worth: pd.DataFrame, order: str, path: str | os.PathLike[str]) -> None:
    """A point with its 95 % interval per candidate.

    Args:
        worth: `candidate`, and the column `order` with `_low` and `_high`.
    """
    figure = figures.blank(8, 1.2 + 0.4 * len(worth))
    axes = figure.add_subplot()
    for row, one in enumerate(worth.to_dict("records")):
        axes.plot([one[f"{order}_low"], one[f"{order}_high"]], [row, row], color=_POINT, lw=3)
        axes.plot(one[order], row, "o", color=_POINT, ms=7)
    axes.set_yticks(range(len(worth)), list(worth["candidate"]))
    axes.invert_yaxis()
    figures.dress(axes, order, "95 % interval by scene", "on photos of other scenes")
    figures.save(figure, path)


def residuals(
    found: np.ndarray, wanted: np.ndarray, balance: pd.DataFrame, path: str | os.PathLike[str]
) -> None:
    """Score less rating over the rating, and bias by bin before and after balancing.

    Args:
        balance: `bin before after`; may be empty.
    """
    figure = figures.blank(9, 4)
    left, right = figure.subplots(1, 2)
    left.axhline(0, color=MUTED, lw=0.8)
    left.plot(wanted, found - wanted, "o", color=_POINT, ms=3.5, mew=0, alpha=0.5)
    figures.dress(left, "score less rating", "", "rating, 1 to 10")
    if len(balance):
        places = np.arange(len(balance))
        right.bar(places - 0.2, balance["before"].fillna(0), 0.4, color=_BEFORE, label="before")
        right.bar(places + 0.2, balance["after"].fillna(0), 0.4, color=_AFTER, label="after")
        right.set_xticks(places, list(balance["bin"]))
        right.legend(frameon=False, fontsize=9)
        figures.dress(right, "bias of LightGBM", "", "extremes counting more")
    else:
        right.set_axis_off()
    figures.save(figure, path)
