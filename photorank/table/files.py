"""The files of a table and the record beside them; what counts as a table."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.utils import io
from photorank.utils.logging import logger
from photorank.utils.rows import failed
from photorank.utils.tables import read_table

from .. import __version__
from .record import read_record, record_of, with_record
from .versions import outdated


def save(table: pd.DataFrame, path: str | os.PathLike[str]) -> list[Path]:
    """Write a table (.csv, .json, .parquet), its record and, if photos failed, the list of those.

    Returns:
        What was written: `path`, `<stem>.meta.json`, and `<stem>.failed.csv` (file, path, error).

    Raises:
        ValueError: the path has another suffix, cannot be written, or holds a file that is not
            photorank's, which is never overwritten.
    """
    target = Path(path).expanduser()
    check_output(target)
    record, failures = _beside(target, ".meta.json"), _beside(target, ".failed.csv")
    io.write_table(table, target)
    about = {"photorank": __version__} | record_of(table)
    text = json.dumps(about, indent=1, default=str)
    io.write_text(record, text + "\n")
    unmeasured = table[failed(table)].filter(["file", "path", "error"])
    if len(unmeasured):
        io.write_table(unmeasured, failures)
        return [target, record, failures]
    failures.unlink(missing_ok=True)  # of an earlier run of ours
    return [target, record]


def load(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table that `save` wrote, with its record; or any other table with numeric columns.

    A warning says so where another version of photorank measured or tagged it.

    Raises:
        ValueError: unreadable, malformed or empty.
    """
    table = read_table(path)
    record = _beside(Path(path).expanduser(), ".meta.json")
    if record.exists():
        with_record(table, read_record(record))
        if old := outdated(record_of(table)):
            logger.warning("%s: %s", path, old)
    return table


def is_table(source: Any) -> bool:
    """Whether this is a table, or by its suffix the path of one, and no folder of that name."""
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        return path.suffix.lower() in io.TABLE_SUFFIXES and not path.is_dir()
    return isinstance(source, pd.DataFrame)


def as_table(source: Any) -> pd.DataFrame:
    """A DataFrame as it is, anything else as the path of a saved table.

    Raises:
        ValueError: unreadable, malformed or empty, or nothing that could be a table.
    """
    if isinstance(source, pd.DataFrame):
        return source
    if not isinstance(source, str | os.PathLike):
        raise ValueError(
            f"a table is a DataFrame or the path of a saved one, got {type(source).__name__}"
        )
    if Path(source).expanduser().is_dir():
        raise ValueError(f"{source} is a folder, not a table: rank it first, then give its table")
    return load(source)


def check_output(path: Path) -> None:
    """Find out before the work that `save` will be able to write to `path`.

    Raises:
        ValueError: a wrong suffix, no permission, or a file there or beside it that is not photorank's.
    """
    io.check_table_suffix(path)
    io.check_writable(path)
    record = _beside(path, ".meta.json")
    if record.exists():
        read_record(record)
        return
    for other in (path, _beside(path, ".failed.csv")):
        if other.exists() and other.stat().st_size:
            raise ValueError(
                f"{other} exists and was not written by photorank: give another name, or move it away"
            )


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.stem + suffix)
