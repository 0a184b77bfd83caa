"""By what a stored photo is known: its file while nothing touches that, else its content."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photorank.features.base import Column, Feature
from photorank.features.run.extract import extract
from photorank.features.run.identity import content_of

YEAR_2263, YEAR_90000 = (
    9_250_000_000,
    2_800_000_000_000,
)  # beyond 64 bits of nanoseconds, and of dates


class Measured:
    """A folder measured with a store; `calls` counts the photos that were measured."""

    def __init__(self, cache: Path) -> None:
        self.cache, self.calls = cache, 0
        self.feature = Feature("mean", "1", (Column("mean"),), self._mean, size=64)

    def _mean(self, rgb: np.ndarray) -> float:
        self.calls += 1
        return float(rgb.mean())

    def rows(self, folder: Path) -> dict[str, dict[str, object]]:
        found = extract(sorted(folder.rglob("*.jpg")), [self.feature], cache=self.cache)
        return {Path(row["path"]).name: {**row, "path": ""} for row in found}


@pytest.fixture
def folder(tmp_path: Path, photo: np.ndarray) -> Path:
    """Two photos that differ in their pixels, and one that is damaged."""
    folder = tmp_path / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 1
    Image.fromarray(photo).crop((0, 0, 200, 100)).save(folder / "a.jpg", exif=exif)
    Image.fromarray(photo).crop((200, 0, 400, 100)).save(folder / "b.jpg")
    (folder / "c.jpg").write_bytes((folder / "a.jpg").read_bytes()[:2000])
    return folder


@pytest.fixture
def measured(tmp_path: Path, folder: Path) -> Measured:
    """The folder has been measured."""
    measured = Measured(tmp_path / "store.sqlite")
    measured.rows(folder)
    assert measured.calls == 2
    return measured


def keeping_its_time(path: Path, data: bytes) -> None:
    before = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)


def test_a_photo_turned_in_place_is_measured_again(measured: Measured, folder: Path) -> None:
    data = (folder / "a.jpg").read_bytes()
    value = data.index(b"\x01\x12\x00\x03\x00\x00\x00\x01") + 9  # of the tag Orientation
    keeping_its_time(folder / "a.jpg", data[:value] + b"\x06" + data[value + 1 :])
    row = measured.rows(folder)["a.jpg"]
    assert (row["width"], row["height"]) == (100, 200)
    assert measured.calls == 3


def test_a_photo_replaced_by_one_of_its_size_and_time_is_measured_again(
    measured: Measured, folder: Path
) -> None:
    size = max(path.stat().st_size for path in folder.iterdir())
    for path in folder.iterdir():  # what follows a picture's end is not looked at
        path.write_bytes(path.read_bytes().ljust(size, b"\0"))
        os.utime(path, ns=(0, 10**18))
    old = measured.rows(folder)
    os.replace(folder / "b.jpg", folder / "a.jpg")
    assert measured.rows(folder)["a.jpg"] == old["b.jpg"]


def test_what_is_copied_moved_renamed_or_touched_is_not_measured(
    measured: Measured, folder: Path
) -> None:
    old = measured.rows(folder)
    for path in folder.iterdir():
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert measured.rows(folder) == old
    copied = shutil.copytree(folder, folder.with_name("copied"), copy_function=shutil.copyfile)
    assert measured.rows(copied) == old
    moved = folder / "moved"
    moved.mkdir()
    (folder / "a.jpg").rename(moved / "renamed.jpg")
    assert measured.rows(moved) == {"renamed.jpg": old["a.jpg"]}
    assert measured.calls == 2


def test_two_names_of_one_content_are_both_known(measured: Measured, folder: Path) -> None:
    os.link(folder / "a.jpg", folder / "d.jpg")
    for _ in range(2):
        rows = measured.rows(folder)
        assert rows["a.jpg"] == rows["d.jpg"]
    Image.new("RGB", (90, 90)).save(folder / "new.jpg")
    os.replace(folder / "new.jpg", folder / "a.jpg")  # what d has is kept
    assert measured.rows(folder)["d.jpg"] == rows["d.jpg"]
    assert measured.calls == 3


def test_what_was_recognised_is_not_read_again(
    measured: Measured, folder: Path, opened: set[str]
) -> None:
    copied = shutil.copytree(folder, folder.with_name("copied"))
    measured.rows(copied)
    opened.clear()
    measured.rows(copied)
    assert opened.isdisjoint(map(str, copied.iterdir()))


@pytest.mark.parametrize("seconds", [YEAR_2263, YEAR_90000, -YEAR_2263])
def test_no_time_of_a_file_is_too_far(measured: Measured, folder: Path, seconds: int) -> None:
    """The file system keeps what it can of it."""
    old = measured.rows(folder)
    os.utime(folder / "a.jpg", (0, seconds))
    for _ in range(2):
        assert measured.rows(folder) == old
    assert measured.calls == 2


def test_nothing_but_a_regular_file_is_read_for_its_content(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    assert content_of(str(tmp_path / "pipe.jpg"), 0) is None
    assert content_of(str(tmp_path), 0) is None
    (tmp_path / "a.jpg").write_bytes(b"abc")
    assert content_of(str(tmp_path / "a.jpg"), 3).hex().startswith("ba7816bf")  # FIPS 180-2
    assert content_of(str(tmp_path / "a.jpg"), 2 * 10**9) is None
