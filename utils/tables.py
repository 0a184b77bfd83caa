"""Read tables as cameras, spreadsheets and people write them."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import os
import re
import warnings
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from .cells import COMMA, POINT, is_text, needed_mark, understood
from .io import check_table_suffix, frame
from .logging import logger
from .words import file_name, one_line

_SEPARATORS = ",;\t|"
_NAMES = {"\t": "tabs"}
_WIDE = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_FAILED = b"file,path,error\n"  # a table of ours without a record
_MOST_BYTES, _BLOCK, _LINES = 2_000_000_000, 1 << 20, 50
_MOST_COLUMNS, _LONGEST_NAME = 5_000, 1_000
_UNREADABLE = "its first lines cannot be read: an unclosed quote, or a value that is too long"
_SAID = re.compile('"?sep=(.)"?')
_NO_MARK = "\1"  # none is known yet: whatever has one stays text


class _Dialect(NamedTuple):
    """How the values of a CSV are told apart."""

    separator: str
    first_line: int
    header: list[str]
    decimal: str
    has_row_names: bool


def read_table(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table that `write_table` or anyone else wrote: .csv, .json or .parquet.

    What is not of the plain kind (another separator, decimal commas) is said in one line.

    Raises:
        ValueError: unreadable, malformed, beyond all measure or empty.
    """
    readers: dict[str, Callable[[Path], tuple[pd.DataFrame, list[str], str]]] = {
        ".csv": _read_csv,
        ".json": lambda p: (frame(_rows(p)), [], POINT),
        ".parquet": lambda p: (pd.read_parquet(p), [], POINT),
    }
    source = Path(path).expanduser()
    suffix = check_table_suffix(source)
    try:
        if source.stat().st_size > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES:,} bytes")
        with pd.option_context("mode.string_storage", "python"):  # pyarrow's refuses odd bytes
            table, said, decimal = readers[suffix](source)
        _check_names(table.columns)
        table, found, notes = understood(_without_empty_rows(table), decimal)
        for name in {"file", "path"} & {*table}:
            table[name] = pd.Series([*map(file_name, table[name])], table.index, dtype=object)
    except OSError as error:
        raise ValueError(f"cannot read the table {source}: {error.strerror or error}") from error
    except (
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
        csv.Error,
        pd.errors.ParserWarning,
    ) as error:
        raise ValueError(f"{source} is not a readable {suffix} table: {one_line(error)}") from error
    if table.empty:
        raise ValueError(f"the table {source} has no rows")
    if said + found:
        logger.warning("%s: %s", source.name, ", ".join(said + found))
    for note in notes:
        logger.warning("%s: %s", source.name, note)
    return table.copy()  # in one piece: pandas warns of a hundred columns that are one each


def _without_empty_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Spreadsheets save rows in which nothing stands."""
    return table.dropna(how="all").reset_index(drop=True)


def _rows(path: Path) -> list[dict[str, Any]]:
    rows = json.loads(path.read_text(encoding="utf-8-sig"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("it is no list of objects, one for each photo")
    _check_names({name for row in rows for name in row})
    return rows


def _check_names(columns: Collection[object]) -> None:
    if len(columns) > _MOST_COLUMNS:
        raise ValueError(f"it has {len(columns):,} columns, and {_MOST_COLUMNS:,} are the most")
    if (longest := max((len(str(name)) for name in columns), default=0)) > _LONGEST_NAME:
        raise ValueError(f"the name of a column has {longest:,} characters")


def _read_csv(path: Path) -> tuple[pd.DataFrame, list[str], str]:
    """The table, what there is to say of its form, and the decimal mark to expect."""
    dialect = _dialect(path, encoding := _encoding(path))
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # of values below no header
        table = pd.read_csv(
            path,
            encoding=encoding,
            encoding_errors="surrogateescape",
            sep=dialect.separator,
            skiprows=dialect.first_line,
            decimal=dialect.decimal,
            index_col=None if dialect.has_row_names else False,
            low_memory=False,
            keep_default_na=False,  # names such as NA; among numbers `understood` empties them
            na_values=[""],
            dtype={name: object for name in dialect.header if is_text(name)},
        )
    said = []
    if dialect.separator != ",":
        said.append(f"separated by {_NAMES.get(dialect.separator, repr(dialect.separator))}")
    if dialect.decimal == COMMA:
        said.append("decimal commas")
    if encoding != "utf-8":
        said.append(f"read as {encoding}")
    return table, said, COMMA if dialect.separator == ";" else POINT


def _encoding(path: Path) -> str:
    """How the bytes of a text file are to be read.

    Spreadsheets write UTF-16 with a mark, or, if not UTF-8, the code page of Western Windows (of old
    Macs, where lines end in CR). A table that photorank wrote holds names as the disk has them.

    Raises:
        ValueError: it is no text.
    """
    with path.open("rb") as file:
        start = file.read(_BLOCK)
        if wide := next((name for mark, name in _WIDE.items() if start.startswith(mark)), ""):
            return wide
        if b"\0" in start:
            raise ValueError("it is no text, or UTF-16 without a mark: save it as CSV UTF-8")
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for block in iter(partial(file.read, _BLOCK), b""):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            pass
        else:
            return "utf-8"
    record = path.with_name(f"{path.stem}.meta.json")
    lines_end_in_lf = b"\r" not in start.partition(b"\n")[0]
    if lines_end_in_lf and (record.exists() or start.startswith(_FAILED)):
        return "utf-8"
    return "cp1252" if b"\n" in start else "mac_roman"


def _dialect(path: Path, encoding: str) -> _Dialect:
    """Find separator and decimal mark by the first lines."""
    skip = "utf-8-sig" if encoding == "utf-8" else encoding
    with path.open(encoding=skip, errors="surrogateescape", newline="") as file:
        text = file.read(_BLOCK)
    first, _, rest = text.partition("\n")
    said = _SAID.fullmatch(first.strip())  # a line for Excel alone
    marks = said[1] if said else _SEPARATORS
    rows = {mark: _first_rows(rest if said else text, mark) for mark in marks}
    separator = max(rows, key=lambda mark: _fit(rows[mark]))
    header, *sample = rows[separator] or [[]]
    _check_names(header)
    if not any(header):
        raise ValueError(_UNREADABLE if text.strip() else "the file is empty")
    needed = needed_mark(cell for row in sample for cell in row)
    longer = {len(row) - len(header) for row in sample}
    names_rows = longer == {1} and any(row[-1] for row in sample)  # R gives them no header
    return _Dialect(separator, 1 if said else 0, header, needed or _NO_MARK, names_rows)


def _first_rows(text: str, separator: str) -> list[list[str]]:
    rows = csv.reader(io.StringIO(text), delimiter=separator)
    try:
        return [row for row in itertools.islice(rows, _LINES) if row]
    except csv.Error:  # a quote without its other one, under a separator that is none
        return []


def _fit(rows: list[list[str]]) -> tuple[float, int]:
    """How well rows fit a header: the share of those that have its length, and that length."""
    header, *others = rows or [[]]
    if len(header) < 2:
        return 0.0, 0
    alike = [len(row) in (len(header), len(header) + 1) for row in others]
    return sum(alike) / len(alike) if alike else 1.0, len(header)
