"""Fits the learned quality score: a kernel regression that must also rank degraded copies lower.

It works on matrices of descriptions and knows no pixels. A model is a dict of arrays; the functions
that apply it are passed in, so that training and use share one implementation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import curve_fit
from scipy.stats import norm, rankdata

Model = dict[str, np.ndarray]
Apply = Callable[[Model, np.ndarray], np.ndarray]

_KNOTS = 33
_RAREST = 0.004  # share beyond which a value counts as no rarer
_JITTER = 1e-4  # half precision can make two landmarks equal
_ROUNDS = 8  # later ones change the scores by less than .002


@dataclass(frozen=True)
class Settings:
    """Chosen by cross-validation; docs/quality.md has the alternatives and their figures.

    Attributes:
        shares: of the squared distance that each block of the description makes up.
        components: principal components kept of each block.
        width: factor on squared distances: the larger, the narrower the kernel.
        linear: weight of the linear part beside the kernel; it carries further from what was seen.
        landmarks: how many photos and how many copies the score is a weighted sum over.
        ridge: penalty on the weights.
        outlier: error, in standard deviations of the target, from which a rating pulls no harder:
            some photos are rated for what they show.
        pair_weight: of one violated margin against one rating's squared error.
        same_weight: the same for a copy of level 0 that scores otherwise.
        margin: by which a degraded copy must fall per level, in standard deviations of the target.
        seed: chooses the landmarks.
    """

    shares: tuple[float, ...] = (0.7, 0.1, 0.2)
    components: tuple[int, ...] = (256, 64, 128)
    width: float = 0.5
    linear: float = 1.0
    landmarks: tuple[int, int] = (2500, 500)
    ridge: float = 0.1
    outlier: float = 0.3
    pair_weight: float = 1.6
    same_weight: float = 2.0
    margin: float = 0.08
    seed: int = 0


@dataclass(frozen=True)
class Copies:
    """Copies of photos: descriptions, each one's photo (a row number), kind and level.

    From level 1 they are degraded and must score lower; at level 0 they are the same picture saved
    otherwise and must score the same.
    """

    descriptions: np.ndarray
    photo: np.ndarray
    kind: np.ndarray
    level: np.ndarray

    def of(self, photos: np.ndarray) -> Copies:
        """The copies of these photos; `photo` then counts within them."""
        place = np.full(max(self.photo.max(), photos.max()) + 1, -1)
        place[photos] = np.arange(len(photos))
        kept = place[self.photo] >= 0
        return Copies(
            self.descriptions[kept], place[self.photo[kept]], self.kind[kept], self.level[kept]
        )


@dataclass(frozen=True)
class Apparatus:
    """How a model is applied: descriptions -> normal scores -> points -> similarities to landmarks."""

    normal_scores: Apply
    coordinates: Apply
    similarities: Apply


def fit(
    descriptions: np.ndarray,
    sizes: tuple[int, ...],
    mos: np.ndarray,
    copies: Copies,
    use: Apparatus,
    settings: Settings,
) -> Model:
    """A model of the ratings.

    Args:
        descriptions: (n, d), one row per photo, blocks of `sizes` columns side by side.
        mos: (n,) ratings in [0, 1].
        copies: must score lower than their photos.

    Returns:
        Arrays by name, as `use` reads them, with "slope" and "intercept" of a logistic curve from
        the raw score to a rating.
    """
    model = _normaliser(descriptions, sizes, use, settings)
    points, worse = (use.coordinates(model, rows) for rows in (descriptions, copies.descriptions))
    model["landmarks"] = _landmarks(points, worse, settings)
    root = np.linalg.cholesky(
        use.similarities(model, model["landmarks"]).astype(np.float64)
        + _JITTER * np.eye(len(model["landmarks"]))
    )
    near, near_worse = (
        np.hstack(
            [
                solve_triangular(root, use.similarities(model, rows).T, lower=True).T,
                settings.linear * rows,
            ]
        )
        for rows in (points, worse)
    )
    goal = target(mos)
    falls = near[copies.photo] - near_worse
    margins = settings.margin * copies.level
    weights = _solve(near, goal - goal.mean(), falls, margins, settings)
    slope, intercept = calibrate(near @ weights, mos)
    count = len(root)
    model["weights"] = solve_triangular(root, weights[:count], lower=True, trans="T")
    model["slopes"] = settings.linear * weights[count:]
    return model | {"slope": np.asarray(slope), "intercept": np.asarray(intercept)}


def target(mos: np.ndarray) -> np.ndarray:
    """Half the standardised rating, half its standardised rank.

    Ratings crowd together at the good end, where order matters as much as elsewhere.
    """
    ranks = rankdata(mos)
    parts = [(values - values.mean()) / values.std() for values in (mos, ranks)]
    return np.asarray(sum(parts) / 2)


def calibrate(raw: np.ndarray, mos: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the logistic curve from raw scores to ratings; rising for sure."""

    def curve(x: np.ndarray, slope: float, intercept: float) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-(slope * x + intercept))))

    (slope, intercept), _ = curve_fit(curve, raw, mos, p0=(1, 0))
    return float(slope), float(intercept)


