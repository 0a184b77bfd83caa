"""Candidates for a head: each is trained on some photos and judged on others of other scenes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from photorank.features.formulas import MOST_BYTES, Linear, Model, Neighbours
from photorank.utils.stats import ranks, spearman

from .folds import Fold, scene_folds
from .trees import Balance, Tuner, rmse

MEAN, QUALITY, RIDGE, WITH_QUALITY, BOTH, NEAREST, TREES, BALANCED = (
    *("mean", "quality", "ridge", "ridge_with_quality", "ridge_quality_mean"),
    *("neighbours", "lightgbm", "lightgbm_balanced"),
)
_PENALTIES = np.logspace(0, 6, 13)
_COUNTS = (5, 10, 20, 40)
_INNER = 4


@dataclass(frozen=True)
class Photos:
    """What there is to learn from.

    Attributes:
        vectors: (n, d) float32.
        labels: (n,) from 1 to 10, or picks as 1 and 0.
        groups: (n,) scene, or person, of each.
        quality: (n,); None where it is not known.
    """

    vectors: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    quality: np.ndarray | None = None

    def __getitem__(self, rows: np.ndarray) -> Photos:
        quality = None if self.quality is None else self.quality[rows]
        return Photos(self.vectors[rows], self.labels[rows], self.groups[rows], quality)


Fit = Callable[[Photos, int], Model]
"""Photos to train on, and the number of their fold -> a model."""


def candidates(photos: Photos, seed: int) -> dict[str, Fit]:
    """All but the trees, the simplest first."""
    found: dict[str, Fit] = {MEAN: _mean} | _lines(photos, seed, lambda some: some)
    if photos.vectors.size * 4 <= MOST_BYTES:
        found[NEAREST] = lambda some, _: _nearest(some, seed)
    return found


@dataclass
class TreeFits:
    """The trees as candidates: parameters are chosen once per fold, for both sorts of them."""

    trials: int
    seed: int
    balance: Balance
    tick: Callable[[], object] = lambda: None
    params: dict[int, dict[str, object]] = field(default_factory=dict)

    def candidates(self) -> dict[str, Fit]:
        """Plain, and with the extremes made to count more where that is wanted."""
        found: dict[str, Fit] = {TREES: lambda some, number: self._grow(some, number, None)}
        if self.balance.oversampling or self.balance.weighting:
            found[BALANCED] = lambda some, number: self._grow(some, number, self.balance)
        return found

    def _grow(self, some: Photos, number: int, balance: Balance | None) -> Model:
        tuner = Tuner(some.vectors, some.labels, some.groups, self.seed)
        if number not in self.params:
            self.params[number] = tuner.choose(self.trials, self.tick)
        return tuner.grow(self.params[number], balance)


def preferences(photos: Photos, seed: int, pairwise: bool) -> dict[str, Fit]:
    """Candidates for picks; pairwise, what tells picks from the others of their own scene.

    Least squares on what is left after each scene's mean is least squares on the scene's pairs.
    """

    def seen(some: Photos) -> Photos:
        return _within_scenes(some) if pairwise else some

    return _lines(photos, seed, seen)


def _lines(photos: Photos, seed: int, seen: Callable[[Photos], Photos]) -> dict[str, Fit]:
    """Ridge, and where `quality` is known that alone and both together, on what is `seen` of photos."""
    found: dict[str, Fit] = {RIDGE: lambda some, _: ridge(seen(some), seed)}
    if photos.quality is None:
        return found
    return (
        {QUALITY: lambda some, _: _quality(seen(some))}
        | found
        | {
            WITH_QUALITY: lambda some, _: ridge(seen(some), seed, with_quality=True),
            BOTH: lambda some, _: _halves(ridge(seen(some), seed), _quality(seen(some))),
        }
    )


def _within_scenes(photos: Photos) -> Photos:
    members = np.unique(photos.groups, return_inverse=True)[1]
    sizes = np.bincount(members)

    def centred(values: np.ndarray) -> np.ndarray:
        sums = np.zeros((len(sizes), *values.shape[1:]))
        np.add.at(sums, members, values)
        means = sums / sizes.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(values - means[members])

    quality = None if photos.quality is None else centred(photos.quality)
    return Photos(centred(photos.vectors), centred(photos.labels), photos.groups, quality)


def mixed(picks: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(n,) whether a photo's scene has picks and others."""
    members = np.unique(groups, return_inverse=True)[1]
    share = (np.bincount(members, picks) / np.bincount(members))[members]
    return (share > 0) & (share < 1)


def _mean(photos: Photos, _: int) -> Linear:
    return Linear([0.0] * photos.vectors.shape[1], float(photos.labels.mean()))


def _quality(photos: Photos) -> Linear:
    quality, labels = np.asarray(photos.quality, float), photos.labels
    spread = quality.var()
    slope = float(np.mean((quality - quality.mean()) * labels) / spread) if spread else 0.0
    bias = float(labels.mean() - slope * quality.mean())
    return Linear([0.0] * photos.vectors.shape[1], bias, slope)


