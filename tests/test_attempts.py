"""What goes wrong with one photo is its row; what cannot run at all is left out of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import photorank
from photorank.features.base import Column, Encoder, Feature, Head, UnavailableError
from photorank.features.quality import encoder
from photorank.features.run.extract import extract

MEAN = Feature("mean", "1", (Column("mean"),), lambda rgb: rgb.mean(), size=64)
ODD = [10**400, 1 + 2j, {}, (1, 2), [1], np.zeros(3), np.datetime64("2020"), object()]


@pytest.mark.parametrize("odd", ODD, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("batch", [None, 4])
def test_a_value_that_is_none_costs_the_photo_and_not_the_run(
    odd: object, batch: int | None, photo: np.ndarray
) -> None:
    def one(rgb: np.ndarray) -> object:
        return odd if rgb.mean() > 50 else 1

    measure = one if batch is None else lambda views: [*map(one, views)]
    feature = Feature("f", "1", (Column("f"),), measure, size=64, batch=batch)
    rows = list(extract([("bright", photo), ("dark", photo // 8)], [feature]))
    assert rows[0]["error"].startswith("feature 'f'")
    assert rows[1]["f"] == 1


STUMBLES = [ZeroDivisionError("x"), MemoryError(), RecursionError(), KeyError(), OSError(5, "disk")]


@pytest.mark.parametrize("error", STUMBLES, ids=repr)
@pytest.mark.parametrize("place", ["prepare", "encode", "score", "batched feature"])
def test_whatever_one_photo_of_a_batch_does_is_its_row(
    place: str, error: Exception, photo: np.ndarray
) -> None:
    def stumble(mean: float) -> None:
        if mean > 50:
            raise error

    def prepare(view: np.ndarray) -> np.ndarray:
        stumble(view.mean() if place == "prepare" else 0)
        return view

    def encode(views: Sequence[np.ndarray]) -> np.ndarray:
        means = np.array([[view.mean()] for view in views], np.float32)
        stumble(means.max() if place == "encode" else 0)
        return means

    def score(vectors: np.ndarray) -> np.ndarray:
        stumble(vectors.max() if place == "score" else 0)
        return vectors[:, 0]

    def batched(views: Sequence[np.ndarray]) -> list[float]:
        means = [float(view.mean()) for view in views]
        stumble(max(means) if place == "batched feature" else 0)
        return means

    head = Head(
        (Column("red"),), score, Encoder("e", "1", (), "rgb", 32, 8, encode, prepare=prepare)
    )
    several = Feature("several", "1", (Column("several"),), batched, size=64, batch=8)
    sources = [("a", photo // 8), ("bright", photo), ("b", photo // 9)]
    rows = list(extract(sources, [head, several, MEAN]))
    assert repr(error) in rows[1].pop("error")
    assert [row["error"] for row in (rows[0], rows[2])] == [None, None]
    assert all({"red", "several", "mean"} <= set(row) for row in (rows[0], rows[2]))


def test_a_batch_that_comes_back_short_is_named(photo: np.ndarray) -> None:
    short = Feature("short", "1", (Column("short"),), lambda views: [], size=64, batch=4)
    with pytest.raises(ValueError, match=r"'short' takes several .* of 1 it returned 0"):
        list(extract([("a", photo), ("b", photo)], [short]))


def test_a_feature_that_never_gives_what_it_declares_ends_the_run_soon(photo: np.ndarray) -> None:
    taken: list[int] = []

    def sources() -> Iterator[tuple[str, np.ndarray]]:
        for number in range(500):
            taken.append(number)
            yield f"{number}", photo

    pair = Feature("pair", "1", (Column("a"), Column("b")), lambda rgb: 1.0, size=8)
    with pytest.raises(ValueError, match="'pair' has 2 columns"):
        list(extract(sources(), [pair], workers=0))
    assert len(taken) < 20


@pytest.mark.parametrize("name", ["a\0b.jpg", "\ud800.jpg"])
def test_a_name_that_no_file_can_have_is_a_row(name: str, photo_file: Path) -> None:
    odd, good = extract([name, photo_file], [MEAN])
    assert odd["error"].startswith("unreadable: ")
    assert good["error"] is None


@pytest.mark.parametrize("batch", [None, 4])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_feature_that_cannot_run_at_all_is_left_out_with_a_word(
    batch: int | None, workers: int, photo: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(views: object) -> object:
        raise UnavailableError("no model file")

    head = Head((Column("red"),), missing, Encoder("e", "1", (), "rgb", 32, batch, missing))
    model = Feature("model", "1", (Column("x"), Column("y")), missing, size=8, batch=batch)
    rows = list(extract([(f"{i}", photo) for i in range(6)], [model, MEAN, head], workers))
    for row in rows:
        assert row["error"] is row["x"] is row["y"] is row["red"] is None
        assert row["mean"] > 0
    said = sorted(record.message for record in caplog.records)
    assert said == ["left out: red: no model file", "left out: x, y: no model file"]


def test_built_in_features_whose_models_are_gone_are_named_in_the_notes(
    photo: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("cv2.data.haarcascades", f"{tmp_path}/")
    monkeypatch.setattr(encoder, "GRAPH", tmp_path / "network.onnx")
    encoder._shipped.cache_clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    pictures = {f"{i}": photo // (i + 1) for i in range(3)}
    table = photorank.rank(pictures, aesthetic="none", quiet=True)
    encoder._shipped.cache_clear()
    assert table["error"].isna().all()
    assert table[["face_present", "quality"]].isna().all(axis=None)
    assert table["final_score"].is_monotonic_decreasing
    notes = " ".join(table.attrs["photorank"]["notes"])
    assert "left out: face_present, face_count, face_area: no detector can be loaded" in notes
    assert "left out: quality, defocus_level, motion_blur_level ...: its network cannot" in notes
