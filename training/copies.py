"""Degraded copies of a person's own photos, measured with the features that measured the photos."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from photorank.features.base import declare
from photorank.features.photo.image import Photo, PhotoError
from photorank.features.run.extract import extract as measure
from photorank.features.run.parts import Row
from photorank.utils.cells import truths
from photorank.utils.rows import failed
from photorank.utils.words import first

from .degradations import KINDS, degrade
from .weights.search import Pairs

LEVELS = (2, 4)
"""Of the five: one that an attentive viewer sees, and one that nobody overlooks."""

_ORIGINAL = ("", 0)


def choose(
    photos: pd.DataFrame, scenes: pd.Series[Any], count: int, seed: int, notes: list[str]
) -> pd.DataFrame:
    """Up to `count` photos whose files are still there, from as many scenes as can be.

    Where near-duplicates are marked, the best of each group: a darker copy of a photo is better for
    being brightened, and would teach the contrary.

    Raises:
        ValueError: none is there.
    """
    there = photos["path"].map(os.path.isfile).to_numpy(bool)
    gone = photos.loc[~there, "path"].to_list()
    if len(gone) == len(photos):
        raise ValueError(
            f"none of the {len(gone)} photos is where it was (the first: {gone[0]}): without labels, "
            "tuning makes copies of them; rank the folder again, or give labels"
        )
    if gone:
        notes.append(named(gone, len(photos), "photos are no longer there"))
    if "dup_keeper" in photos:
        there = there & truths(photos["dup_keeper"])
    mixed = photos[there].sample(frac=1, random_state=seed)
    turn = mixed.groupby(scenes.loc[mixed.index]).cumcount()
    return mixed.loc[turn.sort_values(kind="stable").index].head(count)


def measurable(
    columns: Sequence[dict[str, Any]], features: Sequence[Any], notes: list[str]
) -> tuple[list[dict[str, Any]], list[Any]]:
    """The columns that `features` measure just as they were measured, and the features for them.

    Raises:
        ValueError: there is no such column.
    """
    here = {c["name"]: c["version"] for c in declare(features)}
    kept = [c for c in columns if here.get(c["name"]) == c.get("version", "")]
    names = {c["name"] for c in kept}
    lost = ", ".join(c["name"] for c in columns if c["name"] not in names)
    if not kept:
        raise ValueError(
            f"{lost}: measured by another version of photorank, or not by it: rank the photos again, "
            "or give labels"
        )
    if lost:
        notes.append(f"cannot be measured on copies as they were, so not weighed: {lost}")
    return kept, [f for f in features if names & {column.name for column in f.columns}]


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
    total = len(paths) * (1 + len(KINDS) * len(LEVELS))
    names = ["error", *(column["name"] for column in declare(features))]
    rows = watch(measure(_pictures(paths, seed, made, lost), features, workers), total)
    table = pd.DataFrame([[row.get(name) for name in names] for row in rows], columns=names)
    for place, name in enumerate(("path", "kind", "level")):
        table.insert(place, name, [one[place] for one in made])
    unmeasured = set(table.loc[failed(table), "path"])
    kept = table[~table["path"].isin(unmeasured)].drop(columns="error")
    return kept.reset_index(drop=True), [*lost, *sorted(unmeasured)]


def _pictures(
    paths: Sequence[str], seed: int, made: list[tuple[str, str, int]], lost: list[str]
) -> Iterator[tuple[str, np.ndarray]]:
    """Each photo and its copies; what they are is added to `made`, what cannot be opened to `lost`."""
    for number, path in enumerate(paths):
        try:
            rgb = Photo.open(path).view()
        except (OSError, PhotoError):
            lost.append(path)
            continue
        for kind, level in (_ORIGINAL, *((k, v) for k in KINDS for v in LEVELS)):
            made.append((path, kind, level))
            yield path, degrade(rgb, kind, level, seed + number) if kind else rgb


def note_changed(
    table: pd.DataFrame, copies: pd.DataFrame, columns: Sequence[dict[str, Any]], notes: list[str]
) -> None:
    """Say which photos measure otherwise now than in the table, whatever their times are."""
    names = [c["name"] for c in columns]
    now = copies[copies["kind"] == ""].set_index("path")[names].astype(float)
    before = table.drop_duplicates("path").set_index("path").loc[now.index, names].astype(float)
    near = np.isclose(now.to_numpy(), before.to_numpy(), rtol=0.01, atol=0.001, equal_nan=True)
    if changed := [
        path for path, is_same in zip(now.index, near, strict=True) if not is_same.all()
    ]:
        what = "photos are no longer as they were measured: rank the folder again"
        notes.append(named(changed, len(table), what))


def named(some: Sequence[str], of: int, what: str) -> str:
    """How many of how many, and the first few of them."""
    return f"{len(some)} of {of} {what}: {first(some)}"


def pairs_of(copies: pd.DataFrame, values: np.ndarray, scene_of: Mapping[str, int]) -> Pairs:
    """How far photos are ahead of their copies, column by column.

    Args:
        copies: from `measure_copies`; values: (rows of it, columns); scene_of: of each path.
    """
    original = (copies["kind"] == "").to_numpy()
    rows = dict(zip(copies.loc[original, "path"], values[original], strict=True))
    made = copies[~original]
    ahead = np.array([rows[path] for path in made["path"]]) - values[~original]
    groups = np.array([scene_of[path] for path in made["path"]])
    return Pairs(ahead, made["kind"].to_numpy(str), made["level"].to_numpy(int), groups)
