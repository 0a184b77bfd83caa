"""Faults put into a store: none of them changes a result or ends a run."""

from __future__ import annotations

import logging
import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from photorank.features.base import Column, Encoder, Feature, Head
from photorank.features.run import database
from photorank.features.run.extract import extract
from photorank.features.run.store import Store

Fault = Callable[[Path, random.Random], object]
PAGE = 4096
FOREIGN = "is no cache of photorank's"


def _encode(views: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([view.mean(axis=(0, 1)) for view in views]).astype(np.float32)


ENCODER = Encoder("colour", "1", (), "rgb", 8, 2, _encode)
FEATURES = [
    Feature("mean", "1", (Column("mean"), Column("word")), lambda v: (v.mean(), "a"), size=8),
    Head((Column("red"),), lambda vectors: vectors[:, 0], ENCODER),
]


def _photos(folder: Path) -> list[Path]:
    """Four small photos and a file that is none."""
    paths = [folder / f"{i}.png" for i in range(5)]
    for i, path in enumerate(paths):
        picture = np.random.default_rng(i).integers(0, 256, (9, 12, 3), np.uint8)
        Image.fromarray(picture).save(path)
    paths[2].write_bytes(b"no picture")
    return paths


def _rows(paths: list[Path], cache: Path | str) -> list[str]:
    return [repr(sorted(row.items())) for row in extract(paths, FEATURES, 0, cache)]


def _rewrite(cache: Path, change: Callable[[bytearray], object]) -> None:
    data = bytearray(cache.read_bytes())
    change(data)
    cache.write_bytes(data)


def _flip(cache: Path, chance: random.Random, first: int = 0, last: int = 0) -> None:
    def change(data: bytearray) -> None:
        for _ in range(chance.choice((1, 1, 3, 40))):
            data[chance.randrange(first, last or len(data))] ^= 1 << chance.randrange(8)

    _rewrite(cache, change)


def _flip_header(cache: Path, chance: random.Random) -> None:
    _flip(cache, chance, last=100)


def _flip_page_start(cache: Path, chance: random.Random) -> None:
    """Where SQLite keeps what a page is and where its cells begin."""
    start = PAGE * chance.randrange(cache.stat().st_size // PAGE)
    _flip(cache, chance, start, start + 64)


def _cut(cache: Path, chance: random.Random) -> None:
    os.truncate(cache, chance.randrange(cache.stat().st_size))


def _grow(cache: Path, chance: random.Random) -> None:
    cache.write_bytes(cache.read_bytes() + chance.randbytes(chance.randrange(3 * PAGE)))


def _over(cache: Path, chance: random.Random, content: Callable[[int], bytes]) -> None:
    def change(data: bytearray) -> None:
        length = chance.choice((16, 512, PAGE))
        start = chance.randrange(0, len(data) // length) * length
        data[start : start + length] = content(length)

    _rewrite(cache, change)


def _swap_pages(cache: Path, chance: random.Random) -> None:
    def change(data: bytearray) -> None:
        a, b = (PAGE * chance.randrange(1, len(data) // PAGE) for _ in range(2))
        data[a : a + PAGE], data[b : b + PAGE] = data[b : b + PAGE], data[a : a + PAGE]

    _rewrite(cache, change)


_CELLS = (
    *(("files", name) for name in ("path", "state", "content", "crc")),
    *(("keys", name) for name in ("id", "key")),
    *(("results", name) for name in ("content", "key", "value", "crc")),
)
_ODD = (b"\xff\xfe", b"", "odd", "", "\0", 0, -1, 1 << 62, 1.5, 1e308, "[1e999]", "[[]]", "{}")


def _sql(cache: Path, statement: str, *given: Any) -> None:
    with closing(sqlite3.connect(cache)) as db, db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(statement, given)


def _odd_cell(cache: Path, chance: random.Random) -> None:
    (table, column), value = chance.choice(_CELLS), chance.choice(_ODD)
    where = chance.choice(("", f" WHERE rowid % {chance.randrange(2, 9)} = 0"))
    _sql(cache, f"UPDATE OR REPLACE {table} SET {column} = ?{where}", value)


def _other_type(cache: Path, chance: random.Random) -> None:
    """The same bytes, as one flipped bit before them makes of a text."""
    (table, column), kind = (
        chance.choice(_CELLS),
        chance.choice(("BLOB", "TEXT", "INTEGER", "REAL")),
    )
    _sql(cache, f"UPDATE OR REPLACE {table} SET {column} = CAST({column} AS {kind})")


def _text_as_bytes(cache: Path, chance: random.Random) -> None:
    _sql(cache, "UPDATE results SET value = CAST(value AS BLOB) WHERE typeof(value) = 'text'")


def _not_utf8(cache: Path, chance: random.Random) -> None:
    _sql(cache, "UPDATE results SET value = CAST(x'5bff5d' AS TEXT) WHERE typeof(value) = 'text'")


def _swapped_values(cache: Path, chance: random.Random) -> None:
    column = chance.choice(("content", "key", "value, crc"))
    other = f"SELECT {column} FROM results ORDER BY random() LIMIT 1"
    _sql(cache, f"UPDATE OR REPLACE results SET ({column}) = ({other})")


def _swapped_contents(cache: Path, chance: random.Random) -> None:
    _sql(cache, "UPDATE files SET content = (SELECT max(content) FROM files)")


def _another_schema(cache: Path, chance: random.Random) -> None:
    table = chance.choice(("files", "keys", "results"))
    column = chance.choice([column for of, column in _CELLS if of == table])
    _sql(
        cache,
        chance.choice(
            (
                f"DROP TABLE {table}",
                f"ALTER TABLE {table} RENAME TO other",
                f"ALTER TABLE {table} RENAME COLUMN {column} TO other",
                f"DELETE FROM {table}",
                "DROP INDEX files_by_content",
                "DELETE FROM sqlite_master WHERE type = 'index'",
                "UPDATE sqlite_master SET sql = 'nonsense'",
                "UPDATE sqlite_master SET sql = 'CREATE TABLE files (' || CAST(x'c5' AS TEXT)",
                f"UPDATE sqlite_master SET rootpage = {chance.randrange(12)} WHERE name = '{table}'",
                f"PRAGMA user_version = {chance.choice((0, 1, 99))}",
            )
        ),
    )


def _beside(cache: Path, chance: random.Random) -> None:
    """What SQLite keeps beside a database, left over from another one or made of nothing."""
    place = Path(f"{cache}{chance.choice(('-wal', '-shm', '-journal'))}")
    data = bytearray(chance.choice((cache.read_bytes(), chance.randbytes(9000), bytes(40000))))
    if place.name.endswith("-wal"):
        data[:4] = b"\x37\x7f\x06\x82"
    elif place.name.endswith("-journal"):
        data[:8] = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
    place.write_bytes(data)


def _folder_beside(cache: Path, chance: random.Random) -> None:
    Path(f"{cache}{chance.choice(('-wal', '-shm', '-journal'))}").mkdir()


def _stale_wal(cache: Path, chance: random.Random) -> None:
    """Pages of an earlier time, which SQLite takes for the newest."""
    with closing(sqlite3.connect(cache)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("DELETE FROM results WHERE rowid % 2")
        db.commit()
        wal = Path(f"{cache}-wal").read_bytes()
        main = cache.read_bytes()
    cache.write_bytes(main)
    Path(f"{cache}-wal").write_bytes(wal)
    _flip(chance.choice((cache, Path(f"{cache}-wal"))), chance)


FAULTS: dict[str, Fault] = {
    "bits": _flip,
    "bits of the header": _flip_header,
    "bits where a page starts": _flip_page_start,
    "cut": _cut,
    "grown": _grow,
    "zeros": lambda cache, chance: _over(cache, chance, bytes),
    "foreign bytes": lambda cache, chance: _over(cache, chance, chance.randbytes),
    "pages swapped": _swap_pages,
    "odd cells": _odd_cell,
    "cells of another type": _other_type,
    "text as bytes": _text_as_bytes,
    "not UTF-8": _not_utf8,
    "values of others": _swapped_values,
    "content of another": _swapped_contents,
    "another schema": _another_schema,
    "left over beside it": _beside,
    "a folder beside it": _folder_beside,
    "a WAL of another time": _stale_wal,
}


def filled(folder: Path) -> tuple[list[Path], Path, list[str]]:
    """Photos, their store, and the rows that come of them."""
    paths = _photos(folder)
    cache = folder / "cache" / "store.sqlite"
    rows = _rows(paths, "")
    assert _rows(paths, cache) == rows
    with Store(cache, ["other"]) as store:
        for i in range(60):
            store.put(b"%032d" % i, {"other": np.full(256, i, np.float32)})
    return paths, cache, rows


def faults(folder: Path, count: int, seed: int = 0) -> Iterator[tuple[str, str]]:
    """Each fault's kind, and what was wrong with a run after it: nothing, if all is well."""
    paths, cache, expected = filled(folder)
    whole = cache.read_bytes()
    for number in range(count):
        for left in cache.parent.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        cache.write_bytes(whole)
        kind = list(FAULTS)[number % len(FAULTS)]
        try:
            FAULTS[kind](cache, random.Random(seed + number))
        except sqlite3.Error:
            continue  # SQLite itself does not allow it
        yield f"{kind} ({seed + number})", _wrong(paths, cache, expected)


def _wrong(paths: list[Path], cache: Path, expected: list[str]) -> str:
    before = cache.read_bytes()
    is_ours = not before or before[68:72] == database.MARK
    try:
        for look in ("first", "second"):
            if _rows(paths, cache) != expected:
                return f"wrong values at the {look} look"
    except ValueError as error:
        is_refusal = FOREIGN in str(error) and not is_ours and cache.read_bytes() == before
        return "" if is_refusal else repr(error)
    except Exception as error:
        return repr(error)
    return "" if is_ours else "somebody else's file was used"


def test_no_fault_changes_a_result_or_ends_a_run(tmp_path: Path) -> None:
    wrong = {kind: what for kind, what in faults(tmp_path, 108) if what}
    assert wrong == {}


@contextmanager
def not_writable(folder: Path) -> Iterator[None]:
    """Nothing in `folder` can be written; for root too, who becomes nobody for as long."""
    for place in (*folder.iterdir(), folder):
        place.chmod(0o555)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One whose parents everybody may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_filled_cache_that_cannot_be_written_is_read(
    is_damaged: bool, open_folder: Path, opened: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    paths, cache, expected = filled(open_folder)
    if is_damaged:
        _not_utf8(cache, random.Random(0))
    before = cache.read_bytes()
    opened.clear()
    with not_writable(cache.parent):
        assert _rows(paths, cache) == expected
    assert opened.isdisjoint(map(str, paths)) is not is_damaged
    assert (cache.read_bytes(), len(list(cache.parent.iterdir()))) == (before, 1)
    said = [record.message for record in caplog.records if record.levelno > logging.INFO]
    assert said[0].startswith(f"the cache {cache} cannot be written: ")
    assert said[0].endswith("; what is in it is used")
    assert len(said) == 1 + is_damaged


def test_a_cache_that_is_locked_is_read(
    tmp_path: Path, opened: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_MS", 1)
    paths, cache, expected = filled(tmp_path)
    with closing(sqlite3.connect(cache, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        opened.clear()
        assert _rows(paths, cache) == expected
        assert opened.isdisjoint(map(str, paths))
        other.execute("ROLLBACK")
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        assert _rows(paths, cache) == expected
