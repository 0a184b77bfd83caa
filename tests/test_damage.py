"""A file of which a part is lost is never measured; one that is only odd is."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photorank.features.photo.image import Photo, PhotoError

FORMATS: dict[str, tuple[str, dict[str, object]]] = {
    "JPEG": ("JPEG", {}),
    "JPEG, progressive": ("JPEG", {"progressive": True}),
    "JPEG, restarts": ("JPEG", {"restart_marker_rows": 1}),
    "MPO": ("MPO", {}),
    "PNG": ("PNG", {}),
    "WebP": ("WEBP", {"quality": 90}),
    "WebP, lossless": ("WEBP", {"lossless": True}),
    "AVIF": ("AVIF", {"quality": 90}),
    "JPEG 2000": ("JPEG2000", {}),
    "GIF": ("GIF", {}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF, deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "TIFF, JPEG": ("TIFF", {"compression": "jpeg"}),
    "TIFF": ("TIFF", {}),
    "BMP": ("BMP", {}),
}
PLAIN = ("TIFF", "BMP")
"""Not compressed: there zeros are black."""


def saved(photo: np.ndarray, name: str, mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    kind, options = FORMATS[name]
    Image.fromarray(photo).convert(mode).save(file, kind, **options)
    return file.getvalue()


def refused(path: Path, data: bytes) -> str | None:
    path.write_bytes(data)
    try:
        Photo.open(path)
    except PhotoError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", FORMATS)
def test_cut_anywhere_or_filled_with_zeros(photo: np.ndarray, tmp_path: Path, name: str) -> None:
    path, whole = tmp_path / "p", saved(photo[:256, :320], name)
    assert refused(path, whole) is None
    size = len(whole)
    for place in (size * (2 * part + 1) // 40 for part in range(20)):
        assert refused(path, whole[:place]), f"cut at {place} of {size}"
        if name not in PLAIN and size - place > 1500:
            hole = whole[:place] + bytes(4096) + whole[place + 4096 :]
            assert refused(path, hole[:size]), f"a hole at {place} of {size}"
            assert refused(path, whole[:place] + bytes(size - place)), f"zeros from {place}"


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("name", ["JPEG", "JPEG, progressive", "JPEG, restarts"])
def test_a_jpeg_that_was_closed_after_its_cut_or_overwritten(
    photo: np.ndarray, tmp_path: Path, name: str, mode: str
) -> None:
    path, whole = tmp_path / "p.jpg", saved(photo, name, mode)
    draw = np.random.default_rng(0)
    for place in (len(whole) * (2 * part + 1) // 40 for part in range(1, 20)):
        assert refused(path, whole[:place] + b"\xff\xd9"), place
        assert refused(path, whole[:place] + draw.bytes(9000) + whole[place + 9000 :]), place


def test_a_hole_behind_which_a_few_bytes_are_left_over(photo: np.ndarray, tmp_path: Path) -> None:
    file, path = io.BytesIO(), tmp_path / "p.jpg"
    Image.fromarray(photo).save(file, "JPEG", quality=94)
    whole = file.getvalue()[:-2] + bytes(range(1, 8)) + b"\xff\xd9"
    assert refused(path, whole) is None
    for place in (len(whole) * part // 60 for part in range(20, 56)):
        assert refused(path, whole[:place] + bytes(4096) + whole[place + 4096 :]), place


@pytest.mark.parametrize("size", [512, 2048])
@pytest.mark.parametrize("height", [-64, -16, 16, 300])
def test_another_height_in_the_header(
    photo: np.ndarray, tmp_path: Path, size: int, height: int
) -> None:
    whole = saved(np.asarray(Image.fromarray(photo).resize((size, size))), "JPEG")
    at = whole.index(b"\xff\xc0") + 5
    told = whole[:at] + (size + height).to_bytes(2) + whole[at + 2 :]
    assert refused(tmp_path / "p.jpg", told)


@pytest.mark.parametrize("damage", [b"\0", b"\xff", b"photograph "])
def test_a_tiff_by_deflate_of_which_a_part_is_overwritten(
    photo: np.ndarray, tmp_path: Path, damage: bytes
) -> None:
    path, whole = tmp_path / "p.tif", saved(photo, "TIFF, deflate")
    assert refused(path, whole) is None
    for place in (len(whole) * (2 * part + 1) // 40 for part in range(1, 19)):
        hit = whole[:place] + damage + whole[place + len(damage) :]
        assert hit == whole or "not what was written" in str(refused(path, hit)), place


def test_the_reason_is_in_plain_words(photo: np.ndarray, tmp_path: Path) -> None:
    whole = saved(photo, "JPEG")
    cut = whole[: len(whole) // 2]
    assert "the file ends before its picture does" in str(refused(tmp_path / "p", cut))
    assert "the picture ends early" in str(refused(tmp_path / "p", cut + b"\xff\xd9"))
    png = bytearray(saved(photo, "PNG"))
    png[len(png) // 2] ^= 1
    assert "is not what was written" in str(refused(tmp_path / "p", bytes(png)))


def test_what_is_only_odd_is_read(photo: np.ndarray, tmp_path: Path) -> None:
    whole, path = saved(photo, "JPEG"), tmp_path / "p.jpg"
    film = b"\0\0\0\x18ftypmp42" + bytes(12) + b"\0\0\0\x0emdat\xff\xda" + bytes(3000)
    odd = {
        "a film behind it, padded": whole + film,
        "zeros behind it": whole + bytes(5000),
        "stray bytes before its end": whole[:-2] + bytes(7) + whole[-2:],
        "stray bytes in its header": whole[:20] + bytes(5) + whole[20:],
        "a thumbnail that is cut": whole[:2] + b"\xff\xe1\x10\x02" + whole[:4096] + whole[2:],
        "zeros in its header": whole[:2] + b"\xff\xef\x10\x02" + bytes(4096) + whole[2:],
        "another JFIF": whole[:11] + b"\3" + whole[12:],
    }
    for name, data in odd.items():
        assert refused(path, data) is None, name
        np.testing.assert_array_equal(
            Photo.open(path).view(), np.asarray(Image.open(io.BytesIO(whole)))
        )


@pytest.mark.parametrize("name", FORMATS)
def test_a_flat_picture_is_no_damage(tmp_path: Path, name: str) -> None:
    for value in (0, 255):
        flat = np.full((600, 800, 3), value, np.uint8)
        flat[:200, :, 0] = np.arange(800) % 251
        assert refused(tmp_path / "p", saved(flat, name)) is None
    if name.startswith("JPEG"):
        file = io.BytesIO()
        Image.new("RGB", (2000, 1500), "white").save(
            file, "JPEG", subsampling=0, **{**FORMATS[name][1], "optimize": True}
        )
        assert refused(tmp_path / "p", file.getvalue()) is None


def test_no_program_is_started_for_what_calls_itself_a_photo(tmp_path: Path) -> None:
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexit 1\n")
    program.chmod(0o755)
    page = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / "p.jpg").write_bytes(page)
    code = f"""
from photorank.features.photo.image import Photo, PhotoError
try: Photo.open({str(tmp_path / "p.jpg")!r})
except PhotoError as error: print(error)
"""
    env = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert "not a picture in a format that can be read" in done.stdout
    assert not (tmp_path / "started").exists()
