"""Degraded copies of a person's own photos, measured with the features that measured the photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .features.base import declare
from .features.extract import Row
from .features.extract import extract as measure
from .features.image import Photo, PhotoError
from .training.degradations import KINDS, degrade

LEVELS = (2, 4)
"""Of the five: one that an attentive viewer sees, and one that nobody overlooks."""

_ORIGINAL = ("", 0)


def measure_copies(
    paths: Sequence[str],
    features: Sequence[Any],
    workers: int | None,
    seed: int,
    watch: Callable[[Iterable[Row], int], Iterable[Row]] = lambda rows, total: rows,
) -> tuple[pd.DataFrame, list[str]]:
    """Measure each photo and a copy of it per kind and level, all made from its canonical picture.

    Copies are made one after the other and never written to disk.

    Args:
        watch: passes the rows on, given how many will come; for a progress bar.

    Returns:
        A row per picture: `path`, `kind` ("" for the photo itself), `level`, the columns of
        `features`; and the paths that could not be opened. A picture that could not be measured
        costs its photo all rows.
    """
    made: list[tuple[str, str, int]] = []
    lost: list[str] = []

    def pictures() -> Iterator[tuple[str, np.ndarray]]:
        for number, path in enumerate(paths):
            try:
                rgb = Photo.open(path).view()
            except (OSError, PhotoError):
                lost.append(path)
                continue
            for kind, level in (_ORIGINAL, *((k, v) for k in KINDS for v in LEVELS)):
                made.append((path, kind, level))
                yield path, degrade(rgb, kind, level, seed + number) if kind else rgb

    total = len(paths) * (1 + len(KINDS) * len(LEVELS))
    names = [column["name"] for column in declare(features)]
    rows = [
        [row.get(name) for name in ("error", *names)]
        for row in watch(measure(pictures(), features, workers), total)
    ]
    table = pd.DataFrame(rows, columns=["error", *names])
    table.insert(0, "path", [path for path, _, _ in made])
    table.insert(1, "kind", [kind for _, kind, _ in made])
    table.insert(2, "level", [level for _, _, level in made])
    failed = set(table.loc[table["error"].notna(), "path"])
    kept = table[~table["path"].isin(failed)].drop(columns="error")
    return kept.reset_index(drop=True), [*lost, *sorted(failed)]
