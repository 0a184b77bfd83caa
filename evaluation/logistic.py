"""The monotonic curve between a score and people's ratings that quality research fits first."""

from __future__ import annotations

import numpy as np
from scipy import optimize, special

_FEWEST = 5  # different scores; four parameters pass through fewer exactly
_FLAT, _STEEP = 0.01, 100.0  # a straight line over the standard deviation, a step between quartiles
_NEARLY_CONSTANT = 1e-13  # spread beside the mean: below it there is rounding error only
_BEYOND = 10.0  # standard deviations that the middle may lie outside the scores


def logistic(score: np.ndarray, b1: float, b2: float, b3: float, b4: float) -> np.ndarray:
    """b2 + (b1 - b2) / (1 + exp(-(score - b3) / |b4|)): from b2 for low scores to b1 for high ones.

    >>> logistic(np.array([-100.0, 3.0, 100.0]), 5, 1, 3, 2).tolist()
    [1.0, 3.0, 5.0]
    """
    return b2 + (b1 - b2) * special.expit((np.asarray(score, float) - b3) / abs(b4))


def fit_logistic(score: np.ndarray, rating: np.ndarray) -> tuple[dict[str, float] | None, str]:
    """Fit the four parameters of `logistic` by least squares, or say why that cannot be done.

    A score need not rise in equal steps with people's ratings to be a good one; Pearson's r after
    this fit does not count the bend against it, nor the direction: for a score that falls where
    ratings rise b1 is below b2. On few photos the curve bends to chance.

    For a given `b3, b4` the best `b1, b2` are a linear regression, so that two parameters remain:
    the best of a grid of them, refined. That finds the least squares from anywhere and cannot
    diverge; where a line or a step fits best, `b4` ends at the border: 100 standard deviations of
    the score, or 1/100 of the range between its quartiles.

    Args:
        score, rating: (n,) finite.

    Returns:
        `b1 b2 b3 b4`, or None, and the reason if it is None.

    References:
        VQEG, Final report on the validation of objective models of video quality assessment, phase
        II, 2003; Sheikh, Sabir and Bovik 2006, doi:10.1109/TIP.2006.881959.
    """
    different = len(np.unique(score))
    if different < _FEWEST:
        return None, f"{different} different scores: a fit of 4 parameters needs {_FEWEST}"
    unit, size = np.abs(score).max(), np.abs(rating).max() or 1.0  # so that no square overflows
    centre, spread = (score / unit).mean(), (score / unit).std()
    if spread < _NEARLY_CONSTANT * abs(centre) or np.ptp(rating) == 0:
        return None, "score or rating is too nearly constant to fit"
    v = rating / size - (rating / size).mean()
    slope, middle = _slope_and_middle((score / unit - centre) / spread, v)
    b3, b4 = unit * (centre + spread * middle), unit * spread / slope
    curve = logistic(score, 1, 0, b3, b4)
    rest = curve - curve.mean()
    rise = size * (rest @ v) / (rest @ rest)
    low = rating.mean() - rise * curve.mean()
    return {"b1": float(low + rise), "b2": float(low), "b3": float(b3), "b4": float(b4)}, ""


def _slope_and_middle(z: np.ndarray, v: np.ndarray) -> tuple[float, float]:
    """Of the curve 1 / (1 + exp(-slope (z - middle))) that correlates best with v, of mean 0."""

    def lost(p: np.ndarray) -> float:
        """The share of the variance of v that the curve of slope exp(p[0]) about p[1] leaves."""
        curve = special.expit(np.exp(p[0]) * (z - p[1]))
        curve = curve - curve.mean()
        length = curve @ curve
        flat = length < np.finfo(float).tiny
        return 1.0 if flat else float(1 - (curve @ v) ** 2 / length / (v @ v))

    quartiles = float(np.subtract(*np.quantile(z, (0.75, 0.25)))) or 1.0  # far below 1: heavy tails
    slopes = (np.log(_FLAT), np.log(_STEEP / min(quartiles, 1.0)))
    middles = (z.min() - _BEYOND, z.max() + _BEYOND)
    grid = [
        np.array([slope, middle])
        for slope in np.linspace(*slopes, 13)
        for middle in (*np.quantile(z, np.linspace(0, 1, 25)), *middles)
    ]
    options = {"xatol": 1e-7, "fatol": 1e-13, "maxiter": 2000}
    refined = [
        optimize.minimize(lost, at, method="Nelder-Mead", bounds=(slopes, middles), options=options)
        for at in sorted(grid, key=lost)[:3]
    ]
    best = min(refined, key=lambda found: found.fun).x
    return float(np.exp(best[0])), float(best[1])
