"""How well scores agree with people's ratings: correlations with intervals, and the best of each scene."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, special

from photorank.utils import stats, text
from photorank.utils.words import plural

from .best_of_scene import MARGIN, best_of_scene

FEWEST = 3  # photos: with two every correlation is 1 or -1
_FEWEST_FITTED = 5  # different scores; four parameters pass through fewer exactly
_FLAT, _STEEP = 0.01, 100.0  # a straight line over the standard deviation, a step between quartiles
_STARTS = 8  # the grid's best may lie beside a lesser valley
_BEYOND = 10.0  # standard deviations that the middle may lie outside the scores
_FINE = {"xatol": 1e-7, "fatol": 1e-13, "maxiter": 2000}
_READINGS = {
    "spearman": "order: 1 as people order them, 0 unrelated, -1 reversed",
    "kendall": "pairs in the same order less pairs in the other, 1 to -1",
    "pearson": "how straight the line from score to rating is",
    "pearson_fitted": "the same after a bent line, the 4-parameter logistic",
    "best_of_scene": "how often a scene's best is found",
}


def agreement(
    score: Any,
    rating: Any,
    scene: Any = None,
    resamples: int = 1000,
    seed: int = 0,
    margin: float = MARGIN,
) -> dict[str, Any]:
    """Correlations of a score with people's ratings, and how often it finds the best of a scene.

    Photos of one scene are alike in score and in rating. The 95 % intervals therefore draw whole
    scenes with replacement; drawn photo by photo they would be too narrow. They speak for the people
    and the sort of photos that were rated, and for no others.

    What fools it: ratings of another sort of photo than one's own; a few very bad photos, which any
    score finds; a curve fitted to few photos, which bends to chance.

    Args:
        score, rating: (n,) numbers, higher is better; photos where either is missing are left out.
        scene: (n,) names or numbers; None: each photo stands alone, as does one without a scene.
        resamples: how many times the scenes are drawn.
        seed: the same seed draws the same scenes.
        margin: 0 to 1, share of the ratings' range by which a scene's ratings must differ.

    Returns:
        Ready for JSON:
        `n`, `scenes`: photos that have both numbers, and their scenes.
        `spearman`, `pearson`, `kendall` (tau-b): each `value low high`; -1 reversed, 0 unrelated, 1
        in accord. `pearson_fitted`: Pearson's r after the curve of `fit_logistic`, never below 0;
        the curve is in `fit`, and the interval keeps it as it is.
        `best_of_scene`: what that function returns.
        `absent`: for each figure or interval that is None, the reason.

    Raises:
        ValueError: arguments of different lengths, or out of range.

    >>> round(agreement([1, 2, 3, 4], [1, 2, 4, 3])["kendall"]["value"], 3)
    0.667
    """
    photos = _photos(score, rating, scene)
    x, y, scenes = (photos[name].to_numpy() for name in photos)
    found: dict[str, Any] = {"n": len(photos), "scenes": len(np.unique(scenes))}
    absent: dict[str, str] = {}
    reason = _uncorrelated(photos)
    fit, no_fit = (None, reason) if reason else fit_logistic(x, y)
    fitted = logistic(x, **fit) if fit else x
    for name, figure, columns, why_not in (
        ("spearman", stats.spearman_of_places, (stats.places(x), stats.places(y)), reason),
        ("pearson", stats.pearson, (x, y), reason),
        ("pearson_fitted", stats.pearson, (fitted, y), no_fit),
        ("kendall", stats.kendall, (x, y), reason),
    ):
        found[name], why = None, why_not
        if not why_not:
            found[name], why = stats.estimate(figure, columns, scenes, resamples, seed)
        if why:
            absent[f"{name} interval" if found[name] else name] = why
    best = best_of_scene(photos["score"], photos["rating"], photos["scene"], margin)
    if isinstance(best, str):
        absent["best_of_scene"] = best
    return found | {
        "fit": fit,
        "best_of_scene": None if isinstance(best, str) else best,
        "absent": absent,
    }


def agreement_by_column(
    columns: pd.DataFrame,
    rating: Any,
    scene: Any = None,
    better: Mapping[str, str] | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Spearman's correlation of each column with people's ratings: which columns earn their place.

    Args:
        columns: (n, k) numbers.
        rating, scene, resamples, seed: as for `agreement`.
        better: the declared direction of each column, "higher" (if not named), "lower" or "neither".

    Returns:
        A row per column, the strongest first: `column better n spearman low high verdict`. The
        verdict is "agrees" where the whole interval lies on the declared side of 0, "contradicts"
        where it lies on the other, "related" where no side is declared, "unclear" where the
        interval holds 0; or the reason why there is no figure or no interval.

    Raises:
        ValueError: as for `agreement`.
    """
    rows = []
    for column in columns:
        photos = _photos(columns[column], rating, scene)
        way, reason = (better or {}).get(str(column), "higher"), _uncorrelated(photos, "column")
        found: dict[str, float | None] | None = None
        if not reason:
            x, y, scenes = (photos[name].to_numpy() for name in photos)
            order = (stats.places(x), stats.places(y))
            figure = stats.spearman_of_places
            found, reason = stats.estimate(figure, order, scenes, resamples, seed)
        value, low, high = (found or {"value": None, "low": None, "high": None}).values()
        row = {"column": str(column), "better": way, "n": len(photos), "spearman": value}
        verdict = reason or _verdict(low or 0.0, high or 0.0, way)
        rows.append(row | {"low": low, "high": high, "verdict": verdict})
    return sorted(rows, key=lambda row: -abs(row["spearman"] or 0))


