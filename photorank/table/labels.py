"""People's ratings: read them from a file and find the photo that each belongs to."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePath
from typing import Any, Literal

import numpy as np
import pandas as pd

from photorank.ranking.dedup import scenes
from photorank.utils.cells import ANSWERS
from photorank.utils.find import real
from photorank.utils.rows import numbers
from photorank.utils.tables import read_table
from photorank.utils.words import nearest, one_form

from .columns import is_empty

FILE_COLUMNS = ("file", "path", "image", "filename", "image_name", "name")
RATING_COLUMNS = ("rating", "mos", "stars", "score")
SCENE_COLUMN = "scene"

Labels = str | os.PathLike[str] | pd.DataFrame

_SHOWN = 3
_ANSWERS = {word: float(answer) for word, answer in ANSWERS.items()} | {"": np.nan}


def read_labels(given: str | os.PathLike[str] | pd.DataFrame) -> pd.DataFrame:
    """Ratings as `file`, `rating` (a number, or NaN) and, if the labels have it, `scene`.

    Args:
        given: a table, or a file of one (.csv, .json, .parquet), with a column file, path, image,
            filename, image_name or name, a column rating, mos, stars or score, and perhaps scene.

    Raises:
        ValueError: unreadable, a column is missing, or not one rating is a number.
    """
    labels = given if isinstance(given, pd.DataFrame) else read_table(given)
    rating = _column(labels, RATING_COLUMNS)
    ratings = numbers(labels[rating])
    names = labels[name_column(labels)].astype(str).to_numpy(object)
    if np.isnan(ratings).all():
        filled = labels[rating].dropna()
        first = f"; the first is {str(filled.iloc[0])!r}" if len(filled) else "; all are empty"
        raise ValueError(
            f"no rating of the {len(names)} labels is a number (column {rating!r}{first}): "
            "give plain numbers such as 4 or 3.5, higher is better"
        )
    read = pd.DataFrame({"file": names, "rating": ratings})
    scene = _find(labels, (SCENE_COLUMN,))
    if scene is not None:
        read["scene"] = labels[scene].to_numpy()
    read.attrs["columns"] = [name for name in (rating, scene) if name is not None]
    return read


def read_answers(labels: pd.DataFrame, tags: Sequence[str]) -> pd.DataFrame:
    """Whether people say that photos have some tags: `file`, a column of 1, 0 and NaN for each tag,
    and `scene` if the labels have it.

    Args:
        labels: as for `read_labels`, with 1 or 0, yes or no, or nothing in the columns of the tags.
        tags: columns of it.

    Raises:
        ValueError: anything else is in a tag's column, or no column names the photos.
    """
    read = pd.DataFrame({"file": labels[name_column(labels)].astype(str)})
    if SCENE_COLUMN in labels:
        read[SCENE_COLUMN] = labels[SCENE_COLUMN]
    texts = labels[list(tags)].map(lambda value: "" if is_empty(value) else str(value).strip())
    odd = ~texts.map(lambda text: text.casefold() in _ANSWERS)
    if odd.any(axis=None):
        row, column = np.argwhere(odd.to_numpy())[0]
        raise ValueError(
            f"a label is 1 or 0, yes or no, or empty; {odd.sum(axis=None)} are something else, the "
            f"first: {tags[column]} = {texts.iloc[row, column]!r} for {read['file'].iloc[row]!r}"
        )
    return read.assign(**texts.map(lambda text: _ANSWERS[text.casefold()]))


def match_labels(
    labels: pd.DataFrame, photos: pd.DataFrame, of_several: Literal["mean", "max"] = "mean"
) -> tuple[pd.DataFrame, list[str]]:
    """Find the photo of each rating.

    A label names its photo by path, by its path in the folder, or by any end of that path down to
    the bare file name, as long as that is one photo only.

    Args:
        labels: from `read_labels`.
        photos: with `file` and `path`.
        of_several: which rating a photo has that has several.

    Returns:
        `rating`, and `scene` if there is one, on the index of `photos`, for rated photos only; and a
        sentence on each sort of row that could not be used.

    Raises:
        ValueError: not one label has a photo and a number.
    """
    names = labels["file"].to_list()
    found = _matched(names, photos)
    numeric = labels["rating"].notna().to_numpy()
    notes = _notes(names, found, numeric)
    usable = [i for i, rows in enumerate(found) if len(rows) == 1 and numeric[i]]
    if not usable:
        raise ValueError(
            f"no label fits a photo: {'; '.join(notes)}; the photos are named like "
            f"{nearest(names[0], photos['file'])!r}: name them so in the labels, or by path"
        )
    rows = photos.index[[found[i][0] for i in usable]]
    by_photo = labels.iloc[usable].set_axis(rows, axis=0).groupby(level=0, sort=False)
    if len(usable) > by_photo.ngroups:
        count = f"{len(usable)} labels for {by_photo.ngroups} photos"
        notes.append(f"{count}: the {of_several} counts for each photo")
    how = {"rating": of_several, "scene": "first"}
    return by_photo.agg({name: how[name] for name in labels.columns if name in how}), notes


def name_column(labels: pd.DataFrame) -> str:
    """The column that names the photos.

    Raises:
        ValueError: there is none.
    """
    return _column(labels, FILE_COLUMNS)


def _column(labels: pd.DataFrame, names: Sequence[str]) -> str:
    found = _find(labels, names)
    if found is None:
        raise ValueError(
            f"labels need a column {', '.join(names[:-1])} or {names[-1]}; these have "
            f"{', '.join(map(str, labels.columns)) or 'none'}"
        )
    return found


def _find(labels: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The first of `names` among the columns, in upper or lower case."""
    there = {str(column).strip().lower(): str(column) for column in reversed(labels.columns)}
    return next((there[name] for name in names if name in there), None)


