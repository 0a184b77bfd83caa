"""The store: what is in it is not measured again, and nothing about it ever changes a result."""

from __future__ import annotations

import importlib
import logging
import math
import os
import sqlite3
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import photorank as pr
from photorank.features import BUILTIN
from photorank.features.base import Column, Encoder, Feature, Head
from photorank.features.photo.image import PhotoError
from photorank.features.run.database import LAYOUT
from photorank.features.run.extract import extract
from photorank.features.run.identity import NO_PHOTO, PhotoKey
from photorank.features.run.store import Store
from photorank.features.run.streaming import ByteBudget

EXTRACT = importlib.import_module("photorank.features.run.extract")
FAST = [feature for feature in BUILTIN if feature.name != "quality"]  # it takes most of the time
FEW = FAST[-2:]
A = b"a" * 32
KEY = PhotoKey(b"/a\xff.jpg", 5, -7, 1 << 64, 1 << 80)


@pytest.fixture
def photos(tmp_path: Path, photo: np.ndarray) -> list[Path]:
    """Six different photos and, in the middle, one that is damaged."""
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = [folder / f"{i}.jpg" for i in range(7)]
    for i, path in enumerate(paths):
        Image.fromarray(np.roll(photo, 70 * i, axis=1) // (1 + i % 2)).save(path)
    paths[3].write_bytes(paths[3].read_bytes()[:9000])
    return paths


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "shoot.sqlite"


class Counted:
    """A feature, or an encoder with one head, that counts the photos it was given."""

    def __init__(self, name: str = "mean", **options: Any) -> None:
        self.calls = 0
        self.batches: list[int] = []
        self.feature = Feature(name, "1", (Column(name),), self._mean, size=64)
        self.feature = replace(self.feature, **options)
        self.encoder = Encoder("colour", "1", (), "rgb", 32, 2, self._encode)

    def head(self, name: str = "red", channel: int = 0) -> Head:
        return Head((Column(name),), lambda vectors: vectors[:, channel], self.encoder)

    def _mean(self, rgb: np.ndarray) -> float:
        self.calls += 1
        return float(rgb.mean())

    def _encode(self, views: Sequence[np.ndarray]) -> np.ndarray:
        self.batches.append(len(views))
        vectors = np.stack([view.mean(axis=(0, 1)) for view in views])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def table_of(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Rows as text in which every bit and type shows."""
    return [repr(sorted(row.items())) for row in rows]


def test_unchanged_photos_are_not_opened_again(
    photos: list[Path], cache: Path, opened: set[str]
) -> None:
    features = [*FAST, Counted().head()]
    plain = table_of(extract(photos, features))
    assert table_of(extract(photos, features, cache=cache)) == plain
    assert opened >= set(map(str, photos))
    opened.clear()
    assert table_of(extract(photos, features, cache=cache)) == plain
    assert table_of(extract(photos, features, workers=0, cache=cache)) == plain
    assert opened.isdisjoint(map(str, photos))


def test_a_link_and_another_spelling_are_the_same_photo(photos: list[Path], cache: Path) -> None:
    feature = Counted()
    list(extract(photos[:1], [feature.feature], cache=cache))
    link = photos[0].with_name("link.jpg")
    link.symlink_to(photos[0])
    (row,) = extract([link], [feature.feature], cache=cache)
    assert (row["path"], feature.calls) == (str(link), 1)


def test_a_photo_that_changed_is_measured_and_its_old_values_go(
    photos: list[Path], cache: Path
) -> None:
    feature = Counted()
    (old,) = extract(photos[:1], [feature.feature], cache=cache)
    Image.open(photos[1]).save(photos[0])
    (new,) = extract(photos[:1], [feature.feature], cache=cache)
    assert new != old
    for _ in range(2):
        assert next(extract(photos[:1], [feature.feature], cache=cache)) == new
        assert feature.calls == 2
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]  # and nothing beside it
    with sqlite3.connect(cache) as db:
        assert db.execute("SELECT count(*) FROM files").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM results").fetchone() == (2,)
    db.close()


def test_every_kind_of_value_comes_back_as_it_was(
    photos: list[Path], cache: Path, opened: set[str]
) -> None:
    odd = (math.nan, None, -0.0, math.inf, 0.1 + 0.2, 5e-324, 1 << 70, True, "\udcff\0é", 7)
    columns = tuple(Column(f"c{i}") for i in range(len(odd)))
    feature = Feature("odd", "1", columns, lambda rgb: odd, size=8)
    first = table_of(extract(photos[:1], [feature], cache=cache))
    opened.clear()
    assert table_of(extract(photos[:1], [feature], cache=cache)) == first
    assert str(photos[0]) not in opened
    assert "'c0', nan" in first[0]


def test_a_value_that_cannot_be_kept_is_measured_each_time(photos: list[Path], cache: Path) -> None:
    odd = Feature("odd", "1", (Column("odd"),), lambda rgb: Fraction(1, 3), size=8)
    for _ in range(2):
        assert next(extract(photos[:1], [odd], cache=cache))["odd"] == Fraction(1, 3)


def test_only_what_is_new_is_computed(photos: list[Path], cache: Path) -> None:
    old, new = Counted(), Counted("other")
    list(extract(photos, [old.feature, old.head()], cache=cache))
    rows = list(extract(photos, [new.feature, old.feature, old.head()], cache=cache))
    assert (old.calls, new.calls, old.batches) == (6, 6, [2, 2, 2])
    assert table_of(rows) == table_of(extract(photos, [new.feature, old.feature, old.head()]))


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2"},
        {"settings": (1,)},
        {"size": 32},
        {"view": "luma"},
        {"columns": (Column("x"),)},
    ],
)
def test_another_fingerprint_is_another_value(
    photos: list[Path], cache: Path, change: dict[str, Any]
) -> None:
    one, two = Counted(), Counted(**change)
    for _ in range(2):
        list(extract(photos[:2], [one.feature], cache=cache))
        list(extract(photos[:2], [two.feature], cache=cache))
    assert (one.calls, two.calls) == (2, 2)


@pytest.mark.parametrize("change", [{"version": ""}, {"settings": (object(),)}])
def test_a_feature_without_a_version_or_with_odd_settings_is_not_kept(
    photos: list[Path], cache: Path, change: dict[str, Any]
) -> None:
    feature = Counted(**change)
    for _ in range(2):
        list(extract(photos[:2], [feature.feature], cache=cache))
    assert feature.calls == 4


def test_a_new_head_touches_no_pixel(photos: list[Path], cache: Path, opened: set[str]) -> None:
    one = Counted()
    heads = [one.head(), one.head("blue", 2)]
    expected = table_of(extract(photos, heads))
    list(extract(photos, heads[:1], cache=cache))
    opened.clear()
    assert table_of(extract(photos, heads, cache=cache)) == expected
    assert opened.isdisjoint(map(str, photos))


def test_pictures_in_hand_are_not_kept(photo: np.ndarray, cache: Path) -> None:
    feature = Counted()
    for picture in (photo, photo // 2):
        (row,) = extract([("a.jpg", picture)], [feature.feature], cache=cache)
    assert feature.calls == 2
    assert row["mean"] < 80


def test_why_a_photo_failed_is_kept_if_the_file_is_to_blame(
    photos: list[Path], cache: Path, photo: np.ndarray, opened: set[str]
) -> None:
    stumbles = [True]

    def measure(rgb: np.ndarray) -> float:
        if stumbles:
            raise MemoryError
        return 1.0

    feature = Feature("f", "1", (Column("f"),), measure, size=8)
    gone = photos[0].with_name("later.jpg")
    asked = [photos[3], photos[0], gone]
    errors = [row["error"] for row in extract(asked, [feature], cache=cache)]
    assert "truncated" in errors[0]
    assert errors[1:] == [
        "feature 'f' failed: MemoryError()",
        "vanished or unreadable: No such file or directory",
    ]
    stumbles.clear()
    Image.fromarray(photo).save(gone)
    opened.clear()
    again = [row["error"] for row in extract(asked, [feature], cache=cache)]
    assert again == [errors[0], None, None]
    assert str(photos[3]) not in opened


@pytest.mark.parametrize(
    ("cause", "is_lasting"),
    [
        (None, True),
        (OSError("image file is truncated"), True),
        (PermissionError(13, "Permission denied"), False),
        (OSError(5, "Input/output error"), False),
        (MemoryError(), False),
    ],
)
def test_trouble_of_the_machine_is_not_the_file_s(
    cause: Exception | None, is_lasting: bool
) -> None:
    error = PhotoError("failed")
    error.__cause__ = cause
    assert error.is_lasting is is_lasting


def test_a_photo_replaced_before_it_is_read_has_the_new_one_s_values(
    photos: list[Path], cache: Path, opened: set[str]
) -> None:
    """The one thread is busy with the first photo when the second, already looked up, changes."""
    changed = threading.Event()

    def measure(rgb: np.ndarray) -> float:
        changed.wait(10)
        return float(rgb.mean())

    mean = Feature("mean", "1", (Column("mean"),), measure, size=64)
    list(extract(photos[:2], [Counted("old").feature], cache=cache))

    def sources() -> Iterator[Path]:
        yield from photos[:2]
        os.replace(photos[2], photos[1])
        changed.set()
        yield photos[4]

    features = [mean, Counted("old").feature]
    rows = list(extract(sources(), features, workers=1, cache=cache))
    assert table_of(rows[1:2]) == table_of(extract(photos[1:2], features))
    opened.clear()
    assert list(extract(photos[:2], features, cache=cache)) == rows[:2]
    assert opened.isdisjoint(map(str, photos))


def test_photos_removed_during_the_run_are_rows(photos: list[Path], cache: Path) -> None:
    rows = extract(photos, [Counted().feature], workers=0, cache=cache)
    next(rows)
    for path in photos[2:]:
        path.unlink()
    later = list(rows)
    assert later[0]["error"] is None
    assert {row["error"] for row in later[1:]} == {
        "vanished or unreadable: No such file or directory"
    }


def test_a_run_that_stopped_loses_nothing_and_makes_the_same_batches(
    photos: list[Path], cache: Path
) -> None:
    whole = Counted()
    expected = table_of(extract(photos, [whole.feature, whole.head()]))
    for workers in (0, 2):
        place, one = cache.with_name(f"{workers}.sqlite"), Counted()
        features = [one.feature, one.head()]
        rows = extract(photos, features, workers, place)
        next(rows)
        rows.close()
        assert table_of(extract(photos, features, workers, place)) == expected
        assert one.calls == whole.calls
        assert one.batches == whole.batches


def test_rows_that_wait_for_one_before_them_are_few(
    photos: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Counted()
    list(extract(photos[1:2], [one.head()], cache=cache))
    monkeypatch.setattr(EXTRACT, "_MOST_WAITING", 5)
    taken = []

    def sources() -> Iterable[Path]:
        for path in (photos[0], *photos[1:2] * 50):
            taken.append(path)
            yield path

    next(extract(sources(), [one.head()], workers=0, cache=cache))
    assert len(taken) <= 6


@pytest.mark.parametrize("stored", [False, True])
def test_memory_does_not_grow_with_the_number_of_photos(
    photos: list[Path], cache: Path, photo: np.ndarray, stored: bool
) -> None:
    one = Counted()
    features = [FAST[-1], one.feature, replace(one.head(), encoder=big_views(one.encoder))]
    list(extract(photos[:2] * 5, features, workers=2))  # what is loaded once
    tracemalloc.start()
    for _ in extract(photos[:2] * 60, features, workers=2, cache=cache if stored else ""):
        pass
    (_, most) = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 120 * photo.nbytes / 2  # of the pictures that the encoder was given


def big_views(encoder: Encoder) -> Encoder:
    return replace(encoder, size=None, batch=4, version="big")


def test_a_batch_of_large_pictures_is_closed_early(
    photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Counted()
    monkeypatch.setattr(EXTRACT, "_MOST_VIEW_BYTES", 3 * 512 * 512 * 3)
    encoder = replace(one.encoder, size=None, batch=6)
    list(extract(photos, [replace(one.head(), encoder=encoder)]))
    assert one.batches == [3, 3]


def test_views_that_wait_leave_decoders_less_room_but_never_none() -> None:
    budget = ByteBudget(100)
    budget.take(90)
    with budget.hold(80):  # no other decodes
        assert budget._free == -70
    budget.give_back(90)
    assert budget._free == 100


# The file


def fill(cache: Path) -> None:
    with Store(cache, ["k", "v"]) as store:
        for i in range(300):
            results = {"k": [i, "text"], "v": np.full(256, i, np.float32)}
            store.put(b"%d" % i, results, KEY._replace(path=b"%d" % i))


def test_a_store_gives_back_what_was_put(cache: Path) -> None:
    vector = np.random.default_rng(0).normal(size=512).astype(np.float32)
    with Store(cache, ["k", "v", "other"]) as store:
        store.put(A, {"k": [1.5], "v": vector, "unknown": [1]}, KEY)
        assert (store.content(KEY), store.get(A)) == (None, {})  # not yet
        store.save()
        assert (store.content(KEY), store.get(A)["k"]) == (A, [1.5])
    with Store(cache, ["v", "late"]) as store:
        assert list(store.get(A)) == ["v"]
        assert store.get(A)["v"].tobytes() == vector.tobytes()
        assert store.get(A)["v"].dtype == np.float32
        assert store.get(b"b" * 32) == store.get(NO_PHOTO) == {}
        assert store.content(KEY) == A
        for field in PhotoKey._fields:
            assert store.content(KEY._replace(**{field: type(getattr(KEY, field))()})) is None
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]  # and nothing beside it


def test_an_empty_name_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with Store("", ["k"]) as store:
        store.put(A, {"k": [1]})
        store.save()
        assert not store
        assert store.get(A) == {}
    assert list(tmp_path.iterdir()) == []


def test_what_is_put_is_saved_after_a_second_or_many(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(cache, ["k"]) as store:
        for i in range(63):
            store.put(b"%d" % i, {"k": [i]})
        store.save_if_due()
        assert len(store._pending) == 63
        store.put(A, {"k": [0]})
        store.save_if_due()
        assert not store._pending
        store.put(A, {"k": [1]})
        store.save_if_due()
        assert store._pending
        monkeypatch.setattr(store, "_saved", store._saved - 1)
        store.save_if_due()
        assert store.get(A) == {"k": [1]}


def test_it_waits_while_another_run_writes(cache: Path) -> None:
    with Store(cache, ["k"]) as store:
        other = sqlite3.connect(cache, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.5, other.execute, ["COMMIT"])
        release.start()
        store.put(A, {"k": [1]})
        store.save()
        assert store.get(A) == {"k": [1]}
        release.join()
        other.close()


def garbage(cache: Path) -> None:
    mark = cache.read_bytes()[68:72]
    cache.write_bytes(bytes(68) + mark + b"garbage" * 999)


def cut(cache: Path) -> None:
    os.truncate(cache, cache.stat().st_size // 2)


def holes(cache: Path) -> None:
    data = bytearray(cache.read_bytes())
    for start in range(8192, len(data) - 2048, 8192):
        data[start : start + 1500] = bytes(1500)
    cache.write_bytes(data)


def one_value(cache: Path) -> None:
    with sqlite3.connect(cache) as db:
        db.execute("UPDATE results SET value = replace(value, '1', '2') WHERE typeof(value)='text'")
    db.close()


def newer(cache: Path) -> None:
    with sqlite3.connect(cache) as db:
        db.execute(f"PRAGMA user_version = {LAYOUT + 1}")
    db.close()


@pytest.mark.parametrize("damage", [garbage, cut, holes, one_value, newer])
def test_a_damaged_store_is_removed_and_built_again(
    cache: Path,
    photos: list[Path],
    damage: Callable[[Path], None],
    caplog: pytest.LogCaptureFixture,
    opened: set[str],
) -> None:
    one = Counted()
    features = [*FEW, one.feature, one.head()]
    expected = table_of(extract(photos, features, cache=cache))
    fill(cache)
    damage(cache)
    assert table_of(extract(photos, features, cache=cache)) == expected
    assert list(cache.parent.iterdir()) == [cache]
    (warning,) = (r.message for r in caplog.records if r.levelno >= logging.WARNING)
    assert warning.startswith(f"the cache {cache} is damaged (")
    assert warning.endswith("): removed and built again")
    opened.clear()
    assert table_of(extract(photos, features, cache=cache)) == expected
    assert opened.isdisjoint(map(str, photos))


def test_another_s_file_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    names = ("IMG_1.jpg", "no.sqlite", "zeros.sqlite", "catalog.db")
    text, named, zeros, database = (tmp_path / name for name in names)
    for file in (text, named):
        file.write_text("precious")
    zeros.write_bytes(bytes(8192))
    with sqlite3.connect(database) as db:
        db.execute("CREATE TABLE photos (name)")
    db.close()
    for file in (text, named, zeros, database):
        before = file.read_bytes()
        with pytest.raises(ValueError, match=f"{file} is no cache of photorank's: give another"):
            Store(file, ["k"])
        assert file.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_a_new_store_that_another_run_began_is_not_removed(cache: Path) -> None:
    fill(cache)
    with Store(cache, ["k", "v"]) as late:
        one_value(cache)
        with Store(cache, ["k", "v"]) as first:
            first.get(b"1")
            first.put(A, {"k": [1]})
            first.save()
            late.get(b"1")
            assert late.get(A) == first.get(A) == {"k": [1]}


@pytest.mark.parametrize("place", ["file/store.sqlite", "folder", "/proc/store.sqlite"])
def test_where_nothing_can_be_written_it_warns_and_goes_on(
    photos: list[Path], tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    expected = table_of(extract(photos, FEW))
    assert table_of(extract(photos, FEW, cache=tmp_path / place)) == expected
    (record,) = (r for r in caplog.records if r.levelno == logging.WARNING)
    assert "cannot be used: " in record.message
    assert record.message.endswith("; going on without it")


def test_a_full_store_warns_once_and_is_still_read(
    cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Store(cache, ["k", "v"]) as store:
        assert store._db is not None
        store.put(A, {"k": [1]})
        store.save()
        store._db.execute(
            "PRAGMA max_page_count = 1"
        )  # what SQLite then says, a full disk says too
        for i in range(300):
            store.put(b"%d" % i, {"k": [i], "v": np.zeros(512, np.float32)})
            store.save_if_due()
        assert store.get(A) == {"k": [1]}
    (record,) = (r for r in caplog.records if r.levelno == logging.WARNING)
    assert "database or disk is full; going on without it" in record.message
    with Store(cache, ["k"]) as store:
        assert store.get(A) == {"k": [1]}


def test_in_python_there_is_a_cache_only_where_one_is_named(
    photos: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch, opened: set[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    monkeypatch.chdir(photos[0].parent)
    options: dict[str, Any] = {"aesthetic": "none", "features": "sharpness", "quiet": True}
    measured = pr.extract(photos, **options)
    pr.rank(photos, weights={"sharpness": 1}, **options)
    pr.extract(photos, cache="off", **options)
    assert not cache.parent.exists()
    assert len(list(photos[0].parent.iterdir())) == len(photos)
    assert pr.extract(photos, cache=cache, **options).equals(measured)
    opened.clear()
    ranked = pr.rank(photos, cache=str(cache), weights={"sharpness": 1}, **options)
    assert ranked["sharpness"].notna().sum() == 6
    assert opened.isdisjoint(map(str, photos))
