"""What was measured, kept in one SQLite file by a photo's content, so that no photo is measured twice."""

from __future__ import annotations

import json
import os
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from photorank.utils.logging import logger
from photorank.utils.words import one_line

from .database import (
    TROUBLE,
    Damaged,
    Database,
    connect,
    connect_to_read,
    inode,
    is_damage,
    remove,
    transaction,
)
from .identity import PhotoKey
from .packing import Value, can_be_kept, checksum, packed, unpacked

T = TypeVar("T")

_SAVE_SECONDS, _SAVE_COUNT = 1.0, 64


def key_of(version: str, *parts: Any) -> str | None:
    """One text for what determines a value; None if it has no version, or is not all plain values."""
    try:
        return json.dumps([version, *parts]) if version else None
    except (TypeError, ValueError):
        return None


class Store:
    """Results by content and by key, in a file that several threads and runs may use at once.

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
        self._pending: deque[tuple[bytes, dict[str, Value], PhotoKey | None]] = deque()
        self._lock = threading.RLock()
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

    def content(self, photo: PhotoKey) -> bytes | None:
        """The SHA-256 of a photo's file, if that was seen as it is."""
        return self._tried(partial(self._read_content, photo), None)

    def get(self, content: bytes) -> dict[str, Value]:
        """What is known of a content, by key."""
        return self._tried(partial(self._read, content), {})

    def put(
        self, content: bytes, results: Mapping[Any, Value], photo: PhotoKey | None = None
    ) -> None:
        """Keep results, and which file has this content; the next `save` writes them."""
        kept = {k: v for k, v in results.items() if k in self._keys and can_be_kept(v)}
        if (kept or photo) and self._db and self._is_writable:
            self._pending.append((content, kept, photo))

    def save(self) -> None:
        """Write all that was put, in one transaction: all of it or nothing."""
        with self._lock:
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
        with self._lock:
            if self._db is None:
                return otherwise
            try:
                return action(self._db)
            except TROUBLE as error:
                if not is_damage(error):
                    self._leave_out(error)
                    return otherwise
                self._begin_anew(error)
                return self._tried(action, otherwise)

    def _read_content(self, photo: PhotoKey, db: Database) -> bytes | None:
        ask = "SELECT content, crc FROM files WHERE path = ? AND state = ?"
        for content, crc in db.execute(ask, (photo.path, photo.state)).fetchall():
            if crc == checksum(content, photo.state, zlib.crc32(photo.path)):
                return content
            raise Damaged("a file's content is not the one that was written")
        return None

    def _read(self, content: bytes, db: Database) -> dict[str, Value]:
        rows = db.execute(self._select, (content,)).fetchall()  # an open cursor outlives `_close`
        seed = zlib.crc32(content)
        named = ((self._key_of[number], value, crc) for number, value, crc in rows)
        return {key: unpacked(value, crc, key, seed) for key, value, crc in named}

    def _write(self, count: int, db: Database) -> bool:
        with transaction(db):
            for content, results, photo in (self._pending[i] for i in range(count)):
                if photo:
                    _note(db, photo, content)
                seed = zlib.crc32(content)
                rows = [(content, self._id_of[k], *packed(v, k, seed)) for k, v in results.items()]
                db.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", rows)
        return True

    def _open(self) -> None:
        """The database, new where there was none or a damaged one; none if there can be none."""
        try:
            self._inode = inode(self._path)
            self._db = connect(self._path)
            self._inode = inode(self._path)
            with transaction(self._db):
                new = "INSERT OR IGNORE INTO keys (key) VALUES (?)"
                self._db.executemany(new, ((key,) for key in self._keys))
                self._number(self._db)
            if len(self._id_of) < len(self._keys):
                raise Damaged("a key is lost")
        except (OSError, *TROUBLE) as error:
            self._close()
            if is_damage(error):
                self._begin_anew(error)
            else:
                self._open_to_read(error)

    def _open_to_read(self, problem: Exception) -> None:
        """What is in it is used where it cannot be written, as on a read-only disk."""
        try:
            self._db = connect_to_read(self._path)
            self._number(self._db)
        except (OSError, *TROUBLE):
            self._close()
            self._leave_out(problem)
        else:
            self._is_writable = False
            text = "the cache %s cannot be written: %s; what is in it is used"
            logger.warning(text, self._path, _said(problem))

    def _number(self, db: Database) -> None:
        """Find the number of each key."""
        ids = dict(db.execute("SELECT key, id FROM keys"))
        self._id_of = {key: ids[key] for key in self._keys if key in ids}
        self._key_of = {number: key for key, number in self._id_of.items()}
        self._select = (
            "SELECT key, value, crc FROM results WHERE content = ? "
            f"AND key IN ({', '.join(map(str, self._key_of))})"
        )

    def _begin_anew(self, damage: Exception) -> None:
        """A new database in the damaged one's place; none if there can be none."""
        self._close()  # first, or SQLite would tidy up under the name of the new one
        if not self._may_begin_anew:  # once a run: a bad disk would never come to an end
            self._leave_out(damage)
            return
        self._may_begin_anew, self._is_writable = False, True
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
        text = "the cache %s cannot be used: %s; going on without it"
        logger.warning(text, self._path, _said(problem))
        self._is_writable = False
        self._pending.clear()

    def _close(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None


def _note(db: Database, photo: PhotoKey, content: bytes) -> None:
    """That a file has this content; what was known of another that no file has any more goes."""
    before = db.execute("SELECT content FROM files WHERE path = ?", (photo.path,)).fetchall()
    crc = checksum(content, photo.state, zlib.crc32(photo.path))
    row = (photo.path, photo.state, content, crc)
    db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", row)
    for old in before:
        db.execute(
            "DELETE FROM results WHERE content = ?1 "
            "AND NOT EXISTS (SELECT 1 FROM files WHERE content = ?1)",
            old,
        )


def _said(problem: Exception) -> str:
    return getattr(problem, "strerror", None) or one_line(problem)
