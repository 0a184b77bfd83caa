"""How well scores agree with people's ratings: correlations with intervals, and the best of each scene."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .best_of_scene import MARGIN, best_of_scene
from .logistic import fit_logistic, logistic
from .resampling import (
    FEWEST,
    Draws,
    Figure,
    counted_scenes,
    kendall,
    pearson,
    scene_numbers,
    spearman,
)
from .text_table import text_notes, text_table

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
    draws = Draws(photos["scene"].to_numpy(), resamples, seed)
    found: dict[str, Any] = {"n": len(photos), "scenes": draws.scenes}
    absent: dict[str, str] = {}
    fit, figures = _figures(photos)
    for name, figure in figures.items():
        found[name], reason = (None, figure) if isinstance(figure, str) else draws.estimate(figure)
        if reason:
            absent[f"{name} interval" if found[name] else name] = reason
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
    for name in columns:
        photos = _photos(columns[name], rating, scene)
        way, reason = (better or {}).get(str(name), "higher"), _uncorrelated(photos, "column")
        found: dict[str, float | None] | None = None
        if not reason:
            x, y, scenes = photos.to_numpy().T
            found, reason = Draws(scenes.astype(int), resamples, seed).estimate(spearman(x, y))
        value, low, high = (found or {"value": None, "low": None, "high": None}).values()
        row = {"column": str(name), "better": way, "n": len(photos), "spearman": value}
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
            reading += f"; chance {figure['chance']:.3f}, {counted_scenes(figure['n'])}"
        rows.append((name, *_numbers(figure), reading))
    photos = f"{found['n']} photo{'s' * (found['n'] != 1)}, {counted_scenes(found['scenes'])}"
    parts = [f"agreement with ratings: {photos}", text_table(rows)]
    if any(row["spearman"] is not None for row in found.get("columns", ())):
        rows = [("column", "better", "spearman", "95 % interval", "n", "")]
        for row in found["columns"]:
            figure = _numbers(row | {"value": row["spearman"]})
            rows.append((row["column"], row["better"], *figure, str(row["n"]), row["verdict"]))
        parts += ["\neach column's order against the ratings'", text_table(rows)]
    return "\n".join([*parts, *text_notes(found.get("notes", ()))])


def _figures(photos: pd.DataFrame) -> tuple[dict[str, float] | None, dict[str, Figure | str]]:
    """The fitted curve, and the figures by name, a reason in the place of one that cannot be had."""
    names = ("spearman", "pearson", "pearson_fitted", "kendall")
    reason = _uncorrelated(photos)
    if reason:
        return None, dict.fromkeys(names, reason)
    x, y = photos["score"].to_numpy(), photos["rating"].to_numpy()
    fit, no_fit = fit_logistic(x, y)
    fitted = pearson(logistic(x, **fit), y) if fit else no_fit
    return fit, dict(
        zip(names, (spearman(x, y), pearson(x, y), fitted, kendall(x, y)), strict=True)
    )


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
    scenes = scene_numbers(names[both])
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
    has_interval = figure["low"] is not None
    interval = f"{figure['low']:.3f} to {figure['high']:.3f}" if has_interval else ""
    return f"{figure['value']:.3f}", interval
