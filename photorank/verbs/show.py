"""Look at a ranking: a montage, why a photo scored as it did, copies of the best."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from pathlib import Path
from shutil import get_terminal_size
from textwrap import TextWrapper
from typing import Any

import numpy as np
import pandas as pd

from photorank.evaluation.pages.contact_sheet import contact_sheet
from photorank.evaluation.plots import montage as montages
from photorank.features.photo.header import is_photo
from photorank.features.photo.image import Photo, PhotoError
from photorank.features.quality import MOST
from photorank.ranking.classes import LOOKS
from photorank.utils import io
from photorank.utils.cells import truths
from photorank.utils.logging import logger
from photorank.utils.rows import measured_rows
from photorank.utils.words import nearest, printable

from ..table.columns import check_columns, columns_of
from ..table.labels import rows_named


@dataclass(frozen=True)
class Page:
    """A contact sheet; a notebook shows it, `html` is the whole page."""

    html: str = field(repr=False)

    def _repr_html_(self) -> str:
        page = escape(self.html, quote=True)
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 640px; border: 0"></iframe>'


def show(
    table: pd.DataFrame, html: str | os.PathLike[str] | None = None, title: str = ""
) -> Page | Path:
    """Thumbnails in rank order with score and reasons, as one page that needs no network.

    Args:
        table: ranked photos, such as `table.head(20)`; failed ones stand at the end.
        html: write the page to this file instead of returning it.
        title: the heading.

    Returns:
        A page that a notebook displays, or the path written.

    Raises:
        ValueError: not a ranked table, or a place that cannot be written.
    """
    if html is None:
        page = BytesIO()
        contact_sheet(table, page, _picture, title)
        return Page(page.getvalue().decode())
    target = Path(html).expanduser()
    where = target.absolute().parent
    return io.write_ours(target, lambda part: contact_sheet(table, part, _picture, title, where))


def montage(table: pd.DataFrame, path: str | os.PathLike[str], title: str = "") -> Path:
    """Write the photos of `table`, in its order, as one picture with rank, score and file name.

    Args:
        table: ranked photos; failed ones are left out, a photo that has gone since is a grey tile.
        path: .png or .jpg.
        title: one line above the photos.

    Raises:
        ValueError: not a ranked table, no photos, another suffix, or a place that cannot be written.
    """
    check_columns(table, "file", "path", "final_score")
    target = Path(path).expanduser()
    if target.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise ValueError(f"a montage is a .png or .jpg by its suffix, got {str(path)!r}")
    photos = measured_rows(table)
    captions = [
        montages.Caption(str(row["file"]), _number(row, "rank"), row["final_score"], copies)
        for (_, row), copies in zip(photos.iterrows(), _group_sizes(photos), strict=True)
    ]
    pictures = map(_picture, photos["path"])
    return io.write_ours(target, lambda part: montages.montage(pictures, captions, part, title))


def warn_of_gone(table: pd.DataFrame) -> None:
    """Say it once where photos are no longer where the table says."""
    check_columns(table, "path")
    paths = measured_rows(table)["path"]
    gone = sum(not os.path.exists(str(path)) for path in paths)
    if gone:
        count, can = ("none", "can") if gone == len(paths) else (gone, "cannot")
        logger.warning("%s of the %d photos %s be opened: moved since?", count, len(paths), can)


def keepers(table: pd.DataFrame) -> pd.DataFrame:
    """The best photo of each near-duplicate group, in the table's order; all where none are marked."""
    return table[truths(table["dup_keeper"])] if "dup_keeper" in table else table


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


_FORMATS: dict[str, Callable[[Any], str]] = {
    "value": _plain,
    "better_than": "{:.0%}".format,
    "norm": "{:.2f}".format,
    "weight": "{:.2f}".format,
    "contribution": "{:.3f}".format,
    "against_mean": "{:+.3f}".format,
}


@dataclass(frozen=True)
class Explanation:
    """Where a photo's score comes from; prints as words, `numbers` holds the same as a table."""

    text: str
    numbers: pd.DataFrame

    def __str__(self) -> str:
        wrap = TextWrapper(get_terminal_size((100, 0)).columns, subsequent_indent="  ")
        wrap.break_long_words = wrap.break_on_hyphens = False  # file names stay whole
        lines = [wrap.fill(line) for line in self.text.splitlines()]
        return "\n".join([*lines, "", self.numbers.to_string(formatters=_FORMATS)])

    __repr__ = __str__