def _normaliser(
    descriptions: np.ndarray, sizes: tuple[int, ...], use: Apparatus, settings: Settings
) -> Model:
    """Knots of every column's distribution, and each block's scaled principal components."""
    shares = np.linspace(0, 1, _KNOTS)
    model: Model = {
        "knots": np.quantile(descriptions, shares, axis=0).astype(np.float32),
        "scores": norm.ppf(np.clip(shares, _RAREST, 1 - _RAREST)).astype(np.float32),
        "block_ends": np.cumsum(sizes),
    }
    blocks = np.split(use.normal_scores(model, descriptions), model["block_ends"][:-1], axis=1)
    for number, block in enumerate(blocks):
        axes = np.linalg.eigh(np.cov(block.T))[1][:, ::-1][:, : settings.components[number]]
        scale = np.sqrt(settings.width * settings.shares[number] / block.shape[1])
        model[f"projection_{number}"] = _halved(axes * scale)
    return model


def _halved(values: np.ndarray) -> np.ndarray:
    """Rounded to what half precision keeps: training must see what will be used."""
    return np.asarray(values, np.float16).astype(np.float32)


def _landmarks(points: np.ndarray, worse: np.ndarray, settings: Settings) -> np.ndarray:
    rng = np.random.default_rng(settings.seed)
    chosen = [
        rows[np.sort(rng.permutation(len(rows))[:count])]
        for rows, count in zip((points, worse), settings.landmarks, strict=True)
    ]
    return _halved(np.concatenate(chosen))


def _solve(
    rows: np.ndarray, goal: np.ndarray, falls: np.ndarray, margins: np.ndarray, settings: Settings
) -> np.ndarray:
    """Weights w of the least loss: Huber's of rows w - goal, pairs that fall short, ridge |w|^2.

    `falls @ w` is by how much each copy falls below its photo. Photos beyond `outlier` weigh less
    and copies beyond their margin nothing; what these are is found anew in every round. A margin
    of 0 is a fall of exactly 0.
    """
    weights = np.zeros(rows.shape[1])
    same = margins == 0
    trust, pull_of_pair = np.ones(len(goal)), np.where(same, settings.same_weight, 0.0)
    for _ in range(_ROUNDS):
        trusted, pulled = rows * trust[:, None], falls * pull_of_pair[:, None]
        curvature = rows.T @ trusted + falls.T @ pulled
        curvature[np.diag_indices_from(curvature)] += settings.ridge
        weights = cho_solve(cho_factor(curvature), trusted.T @ goal + pulled.T @ margins)
        trust = np.minimum(1, settings.outlier / np.maximum(abs(rows @ weights - goal), 1e-9))
        short = settings.pair_weight * (falls @ weights < margins)
        pull_of_pair = np.where(same, settings.same_weight, short)
    return weights
