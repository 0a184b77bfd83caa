"""By what a photo is known: its file while nothing touches that, else its content."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from photorank.utils.io import digest

from ..photo.header import MAX_DECODED_BYTES


class PhotoKey(NamedTuple):
    """What the file system says of a photo: while all of it stays, its content is not looked at.

    Size and time of change alone stay where a tool turns a photo in place and keeps its time.
    """

    path: bytes
    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int

    @property
    def state(self) -> str:
        """As text: a time or an inode may be larger than SQLite's integers."""
        return " ".join(map(str, self[1:]))


NO_PHOTO = b""
"""For results that belong to no photo."""


def photo_key(path: str | os.PathLike[str]) -> PhotoKey:
    """The key of the file at `path` as it is now, links resolved.

    Raises:
        OSError: it is not there, or may not be looked at.
    """
    now = os.stat(path)
    times = now.st_mtime_ns, now.st_ino, now.st_ctime_ns
    return PhotoKey(os.fsencode(os.path.realpath(path)), now.st_size, *times)


def key_now(path: str) -> PhotoKey | None:
    """The same; None where it cannot be had."""
    try:
        return photo_key(path)
    except OSError:
        return None


def content_of(path: str, size: int) -> bytes | None:
    """The SHA-256 of a file; None where it cannot be read, and of one that no decoder may open."""
    if size > MAX_DECODED_BYTES or not os.path.isfile(path):  # a FIFO could block for ever
        return None
    try:
        return bytes.fromhex(digest(Path(path)))
    except OSError:
        return None
