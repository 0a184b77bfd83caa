"""Which rows of a table are photos that could be measured, and what of a column is a number."""

from __future__ import annotations

from typing import Any

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


def numbers(column: pd.Series[Any]) -> np.ndarray:
    """(n,) float64, NaN for whatever is no finite number."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def finite(column: pd.Series[Any]) -> np.ndarray:
    """The finite numbers of a column."""
    values = numbers(column)
    return values[~np.isnan(values)]
