"""The file of the store: a SQLite database that is known by a mark in its header."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

Database = sqlite3.Connection

LAYOUT = 3
MARK = b"phoR"
"""The application id of a store, also of a damaged one: it tells it from any other file."""
_ITS_PLACE = slice(68, 72)  # in the header of every SQLite database
_TABLES = (
    "CREATE TABLE files (path BLOB PRIMARY KEY, state TEXT NOT NULL, content BLOB NOT NULL, "
    "crc INTEGER NOT NULL)",
    "CREATE INDEX files_by_content ON files (content)",
    "CREATE TABLE keys (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE)",
    "CREATE TABLE results (content BLOB NOT NULL, key INTEGER NOT NULL, value BLOB NOT NULL, "
    "crc INTEGER NOT NULL, PRIMARY KEY (content, key))",
    f"PRAGMA application_id = {int.from_bytes(MARK)}",
    f"PRAGMA user_version = {LAYOUT}",
)
_BUSY_MS = 30_000
_OF_THE_MACHINE = (
    *(sqlite3.SQLITE_PERM, sqlite3.SQLITE_ABORT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED),
    *(
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
    ),
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS),
)
"""Errors that a new file would bring too; at any other the file does not hold what was written."""


TROUBLE = (sqlite3.Error, MemoryError, UnicodeDecodeError)
"""What SQLite's module raises; the last where a damaged file makes an error's text unreadable."""


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
    db = _connect(path.as_uri())
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


def connect_to_read(path: Path) -> Database:
    """Open a store that cannot be written.

    Raises:
        ValueError, sqlite3.Error, OSError: as `connect`.
    """
    check_ours(path)
    try:
        return _only_read(path, "mode=ro")
    except sqlite3.OperationalError as error:
        if _code(error) == sqlite3.SQLITE_BUSY:
            raise
        return _only_read(path, "immutable=1")  # SQLite else wants to write beside it


def _only_read(path: Path, how: str) -> Database:
    db = _connect(f"{path.as_uri()}?{how}")
    try:
        _layout(db)
        return db
    except BaseException:
        db.close()
        raise


def _connect(address: str) -> Database:
    db = sqlite3.connect(address, isolation_level=None, check_same_thread=False, uri=True)
    db.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    return db


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
    if isinstance(error, OSError | MemoryError):
        return False
    return _code(error) not in _OF_THE_MACHINE


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def remove(path: Path) -> None:
    """Delete the database with what SQLite keeps beside it."""
    for end in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{end}").unlink(missing_ok=True)


def inode(path: Path) -> int | None:
    """The file's number; another one is another file under the same name."""
    return os.stat(path).st_ino if path.exists() else None


def _make_tables(db: Database) -> None:
    """In a new database; in another, make sure that they are those of today."""
    for statement in () if _layout(db) else _TABLES:
        db.execute(statement)


def _layout(db: Database) -> int:
    (layout,) = db.execute("PRAGMA user_version").fetchone()
    if layout not in (0, LAYOUT):
        raise Damaged(f"its layout is {layout}, this version of photorank has {LAYOUT}")
    return int(layout)


def check_ours(path: Path) -> None:
    """Make sure, before SQLite looks at it, that a file is a store: it may be written and removed."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(_ITS_PLACE.stop)
    if start and start[_ITS_PLACE] != MARK:
        raise ValueError(
            f"{path} is no cache of photorank's: give another name (--cache), or move it away"
        )
