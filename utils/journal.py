"""A CSV that grows by rows and survives a kill: one writer, whole rows, nothing lost."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_LONGEST_ROW = 65_536  # more than a row can have; beyond it the table is damaged otherwise


def append(path: Path, rows: bytes) -> None:
    """Add whole rows and see them to the disk.

    Raises:
        ValueError: they cannot be written; what is half-written `repair` removes.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab", buffering=0) as file:
            left = memoryview(rows)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
    except OSError as error:
        raise ValueError(
            f"cannot write {path}: {error.strerror or error}; make room and start again"
        ) from error


def repair(path: Path) -> int:
    """Cut off the last row if it is half-written, as a kill or a power cut leaves it.

    Returns:
        How many bytes were cut.

    Raises:
        ValueError: it is not the last row alone that is broken.
    """
    data = path.read_bytes() if path.exists() else b""
    cut = len(data) - _whole(data)
    if cut > _LONGEST_ROW:
        raise ValueError(
            f"{path} is damaged: its last {cut:,} bytes are no rows (a quotation mark that is not "
            "closed?); mend it, or move it away"
        )
    if cut:
        os.truncate(path, len(data) - cut)
    return cut


def _whole(data: bytes) -> int:
    """Where the last whole row ends: at a line's end that is not inside quotation marks."""
    end = position = quotes = 0
    for line in data.partition(b"\0")[0].split(b"\n")[:-1]:  # a power cut may leave zeros
        position += len(line) + 1
        quotes += line.count(b'"')
        if quotes % 2 == 0:
            end = position
    return end


@contextlib.contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold a lock beside `path`, which ends with the process, however that ends.

    Raises:
        ValueError: another process holds it.
    """
    lock = path.with_name(f".{path.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # Windows: two writers are the user's care there
            pass
        except OSError as error:
            raise ValueError(
                f"another photorank is writing {path}: stop it, or give another --output_csv"
            ) from error
        yield
