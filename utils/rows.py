"""Which rows of a table are photos that could not be measured."""

from __future__ import annotations

import numpy as np
import pandas as pd


def failed(table: pd.DataFrame) -> np.ndarray:
    """(n,) whether a row has an `error`."""
    if "error" not in table:
        return np.zeros(len(table), bool)
    return np.asarray(table["error"].notna() & (table["error"] != ""), bool)
