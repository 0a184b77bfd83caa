"""JPEG: how strongly a file is compressed; the pixels that Pillow gives, and what it does not say."""

from __future__ import annotations

import os
import re
from typing import IO

import numpy as np
import simplejpeg
from PIL import Image, ImageFile

from .container import HOLE, refuse_zeros
from .pixels import PhotoError

_SCAN, _END, _TABLES, _LUMA_AC = 0xDA, b"\xff\xd9", 0xC4, 0x10

FORMATS = ("JPEG", "MPO")
"""Pillow's names for what the JPEG decoder reads."""
_COLOURS = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
"""Pillow's modes, and this decoder's names for them; inks it gives as stored, Pillow inverted."""
_PADDING = 64
"""Bytes between the picture and its end that some cameras write; a row of blocks takes more."""

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


def decode(image: ImageFile.ImageFile) -> np.ndarray | None:
    """The pixels of a JPEG that Pillow opened and did not load, at the size to which it is drafted.

    Pillow reads over what libjpeg warns of; here such damage is heard. What this decoder does not
    know, or complains of though no pixel suffers, is Pillow's to judge.

    Returns:
        uint8, (h, w, 3), (h, w) grey or (h, w, 4) inks, bit for bit what Pillow would decode;
        None: it is for Pillow to decode.

    Raises:
        PhotoError: part of the picture is lost or overwritten.
    """
    colours = _COLOURS.get(image.mode)
    if image.fp is None or image.format not in FORMATS or colours is None:
        return None
    data = _whole(image.fp)
    try:
        pixels = simplejpeg.decode_jpeg(
            data, colours, min_width=image.width, min_height=image.height
        )
    except ValueError as error:
        if _is_header_sound(data):
            if damage := _damage(str(error)):
                raise PhotoError(damage) from error
            _refuse_hole(data, len(image.mode))
        return None
    _refuse_hole(data, len(image.mode))
    return 255 - pixels if colours == "CMYK" else pixels.squeeze(2) if colours == "GRAY" else pixels


def _whole(file: IO[bytes]) -> bytes:
    place = file.tell()
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    data = file.read(size)  # told the size, it is not copied
    file.seek(place)
    return data


def _damage(complaint: str) -> str | None:
    """What a complaint of libjpeg in the midst of a picture means for it; None: nothing."""
    stray = re.search(r"(\d+) extraneous bytes before marker 0xd9", complaint)
    if stray and int(stray[1]) <= _PADDING:
        return None
    if re.search("Invalid SOS parameters|color conversion", complaint):
        return None
    if complaint == "Premature end of JPEG file":
        return "truncated: the file ends before its picture does"
    if "premature end of data segment" in complaint:
        return "damaged: the picture ends early, as if truncated and closed; part of it is lost"
    return "damaged: part of the picture is overwritten or lost, or its height is wrong"


def _refuse_hole(data: bytes, channels: int) -> None:
    """Zeros that the decoder passed over, because as many blocks seem to lie in them as were there.

    A flat picture has such a run where the shortest codes say that a block is as the last and ends, 2
    bits of 64 pixels; in the tables that most cameras use they do not.
    """
    if HOLE not in data:
        return
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    place, flat = 2, width * height * channels // 256
    while (marker := data[place + 1]) != _SCAN:
        if marker == 0xFF:  # a marker may begin with several
            place += 1
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4])
        if marker == _TABLES and _is_other_than_end(data[place + 4 : end]):
            flat = 0
        place = end
    refuse_zeros(data, place, data.find(_END, place), flat)


def _is_other_than_end(tables: bytes) -> bool:
    """Whether a table of codes for luma is among these, and its first is not the end of a block."""
    while len(tables) > 17:
        if tables[0] == _LUMA_AC:
            return tables[17] != 0
        tables = tables[17 + sum(tables[1:17]) :]
    return False


def _is_header_sound(data: bytes) -> bool:
    """Whether what libjpeg complains of lies in the picture; stray bytes before it harm nothing."""
    try:
        simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return False
    return True
