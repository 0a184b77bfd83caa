"""Measuring many photos: a value depends on its photo and its feature, and on nothing else."""

from __future__ import annotations

import dataclasses
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import features.base
from photorank.features import BUILTIN
from photorank.features.base import Column, Encoder, Feature, Head, declare
from photorank.features.run.extract import extract
from photorank.features.run.streaming import ByteBudget

MEAN = Feature("mean", "1", (Column("mean"),), lambda rgb: rgb.mean(), size=64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray) -> Path:
    """Six different photos and one that is damaged."""
    folder = tmp_path_factory.mktemp("photos")
    for index in range(6):
        Image.fromarray(np.roll(photo, 70 * index, axis=1) // (1 + index % 2)).save(
            folder / f"{index}.jpg"
        )
    whole = (folder / "3.jpg").read_bytes()
    (folder / "broken.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


def _encoder(batch: int) -> Encoder:
    def encode(views: Sequence[np.ndarray]) -> np.ndarray:
        assert 0 < len(views) <= batch
        vectors = np.stack([view.mean(axis=(0, 1)) for view in views])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    return Encoder("colour", "1", (), "rgb", 32, batch, encode)


def _head(encoder: Encoder) -> Head:
    return Head((Column("red"), Column("blue")), lambda v: v[:, [0, 2]], encoder)


def test_values_do_not_depend_on_workers_order_batch_or_company(folder: Path) -> None:
    paths = sorted(map(str, folder.iterdir()))
    expected = list(extract(paths, [*BUILTIN, _head(_encoder(4))], workers=0))
    by_path = {row["path"]: row for row in expected}
    assert [row["path"] for row in expected] == paths
    for workers, batch, order in ((1, 1, paths), (3, 3, paths[::-1]), (None, 64, paths)):
        rows = list(extract(order, [*BUILTIN[::-1], _head(_encoder(batch))], workers))
        assert [row["path"] for row in rows] == order
        assert {row["path"]: row for row in rows} == by_path
    for feature in BUILTIN:
        for row in extract(paths, [feature]):
            names = [column.name for column in feature.columns]
            assert [row.get(n) for n in names] == [by_path[row["path"]].get(n) for n in names]


def test_a_photo_that_fails_is_a_row_with_its_reason_and_no_values(folder: Path) -> None:
    *_, row = extract([folder / "0.jpg", folder / "broken.jpg"], [MEAN, _head(_encoder(2))])
    assert "truncated" in row["error"]
    assert row["bytes"] > 0
    assert "mean" not in row
    (gone,) = extract(["/no/such.jpg"], [MEAN])
    assert "No such file" in gone["error"]


def test_a_feature_that_stumbles_costs_one_photo(photo: np.ndarray) -> None:
    def dark_only(rgb: np.ndarray) -> float:
        if rgb.mean() > 50:
            raise ZeroDivisionError("too bright")
        return 1.0

    feature = Feature("dark", "1", (Column("dark"),), dark_only, size=64)
    bright, dark = extract([("bright", photo), ("dark", photo // 8)], [feature])
    assert bright["error"] == "feature 'dark' failed: ZeroDivisionError('too bright')"
    assert dark["dark"] == 1.0


@pytest.mark.parametrize("workers", [0, 2])
def test_a_wrong_number_of_values_names_the_feature(photo: np.ndarray, workers: int) -> None:
    feature = Feature("pair", "1", (Column("a"), Column("b")), lambda rgb: 1.0, size=64)
    with pytest.raises(ValueError, match=r"'pair' has 2 columns \(a, b\) but .* returned 1 value"):
        list(extract([("p", photo)], [feature], workers))


def test_clashing_columns_name_both_features() -> None:
    other = Feature("other", "1", (Column("mean"),), lambda rgb: 0.0)
    with pytest.raises(ValueError, match="column 'mean': 'mean' and 'other'"):
        list(extract([], [MEAN, other]))


def test_a_batched_feature_gets_lists(photo: np.ndarray) -> None:
    seen: list[int] = []

    def means(views: list[np.ndarray]) -> list[float]:
        seen.append(len(views))
        return [float(view.mean()) for view in views]

    batched = Feature("mean", "1", (Column("mean"),), means, size=64, batch=3)
    sources = [(f"{i}", photo // (i + 1)) for i in range(7)]
    single = list(extract(sources, [MEAN]))
    assert list(extract(sources, [batched])) == single
    assert seen == [3, 3, 1]


def test_one_encoder_runs_once_for_all_its_heads(photo: np.ndarray) -> None:
    calls: list[int] = []
    inner = _encoder(8)

    def encode(views: Sequence[np.ndarray]) -> np.ndarray:
        calls.append(len(views))
        return inner.encode(views)

    encoder = Encoder("colour", "1", (), "rgb", 32, 8, encode)
    green = Head((Column("green"),), lambda v: v[:, 1], encoder)
    (row,) = extract([("p", photo)], [_head(encoder), green])
    assert calls == [1]
    assert {"red", "green", "blue"} <= set(row)


def _early(prepare: Callable[[np.ndarray], np.ndarray], load: Callable[[], object]) -> Head:
    return _head(dataclasses.replace(_encoder(4), prepare=prepare, load=load))


@pytest.mark.parametrize("batch", [3, None])
def test_what_waits_for_a_batch_is_prepared_in_the_thread_that_decodes(
    batch: int | None, photo: np.ndarray
) -> None:
    places: set[str] = set()

    def halves(view: np.ndarray) -> np.ndarray:
        places.add(threading.current_thread().name)
        return view[:, ::2]

    def encode(views: Sequence[np.ndarray]) -> np.ndarray:
        assert {view.shape for view in views} == {(32, 16, 3)}
        return np.stack([view.mean(axis=(0, 1)) for view in views]).astype(np.float32)

    encoder = Encoder("halves", "1", (), "rgb", 32, batch, encode, prepare=halves)
    sources = [(f"{i}", photo // (i + 1)) for i in range(7)]
    alone = [row for source in sources for row in extract([source], [_head(encoder)], 0)]
    places.clear()
    assert list(extract(sources, [_head(encoder)], 2)) == alone
    assert places
    assert all(name.startswith("photorank") for name in places)


def test_a_model_is_loaded_while_the_first_photos_are_decoded(photo: np.ndarray) -> None:
    prepared, loaded = threading.Semaphore(0), []

    def prepare(view: np.ndarray) -> np.ndarray:
        prepared.release()
        return view

    def load() -> None:
        for _ in range(6):  # of 4 that fill a batch, and of those after it
            assert prepared.acquire(timeout=60)
        loaded.append(threading.current_thread())

    rows = extract([(f"{i}", photo) for i in range(8)], [_early(prepare, load)], 2)
    assert len(list(rows)) == 8
    assert len(loaded) == 1


def test_nothing_is_loaded_for_photos_that_fail_or_are_in_the_store(
    folder: Path, tmp_path: Path
) -> None:
    loads: list[bool] = []
    head = _early(lambda view: view, lambda: loads.append(True))
    for photo in ("broken.jpg", "0.jpg", "0.jpg"):
        list(extract([folder / photo], [head], 2, tmp_path / "store.sqlite"))
    assert len(loads) == 1  # for 0.jpg at first
    list(extract([folder / "1.jpg"], [head], 0))  # all in the calling thread, on first use
    assert len(loads) == 1


def test_what_loading_raises_the_run_raises_and_no_thread_stays(folder: Path) -> None:
    def load() -> None:
        raise ValueError("weights of another model")

    with pytest.raises(ValueError, match="weights of another model"):
        list(extract([folder / "0.jpg"] * 50, [_early(lambda view: view, load)], 2))
    assert not [t for t in threading.enumerate() if t.name.startswith("photorank")]


def test_a_run_that_is_interrupted_while_it_waits_for_a_model_ends(folder: Path) -> None:
    main, release = threading.main_thread().ident, threading.Event()

    def load() -> None:
        assert main
        signal.pthread_kill(main, signal.SIGINT)
        release.wait(0.5)  # so that the main thread waits for it

    with pytest.raises(KeyboardInterrupt):
        list(extract([folder / "0.jpg"] * 50, [_early(lambda view: view, load)], 2))
    left = [t for t in threading.enumerate() if t.name.startswith("photorank")]
    for thread in left:  # one that was being started at that moment ends by itself
        thread.join(10)
    assert not any(thread.is_alive() for thread in left)


def test_a_feature_from_either_spelling_of_the_module(photo: np.ndarray) -> None:
    plain = features.base.Feature("plain", "1", (features.base.Column("plain"),), np.mean, size=8)
    assert type(plain) is not Feature
    (row,) = extract([("p", photo)], [plain, MEAN])  # type: ignore[list-item]
    assert row["plain"] > 0


def test_an_abandoned_run_stops_its_threads(folder: Path) -> None:
    rows = extract([folder / "0.jpg"] * 500, [MEAN], workers=2)
    next(rows)
    rows.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("photorank")]


def test_byte_budget_keeps_decoders_under_the_limit() -> None:
    budget, inside, most = ByteBudget(100), [0], [0]
    lock = threading.Lock()

    def work(needed: int) -> None:
        with budget.hold(needed):
            with lock:
                inside[0] += needed
                most[0] = max(most[0], inside[0])
            threading.Event().wait(0.002)
            with lock:
                inside[0] -= needed

    threads = [threading.Thread(target=work, args=(n,)) for n in (60, 50, 100, 10, 30, 70) * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert inside == [0]
    assert 60 <= most[0] <= 100


def test_declarations_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="'x': better is 'higher', 'lower' or 'neither', got 'up'"):
        Column("x", better="up")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="low < high"):
        Column("x", range=(1, 0))
    with pytest.raises(ValueError, match=r"'big': size is 1 to 960 pixels .* got 2000"):
        Feature("big", "1", (Column("x"),), np.mean, size=2000)
    with pytest.raises(ValueError, match="'none' needs a tuple of at least one Column"):
        Feature("none", "1", (), np.mean)
    with pytest.raises(ValueError, match="view is 'rgb' or 'luma', got 'hsv'"):
        Feature("v", "1", (Column("x"),), np.mean, view="hsv")  # type: ignore[arg-type]


def test_settings_are_part_of_a_columns_version() -> None:
    one, two = (Feature("f", "1", (Column("x"),), np.mean, settings=(("k", k),)) for k in (1, 2))
    assert declare([one])[0]["version"] == "1 k 1"
    assert declare([one])[0]["version"] != declare([two])[0]["version"]


@pytest.mark.parametrize("value", [np.zeros(2), [1.0]])
def test_a_measure_that_returns_no_number_is_named(photo: np.ndarray, value: object) -> None:
    odd = Feature("odd", "1", (Column("odd"),), lambda rgb: value)
    with pytest.raises(ValueError, match="feature 'odd': its measure should return a number"):
        list(extract([("a", photo)], [odd], workers=0))
    whole = Feature("whole", "1", (Column("whole"),), lambda rgb: np.array(3.0))
    assert next(extract([("a", photo)], [whole], workers=0))["whole"] == 3.0


def test_a_picture_in_hand_that_is_none_is_a_row(photo: np.ndarray, tmp_path: Path) -> None:
    file = tmp_path / "broken.jpg"
    Image.fromarray(photo).save(file)
    file.write_bytes(file.read_bytes()[:9000])
    with Image.open(file) as broken:
        pictures = [("broken", broken), ("none", None), ("text", "a.jpg"), ("good", photo)]
        rows = list(extract(pictures, [MEAN], workers=1))
    errors = [row["error"] for row in rows]
    assert errors[0].startswith("image file is truncated")
    assert errors[1:] == [
        "a picture is a PIL image or an array, got NoneType",
        "a picture is a PIL image or an array, got str",
        None,
    ]