def as_text(found: Mapping[str, Any]) -> str:
    """The result of `agreement`, and of `agreement_by_column` if it is there as `columns`, as tables."""
    rows: list[tuple[str, ...]] = [("", "value", "95 % interval", "")]
    for name, reading in _READINGS.items():
        figure = found[name]
        reading = found["absent"].get(name) or found["absent"].get(f"{name} interval") or reading
        if name == "best_of_scene" and figure:
            reading += f"; chance {figure['chance']:.3f}, {plural(figure['n'], 'scene')}"
        rows.append((name, *_numbers(figure), reading))
    photos = f"{plural(found['n'], 'photo')}, {plural(found['scenes'], 'scene')}"
    parts = [f"agreement with ratings: {photos}", text.table(rows)]
    if any(row["spearman"] is not None for row in found.get("columns", ())):
        rows = [("column", "better", "spearman", "95 % interval", "n", "")]
        for row in found["columns"]:
            figure = _numbers(row | {"value": row["spearman"]})
            rows.append((row["column"], row["better"], *figure, str(row["n"]), row["verdict"]))
        parts += ["\neach column's order against the ratings'", text.table(rows)]
    return "\n".join([*parts, *text.notes(found.get("notes", ()))])


def logistic(score: np.ndarray, b1: float, b2: float, b3: float, b4: float) -> np.ndarray:
    """b2 + (b1 - b2) / (1 + exp(-(score - b3) / |b4|)): from b2 for low scores to b1 for high ones.

    >>> logistic(np.array([-100.0, 3.0, 100.0]), 5, 1, 3, 2).tolist()
    [1.0, 3.0, 5.0]
    """
    return b2 + (b1 - b2) * special.expit((np.asarray(score, float) - b3) / abs(b4))


