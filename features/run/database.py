"""The file of the store: a SQLite database that is known by a mark in its header."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

Database = sqlite3.Connection

LAYOUT = 2
_APPLICATION = 0x70686F52  # tells a store, also a damaged one, from any other file
_ITS_PLACE = slice(68, 72)  # in the header of every SQLite database
_TABLES = (
    "CREATE TABLE files (path BLOB PRIMARY KEY, state TEXT NOT NULL, content BLOB NOT NULL, "
    "crc INTEGER NOT NULL)",
    "CREATE INDEX files_by_content ON files (content)",
    "CREATE TABLE keys (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE)",
    "CREATE TABLE results (content BLOB NOT NULL, key INTEGER NOT NULL, value BLOB NOT NULL, "
    "crc INTEGER NOT NULL, PRIMARY KEY (content, key))",
    f"PRAGMA application_id = {_APPLICATION}",
    f"PRAGMA user_version = {LAYOUT}",
)
_BUSY_SECONDS = 30


class Damaged(sqlite3.DatabaseError):
    """What SQLite itself does not notice."""


def connect(path: Path) -> Database:
    """Open the store at `path`, or make it.

    Raises:
        ValueError: the file there is somebody else's.
        sqlite3.Error, OSError: it cannot be used; `is_damage` says whether it is the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    check_ours(path)
    db = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        with transaction(db):  # all in one: who is killed here leaves a store or an empty file
            _make_tables(db)
        with contextlib.suppress(sqlite3.OperationalError):  # another run is just opening it too
            db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last writes, no more
        return db
    except BaseException:
        db.close()
        raise


@contextlib.contextmanager
def transaction(db: Database) -> Iterator[None]:
    """All of it or nothing; waits for other writers first."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def is_damage(error: Exception) -> bool:
    """Whether the file itself is at fault, so that a new one would do."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, Damaged) or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def remove(path: Path) -> None:
    """Delete the database with what SQLite keeps beside it."""
    for end in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{end}").unlink(missing_ok=True)


def inode(path: Path) -> int | None:
    """The file's number; another one is another file under the same name."""
    return os.stat(path).st_ino if path.exists() else None


def _make_tables(db: Database) -> None:
    """In a new database; in another, make sure that they are those of today."""
    (layout,) = db.execute("PRAGMA user_version").fetchone()
    if layout not in (0, LAYOUT):
        raise Damaged(f"its layout is {layout}, this version of photorank has {LAYOUT}")
    for statement in () if layout else _TABLES:
        db.execute(statement)


def check_ours(path: Path) -> None:
    """Make sure, before SQLite looks at it, that a file is a store: it may be written and removed."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(_ITS_PLACE.stop)
    if start and start[_ITS_PLACE] != _APPLICATION.to_bytes(4, "big"):
        raise ValueError(
            f"{path} is no cache of photorank's: give another name (--cache), or move it away"
        )
