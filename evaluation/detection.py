"""How well a tag's score tells the photos that have a fault from the others: ROC and precision-recall."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from .plots import figures
from .plots.lettering import INK, MUTED
from .resampling import Draws, scene_numbers
from .resampling import Figure as Statistic

_WHERE = (
    "Counted on the labelled photos alone. The report's precision and recall are those to expect in the "
    "whole table,\nof which photos that were chosen for labelling by their score are no fair sample."
)


def detection(
    score: Any, label: Any, scene: Any = None, resamples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Area under the ROC curve and average precision, with 95 % intervals by scene.

    Args:
        score: (n,) how surely a photo has the tag.
        label: (n,) whether people say that it has; photos where either is missing are left out.
        scene: (n,) names or numbers of scenes, which are drawn whole; None, or where one is missing:
            a photo stands alone.
        resamples, seed: as for `agreement`.

    Returns:
        Ready for JSON: `n`, `positives`, and `value low high` each of `auc` (.5 is chance, 1 perfect)
        and `average_precision` (`positives / n` is chance). None where all labels are the same.

    >>> detection([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])["auc"]["value"]
    0.75
    """
    score, label = np.asarray(score, float), np.asarray(label, float)
    known = np.isfinite(score) & np.isfinite(label)
    score, positive = score[known], label[known] > 0
    names = np.arange(len(known)) if scene is None else np.asarray(scene, object)
    found = {"n": len(score), "positives": int(positive.sum())}
    if positive.all() or not positive.any():
        return found | {"auc": None, "average_precision": None}
    draws = Draws(scene_numbers(names[known]), resamples, seed)
    statistics = {"auc": auc(score, positive), "average_precision": precision_mean(score, positive)}
    return found | {name: draws.estimate(s)[0] for name, s in statistics.items()}


def auc(score: np.ndarray, positive: np.ndarray) -> Statistic:
    """The chance that a photo with the fault scores above one without; ties count half."""
    order, first = _groups(score)

    def figure(counts: np.ndarray) -> np.ndarray:
        with_, without = (
            np.add.reduceat((counts * part)[:, order], first, axis=1)
            for part in (positive, ~positive)
        )
        below = without.cumsum(axis=1) - without / 2
        return _ratio((with_ * below).sum(axis=1), with_.sum(axis=1) * without.sum(axis=1))

    return figure


def precision_mean(score: np.ndarray, positive: np.ndarray) -> Statistic:
    """Average precision: the mean of the precision at each photo that has the fault."""
    order, first = _groups(-score)

    def figure(counts: np.ndarray) -> np.ndarray:
        with_ = np.add.reduceat((counts * positive)[:, order], first, axis=1)
        all_ = np.add.reduceat(counts[:, order], first, axis=1)
        precision = with_.cumsum(axis=1) / np.maximum(all_.cumsum(axis=1), 1e-12)
        return _ratio((with_ * precision).sum(axis=1), with_.sum(axis=1))

    return figure


def _groups(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order of the scores, and where in it each group of equal ones begins."""
    order = np.argsort(score, kind="stable")
    return order, np.flatnonzero(np.diff(score[order], prepend=np.nan) != 0)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1e-12), np.nan)


def draw_detection(
    curves: Mapping[str, tuple[np.ndarray, np.ndarray, float]], path: str | os.PathLike[str]
) -> None:
    """Draw ROC and precision-recall of some tags on labelled photos side by side, a dot at each threshold.

    Args:
        curves: per tag (n,) scores, (n,) labels, and the threshold.
        path: where to write; the suffix gives the format.
    """
    figure = figures.blank(11, 5.6)
    left, right = figure.subplots(1, 2)
    for number, (name, (score, label, cut)) in enumerate(curves.items()):
        false, true, precision = _curve(score, label > 0)
        at = int((score >= cut).sum())
        text = f"{name}: {len(label)} labels, {int((label > 0).sum())} yes, threshold {cut:.2f}"
        left.step(false, true, color=f"C{number}", where="post", label=text)
        right.step(true, precision, color=f"C{number}", where="pre")
        left.plot(false[at], true[at], "o", color=f"C{number}")
        right.plot(true[at], precision[at], "o", color=f"C{number}")
    left.plot([0, 1], [0, 1], color="#c0c0c4", lw=1)
    found = "found: share of the photos with the fault"
    _name_axes(left, "false alarms: share of the photos without the fault", found)
    _name_axes(right, f"{found} (recall)", "precision")
    left.legend(frameon=False)
    figures.entitle(
        figure, "How well each tag's score follows the labels; dots: the new thresholds"
    )
    figure.supxlabel(_WHERE, color=MUTED, fontsize=10)
    figures.save(figure, path)


def _name_axes(axes: Axes, across: str, up: str) -> None:
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.spines[["top", "right"]].set_visible(False)


def _curve(score: np.ndarray, positive: np.ndarray) -> Sequence[np.ndarray]:
    """False and true positive rate and precision if the first 0, 1, ... photos by score are flagged."""
    ordered = np.append(False, positive[np.argsort(-score, kind="stable")])
    true, flagged = ordered.cumsum(), np.arange(len(ordered))
    false = flagged - true
    return false / max(1, false[-1]), true / max(1, true[-1]), _ratio(true, flagged)
