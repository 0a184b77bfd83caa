"""What a TIFF's tags say of it: which page is the photo, what its numbers mean, what cannot be read."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image, TiffImagePlugin

from .pixels import PhotoError

_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_SUBFILE, _OLD_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 255, 258, 259, 262
_PLANES, _COLOURS, _SUB_PAGES, _SAMPLE_FORMAT, _SUBSAMPLING = 284, 320, 330, 339, 530
_MAX_SAMPLE = 281
_WHITE_IS_ZERO, _YCBCR = 0, 6


def turn_to_photo(image: Image.Image) -> None:
    """Turn a TIFF to its first page that is neither a reduced picture nor a mask, else its largest.

    Raises:
        PhotoError: the photo lies where it cannot be read, or its numbers cannot be.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    if _is_aside(image):
        _turn(image)
    _check_numbers(image.tag_v2)


def _turn(image: TiffImagePlugin.TiffImageFile) -> None:
    has_more = _SUB_PAGES in image.tag_v2
    sizes = []
    for page in range(image.n_frames):
        image.seek(page)
        if not _is_aside(image):
            return
        sizes.append(image.width * image.height)
    if has_more:
        raise PhotoError("only its small preview can be read: the photo beside it is raw data")
    image.seek(sizes.index(max(sizes)))


def _is_aside(image: TiffImagePlugin.TiffImageFile) -> bool:
    kind = image.tag_v2.get(_SUBFILE, 0)
    return bool(kind & (_REDUCED | _MASK)) or image.tag_v2.get(_OLD_SUBFILE) == 2


def _check_numbers(tags: TiffImagePlugin.ImageFileDirectory_v2) -> None:
    formats = tags.get(_SAMPLE_FORMAT, (1,))
    if 3 in formats:
        raise PhotoError("floating-point pixels have no defined white: save it with 8 or 16 bits")
    if set(formats) != {1} or max(tags.get(_BITS, (1,))) > 16:
        kind = "signed" if 2 in formats else "32-bit"
        raise PhotoError(f"{kind} pixels have no defined white: save it with 8 or 16 bits")
    is_plain = tags.get(_COMPRESSION, 1) == 1
    if is_plain and tags.get(_PLANES) == 2 and max(tags.get(_BITS, (1,))) > 8:
        raise PhotoError("16 bits in separate planes without compression are not read: compress it")
    if is_plain and tags.get(_PHOTOMETRIC) == _YCBCR and tags.get(_SUBSAMPLING, (2, 2)) != (1, 1):
        raise PhotoError("coarser colours without compression are not read: save it as RGB")


def explain(path: str | os.PathLike[str]) -> None:
    """Raise a reason of its own if a file that Pillow does not know begins as a TIFF does."""
    with open(path, "rb") as file:
        if file.read(4) in TiffImagePlugin.PREFIXES:
            raise PhotoError(
                "a TIFF with pixels of a kind that cannot be read: save it with 8 or 16 bits"
            )


def levels(image: Image.Image) -> tuple[int, int]:
    """Which numbers are black and white in a loaded picture of 9 to 16 bits.

    White is less than a word can hold where a scanner says how many bits it fills. Any other
    MaxSampleValue is a statistic (TIFF 6.0), and one that a pixel exceeds is not true.

    Raises:
        PhotoError: colours, of which Pillow has kept 8 bits, are such.
    """
    tags = getattr(image, "tag_v2", {})
    white = top = 2 ** tags.get(_BITS, (16,))[0] - 1
    told = int(min(tags.get(_MAX_SAMPLE, ()), default=top))
    if 255 <= told < top and told & (told + 1) == 0 and _brightest(image) <= told:
        white = told
        if not image.mode.startswith("I"):
            raise PhotoError(f"its white is {told} of {top}: save it with all of 16 bits")
    return (white, 0) if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else (0, white)


def _brightest(image: Image.Image) -> int:
    if image.mode.startswith("I"):
        return int(np.asarray(image).max())
    return int(np.asarray(image)[..., :3].max()) << 8


def mend_palette(image: Image.Image) -> None:
    """Colours in 8 bits where a palette should have 16: libtiff takes them so, Pillow for black."""
    colours = getattr(image, "tag_v2", {}).get(_COLOURS, ())
    if image.mode == "P" and colours and max(colours) < 256:
        count = len(colours) // 3
        image.putpalette([colours[i + c * count] for i in range(count) for c in range(3)])
