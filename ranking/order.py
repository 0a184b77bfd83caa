"""Put scored photos in order."""

from __future__ import annotations

import numpy as np
import pandas as pd

from photorank.utils.rows import failed


def order(table: pd.DataFrame) -> pd.DataFrame:
    """Best first: by `final_score`, ties by `path`; `rank` counts from 1; failed photos come last.

    Args:
        table: with `path`, `final_score` (empty for a failed photo) and `error` (None if it did not fail).

    Returns:
        The same rows in order, with `rank` (nullable integer, empty for failed photos) in front and
        a fresh index.
    """
    by_path = table.iloc[np.argsort(table["path"].to_numpy(object), kind="stable")]
    ordered = by_path.sort_values(
        "final_score", ascending=False, kind="stable", na_position="last", ignore_index=True
    )
    numbers = pd.Series(range(1, len(ordered) + 1), dtype="Int64")
    ordered.insert(0, "rank", numbers.mask(failed(ordered)))
    return ordered
