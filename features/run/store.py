"""What was measured, kept in one SQLite file, so that an unchanged photo is not opened again."""

from __future__ import annotations

import json
import os
import sqlite3
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from photorank.utils.logging import logger

from .database import Damaged, Database, connect, inode, is_damage, remove, transaction

T = TypeVar("T")
Value = Any
"""A list of numbers, texts, truth values and None, or a float32 vector."""

_SAVE_SECONDS, _SAVE_COUNT = 1.0, 64


class PhotoKey(NamedTuple):
    """By what a photo is known: while these three stay the same, so do its values."""

    path: bytes
    size: int
    mtime_ns: int


NO_PHOTO = PhotoKey(b"", 0, 0)
"""For results that belong to no photo."""


def photo_key(path: str | os.PathLike[str]) -> PhotoKey:
    """The key of the file at `path` as it is now, links resolved.

    Raises:
        OSError: it is not there, or may not be looked at.
    """
    status = os.stat(path)
    return PhotoKey(os.fsencode(os.path.realpath(path)), status.st_size, status.st_mtime_ns)


def key_of(version: str, *parts: Any) -> str | None:
    """One text for what determines a value; None if it has no version, or is not all plain values."""
    try:
        return json.dumps([version, *parts]) if version else None
    except (TypeError, ValueError):
        return None


class Store:
    """Results by photo and by key, in a file that several runs may use at once.

    A store that cannot be used costs a warning and no result: `get` then finds nothing. A damaged one,
    or one of another layout, is removed and a new one begun. What is put is written in short
    transactions, so that a run that is killed loses about a second's work.

    Args:
        path: the file, made if it is not there; empty: a store that keeps nothing.
        keys: what this run will ask for and put.

    Raises:
        ValueError: the file at `path` is somebody else's.
    """

    def __init__(self, path: str | os.PathLike[str], keys: Iterable[str]) -> None:
        self._path = Path(path).expanduser().absolute()
        self._keys = dict.fromkeys(keys)
        self._pending: deque[tuple[PhotoKey, dict[str, Value]]] = deque()
        self._saved = time.monotonic()
        self._is_writable = self._may_begin_anew = True
        self._db: Database | None = None
        if os.fspath(path):
            self._open()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.save()
        self._close()

    def __bool__(self) -> bool:
        """Whether there is a file in use."""
        return self._db is not None

    def get(self, photo: PhotoKey) -> dict[str, Value]:
        """What is known of a photo, by key."""
        return self._tried(partial(self._read, photo), {})

    def put(self, photo: PhotoKey, results: Mapping[str, Value]) -> None:
        """Keep results of a photo, from any thread; the next `save` writes them."""
        kept = {k: v for k, v in results.items() if k in self._keys and _can_be_kept(v)}
        if kept and self._db and self._is_writable:
            self._pending.append((photo, kept))

    def save(self) -> None:
        """Write all that was put, in one transaction: all of it or nothing."""
        count = len(self._pending)
        if count and self._tried(partial(self._write, count), False):
            for _ in range(count):
                self._pending.popleft()
        self._saved = time.monotonic()

    def save_if_due(self) -> None:
        """`save`, if a second has passed or much was put."""
        waited = time.monotonic() - self._saved
        if len(self._pending) >= _SAVE_COUNT or (self._pending and waited >= _SAVE_SECONDS):
            self.save()

    def _tried(self, action: Callable[[Database], T], otherwise: T) -> T:
        """The result of `action`, in a new store if it shows that this one is damaged."""
        if self._db is None:
            return otherwise
        try:
            return action(self._db)
        except sqlite3.Error as error:
            if not is_damage(error):
                self._leave_out(error)
                return otherwise
            self._begin_anew(error)
            return self._tried(action, otherwise)

    def _read(self, photo: PhotoKey, db: Database) -> dict[str, Value]:
        rows = db.execute(self._select, photo).fetchall()  # an open cursor would outlive `_close`
        seed = _seed(photo)
        named = ((self._key_of[number], value, crc) for number, value, crc in rows)
        return {key: _unpacked(value, crc, key, seed) for key, value, crc in named}

    def _write(self, count: int, db: Database) -> bool:
        with transaction(db):
            for photo, results in (self._pending[i] for i in range(count)):
                number, seed = _number(db, photo), _seed(photo)
                rows = [(number, self._id_of[k], *_packed(v, k, seed)) for k, v in results.items()]
                db.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", rows)
        return True

    def _open(self) -> None:
        """The database, new where there was none or a damaged one; none if there can be none."""
        try:
            self._inode = inode(self._path)
            self._db = connect(self._path)
            self._inode = inode(self._path)
            self._register(self._db)
        except (OSError, sqlite3.Error) as error:
            if is_damage(error):
                self._begin_anew(error)
            else:
                self._close()
                self._leave_out(error)

    def _register(self, db: Database) -> None:
        """Give each key its number."""
        with transaction(db):
            new = "INSERT OR IGNORE INTO keys (key) VALUES (?)"
            db.executemany(new, ((key,) for key in self._keys))
            ids = dict(db.execute("SELECT key, id FROM keys"))
        self._id_of = {key: ids[key] for key in self._keys}
        self._key_of = {number: key for key, number in self._id_of.items()}
        self._select = (
            "SELECT r.key, r.value, r.crc FROM photos p JOIN results r ON r.photo = p.id "
            "WHERE p.path = ? AND p.size = ? AND p.mtime_ns = ? "
            f"AND r.key IN ({', '.join(map(str, self._key_of))})"
        )

    def _begin_anew(self, damage: Exception) -> None:
        """A new database in the damaged one's place; none if there can be none."""
        self._close()  # first, or SQLite would tidy up under the name of the new one
        if not self._may_begin_anew:  # once a run: a bad disk would never come to an end
            self._leave_out(damage)
            return
        self._may_begin_anew = False
        try:
            if self._inode == inode(self._path):  # else another run has begun a new one
                remove(self._path)
                logger.warning(
                    "the cache %s is damaged (%s): removed and built again", self._path, damage
                )
        except OSError as error:
            self._leave_out(error)
        else:
            self._open()

    def _leave_out(self, problem: Exception) -> None:
        """At first put nothing more there, on a full disk it can still be read; then close it."""
        if not self._is_writable:
            self._close()
            return
        text = problem.strerror if isinstance(problem, OSError) else problem
        logger.warning("the cache %s cannot be used: %s; going on without it", self._path, text)
        self._is_writable = False
        self._pending.clear()

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None