def fit_logistic(score: np.ndarray, rating: np.ndarray) -> tuple[dict[str, float] | None, str]:
    """Fit the four parameters of `logistic` by least squares, or say why that cannot be done.

    Quality research fits this curve first: Pearson's r after it does not count a bend against a
    score, nor its direction (b1 is below b2 where the score falls with the rating). On few photos it
    bends to chance.

    For a given `b3, b4` the best `b1, b2` are a linear regression, so that two parameters remain:
    the best few of a grid of them, refined, which cannot diverge. Where a line or a step fits best, `b4`
    ends at the border: 100 standard deviations, or 1/100 of the range between the quartiles.

    References:
        VQEG, Final report on the validation of objective models of video quality assessment, phase
        II, 2003; Sheikh, Sabir and Bovik 2006, doi:10.1109/TIP.2006.881959.
    """
    different = len(np.unique(score))
    if different < _FEWEST_FITTED:
        return None, f"{different} different scores: a fit of 4 parameters needs {_FEWEST_FITTED}"
    unit, size = np.abs(score).max(), np.abs(rating).max() or 1.0  # so that no square overflows
    centre, spread = (score / unit).mean(), (score / unit).std()
    if spread < stats.NEARLY_CONSTANT * abs(centre) or np.ptp(rating) == 0:
        return None, "score or rating is too nearly constant to fit"
    z, y = (score / unit - centre) / spread, rating / size

    def lost(p: np.ndarray) -> float:
        """The share of the ratings' variance that the curve of slope exp(p[0]) about p[1] leaves."""
        curve = special.expit(np.exp(p[0]) * (z - p[1]))
        return float(1 - np.nan_to_num(stats.pearson(curve, y)) ** 2)

    quartiles = float(np.subtract(*np.quantile(z, (0.75, 0.25)))) or 1.0  # far below 1: heavy tails
    slopes = (np.log(_FLAT), np.log(_STEEP / min(quartiles, 1.0)))
    middles = (z.min() - _BEYOND, z.max() + _BEYOND)
    places = (*np.quantile(z, np.linspace(0, 1, 25)), *middles)
    grid = map(np.array, itertools.product(np.linspace(*slopes, 13), places))
    fine: Any = {"method": "Nelder-Mead", "bounds": (slopes, middles), "options": _FINE}
    starts = heapq.nsmallest(_STARTS, grid, key=lost)
    found = (optimize.minimize(lost, start, **fine) for start in starts)
    best = min(found, key=lambda one: one.fun).x
    b3, b4 = unit * (centre + spread * best[1]), unit * spread / np.exp(best[0])
    rise, low = size * np.polyfit(logistic(score, 1, 0, b3, b4), y, 1)
    return {"b1": float(low + rise), "b2": float(low), "b3": float(b3), "b4": float(b4)}, ""


def _photos(score: Any, rating: Any, scene: Any) -> pd.DataFrame:
    """`score rating scene` of the photos that have both numbers; scenes numbered from 0."""
    score, rating = np.asarray(score, float), np.asarray(rating, float)
    alone = np.arange(len(rating))
    names = alone if scene is None else np.asarray(scene, object)
    if not score.shape == rating.shape == names.shape == alone.shape:
        raise ValueError(
            "score, rating and scene are one value per photo each; their shapes are "
            f"{score.shape}, {rating.shape} and {names.shape}"
        )
    both = np.isfinite(score) & np.isfinite(rating)
    scenes = stats.scene_numbers(names[both])
    return pd.DataFrame({"score": score[both], "rating": rating[both], "scene": scenes})


def _uncorrelated(photos: pd.DataFrame, what: str = "score") -> str:
    """Why these photos have no correlation, or nothing."""
    if len(photos) < FEWEST:
        return f"{len(photos)} photo(s) with {what} and rating: correlation needs {FEWEST}"
    names = {"score": what, "rating": "rating"}
    same = [name for column, name in names.items() if photos[column].nunique() == 1]
    return f"{' and '.join(same)} the same for all {len(photos)} photos" if same else ""


def _verdict(low: float, high: float, better: str) -> str:
    if low <= 0 <= high:
        return "unclear"
    if better == "neither":
        return "related"
    return "agrees" if (low > 0) == (better == "higher") else "contradicts"


def _numbers(figure: Mapping[str, Any] | None) -> tuple[str, str]:
    if figure is None or figure["value"] is None:
        return "absent", ""
    low, high = figure["low"], figure["high"]
    return f"{figure['value']:.3f}", "" if low is None else f"{low:.3f} to {high:.3f}"
