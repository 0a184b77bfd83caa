"""JPEG: how strongly a file is compressed; the pixels that Pillow gives, in less time."""

from __future__ import annotations

import os
from typing import BinaryIO

import numpy as np
import simplejpeg
from PIL import Image, ImageFile

from .pixels import PhotoError

_SCAN, _END = b"\xff\xda", b"\xff\xd9"
_PIECE = 2**20  # bytes

FORMATS = ("JPEG", "MPO")
"""Pillow's names for what the JPEG decoder reads."""
LARGEST = 32_000_000
"""Bytes; a larger file is left to Pillow, which reads in pieces: this decoder wants it whole."""

# The steps for luma that libjpeg multiplies by a factor of its "quality": ITU-T T.81, table K.1.
_STEPS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_PERCENT = [5000 // q if q < 50 else 200 - 2 * q for q in range(1, 101)]
_SUMS = np.clip((np.outer(_PERCENT, _STEPS) + 50) // 100, 1, 255).sum(
    1
)  # at the qualities 1 to 100


def quality(image: Image.Image) -> int | None:
    """The quality, as libjpeg counts, whose steps for luma are as coarse as those of this file.

    Told by the header, whatever the photo's size. Cameras have tables of their own: of theirs it is
    the equivalent. Cannot see: a compression before the last.

    Returns:
        1 (coarsest) to 100; None: not a JPEG.
    """
    steps = getattr(image, "quantization", {}).get(0)
    if steps is None:
        return None
    return round(float(np.interp(-sum(steps), -_SUMS, np.arange(1, 101))))


def check_padding(path: str | os.PathLike[str]) -> None:
    """A copy that broke off is often filled up with zeros; JPEG decoders turn those into grey."""
    with open(path, "rb") as file:
        file.seek(-min(64, os.fstat(file.fileno()).st_size), os.SEEK_END)
        if not file.read().strip(b"\0") and _last_marker(file) == _SCAN:
            raise PhotoError("truncated: its last part is filled with zeros")


def _last_marker(file: BinaryIO) -> bytes:
    """Whether the last scan begins or the picture ends last; read from the end, a piece at a time."""
    for end in range(os.fstat(file.fileno()).st_size, 0, -_PIECE):
        start = max(0, end - _PIECE)
        file.seek(start)
        piece = file.read(end - start + 1)  # a marker has two bytes
        place, marker = max((piece.rfind(marker), marker) for marker in (_SCAN, _END))
        if place >= 0:
            return marker
    return b""


def decode(image: ImageFile.ImageFile) -> np.ndarray | None:
    """The pixels of a JPEG that Pillow opened and did not load, at the size to which it is drafted.

    Only a sound 8-bit picture in three colours is decoded here. Anything else, and what this decoder
    so much as warns of, is Pillow's to judge.

    Returns:
        (h, w, 3) uint8, bit for bit what Pillow would decode; None: it is for Pillow to decode.
    """
    file = image.fp
    if file is None or image.format not in FORMATS or image.mode != "RGB":
        return None
    place = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    data = file.read(size) if size <= LARGEST else b""
    file.seek(place)
    if not data:
        return None
    try:
        return simplejpeg.decode_jpeg(data, min_width=image.width, min_height=image.height)
    except ValueError:
        return None
