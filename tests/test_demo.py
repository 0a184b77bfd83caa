"""The demo photos: real photographs, every kind of degradation, made once and never half."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photorank.training import demo
from photorank.training.degradations import KINDS


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "Fotos für alle"
    demo.make_demo_photos(folder)
    return folder


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(float)


def test_every_file_named_is_there_and_nothing_else(photos: Path) -> None:
    made = demo.make_demo_photos(photos)
    assert made == sorted(photos.iterdir())
    assert len(made) == len(demo.ORIGINALS) + len(demo.COPIES) + len(demo.NEAR_DUPLICATES)


def test_copies_show_every_kind_at_level_2_and_above() -> None:
    assert {kind for _, kind, _ in demo.COPIES.values()} == set(KINDS)
    assert {level for *_, level in demo.COPIES.values()} == {2, 3, 4, 5}
    originals = [original for original, *_ in demo.COPIES.values()]
    assert {originals.count(f"{name}.jpg") for name in demo.ORIGINALS} == {4}


def test_originals_are_photographs_in_colour(photos: Path) -> None:
    for name in demo.ORIGINALS:
        rgb = pixels(photos / f"{name}.jpg")
        assert min(rgb.shape[:2]) >= 300
        assert (rgb.max(axis=2) - rgb.min(axis=2)).mean() > 20  # a grey picture has 0


def test_each_copy_differs_from_its_original(photos: Path) -> None:
    for copy, (original, _, _) in demo.COPIES.items():
        before, after = pixels(photos / original), pixels(photos / copy)
        assert before.shape == after.shape
        assert np.abs(before - after).mean() > 1.5, copy  # saving the same again changes 0


def test_one_near_duplicate_is_equal_and_the_other_almost(photos: Path) -> None:
    assert (photos / "chelsea_copy.jpg").read_bytes() == (photos / "chelsea.jpg").read_bytes()
    china = pixels(photos / "china.jpg")
    near = pixels(photos / "china_cropped_brighter.jpg")
    assert near.shape[0] == pytest.approx(0.97 * china.shape[0], abs=1)
    assert 1.02 < near.mean() / china.mean() < 1.06


def test_a_second_call_leaves_the_files_alone(photos: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in photos.iterdir()}
    demo.make_demo_photos(photos)
    assert {path: path.stat().st_mtime_ns for path in photos.iterdir()} == before


def test_the_same_files_are_made_again(photos: Path, tmp_path: Path) -> None:
    for path in demo.make_demo_photos(tmp_path):
        assert path.read_bytes() == (photos / path.name).read_bytes()


def test_an_interrupted_write_leaves_no_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Image.Image, path: Path, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        demo.make_demo_photos(tmp_path)
    assert not list(tmp_path.glob("*.jpg"))
    monkeypatch.undo()
    assert demo.make_demo_photos(tmp_path) == sorted(tmp_path.iterdir())


def test_without_the_packages_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo._original.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"skimage.*pip install 'photorank\[demo\]'"):
        demo.make_demo_photos(tmp_path)
