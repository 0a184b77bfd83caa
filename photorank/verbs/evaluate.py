"""Judge a ranked table: by itself, by people's ratings, and by pictures of its best and worst."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from photorank.evaluation.agreement import agreement, agreement_by_column
from photorank.evaluation.plots.calibration import calibration
from photorank.evaluation.proxy_metrics import proxy_metrics
from photorank.evaluation.visualization import histograms
from photorank.utils import io
from photorank.utils.rows import measured_rows

from ..table.columns import columns_of, derived_columns
from ..table.files import as_table
from ..table.labels import Labels, match_labels, read_labels, scenes_of
from .show import keepers, montage


def evaluate(table: Any, labels: Labels | None = None) -> dict[str, Any]:
    """Score spread, near-duplicates and sharpness correlation of a ranking; agreement with ratings.

    Args:
        table: from `rank` or `load`, or the path of a saved one.
        labels: ratings (a table or the file of one: file, rating, perhaps scene); photos without a
            rating are left out of the agreement.

    Returns:
        What `evaluation.proxy_metrics` says: figures ready for JSON, None with a reason where one
        cannot be had. With labels also `agreement`: what `evaluation.agreement` says of
        `final_score`, `columns` with the rank correlation of each column, and `notes` on labels
        that could not be used.

    Raises:
        ValueError: not a ranked table, or labels that fit none of its photos.
    """
    ranked = as_table(table)
    metrics = proxy_metrics(ranked)
    return metrics if labels is None else metrics | {"agreement": _agreement(ranked, labels)}


def _agreement(table: pd.DataFrame, labels: Labels) -> dict[str, Any]:
    given = read_labels(labels)
    photos, notes = _rated(table, given)
    rating, scene = photos["_rating"], photos["_scene"]
    not_judged = {*derived_columns(table), *given.attrs["columns"]}
    numeric = photos.select_dtypes("number").dropna(axis=1, how="all")
    better = {c["name"]: c["better"] for c in columns_of(table) if c["name"] in numeric}
    names = [n for n in numeric if n == "final_score" or (n in better and n not in not_judged)]
    return agreement(photos["final_score"], rating, scene) | {
        "columns": agreement_by_column(numeric[names], rating, scene, better),
        "notes": notes,
    }


def _rated(table: pd.DataFrame, given: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The photos that have a rating, with `_rating` and `_scene`."""
    photos = measured_rows(table).dropna(subset="final_score")
    if photos.empty:
        raise ValueError("no photo in this table was ranked: nothing to compare with ratings")
    rated, notes = match_labels(given, photos)
    groups = scenes_of(photos, rated, notes)
    return photos.loc[rated.index].assign(_rating=rated["rating"], _scene=groups), notes


def draw(table: pd.DataFrame, name: str, top_k: int = 20) -> list[Path]:
    """Write `results/<name>.png` (histograms) and montages of the best and worst `top_k` photos.

    The montages are `output/topk_images/<name>/top.jpg`, of near-duplicates the keeper only, and
    `bottom.jpg`; each of at most half of the photos.

    Raises:
        ValueError: not a ranked table, nothing ranked in it, or a place that cannot be written.
    """
    ranked = measured_rows(table)
    if ranked.empty:
        raise ValueError("no photo in this table was ranked: nothing to draw")
    if top_k < 1:
        raise ValueError(f"top_k is a whole number from 1 up, got {top_k}")
    declared = [c for c in columns_of(ranked) if c["name"] in ranked and not c.get("foreign")]
    picture = io.write_ours(
        Path("results", f"{name}.png"),
        lambda part: histograms(ranked, part, declared or None, name),
    )
    folder = Path("output", "topk_images", name)
    best, worst = best_and_worst(ranked, top_k)
    return [
        picture,
        montage(best, folder / "top.jpg", f"{name}: the best"),
        montage(worst, folder / "bottom.jpg", f"{name}: the worst, worst first"),
    ]


def best_and_worst(ranked: pd.DataFrame, top_k: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Up to `top_k` photos of the better half, keepers only, and of the other half, worst first."""
    by_score = ranked.sort_values("final_score", ascending=False, kind="stable")
    half = max(1, len(ranked) // 2)  # no photo is both, but one that is alone
    return keepers(by_score.head(half)).head(top_k), by_score.tail(half)[::-1].head(top_k)


def write(found: dict[str, Any], name: str) -> Path:
    """Write what `evaluate` returned as `results/evaluation_<name>.json`.

    Raises:
        ValueError: a place that cannot be written, or holds somebody else's file.
    """
    return io.write_figures(Path("results", f"evaluation_{name}.json"), "evaluate", found)


def draw_agreement(
    table: pd.DataFrame, labels: Labels, found: dict[str, Any], name: str, top_k: int = 20
) -> list[Path]:
    """Write `results/<name>_calibration.png` and `output/topk_images/<name>/disagreements.jpg`.

    Args:
        found: `agreement` from `evaluate(table, labels)`.
        top_k: how many photos the second shows.

    Raises:
        ValueError: labels that fit no photo, or a place that cannot be written.
    """
    photos, _ = _rated(table, read_labels(labels))
    score, rating = photos["final_score"].to_numpy(float), photos["_rating"].to_numpy(float)
    picture = io.write_ours(
        Path("results", f"{name}_calibration.png"),
        lambda part: calibration(score, rating, found, part, name),
    )
    worst = _furthest_apart(photos).head(top_k)
    title = (
        f"{name}: rank by score in grey, by rating below, of {len(photos)}; furthest apart first"
    )
    return [
        picture,
        montage(worst, Path("output", "topk_images", name, "disagreements.jpg"), title),
    ]


def _furthest_apart(photos: pd.DataFrame) -> pd.DataFrame:
    """The rated photos, those first whose ranks by score and by rating lie furthest apart.

    `rank` is that by score and `file` begins with that by rating, both among the rated photos;
    equal ones share their mean rank.
    """
    by_score = photos["final_score"].rank(ascending=False)
    by_rating = photos["_rating"].rank(ascending=False)
    pairs = zip(by_rating, photos["file"], strict=True)
    captions = [f"{place:.0f} by rating · {file}" for place, file in pairs]
    apart = (by_score - by_rating).abs().sort_values(ascending=False, kind="stable")
    shown = photos.assign(rank=by_score.round().astype(int), file=captions).loc[apart.index]
    return shown.drop(columns="dup_size", errors="ignore")  # the count of copies is no matter here
