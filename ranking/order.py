"""Put scored photos in order."""

from __future__ import annotations

import pandas as pd


def order(table: pd.DataFrame) -> pd.DataFrame:
    """Best first: by `final_score`, ties by `path`; `rank` counts from 1; failed photos come last.

    Args:
        table: with `path`, `final_score` and `error` (None for a photo that could be measured).

    Returns:
        The same rows in order, with `rank` (nullable integer, empty for failed photos) in front and
        a fresh index.
    """
    failed = table["error"].notna()
    ranked = table[~failed].sort_values(["final_score", "path"], ascending=[False, True])
    ordered = pd.concat([ranked, table[failed].sort_values("path")], ignore_index=True)
    numbers = pd.Series(range(1, len(ordered) + 1), dtype="Int64")
    ordered.insert(0, "rank", numbers.where(ordered["error"].isna()))
    return ordered