def _number(db: Database, photo: PhotoKey) -> int | None:
    """The row of a photo; what was known of the file before it changed goes."""
    found = db.execute("SELECT id, size, mtime_ns FROM photos WHERE path = ?", photo[:1]).fetchone()
    if found and found[1:] == photo[1:]:
        return int(found[0])
    db.execute("DELETE FROM photos WHERE path = ?", photo[:1])
    return db.execute("INSERT INTO photos VALUES (NULL, ?, ?, ?)", photo).lastrowid


def _can_be_kept(value: Value) -> bool:
    """Whether it comes back as it was: vectors, and what JSON has a type for."""
    plain = (str, int, float, bool, type(None))
    return isinstance(value, np.ndarray) or all(type(item) in plain for item in value)


def _packed(value: Value, key: str, seed: int) -> tuple[str | bytes, int]:
    is_vector = isinstance(value, np.ndarray)
    packed = value.astype("<f4").tobytes() if is_vector else json.dumps(value)
    return packed, _checksum(packed, key, seed)


def _unpacked(packed: str | bytes, checksum: int, key: str, seed: int) -> Value:
    if _checksum(packed, key, seed) != checksum:
        raise Damaged("a value is not the one that was written")
    return np.frombuffer(packed, "<f4") if isinstance(packed, bytes) else json.loads(packed)


def _checksum(packed: str | bytes, key: str, seed: int) -> int:
    """Of a value and of what it belongs to: SQLite has none, and a damaged page can look whole."""
    data = packed if isinstance(packed, bytes) else packed.encode()
    return zlib.crc32(data, zlib.crc32(key.encode(), seed))


def _seed(photo: PhotoKey) -> int:
    return zlib.crc32(repr(tuple(photo)).encode())
