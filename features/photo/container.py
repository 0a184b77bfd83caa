"""What a file says around its picture: which colours, and whether a part of it is missing."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

from PIL import Image, TiffImagePlugin

from .boxes import Meta, boxes
from .pixels import PhotoError

HOLE = bytes(512)
"""A sector of a disk; no compressed picture holds such a run of zeros, if it is not flat."""
_CUT = "truncated: the file ends before its picture does"
_CHANGED = "damaged: part of the picture is not what was written (a checksum)"
_DEFLATE = (8, 32946)  # by TIFF's tag 259
_PNG = b"\x89PNG\r\n\x1a\n"

_WEBP_FLAT = {b"VP8 ": 1000, b"VP8L": 200, b"ALPH": 200}
"""How many pixels all of one colour may give a zero, of what was seen the fewest by far."""


class Said(NamedTuple):
    """The colours that a container tells and Pillow does not."""

    codes: tuple[int, int] | None = None
    """Primaries and transfer by ITU-T H.273."""
    icc: bytes | None = None


def read(path: str | os.PathLike[str], image: Image.Image) -> Said:
    """What the file of an opened `image` says; a box that makes no sense counts as absent.

    Raises:
        PhotoError: a part of it is missing, filled with zeros, or not what was written.
    """
    reader = _READERS.get(str(image.format))
    try:
        return reader(Path(path), image) if reader else Said()
    except (struct.error, IndexError, KeyError):
        return Said()


def _png(path: Path, image: Image.Image) -> Said:
    return Said(_chunks(path.read_bytes()))


def _chunks(data: bytes) -> tuple[int, int] | None:
    """Check what a PNG's pixels depend on, and find the code points of its colours."""
    codes, place, kind = None, len(_PNG), b""
    while kind != b"IEND":
        head = data[place : place + 8]
        end = place + 8 + int.from_bytes(head[:4])
        if end + 4 > len(data):
            raise PhotoError(_CUT)
        kind = head[4:]
        if kind[0] < ord("a") and _checksum(data, place + 4, end) != data[end : end + 4]:
            raise PhotoError(_CHANGED)
        if kind == b"cICP" and end == place + 12:
            codes = _codes(*data[place + 8 : end])
        place = end + 4
    return codes


def _checksum(data: bytes, start: int, end: int) -> bytes:
    return zlib.crc32(memoryview(data)[start:end]).to_bytes(4)


def _codes(primaries: int, transfer: int, _: int, is_full: int) -> tuple[int, int]:
    if not is_full:
        raise PhotoError("a PNG with the levels of video, 16 to 235, is not read: save it as sRGB")
    return primaries, transfer


def _ico(path: Path, image: Image.Image) -> Said:
    data = path.read_bytes()
    for place in range(6, 6 + 16 * int.from_bytes(data[4:6], "little"), 16):
        size, start = struct.unpack_from("<II", data, place + 8)
        if start + size > len(data):
            raise PhotoError(_CUT)
        if data.startswith(_PNG, start):
            _chunks(data[start : start + size])
    return Said()


def _webp(path: Path, image: Image.Image) -> Said:
    data, place = path.read_bytes(), 12
    while place + 8 <= len(data):
        kind, size = struct.unpack_from("<4sI", data, place)
        if kind in _WEBP_FLAT:
            flat = image.width * image.height // _WEBP_FLAT[kind]
            refuse_zeros(data, place + 8, place + 8 + size, flat)
        place += 8 + size + size % 2
    return Said()


def _tiff(path: Path, image: Image.Image) -> Said:
    """Only where they are compressed: elsewhere zeros are black."""
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    if (compression := tags.get(259, 1)) not in (*_DEFLATE, 5, 7):  # LZW, JPEG
        return Said()
    data, flat = path.read_bytes(), image.width * image.height // 300
    for starts, sizes in ((273, 279), (324, 325)):
        for start, size in zip(tags.get(starts, ()), tags.get(sizes, ()), strict=False):
            if compression not in _DEFLATE:
                refuse_zeros(data, start, start + size, flat)
            elif size and tags.get(266, 1) == 1:  # the bits of a byte in their usual order
                _inflate(data[start : start + size])
    return Said()


def _inflate(packed: bytes) -> None:
    """Refuse what zlib cannot read to its end and checksum; a piece at a time bounds the memory."""
    stream = zlib.decompressobj()
    try:
        while packed and not stream.eof:
            stream.decompress(packed, 1 << 20)
            packed = stream.unconsumed_tail
    except zlib.error as error:
        raise PhotoError(_CHANGED) from error
    if not stream.eof:
        raise PhotoError(_CHANGED)


def _jp2(path: Path, image: Image.Image) -> Said:
    data = path.read_bytes()
    parts = {kind: (start, end) for kind, start, end in boxes(data)}
    start, end = parts.get(b"jp2c", (0, len(data)))
    refuse_zeros(data, start, end, flat=image.width * image.height // 300)
    for kind, start, end in boxes(data, *parts[b"jp2h"]):
        if kind == b"colr" and data[start] == 2:
            return Said(icc=data[start + 3 : end])
    return Said()


def _heif(path: Path, image: Image.Image) -> Said:
    data = path.read_bytes()
    meta = Meta(data)
    for start, size in meta.pictures():
        refuse_zeros(data, start, start + size if size else len(data))
    return Said(meta.colour_codes())


def refuse_zeros(data: bytes, start: int = 0, end: int | None = None, flat: int = 0) -> None:
    """Refuse a run of zeros in a compressed picture; a flat one may hold `flat` of them."""
    if data.find(HOLE + bytes(flat), start, end) >= 0:
        raise PhotoError("damaged: part of the picture is filled with zeros")


_READERS = {
    "PNG": _png,
    "ICO": _ico,
    "WEBP": _webp,
    "TIFF": _tiff,
    "JPEG2000": _jp2,
    "AVIF": _heif,
    "HEIF": _heif,
}
