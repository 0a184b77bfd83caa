"""Which photos somebody has picked: a table of 1 and 0, stars in XMP, or a folder of the chosen ones."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.utils.tables import read_table

from .labels import match_labels, name_column, read_answers

_COLUMNS = ("pick", "picks", "picked", "rating", "stars", "score")
_STARS = re.compile(rb"xmp:Rating\s*(?:=\s*[\"']|>)\s*(-?\d+)")
_HEAD = 512_000  # bytes: XMP stands before the picture
_COPIED = re.compile(r"\d{3,}_(.+)")  # as `--copy_top` names copies


def read_picks(given: Any, photos: pd.DataFrame) -> tuple[pd.Series[float], list[str]]:
    """1 for the picks and 0 for the others, on the index of `photos`, and what could not be used.

    Args:
        given: a table or the file of one, with a column of names and a column pick of 1 or 0; or a
            folder, of photos or .xmp files with stars, of which one or more is a pick; or, where
            nothing there has stars, of copies of the picks, by their names: all others are none.
        photos: with `file` and `path`.

    Raises:
        ValueError: it cannot be read, or fits no photo.
    """
    if isinstance(given, str | os.PathLike) and Path(given).expanduser().is_dir():
        labels = _of_folder(Path(given).expanduser(), photos)
        is_whole = "stars" not in labels.attrs
    else:
        labels, is_whole = _of_table(given), False
    rated, notes = match_labels(labels, photos, "max")
    picks = rated["rating"]
    return (picks.reindex(photos.index, fill_value=0.0) if is_whole else picks), notes


def _of_table(given: Any) -> pd.DataFrame:
    table = given if isinstance(given, pd.DataFrame) else read_table(given)
    names = {str(column).strip().lower(): str(column) for column in table.columns}
    column = next((names[name] for name in _COLUMNS if name in names), None)
    if column is None:
        raise ValueError(
            f"picks need a column pick of 1 or 0; these have {', '.join(map(str, table.columns))}"
        )
    answers = read_answers(table, [column])
    return pd.DataFrame({"file": table[name_column(table)].astype(str), "rating": answers[column]})


def _of_folder(folder: Path, photos: pd.DataFrame) -> pd.DataFrame:
    """`file rating` of what lies in a folder; `attrs["stars"]` where they are by stars."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stars = {path: _stars(path) for path in files}
    rated = {path: s for path, s in stars.items() if s is not None}
    if rated:
        by_stem = {Path(path).stem: path for path in photos["path"]}  # IMG_1.xmp names IMG_1.jpg
        named = [p.with_suffix("") if p.suffix.lower() == ".xmp" else p for p in rated]
        names = [str(p) if p.suffix else by_stem.get(p.name, str(p)) for p in named]
        labels = pd.DataFrame({"file": names, "rating": [float(s > 0) for s in rated.values()]})
        labels.attrs["stars"] = True
        return labels
    if not files:
        raise ValueError(f"no file in {folder}: give the folder of the photos that were picked")
    names = [match[1] if (match := _COPIED.fullmatch(p.name)) else p.name for p in files]
    return pd.DataFrame({"file": names, "rating": 1.0})


def _stars(path: Path) -> int | None:
    """The stars that a photo or its .xmp file says it has."""
    try:
        with path.open("rb") as file:
            found = _STARS.search(file.read(_HEAD))
    except OSError:
        return None
    return int(found[1]) if found else None
