"""The calibration plot: what people say of the photos that a score puts low, in the middle and high."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..agreement import logistic
from . import figures
from .lettering import INK, MUTED

_POINT, _CURVE, _MEAN = "#8a8f98", "#c8553d", "#2f5d8a"
_PARTS, _PHOTOS_PER_PART = 10, 10
_Z = 1.96


def calibration(
    score: np.ndarray,
    rating: np.ndarray,
    found: Mapping[str, Any],
    path: str | os.PathLike[str],
    title: str = "",
) -> None:
    """Draw ratings over scores: each photo, the mean of each tenth, and the fitted curve.

    Read it from left to right: means that rise all the way say that the score orders photos
    everywhere; a flat stretch, that it tells nothing apart there; the height of the cloud, how far
    off it may be for one photo.

    Args:
        score, rating: (n,) numbers; photos where either is missing are left out.
        found: what `agreement` returned for them.
        path: where to write; the suffix gives the format (.png, .pdf, .svg).
        title: what the photos are, such as the folder's name.
    """
    both = np.isfinite(score) & np.isfinite(rating)
    score, rating = score[both], rating[both]
    figure = figures.blank(9, 6.2)
    axes = figure.add_subplot()
    alpha = float(np.clip(60 / np.sqrt(max(len(score), 1)) / 4, 0.15, 0.8))
    axes.plot(score, rating, "o", color=_POINT, ms=3.5, mew=0, alpha=alpha, label="a photo")
    if found["fit"]:
        along = np.linspace(score.min(), score.max(), 200)
        axes.plot(along, logistic(along, **found["fit"]), color=_CURVE, lw=2, label="fitted curve")
    _draw_means(axes, score, rating)
    _dress(axes, found)
    figures.entitle(figure, title, f"{len(score):,} rated photos")
    figures.save(figure, path)


def means(score: np.ndarray, rating: np.ndarray) -> np.ndarray:
    """(parts, 3) mean score, mean rating and half its 95 % interval in equal parts by score.

    Ten parts, or fewer so that each holds ten photos. Photos count one by one here, so that with
    many photos per scene the bars are too short.
    """
    parts = int(np.clip(len(score) // _PHOTOS_PER_PART, 1, _PARTS))
    order = np.argsort(score, kind="stable")
    rows = [(score[i], rating[i]) for i in np.array_split(order, parts)]
    return np.array(
        [(s.mean(), r.mean(), _Z * r.std(ddof=1) / np.sqrt(len(r))) for s, r in rows if len(r) > 1]
    )


def _draw_means(axes: Axes, score: np.ndarray, rating: np.ndarray) -> None:
    if len(score) < 2:
        return
    x, y, half = means(score, rating).T
    label = f"mean of 1/{len(x)} of them, 95 % interval"
    axes.errorbar(x, y, half, fmt="o-", color=_MEAN, ms=7, lw=1, capsize=3, label=label)


def _dress(axes: Axes, found: Mapping[str, Any]) -> None:
    axes.set_xlabel("score", color=MUTED)
    axes.set_ylabel("rating", color=MUTED)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, length=0, colors=MUTED)
    axes.legend(loc="lower right", frameon=True, edgecolor="none", fontsize=9)
    names = {"spearman": "Spearman", "pearson": "Pearson", "pearson_fitted": "after the curve"}
    figures = [f"{text} {_figure(found[name])}" for name, text in names.items() if found[name]]
    axes.set_title(", ".join(figures), loc="left", fontsize=10, color=INK)


def _figure(figure: Mapping[str, float | None]) -> str:
    interval = "" if figure["low"] is None else f" ({figure['low']:.2f} to {figure['high']:.2f})"
    return f"{figure['value']:.3f}{interval}"