def explain(table: pd.DataFrame, file: str | os.PathLike[str]) -> Explanation:
    """Where the score of `file` comes from: each weighted column against the rest of the folder.

    Returns:
        `numbers` has one row per weighted column: value, `better_than` (share of the photos whose
        value is worse, 0 to 1), norm, weight, contribution, and `against_mean` (contribution minus
        the folder's mean contribution), largest effect first.

    Raises:
        ValueError: not a ranked table, no such file, several of the name, or one that failed.
    """
    row = _row(table, file)
    ranked = measured_rows(table)
    effects = [_effect(ranked, row, column["name"]) for column in _weighted(ranked)]
    numbers = pd.DataFrame(effects, columns=["column", *_FORMATS]).set_index("column")
    numbers = numbers.sort_values("against_mean", key=abs, ascending=False)
    place = f"{printable(row['file'])} is number {row['rank']:.0f} of {len(ranked)}"
    gains = _in_words(numbers[numbers["against_mean"] > 0.005])
    losses = _in_words(numbers[numbers["against_mean"] < -0.005])
    sentences = [
        f"{place} with {row['final_score']:.3f}; the mean is {ranked['final_score'].mean():.3f}.",
        f"It gains by {gains}." if gains else "No column lifts it above the mean.",
        f"It loses by {losses}." if losses else "No column lowers it below the mean.",
        *_faults(row),
    ]
    return Explanation("\n".join(sentences), numbers)


def _faults(row: Mapping[str, Any]) -> list[str]:
    """What the network sees in a photo, and its tags with their reasons; a line each."""
    told = [name for name, (_, tag) in LOOKS.items() if not pd.isna(row.get(f"{tag}_score", 0))]
    levels = [(row.get(name) or 0, name.removesuffix("_level").replace("_", " ")) for name in told]
    seen = sorted((level for level in levels if level[0] >= 1), reverse=True)
    kinds = [f"{_strength(level)} {kind} ({level:.1f} of {MOST:.0f})" for level, kind in seen]
    lines = [f"It shows {', '.join(kinds)}."] if kinds else []
    reasons = row.get("tag_reasons")
    for part in reasons.split("; ") if isinstance(reasons, str) and reasons else ():
        tag, _, reason = part.partition(": ")
        what = tag.replace("_", " ")
        said = what.capitalize() if what.startswith("cannot tell") else f"Tagged {what}"
        lines.append(f"{said}: {reason}.")
    return lines


def _strength(level: float) -> str:
    """In words, as `features.quality.score` counts: 1 is barely seen, 5 spoils the photo."""
    return "slight" if level < 2 else "visible" if level < 3.5 else "strong"


def _row(table: pd.DataFrame, file: str | os.PathLike[str]) -> Mapping[str, Any]:
    check_columns(table, "rank", "file", "path", "final_score")
    if not isinstance(file, str | os.PathLike):
        raise ValueError(
            f"explain takes a photo's file name or path, got {file!r}; the photo in row i of a table "
            "is table['file'].iloc[i]"
        )
    file = os.fspath(file)
    rows = rows_named(table, file)
    if rows.empty:
        raise ValueError(
            f"no photo {file!r} in this table; the nearest name is {nearest(file, table['file'])!r}"
        )
    if len(rows) > 1:
        raise ValueError(
            f"{len(rows)} photos are called {file!r}: give one of {', '.join(rows['path'][:5])}"
        )
    row: dict[str, Any] = {str(name): value for name, value in rows.iloc[0].items()}
    if not np.isfinite(row["final_score"]):
        raise ValueError(f"{file} failed and has no score: {row['error']}")
    return row


def _weighted(table: pd.DataFrame) -> list[Mapping[str, Any]]:
    parts = [c for c in columns_of(table) if f"{c['name']}_contribution" in table]
    return [c for c in parts if table[f"{c['name']}_contribution"].ne(0).any()]


def _effect(ranked: pd.DataFrame, row: Mapping[str, Any], name: str) -> tuple[Any, ...]:
    norm, part = row[f"{name}_norm"], row[f"{name}_contribution"]
    worse = (ranked[f"{name}_norm"] < norm).mean()
    parts = ranked[f"{name}_contribution"]
    weight, mean = parts.max() / ranked[f"{name}_norm"].max(), parts.mean()
    return name, row[name], worse, norm, weight, part, part - mean


def _in_words(numbers: pd.DataFrame) -> str:
    words = []
    for name, row in numbers.iterrows():
        better = f"better than {row['better_than']:.0%}" if row["norm"] < 1 else "as good as can be"
        words.append(f"{name} ({_plain(row['value'])}, {better}: {row['against_mean']:+.2f})")
    return ", ".join(words)


def _picture(path: str) -> np.ndarray | None:
    """A photo's canonical picture, None if it cannot be opened any more or is none."""
    try:
        return Photo.open(path).view() if is_photo(path) else None
    except PhotoError:
        return None


def _group_sizes(photos: pd.DataFrame) -> list[int]:
    """How many photos each one stands for: its whole group for a keeper, itself otherwise."""
    if "dup_size" not in photos:
        return [1] * len(photos)
    return [int(size) for size in photos["dup_size"]]


def _number(row: pd.Series[Any], name: str) -> int | None:
    return None if pd.isna(row.get(name)) else int(row[name])
