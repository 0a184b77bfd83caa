"""A table that grows by rows and survives a kill: SQLite keeps them, a CSV is written from them."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.utils import io

from . import files
from .record import record_of

Journal = sqlite3.Connection

Stamp = tuple[int, str, str]
"""Bytes of a file, when it was modified, and its ctime_ns: another stamp, another photo."""

_FIXED = ("watch", "source", "columns", "weights", "scale", "tags")
_APPLICATION = 0x70686F57  # tells a journal from another program's database
_MISSING = float("nan")  # where None would make a column without any value one of text
_TABLES = (
    "CREATE TABLE about (record TEXT NOT NULL, exported INTEGER NOT NULL)",
    "CREATE TABLE photos (id INTEGER PRIMARY KEY, file BLOB NOT NULL UNIQUE, "
    "bytes INTEGER NOT NULL, modified TEXT NOT NULL, changed TEXT NOT NULL, row TEXT NOT NULL)",
    f"PRAGMA application_id = {_APPLICATION}",
)
_KEEP = (
    "INSERT INTO photos (file, bytes, modified, changed, row) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (file) DO UPDATE SET bytes = excluded.bytes, modified = excluded.modified, "
    "changed = excluded.changed, row = excluded.row"
)


@contextlib.contextmanager
def opened(output: Path) -> Iterator[Journal]:
    """The journal of the table `output`, which no other process can open until this one is done.

    Raises:
        ValueError: somebody else's table or database, a journal in use, or no place to write.
    """
    path, way = output.with_name(f"{output.stem}.watch.sqlite"), "give another --output_csv"
    if not path.exists() and output.exists() and output.stat().st_size:
        raise ValueError(f"{output} was not made by watch, or {path.name} beside it is gone: {way}")
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=0)) as db:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")
            db.execute("BEGIN EXCLUSIVE")
            if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                for statement in _TABLES:
                    db.execute(statement)
            elif db.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION:
                raise ValueError(f"{path} is not photorank's: move it away, or {way}")
            db.commit()
            db.execute("PRAGMA journal_mode = WAL")
            yield db
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise ValueError(f"another photorank is writing {output}: stop it, or {way}") from error
        raise ValueError(f"cannot use {path}: {error}; make room, or {way}") from error


def resume(
    db: Journal, output: Path, columns: list[str], record: Mapping[str, Any]
) -> dict[str, Stamp]:
    """The photos that have a row.

    Raises:
        ValueError: the table was begun with another record, or has been given other columns.
    """
    begun = db.execute("SELECT record FROM about").fetchone()
    (text,) = begun or (json.dumps(record, indent=1),)
    before = json.loads(text)
    other = [name for name in _FIXED if before.get(name) != record[name]]
    if output.exists() and output.stat().st_size:  # somebody may have added to it
        there = pd.read_csv(output, nrows=0, encoding_errors="surrogateescape")
        other += ["columns"] if list(there) != columns else []
    if other:
        raise ValueError(
            f"{output} was not made with the same {other[0]}: go on as it was begun, or begin another "
            "table with --output_csv FILE"
        )
    if not begun:
        with db:
            db.execute("INSERT INTO about VALUES (?, 0)", (text,))
    rows = db.execute("SELECT file, bytes, modified, changed FROM photos")
    return {os.fsdecode(file): (size, *times) for file, size, *times in rows}


def keep(db: Journal, rows: Iterable[Mapping[str, Any]], stamps: Mapping[str, Stamp]) -> None:
    """Add rows, all or none; a photo that has one already keeps its place."""
    with db:
        for row in rows:
            text = json.dumps({n: _MISSING if value is None else value for n, value in row.items()})
            db.execute(_KEEP, (os.fsencode(row["file"]), *stamps[row["file"]], text))
            db.execute("UPDATE about SET exported = 0")


def table(db: Journal, columns: list[str], rows: int = -1, start: int = 0) -> pd.DataFrame:
    """So many rows from number `start` in the order of arrival, with the record; -1: all."""
    query = "SELECT row FROM photos ORDER BY id LIMIT ? OFFSET ?"
    found = io.frame((json.loads(row) for (row,) in db.execute(query, (rows, start))), columns)
    found.attrs["photorank"] = json.loads(*db.execute("SELECT record FROM about").fetchone())
    return found


def export(db: Journal, output: Path, columns: list[str]) -> None:
    """Write the table anew, with its record, if it lacks a row or is gone."""
    (is_done,) = db.execute("SELECT exported FROM about").fetchone()
    if not is_done or not output.exists():
        found = table(db, columns)
        files.write(found, record_of(found), output)
        with db:
            db.execute("UPDATE about SET exported = 1")
