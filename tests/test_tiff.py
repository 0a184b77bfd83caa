"""TIFF: what tifffile, an independent reader, gives, or a reason."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photorank.features.photo.image import Photo, PhotoError

tifffile = pytest.importorskip("tifffile", reason="comes with scikit-image, in photorank[demo]")

KINDS = ("minisblack", "miniswhite", "rgb", "rgba")
LAYOUTS = list(itertools.product("<>", KINDS, ("u1", "u2"), ("contig", "separate"), (False, True)))


@pytest.mark.parametrize("compression", [None, "adobe_deflate"])
def test_every_layout_is_the_same_picture_or_refused(
    photo: np.ndarray, tmp_path: Path, compression: str | None
) -> None:
    path, rgb, refused = tmp_path / "p.tif", photo[:96, 100:228], set()
    for order, kind, depth, planes, in_tiles in LAYOUTS:
        _save(path, rgb, kind, order + depth, planes, in_tiles, compression)
        want = rgb if kind.startswith("rgb") else np.repeat(rgb[..., 1:2], 3, 2)
        try:
            wrong = np.abs(Photo.open(path).view().astype(int) - want).max()
        except PhotoError:
            refused.add((kind, order + depth) if kind == "miniswhite" else (depth, planes))
        else:
            assert wrong <= 1, (order, kind, depth, planes, in_tiles)
    planes_refused = {("u2", "separate")} if compression is None else set()
    assert refused == {("miniswhite", ">u2")} | planes_refused


def _stored(rgb: np.ndarray, kind: str, depth: str) -> np.ndarray:
    picture = rgb if kind.startswith("rgb") else rgb[..., 1]
    if kind == "rgba":
        picture = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    picture = picture.astype(depth) * (257 if depth.endswith("u2") else 1)
    return ~picture if kind == "miniswhite" else picture


def _save(
    path: Path,
    rgb: np.ndarray,
    kind: str,
    depth: str,
    planes: str,
    in_tiles: bool,
    compression: str | None,
) -> None:
    stored, options = _stored(rgb, kind, depth), {}
    if kind.startswith("rgb"):
        options["planarconfig"] = planes
        stored = np.moveaxis(stored, 2, 0) if planes == "separate" else stored
    tifffile.imwrite(
        path,
        stored,
        photometric=kind.removesuffix("a"),
        extrasamples=["unassalpha"] if kind == "rgba" else None,
        byteorder=depth[0],
        compression=compression,
        tile=(32, 48) if in_tiles else None,
        **options,
    )
    np.testing.assert_array_equal(tifffile.imread(path), stored)


def handmade(path: Path, rows: bytes, size: tuple[int, int], **tags: int) -> Path:
    """One uncompressed strip with the tags that are named by number, as t258."""
    numbers = {256: size[0], 257: size[1], 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: size[1]}
    numbers |= {279: len(rows), **{int(name[1:]): value for name, value in tags.items()}}
    entries = [struct.pack("<HHII", tag, 4, 1, numbers[tag]) for tag in sorted(numbers)]
    rows += bytes(len(rows) % 2)
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(rows)) + rows + directory)
    return path


def packed(levels: np.ndarray, bits: int) -> bytes:
    places = np.arange(bits)[::-1]
    return np.packbits((levels[..., None] >> places & 1).reshape(len(levels), -1), axis=1).tobytes()


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_the_top_level_is_white_whatever_the_bits(
    tmp_path: Path, bits: int, white_is_zero: bool
) -> None:
    top = 2**bits - 1
    levels = np.linspace(0, top, 64).round().astype(np.uint32).reshape(8, 8)
    rows = packed(levels, bits) if bits < 16 else levels.astype("<u2").tobytes()
    path = handmade(tmp_path / "p.tif", rows, (8, 8), t258=bits, t262=int(not white_is_zero))
    if bits == 12 and white_is_zero:
        with pytest.raises(PhotoError, match="save it with 8 or 16 bits"):
            Photo.open(path)
        return
    light = top - levels if white_is_zero else levels
    np.testing.assert_array_equal(Photo.open(path).view()[..., 0], (light / top * 255 + 0.5) // 1)


@pytest.mark.parametrize(("told", "white"), [(4095, 4095), (3000, 65535), (1023, 65535)])
def test_white_is_what_a_scanner_fills_of_its_words(tmp_path: Path, told: int, white: int) -> None:
    levels = np.array([[0, 800], [1700, 3000]], "<u2")
    grey = handmade(tmp_path / "g.tif", levels.tobytes(), (2, 2), t258=16, t281=told)
    want = (levels / white * 255 + 0.5) // 1
    np.testing.assert_array_equal(Photo.open(grey).view()[..., 0], want)
    colours, tag = np.dstack([levels] * 3), (281, 3, 3, (told,) * 3, True)
    tifffile.imwrite(tmp_path / "c.tif", colours, photometric="rgb", extratags=[tag])
    if white == told:
        with pytest.raises(PhotoError, match="its white is 4095 of 65535"):
            Photo.open(tmp_path / "c.tif")
    else:
        np.testing.assert_array_equal(Photo.open(tmp_path / "c.tif").view(), colours >> 8)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"t339": 2}, "signed pixels have no defined white"),
        ({"t258": 16, "t339": 2}, "signed pixels have no defined white"),
        ({"t258": 32}, "32-bit pixels have no defined white"),
        ({"t258": 32, "t339": 3}, "floating-point pixels have no defined white"),
        ({"t258": 14}, "a TIFF with pixels of a kind that cannot be read"),
        ({"t258": 16, "t262": 3}, "a TIFF with pixels of a kind that cannot be read"),
        ({"t254": 1, "t330": 8}, "only its small preview can be read"),
    ],
)
def test_what_cannot_be_read_rightly_is_refused(
    tmp_path: Path, made: dict[str, int], reason: str
) -> None:
    path = handmade(tmp_path / "p.tif", bytes(range(256)), (8, 8), **made)
    with pytest.raises(PhotoError, match=reason):
        Photo.open(path)


@pytest.mark.parametrize("both", [False, True])
def test_a_page_of_reduced_size_is_not_the_photo(
    photo: np.ndarray, tmp_path: Path, both: bool
) -> None:
    with tifffile.TiffWriter(tmp_path / "p.tif") as file:
        file.write(photo[::8, ::8], photometric="rgb", subfiletype=1)
        file.write(photo, photometric="rgb", subfiletype=int(both))
    opened = Photo.open(tmp_path / "p.tif")
    assert (opened.width, opened.height) == (512, 512)
    np.testing.assert_array_equal(opened.view(), photo)


def test_a_palette_of_8_bit_numbers(photo: np.ndarray, tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint16)
    tifffile.imwrite(
        tmp_path / "p.tif", photo[..., 1], photometric="palette", colormap=np.stack([grey] * 3)
    )
    np.testing.assert_array_equal(Photo.open(tmp_path / "p.tif").view()[..., 0], photo[..., 1])


@pytest.mark.parametrize("suffix", ["bmp", "tif"])
def test_an_alpha_that_was_never_set_hides_nothing(
    photo: np.ndarray, tmp_path: Path, suffix: str
) -> None:
    unset = Image.fromarray(np.dstack([photo, np.zeros(photo.shape[:2], np.uint8)]))
    unset.save(tmp_path / f"p.{suffix}")
    if suffix == "bmp":  # Pillow writes no mask of alpha, without which it does not read one
        bmp = bytearray((tmp_path / "p.bmp").read_bytes())
        pixels, head = bmp[54:], bmp[14:54]
        head[:4], head[16:20] = (124).to_bytes(4, "little"), (3).to_bytes(4, "little")
        masks = b"".join(m.to_bytes(4, "little") for m in (0xFF0000, 0xFF00, 0xFF, 0xFF000000))
        bmp[10:14] = (138).to_bytes(4, "little")
        (tmp_path / "p.bmp").write_bytes(bmp[:14] + head + masks + b"BGRs" + bytes(64) + pixels)
    np.testing.assert_array_equal(Photo.open(tmp_path / f"p.{suffix}").view(), photo)
