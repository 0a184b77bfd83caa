"""Memory at the peak of a child process: what a file holds, and how many there are, never decides it."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from environments import MEASURED
from PIL import Image

MUCH = 300 * 2**20
TRY = """
import sys
from photorank.features.run.extract import extract
from photorank.features.base import Column, Feature
mean = Feature("mean", "1", (Column("mean"),), lambda rgb: rgb.mean(), size=512)
for row in extract(sys.argv[2:], [mean], int(sys.argv[1])):
    print(row["error"])
"""


def peak(paths: list[Path], workers: int = 0) -> tuple[int, list[str]]:
    """In MB, and what became of the files."""
    command = [sys.executable, "-c", MEASURED, sys.executable, "-c", TRY, str(workers), *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    *said, measured = done.stdout.splitlines()
    return int(measured.rpartition(" ")[2]) // 1000, said


def encoded(kind: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(file, kind)
    return file.getvalue()


def long(path: Path, *parts: bytes | int) -> Path:
    """A file of these parts; a number is so many zeros, which take no room on the disk."""
    with path.open("wb") as file:
        for part in parts:
            if isinstance(part, bytes):
                file.write(part)
            else:
                file.seek(part, os.SEEK_CUR)
        file.truncate(max(file.tell(), os.path.getsize(path)))
    return path


def test_a_file_is_not_read_whole_to_be_refused(tmp_path: Path) -> None:
    """A WebP of 16,383 pixels a side, and what other formats can hold before their pixels."""
    png, side = encoded("PNG"), (16382).to_bytes(3, "little")
    webp = b"RIFF" + struct.pack("<I", MUCH) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + side * 2
    paths = [
        long(tmp_path / "a.webp", webp, b"VP8 " + struct.pack("<I", MUCH), MUCH),
        long(tmp_path / "b.webp", encoded("WEBP"), MUCH),
        long(tmp_path / "c.avif", encoded("AVIF"), struct.pack(">I", MUCH + 8) + b"free", MUCH),
        long(tmp_path / "d.png", png[:33], struct.pack(">I", MUCH) + b"juNk", MUCH, png[33:]),
    ]
    small = long(tmp_path / "small.png", png)
    usual, _ = peak([small])
    most, said = peak([*paths, small])
    assert said == ["too large: over 100 MB before its pixels"] * 4 + ["None"]
    assert most < usual + 130


def test_layers_of_a_tiff_do_not_hide_its_picture(tmp_path: Path) -> None:
    """Photoshop writes them, hundreds of MB, into a tag that Pillow reads whole."""
    picture = np.random.default_rng(0).integers(0, 256, (30, 40), np.uint8).tobytes()
    values = {256: 40, 257: 30, 258: 8, 259: 1, 262: 1, 273: 200, 277: 1, 278: 30, 279: 1200}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items()]
    layers = struct.pack("<HHII", 37724, 7, MUCH, 1400)
    start = b"II*\0" + struct.pack("<IH", 8, 10) + b"".join(entries) + layers
    path = long(tmp_path / "layers.tif", start.ljust(200, b"\0") + picture, MUCH)
    most, said = peak([path])
    assert said == ["None"]
    assert most < 800


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2, 8])
def test_photos_of_45_megapixels_stay_below_the_ceiling_by_workers(
    workers: int, tmp_path: Path
) -> None:
    """docs/performance.md says it: 40 MB a worker beside what one small photo takes."""
    grain = np.random.default_rng(0).normal(128, 9, (688, 1032, 3)).clip(0, 255).astype(np.uint8)
    path, small = tmp_path / "a.jpg", tmp_path / "small.jpg"
    Image.fromarray(np.tile(grain, (8, 8, 1))).save(path, quality=98)
    assert path.stat().st_size > 15e6
    Image.fromarray(grain).save(small)
    usual, _ = peak([small])
    most, said = peak([path] * 10, workers)
    assert said == ["None"] * 10
    assert most < usual + 40 * max(1, workers)
