"""What a ranking looks like when nobody has rated the photos: three figures and how to read them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from photorank.utils import stats, text
from photorank.utils.cells import truths
from photorank.utils.rows import measured_rows, numbers

_FEWEST = 3  # with two photos every correlation is 1 or -1
_READINGS = {
    "score_std": "how far scores lie apart; near 0 the order means little",
    "duplicate_fraction": "share of photos that are near-duplicates of a better one",
    "sharpness_corr": "near 1: {other} repeats sharpness; below 0: likes soft photos",
}


def proxy_metrics(table: pd.DataFrame) -> dict[str, Any]:
    """Score spread, share of near-duplicates, and how much of the score is sharpness.

    None of them says that a ranking is right: that takes ratings. They show a score that hardly
    tells the photos apart, a folder full of copies, and a score that repeats one column.

    Args:
        table: ranked photos with `final_score`, and `dup_keeper`, `sharpness` and `aesthetic` where
            there are such. Rows with an `error` are left out.

    Returns:
        Ready for JSON:
        `n`: photos ranked.
        `score_std`: population standard deviation of the score: 0 where all are equal, .5 at most.
        `duplicate_fraction`: photos that are not keepers / photos ranked, 0 to below 1.
        `sharpness_corr`: `pearson` and `spearman`, -1 to 1, of sharpness and the column named in
        `with`: aesthetic, or final_score where aesthetic is empty; `n` photos have both.
        `absent`: for each figure that is None, the reason.

    Raises:
        ValueError: no column `final_score`.

    >>> proxy_metrics(pd.DataFrame({"final_score": [0.2, 0.4, 0.6]}))["score_std"]
    0.163299
    """
    if "final_score" not in table:
        raise ValueError(
            "evaluation needs a ranked table, with the column 'final_score'; this one has "
            f"{', '.join(map(str, table.columns)) or 'no columns'}: rank it first"
        )
    photos = measured_rows(table)
    absent: dict[str, str] = {}
    return {
        "n": len(photos),
        "score_std": _score_std(photos, absent),
        "duplicate_fraction": _duplicate_fraction(photos, absent),
        "sharpness_corr": _sharpness_corr(photos, absent),
        "absent": absent,
    }


def as_line(metrics: dict[str, Any]) -> str:
    """The three figures to three digits as JSON that fits a line; sharpness_corr is Spearman's."""
    figures = {name: metrics[name] for name in ("score_std", "duplicate_fraction")}
    figures["sharpness_corr"] = metrics["sharpness_corr"]["spearman"]
    return json.dumps({n: v if v is None else round(v, 3) for n, v in figures.items()})


def as_text(metrics: dict[str, Any]) -> str:
    """The result of `proxy_metrics` as a table: figure, value, how to read it or why it is absent."""
    corr = metrics["sharpness_corr"]
    values = {name: metrics[name] for name in ("score_std", "duplicate_fraction")}
    values |= {f"sharpness_corr, {kind}": corr[kind] for kind in ("pearson", "spearman")}
    rows = [(f"photos ranked: {metrics['n']}", "", "")]
    for name, value in values.items():
        figure = name.split(",")[0]
        reading = metrics["absent"].get(figure) or _READINGS[figure].format(other=corr["with"])
        rows.append((name, "absent" if value is None else f"{value:.3f}", reading))
    return text.table(rows)


def _score_std(photos: pd.DataFrame, absent: dict[str, str]) -> float | None:
    scores = _numbers(photos, "final_score").dropna()
    if len(scores) < 2:
        absent["score_std"] = f"{len(scores)} photo(s) with a score: spread needs two"
        return None
    return _rounded(scores.std(ddof=0))


def _duplicate_fraction(photos: pd.DataFrame, absent: dict[str, str]) -> float | None:
    if "dup_keeper" not in photos or photos.empty:
        absent["duplicate_fraction"] = (
            "no photos" if photos.empty else "near-duplicates are not marked: no column dup_keeper"
        )
        return None
    keepers = truths(photos["dup_keeper"])
    return _rounded(1 - keepers.mean())


def _sharpness_corr(photos: pd.DataFrame, absent: dict[str, str]) -> dict[str, Any]:
    aesthetic = _numbers(photos, "aesthetic")
    other = "aesthetic" if aesthetic.notna().any() else "final_score"
    both = pd.DataFrame({"x": _numbers(photos, "sharpness"), "y": _numbers(photos, other)}).dropna()
    result: dict[str, Any] = {"with": other, "pearson": None, "spearman": None, "n": len(both)}
    reason = None
    if "sharpness" not in photos:
        reason = "no column sharpness"
    elif len(both) < _FEWEST:
        reason = f"{len(both)} photo(s) with sharpness and {other}: correlation needs {_FEWEST}"
    else:
        columns = {"sharpness": both.x, other: both.y}
        constant = [name for name, values in columns.items() if values.nunique() == 1]
        if constant:
            reason = f"{' and '.join(constant)} is the same for all {len(both)} photos"
    if reason:
        absent["sharpness_corr"] = reason
        return result
    result["pearson"] = _rounded(stats.pearson(both.x.to_numpy(), both.y.to_numpy()))
    result["spearman"] = _rounded(stats.spearman(both.x.to_numpy(), both.y.to_numpy()))
    return result


def _numbers(photos: pd.DataFrame, column: str) -> pd.Series[float]:
    """A column as floats; empty where there is no finite number, or no such column."""
    values = numbers(photos[column]) if column in photos else np.nan
    return pd.Series(values, index=photos.index, dtype=float)


def _rounded(value: float) -> float:
    return round(float(value), 6)
