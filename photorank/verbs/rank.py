"""Measure and rank photos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from photorank.config.config import Settings
from photorank.ranking.fusion import Scale
from photorank.utils.rows import measured_rows

from ..plan import Plan
from ..table.columns import columns_of
from ..table.files import as_table, is_table


def rank(source: Any, **settings: Any) -> pd.DataFrame:
    """Rank photos, best first, with what each score is made of.

    Args:
        source: a folder (searched with all folders below it), a list of folders or of paths, a dict
            of name -> uint8 RGB array or PIL image, or a table of measurements (from `extract`, any
            DataFrame with numeric columns, or the path of such a table), ranked without opening a
            photo. `file` is the path in the folder, or in what several folders lie in together.
        **settings: any field of `Settings`, by the name of its flag.

    Returns:
        One row per photo, best first and failed ones last (`rank` empty, `error` filled); the README
        lists the columns. `table.attrs["photorank"]` holds settings, versions, weights, scale and
        counts: what the sidecar of a CSV holds.

    Raises:
        ValueError: wrong settings, or nothing that could be ranked in `source`.

    Writes nothing but the file `cache`, if one is named (docs/performance.md), and downloads nothing:
    CLIP is used if its weights are already on this machine.
    """
    return Plan.of(source, Settings.load(settings)).run()


def extract(source: Any, features: Sequence[Any] = (), **settings: Any) -> pd.DataFrame:
    """Measure photos without ranking them.

    Args:
        source: a folder, a list of paths, or a dict of name -> uint8 RGB array or PIL image.
        features: `Feature`s, `Head`s or names of built-in features; none: all, and CLIP if its
            weights are already on this machine.
        **settings: fields of `Settings` that bear on measuring; with `cache` photos that are in that
            file as they are now are not opened again.

    Returns:
        One row per photo in the order found: file, path, the columns of the features, width, height,
        bytes, jpeg_quality, taken_at, camera, error. Their declarations are in `table.attrs["photorank"]`.

    Raises:
        ValueError: wrong settings, no photos, a table, or features whose columns clash.
    """
    if is_table(source):
        raise ValueError(
            "extract measures photos, and this is a table: give the folder of its photos, or rank it"
        )
    return Plan.of(source, Settings.load(settings | {"features": features})).measure()


def fit_scale(table: Any, normalization: str = "robust") -> Scale:
    """Fit a normalisation to a table of measurements; with `rank(scale=...)` it serves other folders.

    Args:
        table: a DataFrame, or the path of a saved one.
        normalization: "robust", "minmax" or "rank".

    Raises:
        ValueError: an unknown method.
    """
    table = as_table(table)
    ranked = [c for c in columns_of(table) if c["better"] != "neither"]
    return Scale.fit(measured_rows(table), ranked, normalization)
