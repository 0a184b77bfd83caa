"""JPEG by libjpeg-turbo itself: the pixels that Pillow gives, in less time."""

from __future__ import annotations

import functools
import importlib.util
import os
from typing import BinaryIO

import numpy as np
from PIL import ImageFile

from .pixels import PhotoError

_SCAN, _END = b"\xff\xda", b"\xff\xd9"
_PIECE = 2**20  # bytes

FORMATS = ("JPEG", "MPO")
"""Pillow's names for what the JPEG decoder reads."""
LARGEST = 32_000_000
"""Bytes; a larger file is left to Pillow, which reads in pieces: this decoder wants it whole."""


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

    Only a sound 8-bit picture in three colours is decoded here. Anything else is Pillow's to judge:
    what this decoder so much as warns of, and where the extra `[fast]` is not installed.

    Returns:
        (h, w, 3) uint8, bit for bit what Pillow would decode; None: it is for Pillow to decode.
    """
    sound = image.format in FORMATS and image.mode == "RGB"
    file = image.fp
    if file is None or not sound or not _installed():
        return None
    import simplejpeg

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


@functools.cache  # looking for it goes through all folders that Python imports from
def _installed() -> bool:
    return importlib.util.find_spec("simplejpeg") is not None
