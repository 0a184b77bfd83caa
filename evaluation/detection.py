"""How well a tag's score tells the photos that have a fault from the others: ROC and precision-recall."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from photorank.utils.stats import estimate, ranks, scene_numbers

from .plots import figures
from .plots.lettering import INK, MUTED

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
    found: dict[str, Any] = {"n": len(score), "positives": int(positive.sum())}
    if positive.all() or not positive.any():
        return found | {"auc": None, "average_precision": None}
    scenes = scene_numbers(names[known])
    for name, figure in {"auc": auc, "average_precision": average_precision}.items():
        found[name], _ = estimate(figure, (score, positive), scenes, resamples, seed)
    return found


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """The chance that a photo with the fault scores above one without; ties count half."""
    yes, no = int(positive.sum()), int((~positive).sum())
    if not (yes and no):
        return float("nan")
    return float((ranks(score)[positive].sum() - yes**2 / 2) / (yes * no))


def average_precision(score: np.ndarray, positive: np.ndarray) -> float:
    """The mean of the precision at each photo that has the fault; equal scores are flagged together."""
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.append(np.diff(score[order]) < 0, True))
    right = positive[order].cumsum()[last]
    found = np.diff(right, prepend=0) @ (right / (last + 1))
    return float(found / right[-1]) if right[-1] else float("nan")


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
