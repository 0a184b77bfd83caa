"""Judge a ranked table: figures that need no ratings, and pictures of its scores, best and worst."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from .evaluation.proxy_metrics import proxy_metrics
from .evaluation.visualization import histograms
from .looking import keepers, montage
from .tables import as_table, columns_of, measured_rows
from .utils import io


def evaluate(table: Any) -> dict[str, Any]:
    """Score spread, share of near-duplicates and sharpness correlation of a ranking.

    Args:
        table: from `rank` or `load`, or the path of a saved one.

    Returns:
        What `evaluation.proxy_metrics` says: figures ready for JSON, None with a reason where one
        cannot be had.

    Raises:
        ValueError: not a ranked table.
    """
    return proxy_metrics(as_table(table))


def draw(table: pd.DataFrame, name: str, top_k: int = 20) -> list[Path]:
    """Write `results/<name>.png` (histograms) and montages of the best and worst `top_k` photos.

    The montages are `output/topk_images/<name>/top.jpg` and `bottom.jpg`, keepers only.

    Raises:
        ValueError: not a ranked table, nothing ranked in it, or a place that cannot be written.
    """
    ranked = measured_rows(table)
    if ranked.empty:
        raise ValueError("no photo in this table was ranked: nothing to draw")
    picture = Path("results", f"{name}.png")
    declared = [c for c in columns_of(ranked) if c["name"] in ranked and not c.get("foreign")]
    io.write(picture, lambda part: histograms(ranked, part, declared or None, name))
    folder = Path("output", "topk_images", name)
    best = keepers(ranked)
    return [
        picture,
        montage(best.head(top_k), folder / "top.jpg", f"{name}: the best"),
        montage(best.tail(top_k), folder / "bottom.jpg", f"{name}: the worst"),
    ]
