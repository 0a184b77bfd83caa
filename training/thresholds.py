"""Thresholds of tags from few labels: how likely a tag is at each score, where to cut, what to label."""

from __future__ import annotations

import numpy as np
from scipy import optimize

_MIDDLE, _SLOPE = 2.0, 1.0  # what a curve's m and log b are expected to be at most, about
_NARROW = 1e-6


def likelihood(score: np.ndarray, label: np.ndarray) -> tuple[float, float]:
    """How likely a person gives the tag at a score: the logistic curve 1 / (1 + exp(-b (x - m))).

    x is the score's own logit, so that m = 0 and b = 1 say that the score is the probability: where
    the labels say little, that is believed. A curve, unlike counts, does not care which photos were
    chosen for labelling by their score.

    Args:
        score: (n,) in [0, 1].
        label: (n,) 0 or 1.

    Returns:
        m, and b, which is above 0.
    """
    x, y = logit(score), np.asarray(label, float)

    def lost(parameters: np.ndarray) -> float:
        middle, log_slope = parameters
        z = np.exp(log_slope) * (x - middle)
        prior = (middle / _MIDDLE) ** 2 + (log_slope / _SLOPE) ** 2
        return float(np.logaddexp(0, z).sum() - y @ z + prior / 2)

    bounds = ((-10, 10), (-4, 4))
    middle, log_slope = optimize.minimize(lost, (0.0, 0.0), method="L-BFGS-B", bounds=bounds).x
    return float(middle), float(np.exp(log_slope))


def likely(score: np.ndarray, curve: tuple[float, float]) -> np.ndarray:
    """(n,) probability of the tag at each score."""
    return np.asarray(0.5 + 0.5 * np.tanh(curve[1] * (logit(score) - curve[0]) / 2))


def threshold(
    score: np.ndarray,
    probability: np.ndarray,
    precision: float | None = None,
    recall: float | None = None,
) -> tuple[float, float, float]:
    """Where to cut the score.

    Args:
        score: (n,) of all photos, labelled or not.
        probability: (n,) of the tag; for a labelled photo its label will do.
        precision: the lowest cut that is expected to have it.
        recall: the highest cut that is expected to have it. Neither: the cut at which both are
            equal, so that as many photos get the tag as have the fault.

    Returns:
        The cut, and the precision and recall that are expected of it.

    Raises:
        ValueError: no cut has the wished precision.
    """
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last = np.append(np.diff(ordered) < 0, True)  # of equal scores all or none are cut off
    right = np.cumsum(probability[order])[last]
    precisions = right / (np.flatnonzero(last) + 1)
    recalls = right / max(right[-1], 1e-12)
    if precision is not None:
        good = np.flatnonzero(precisions >= precision)
        if not len(good):
            raise ValueError(
                f"no threshold is expected to have a precision of {precision}; the best has "
                f"{precisions.max():.2f}"
            )
        best = int(good[-1])
    elif recall is not None:
        best = int(np.flatnonzero(recalls >= min(recall, 1 - 1e-12))[0])
    else:
        best = int(np.argmin(np.abs(precisions - recalls)))
    cuts = ordered[last]
    below = cuts[best + 1] if best + 1 < len(cuts) else cuts[best]
    cut = float(np.clip((cuts[best] + below) / 2, _NARROW, 1 - _NARROW))
    return cut, float(precisions[best]), float(recalls[best])


def to_label(scores: np.ndarray, number: int, seed: int = 0) -> np.ndarray:
    """Which photos to label: drawn at random, the same number from each stratum of the tags' scores.

    The tags take turns. Photos in the order of a tag's score are cut into `number` strata of one size,
    and of each one photo is drawn: at random, but never by chance all from one end. Choosing the
    doubtful ones instead taught less than chance did (docs/tags.md).

    Args:
        scores: (n, tags) in [0, 1], NaN where unknown.
        number: how many photos.
        seed: another one, another draw.

    Returns:
        Up to `number` positions.
    """
    rng = np.random.default_rng(seed)
    draws = [_drawn(column, number, rng) for column in scores.T]
    turns = (row for rows in zip(*draws, strict=True) for row in rows)
    chosen = list(dict.fromkeys(row for row in turns if row >= 0))
    return np.array(chosen[:number], int)


def _drawn(score: np.ndarray, number: int, rng: np.random.Generator) -> np.ndarray:
    """A position from each stratum, in a random order; -1 from those that hold no photo."""
    known = np.flatnonzero(np.isfinite(score))
    order = rng.permutation(known)
    order = order[np.argsort(score[order], kind="stable")]  # equal scores in a random order
    strata = np.array_split(order, number)
    drawn = [int(rng.choice(stratum)) if len(stratum) else -1 for stratum in strata]
    return rng.permutation(drawn)


def logit(score: np.ndarray) -> np.ndarray:
    """log(score / (1 - score)), bounded."""
    inside = np.clip(score, _NARROW, 1 - _NARROW)
    return np.asarray(np.log(inside / (1 - inside)))
