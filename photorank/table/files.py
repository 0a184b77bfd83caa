"""The files of a table and the record beside them; what counts as a table."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.utils import io, whole
from photorank.utils.logging import logger
from photorank.utils.rows import failed
from photorank.utils.tables import read_table

from .. import __version__
from .record import Record, of_columns, of_table, read_record, record_of, with_record
from .versions import outdated

_CHANGED = (
    "%s is not what photorank wrote with %s: of that only what the columns are is used, not the scale "
    "and the counts"
)


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
    unmeasured = table[failed(table)].filter(["file", "path", "error"])
    write(table, {"photorank": __version__} | record_of(table), target, unmeasured)
    record, failures = _beside(target, ".meta.json"), _beside(target, ".failed.csv")
    return [target, record, failures] if len(unmeasured) else [target, record]


def write(
    table: pd.DataFrame, about: Record, target: Path, unmeasured: pd.DataFrame | None = None
) -> None:
    """Write a table, its record and the list of failed photos as one.

    At every moment the sidecar has the record of the table that is there: while that is replaced,
    of both. A list of failures is never that of another table; after a kill it may be missing.

    Args:
        unmeasured: the list; with no row there is none afterwards, None leaves what there is.
    """
    record, failures = _beside(target, ".meta.json"), _beside(target, ".failed.csv")
    with whole.explained(target), whole.alone(target, record) as folder:
        part, both, last, missing = (folder / n for n in ("table", "both", "last", "failed"))
        io.table_as(io.check_table_suffix(target), table)(part)
        about = about | {"sha256": io.digest(part)}
        there = _records(target)
        _write_record(both, about, there.values())
        _write_record(last, about, (r for path, r in there.items() if path != target))
        steps: list[tuple[Path | None, Path]] = [(both, record), (part, target), (last, record)]
        if unmeasured is not None:
            steps.insert(1, (None, failures))
            if len(unmeasured):
                io.table_as(".csv", unmeasured)(missing)
                steps.insert(3, (missing, failures))
        whole.put(steps)


def _records(target: Path) -> dict[Path, Record]:
    """The records of the tables that are there and share a sidecar, each with the table's digest."""
    found, sidecar = {}, _beside(target, ".meta.json")
    records = read_record(sidecar) if sidecar.exists() else None
    for path in {target, *(_beside(target, suffix) for suffix in io.TABLE_SUFFIXES)}:
        if records and path.is_file() and (own := of_table(records, sha256 := io.digest(path))):
            found[path] = own | {"sha256": sha256}
    return found


def _write_record(path: Path, about: Record, others: Iterable[Record]) -> None:
    beside = {"others": others} if (others := list(others)) else {}
    path.write_text(json.dumps(about | beside, indent=1, default=str) + "\n", encoding="utf-8")


def load(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a table that `save` wrote, with its record; or any other table with numeric columns.

    A warning says so where another version of photorank measured or tagged it, and where it was
    changed since or the record is of another table: then only its columns are believed.

    Raises:
        ValueError: unreadable, malformed or empty.
    """
    file = Path(path).expanduser()
    sidecar = _beside(file, ".meta.json")
    if not sidecar.exists() or not file.is_file():
        return read_table(path)
    sha256 = io.digest(file)
    table, records = read_table(path), read_record(sidecar)
    if io.digest(file) != sha256:
        return load(path)  # it was replaced meanwhile
    own = of_table(records, sha256)
    if own is None:
        logger.warning(_CHANGED, path, sidecar.name)
    with_record(table, of_columns(records) if own is None else own)
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