def _halves(one: Linear, other: Linear) -> Linear:
    weights = (np.array(one.weights) + np.array(other.weights)) / 2
    return Linear(weights.tolist(), (one.bias + other.bias) / 2, (one.quality + other.quality) / 2)


def ridge(photos: Photos, seed: int, with_quality: bool = False) -> Linear:
    """Ridge regression on standardised numbers, its penalty by inner folds that split no scene."""
    inner = scene_folds(photos.groups, _INNER, seed)
    lost = np.zeros(len(_PENALTIES))
    for fold in inner:
        path, test = _path(photos[fold.train], with_quality), photos[fold.test]
        found = np.stack([line.score(test.vectors, test.quality) for line in path])
        lost += ((found - test.labels) ** 2).sum(axis=1)
    return _path(photos, with_quality)[int(np.argmin(lost))]


def _path(photos: Photos, with_quality: bool) -> list[Linear]:
    """A line for each penalty; `quality` counts as much as all numbers of the vector together."""
    x = photos.vectors.astype(np.float64)
    centre, spread = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    if with_quality:
        quality = np.asarray(photos.quality, float)
        x = np.column_stack([x, quality])
        centre = np.append(centre, quality.mean())
        spread = np.append(spread, max(quality.std(), 1e-9) / np.sqrt(len(spread)))
    z, mean = (x - centre) / spread, photos.labels.mean()
    y = photos.labels - mean
    is_wide = z.shape[1] > len(z)
    values, axes = np.linalg.eigh(z @ z.T if is_wide else z.T @ z)
    onto = axes.T @ (y if is_wide else z.T @ y)
    lines = []
    for penalty in _PENALTIES:
        solved = axes @ (onto / (np.maximum(values, 0) + penalty))
        weights = (z.T @ solved if is_wide else solved) / spread
        bias = float(mean - weights @ centre)
        own = weights[:-1] if with_quality else weights
        lines.append(Linear(own.tolist(), bias, float(weights[-1]) if with_quality else 0.0))
    return lines


def _nearest(photos: Photos, seed: int) -> Neighbours:
    counts = [count for count in _COUNTS if 2 * count <= len(photos.labels)] or [1]
    lost = dict.fromkeys(counts, 0.0)
    for fold in scene_folds(photos.groups, _INNER, seed):
        train, test = photos[fold.train], photos[fold.test]
        for count in counts:
            found = Neighbours.of(train.vectors, train.labels, min(count, len(train.labels)))
            lost[count] += float(((found.score(test.vectors) - test.labels) ** 2).sum())
    best = min(counts, key=lambda count: lost[count])
    return Neighbours.of(photos.vectors, photos.labels, best)


def held_out(
    photos: Photos,
    folds: Sequence[Fold],
    fits: Mapping[str, Fit],
    limits: tuple[float, float] | None = (1.0, 10.0),
) -> dict[str, np.ndarray]:
    """(n,) by each candidate: what it says of the photos that it was not trained on."""
    found = {name: np.full(len(photos.labels), np.nan) for name in fits}
    for number, fold in enumerate(folds):
        train, test = photos[fold.train], photos[fold.test]
        for name, fit in fits.items():
            scores = fit(train, number).score(test.vectors, test.quality)
            found[name][fold.test] = np.clip(scores, *limits) if limits else scores
    return found


def order_in_folds(found: np.ndarray, labels: np.ndarray, part: np.ndarray) -> float:
    """Spearman's correlation in each fold, averaged by their sizes; 0 where all scores are the same.

    Scores of two folds come from two models; put together, models that know nothing look worse than
    chance, for where a fold's labels are high the others' mean is low.
    """
    total = 0.0
    for number in np.unique(part):
        rows = part == number
        value = spearman(np.round(found[rows], 9), labels[rows]) if rows.sum() > 1 else 0.0
        total += rows.sum() * (0.0 if np.isnan(value) else value)
    return total / len(part)


def pairs_in_order(found: np.ndarray, picks: np.ndarray, pool: np.ndarray) -> float:
    """The share of pairs of a pick and another of one pool in which the pick is above; .5: chance."""
    total = size = 0.0
    for number in np.unique(pool):
        rows = pool == number
        picked = picks[rows] > 0
        ones, others = int(picked.sum()), int((~picked).sum())
        if ones and others:
            above = ranks(np.round(found[rows], 9))[picked].sum() + ones / 2
            total += rows.sum() * (above - ones * (ones + 1) / 2) / (ones * others)
            size += rows.sum()
    return total / size if size else float("nan")


def r_squared(found: np.ndarray, labels: np.ndarray) -> float:
    """1 less the share of the labels' variance that is left; below 0: worse than their mean."""
    spread = float(np.var(labels))
    return 1 - rmse(found, labels) ** 2 / spread if spread else float("nan")