def rows_named(table: pd.DataFrame, file: str) -> pd.DataFrame:
    """The photos of a file name, or of a path in the folder or here: as it is spelt, else in any form."""
    places = file, str(real(file))  # the second as a shell completes it
    pairs = [(str(f), str(p)) for f, p in zip(table["file"], table["path"], strict=True)]
    for form in (str, one_form):
        wanted = set(map(form, places))
        whole = [not wanted.isdisjoint(map(form, pair)) for pair in pairs]
        bare = [form(name).rsplit("/", 1)[-1] == form(file) for name, _ in pairs]
        if any(whole) or any(bare):
            return table[whole if any(whole) else bare]
    return table.head(0)


def _matched(names: Iterable[str], photos: pd.DataFrame) -> list[list[int]]:
    """For each name the positions of the photos that it may mean, as it is spelt, else in any form."""
    names = list(map(_posix, names))
    spelt, alike = (_matched_as(form, names, photos) for form in (str, one_form))
    return [rows or others for rows, others in zip(spelt, alike, strict=True)]


def _matched_as(
    form: Callable[[str], str], names: Iterable[str], photos: pd.DataFrame
) -> list[list[int]]:
    """An exact path or file is one alone."""
    exact: dict[str, list[int]] = defaultdict(list)
    by_base: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row, pair in enumerate(zip(photos["file"], photos["path"], strict=True)):
        file, path = (form(_posix(text)) for text in pair)
        for text in dict.fromkeys((file, path)):
            exact[text].append(row)
        by_base[PurePath(path).name].append(("/" + path, row))
    found = []
    for name in map(form, names):
        ends = by_base.get(PurePath(name).name, [])
        found.append(exact.get(name) or [row for path, row in ends if path.endswith("/" + name)])
    return found


def _posix(path: Any) -> str:
    """One spelling of a path, for matching: forward slashes, no leading './', `~` expanded."""
    text = str(path).strip().replace("\\", "/").removeprefix("./")
    return str(Path(text).expanduser()) if text.startswith("~") else text


def _notes(names: Sequence[str], found: Sequence[list[int]], numeric: np.ndarray) -> list[str]:
    unrated = [n for n, ok in zip(names, numeric, strict=True) if not ok]
    unmatched = [n for n, rows in zip(names, found, strict=True) if not rows]
    ambiguous = [n for n, rows in zip(names, found, strict=True) if len(rows) > 1]
    kinds = {
        "without a photo": unmatched,
        "could be several photos": ambiguous,
        "without a number as rating": unrated,
    }
    return [
        f"{len(some)} of {len(names)} labels {what}: {', '.join(map(repr, some[:_SHOWN]))}"
        + (" ..." if len(some) > _SHOWN else "")
        for what, some in kinds.items()
        if some
    ]


def scenes_of(photos: pd.DataFrame, rated: pd.DataFrame | None, notes: list[str]) -> pd.Series[Any]:
    """Each photo's scene: by the labels, by time and near-duplicates, or each alone, which is noted."""
    if rated is not None and "scene" in rated:
        return scenes(photos.assign(scene=rated["scene"]), "scene")
    if {"taken_at", "dup_group"} & set(photos):
        return scenes(photos)
    notes.append("no scenes in the labels, no taken_at or phash: each photo counts as a scene")
    return pd.Series(range(1, len(photos) + 1), index=photos.index)
