"""Which photo of a group of near-duplicates is kept: the soundest, not the luckiest score."""

from __future__ import annotations

import numpy as np
import pandas as pd

from photorank.utils.cells import truths
from photorank.utils.rows import failed, numbers

# Chosen so that of 6,400 copies made worse by known amounts the fewest pass for sounder than their
# original; docs/near_duplicates.md has the figures.
_EXPOSURE, _NOISE, _DETAIL, _COLOUR = (
    0.18,
    -0.04,
    0.03,
    0.03,
)  # for 1 of `quality`; but the first of logarithms
_FLOOR, _FLOOR_OF_COLOUR = 0.3, 3.0  # added before logarithms are taken
_JPEG, _PIXELS = (
    0.002,
    0.03,
)  # of a step of JPEG quality, and of a logarithm: between equal pictures
_MEASURED = ("quality", "exposure", "noise", "laplacian_variance", "colourfulness")


def soundness(table: pd.DataFrame) -> np.ndarray:
    """(n,) how little damage each photo shows beside others of the same picture; higher is better.

    Two photos of different things cannot be compared by it: it rises with detail and light.

    Args:
        table: measurements; where one of `_MEASURED` is missing nothing is known, and all are 0.
    """
    if not set(_MEASURED) <= set(table):
        return np.zeros(len(table))
    quality, exposure, noise, detail, colour = (numbers(table[name]) for name in _MEASURED)
    sound = quality + _EXPOSURE * exposure + _NOISE * _log(noise) + _DETAIL * _log(detail)
    sound += _COLOUR * _log(colour, _FLOOR_OF_COLOUR)
    if "jpeg_quality" in table:
        sound += _JPEG * np.nan_to_num(numbers(table["jpeg_quality"]), nan=100)
    if {"width", "height"} <= set(table):
        sound += _PIXELS * _log(numbers(table["width"]) * numbers(table["height"]))
    return np.nan_to_num(sound, nan=-np.inf)


def _log(values: np.ndarray, floor: float = _FLOOR) -> np.ndarray:
    return np.log(np.maximum(values, 0) + floor)


def keepers_first(table: pd.DataFrame) -> pd.DataFrame:
    """The same photos, each keeper at the place of the first of its group, the others in their order."""
    places = np.arange(len(table), dtype=float)
    keeps = table["dup_keeper"].to_numpy(bool)
    first = pd.Series(places).groupby(table["dup_group"].to_numpy()).transform("min").to_numpy()
    places[keeps] = first[keeps] - 0.5
    return numbered(table.iloc[np.argsort(places, kind="stable")])


def keep_best(table: pd.DataFrame) -> pd.DataFrame:
    """The same photos with every one that is not a keeper ranked after all keepers.

    Within the keepers, and within the others, the order stays; failed rows stay last.

    Raises:
        ValueError: the table has no `dup_keeper`.
    """
    if "dup_keeper" not in table.columns:
        raise ValueError("keep-best needs the column 'dup_keeper': mark near-duplicates first")
    ranked = ~failed(table)
    keepers = truths(table["dup_keeper"]) & ranked
    tier = np.where(keepers, 0, np.where(ranked, 1, 2))
    return numbered(table.iloc[np.argsort(tier, kind="stable")])


def numbered(table: pd.DataFrame) -> pd.DataFrame:
    """A copy whose `rank` counts from 1 in the order of the rows; failed ones have none."""
    ranks = pd.Series(range(1, len(table) + 1), index=table.index, dtype="Int64")
    return table.assign(rank=ranks.mask(failed(table)))
