"""Write files all or nothing; a table in memory."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import itertools
import json
import os
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from . import whole
from .cells import TEXT

TABLE_SUFFIXES = (".csv", ".json", ".parquet")
_ROWS_AT_ONCE = 256


def write(path: str | os.PathLike[str], fill: Callable[[Path], Any]) -> None:
    """Let `fill` write a file of the same name elsewhere, which then takes its place, all or nothing.

    Raises:
        ValueError: it cannot be written (no permission, disk full, another photorank is at it);
            nothing is left behind.
    """
    target = Path(path)
    with whole.explained(target), whole.alone(target) as folder:
        part = folder / target.name
        fill(part)
        whole.put([(part, target)])


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file, all or nothing, as `write` does."""
    write(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_ours(path: str | os.PathLike[str], fill: Callable[[Path], Any]) -> Path:
    """As `write`, where an earlier file of photorank's alone is replaced; returns the path.

    Raises:
        ValueError: it cannot be written, or is somebody else's.
    """
    target = Path(path).expanduser()
    check_ours(target)
    write(target, fill)
    return target


def write_figures(path: str | os.PathLike[str], made_by: str, figures: Mapping[str, Any]) -> Path:
    """Write figures as JSON that says who made them, as `write_ours` does."""
    text = json.dumps({"made_by": f"photorank {made_by}"} | dict(figures), indent=1) + "\n"
    return write_ours(path, lambda part: part.write_text(text, encoding="utf-8"))


def check_writable(path: str | os.PathLike[str]) -> None:
    """Find out before the work, not after it, that a file can be written at `path`.

    Raises:
        ValueError: no permission, or something other than a regular file is there.
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        raise ValueError(f"cannot write {target}: it is not a regular file; give another place")
    with whole.explained(target), whole.alone(target) as folder:
        Path(folder, "probe").touch()


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files hold the same, whatever their times say."""
    if one.stat().st_size != other.stat().st_size:
        return False
    return digest(one) == digest(other)


def digest(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def frame(rows: Iterable[Mapping[str, Any]], columns: Iterable[str] | None = None) -> pd.DataFrame:
    """A table of rows. Text stays Python text: pyarrow, which pandas uses for text where it is
    installed, refuses file names that are not UTF-8.

    Args:
        rows: with `columns` taken as they come and not kept: a dict weighs several times its values.
        columns: their order; None: as they first appear.
    """
    if columns is None:
        rows = list(rows)
        columns = dict.fromkeys(name for row in rows for name in row)
    parts: dict[str, list[Sequence[Any]]] = {name: [] for name in columns}
    rows = iter(rows)
    while some := list(itertools.islice(rows, _ROWS_AT_ONCE)):
        for name, column in parts.items():
            column.append(_compact([row.get(name) for row in some]))
    return pd.DataFrame(
        {
            name: pd.Series(
                list(itertools.chain.from_iterable(column)),
                dtype=object if name in TEXT else None,
            )
            for name, column in parts.items()
        }
    )


def _compact(values: list[Any]) -> Sequence[Any]:
    """Python's floats take 32 bytes each in a list, and 8 in an array."""
    return array("d", values) if all(type(value) is float for value in values) else values


def write_table(table: pd.DataFrame, path: str | os.PathLike[str]) -> None:
    """Write a table by its suffix: .csv, .json (a list of objects) or .parquet.

    A file name that is not UTF-8 keeps its bytes in CSV; pandas reads it back with
    `encoding_errors="surrogateescape"`.

    Raises:
        ValueError: another suffix, or it cannot be written.
    """
    write(path, table_as(check_table_suffix(path), table))


def table_as(suffix: str, table: pd.DataFrame) -> Callable[[Path], Any]:
    """What writes a table into a file, as `write_table` does by the suffix."""
    writers: dict[str, Callable[[Path], Any]] = {
        ".csv": lambda p: p.write_bytes(_csv_bytes(table)),
        ".json": lambda p: p.write_text(_json_records(table), encoding="utf-8"),
        ".parquet": lambda p: _write_parquet(table, p),
    }
    return writers[suffix]


def _csv_bytes(table: pd.DataFrame) -> bytes:
    text = table.to_csv(
        index=False, float_format="%.10g", quoting=_quoting(table), lineterminator="\n"
    )
    return text.encode("utf-8", "surrogateescape")


def _quoting(table: pd.DataFrame) -> Literal[0, 2]:
    """Python before 3.13 leaves a carriage return unquoted, and it then ends the line for readers."""
    text = table.select_dtypes(exclude=["number", "bool"])
    values = (value for _, column in text.items() for value in column)
    returns = any("\r" in value for value in values if isinstance(value, str))
    return csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL


def _json_records(table: pd.DataFrame) -> str:
    """JSON has no word for infinity either: it becomes null, like a missing value."""
    plain = table.replace([np.inf, -np.inf], np.nan).astype(object)
    plain = plain.where(plain.notna(), None)
    return json.dumps(plain.to_dict("records"), indent=1, default=lambda value: value.item())


def check_ours(path: str | os.PathLike[str]) -> None:
    """Make sure that writing to `path` replaces nothing but an earlier file of photorank's.

    Raises:
        ValueError: there is a file that does not name photorank in its first 4 kB.
    """
    target = Path(path).expanduser()
    if not target.is_file():
        return
    with target.open("rb") as file:
        start = file.read(4096)
    if start and b"photorank" not in start:
        raise ValueError(
            f"{target} exists and was not written by photorank: give another name, or move it away"
        )


def check_table_suffix(path: str | os.PathLike[str]) -> str:
    """The suffix of a table's path, once it is known to be one that can be written."""
    suffix = Path(path).suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise ValueError(f"a table is {', '.join(TABLE_SUFFIXES)} by its suffix, got {str(path)!r}")
    if suffix == ".parquet" and not importlib.util.find_spec("pyarrow"):
        raise ImportError(".parquet needs pyarrow: pip install 'photorank[parquet]'")
    return suffix


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Parquet holds UTF-8 only: names that are not are written with their odd bytes as \\xNN."""
    text = table.select_dtypes(exclude=["number", "bool"]).columns
    plain = table[text].map(
        lambda v: os.fsencode(v).decode("utf-8", "backslashreplace") if isinstance(v, str) else v
    )
    table.assign(**plain).to_parquet(path, index=False)
