"""Which rows of a table are photos that could be measured: those without an `error`."""

from __future__ import annotations

import numpy as np
import pandas as pd


def failed(table: pd.DataFrame) -> np.ndarray:
    """(n,) whether a row has an `error`."""
    if "error" not in table:
        return np.zeros(len(table), bool)
    return np.asarray(table["error"].notna() & (table["error"] != ""), bool)


def measured_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows without an `error`; an empty text is none."""
    return table[~failed(table)]
