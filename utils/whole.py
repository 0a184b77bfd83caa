"""Files whole or not at all: prepared beside their places, on the disk before the first is put there.

What is prepared for a file lies in a hidden folder beside it, `.photorank-<name>`, which is also its
lock: while a process holds it, no other writes that file; once it has died, by whatever, the lock is
free, and whoever writes in that place next sweeps what it has left. Where folders cannot be locked
(Windows, some network shares) nobody waits and nothing is swept; the last one to finish wins.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from .words import fitting

with contextlib.suppress(ImportError):  # Windows, which opens no folder either
    import fcntl

_MARK = ".photorank-"
_HOST = platform.node()
_PATIENCE = 10.0  # seconds
_ABANDONED = 86_400  # seconds: locks of another machine that shares the disk are not always seen
_OWNED = re.compile(r"(?P<host>.*)-(?P<process>\d+)-\w{8}")
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


@contextlib.contextmanager
def explained(target: Path) -> Iterator[None]:
    """Say of an error of the system what could not be written, and what to do.

    Raises:
        ValueError: in the place of an OSError.
    """
    try:
        yield
    except OSError as error:
        way = "make room or give another place" if error.errno in _FULL else "give another place"
        raise ValueError(f"cannot write {target}: {error.strerror or error}; {way}") from error


@contextlib.contextmanager
def alone(target: Path, record: Path | None = None) -> Iterator[Path]:
    """A folder beside `target` to prepare it in, while no other process does; gone afterwards.

    Args:
        record: what `target` shares with other files, so that of all of them one is prepared at a time.

    Raises:
        ValueError: another one is at it, and does not end soon.
        OSError: it cannot be made.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    place = target.with_name(fitting(f"{_MARK}{(record or target).name}"))
    lock = _wait(place, target)
    try:
        owner = f"{_HOST}-{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=owner, dir=place) as folder:
            yield Path(folder)
    finally:
        with contextlib.suppress(OSError):  # another is at it where nothing can be locked
            place.rmdir()
        if lock is not None:
            os.close(lock)


def put(steps: Iterable[tuple[Path | None, Path]]) -> None:
    """Move prepared files into their places, in order, once all are on the disk.

    Args:
        steps: what was prepared, and its place; None: no such file any more.
    """
    steps = list(steps)
    for part, _ in steps:
        if part and not part.is_symlink():
            _sync(part)
    for part, place in steps:
        if part:
            os.replace(part, place)
        else:
            place.unlink(missing_ok=True)
    _sync(steps[-1][1].parent)


def _sync(path: Path) -> None:
    """Have a file or folder on the disk; not every system opens a folder or syncs what it only reads."""
    try:
        file = os.open(path, os.O_RDONLY)
    except PermissionError:
        return
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in (errno.EBADF, errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(file)


def _wait(place: Path, target: Path) -> int | None:
    """The lock; None where there are none."""
    until = time.monotonic() + _PATIENCE
    while True:
        place.mkdir(exist_ok=True)
        try:
            return _lock(place)
        except FileNotFoundError:  # gone with the one who held it
            continue
        except BlockingIOError:
            if time.monotonic() >= until:
                raise ValueError(
                    f"another photorank is writing {target}{_holder(place)}: try again when it is "
                    "done, or give another place"
                ) from None
        except OSError:
            return None
        time.sleep(0.05)


def _lock(place: Path) -> int:
    """A folder, opened and locked until it is closed.

    Raises:
        BlockingIOError: another process holds it.
        FileNotFoundError: it has just been removed.
        OSError: it cannot be locked.
    """
    # A FIFO would block, and a link lead elsewhere; Windows knows neither flag.
    only_a_folder = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
    folder = os.open(place, os.O_RDONLY | only_a_folder)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(folder), os.stat(place)):
            raise FileNotFoundError
    except BaseException:
        os.close(folder)
        raise
    return folder


def _holder(place: Path) -> str:
    """Who has a place, as far as can be told."""
    with contextlib.suppress(OSError):
        for found in filter(None, map(_OWNED.fullmatch, os.listdir(place))):
            return f" (process {found['process']} on {found['host']})"
    return ""


def _sweep(folder: Path) -> None:
    """Remove what processes left here that ended before they could."""
    try:
        left = [name for name in os.listdir(folder) if name.startswith(_MARK)]
    except PermissionError:  # it may be written but not listed
        return
    for place in (folder / name for name in left):
        with contextlib.suppress(OSError):  # in use, just gone, or cannot be locked
            lock = _lock(place)
            try:
                for part in filter(_is_left, place.iterdir()):
                    shutil.rmtree(part, ignore_errors=True)
                place.rmdir()
            finally:
                os.close(lock)


def _is_left(part: Path) -> bool:
    """Whether it is of a process that has died, in a place that nobody holds."""
    owner = _OWNED.fullmatch(part.name)
    is_old = time.time() - part.stat().st_mtime > _ABANDONED
    return owner is not None and (owner["host"] == _HOST or is_old)
