"""How well a tag's score tells the photos that have a fault from the others: ROC and precision-recall."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import figures
from .lettering import INK
from .resampling import Draws, scene_numbers
from .resampling import Figure as Statistic


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
    """Draw ROC and precision-recall of some tags side by side, a dot at each threshold.

    Args:
        curves: per tag (n,) scores, (n,) labels, and the threshold.
        path: where to write; the suffix gives the format.
    """
    figure = figures.blank(11, 5)
    left, right = figure.subplots(1, 2)
    for number, (name, (score, label, cut)) in enumerate(curves.items()):
        false, true, precision = _curve(score, label > 0)
        at = max(0, int((score >= cut).sum()) - 1)
        colour = f"C{number}"
        left.step(false, true, color=colour, where="post", label=name)
        right.step(true, precision, color=colour, where="pre", label=name)
        left.plot(false[at], true[at], "o", color=colour)
        right.plot(true[at], precision[at], "o", color=colour)
    left.plot([0, 1], [0, 1], color="#c0c0c4", lw=1)
    for axes, names in (
        (left, ("false alarms", "found")),
        (right, ("found (recall)", "precision")),
    ):
        axes.set_xlabel(f"share of the photos: {names[0]}" if axes is left else names[0], color=INK)
        axes.set_ylabel(names[1], color=INK)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.spines[["top", "right"]].set_visible(False)
    left.legend(frameon=False)
    figures.save(figure, path)


def _curve(score: np.ndarray, positive: np.ndarray) -> Sequence[np.ndarray]:
    """False and true positive rate and precision if the first 1, 2, ... photos by score are flagged."""
    ordered = positive[np.argsort(-score, kind="stable")]
    true, false = ordered.cumsum(), (~ordered).cumsum()
    return false / max(1, false[-1]), true / max(1, true[-1]), true / (true + false)
