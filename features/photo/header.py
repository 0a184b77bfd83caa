"""What is known of a photo before it is decoded: its format, what decoding takes, what EXIF says."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import io
import math
import os
import stat
import threading
from collections.abc import Iterator
from typing import IO, Any

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from photorank.utils import find

from ..base import CANONICAL_SIDE
from . import jpeg, tiff
from .pixels import STRIP_PIXELS, PhotoError

MAX_PIXELS = 300_000_000
"""A photo with more pixels than this by its header is refused before it is decoded."""
MAX_DECODED_BYTES = 1_000_000_000
"""A photo that needs more memory than this is refused before it is decoded."""
MAX_HEADER_BYTES = 100_000_000
"""What may be read of a file before that is known; Pillow reads all of WebP, AVIF and HEIF."""

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "ICO", "JPEG2000", "AVIF")
"""Pillow's names of what is read, whatever a file is called; others it hands to programs."""
_DECODER_BYTES = {"JPEG2000": 17, "WEBP": 14, "AVIF": 8, "TIFF": 6}
"""What these decoders take per pixel at their peak, measured with Pillow 12; the others take 4."""
_REST = 2**20  # bytes that may be read where Pillow goes on without what was too much
_header_lock = threading.Lock()


def photo_suffixes() -> frozenset[str]:
    """The file suffixes that count as photos here: HEIF only where the extra `[heif]` is installed."""
    suffixes = "jpg jpeg jpe jfif png webp tif tiff bmp gif mpo ico jp2 avif"
    heif = " heic heif hif" if importlib.util.find_spec("pi_heif") else ""
    return frozenset((suffixes + heif).split())


def reduction(longest_side: int) -> int:
    """The factor 1, 2, 4 or 8 that leaves `longest_side` smallest but at least 960 pixels.

    >>> [reduction(side) for side in (800, 1919, 1920, 4000, 8000, 20000)]
    [1, 1, 2, 4, 8, 8]
    """
    return next(f for f in (8, 4, 2, 1) if f == 1 or longest_side >= f * CANONICAL_SIDE)


@functools.cache
def _register_heif() -> bool:
    if not importlib.util.find_spec("pi_heif"):
        return False
    import pi_heif

    pi_heif.register_heif_opener()
    return True


class _TooMuchError(PhotoError, OSError):
    """As an OSError it lets Pillow do without a large tag of a TIFF, such as Photoshop's layers."""


class _Head(io.BufferedReader):
    """A file of which only so much can be read, until that is done with."""

    left: float = MAX_HEADER_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = os.fstat(self.fileno()).st_size - self.tell()
        self.left -= size
        if self.left < 0:
            self.left = _REST
            raise _TooMuchError(
                f"too large: over {MAX_HEADER_BYTES / 1e6:.0f} MB before its pixels"
            )
        return super().read(size)


@contextlib.contextmanager
def open_header(path: str | os.PathLike[str]) -> Iterator[ImageFile.ImageFile]:
    """Pillow's lazily opened image, without Pillow's own pixel limit: `prepare` checks ours.

    That limit is one number for the whole process, so it is put back before another thread looks.
    """
    formats = (*_FORMATS, "HEIF") if _register_heif() else _FORMATS
    with _Head(io.FileIO(path)) as file:
        with _header_lock:
            limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            try:
                image = _opened(path, file, formats)
            finally:
                Image.MAX_IMAGE_PIXELS = limit
        file.left = math.inf
        with image:
            yield image


def _opened(
    path: str | os.PathLike[str], file: IO[bytes], formats: tuple[str, ...]
) -> ImageFile.ImageFile:
    try:
        image = Image.open(file, formats=formats)
    except UnidentifiedImageError:
        tiff.explain(path)
        raise
    image.filename = os.fspath(path)  # pixels that need no decoding are mapped, by name
    try:
        tiff.turn_to_photo(image)
    except Exception:
        image.close()
        raise
    return image


def check_file(path: str | os.PathLike[str]) -> None:
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):  # opening a FIFO or a device could block for ever
        raise PhotoError("not a regular file")
    if status.st_size == 0:
        raise PhotoError("empty: the file has 0 bytes")


def is_photo(path: str | os.PathLike[str]) -> bool:
    """Whether a file would be measured: by its name, what kind of file it is, and its header."""
    if not find.is_photo(path, photo_suffixes()):
        return False
    try:
        with open_header(path):
            return True
    except Exception:  # decoders raise nearly anything
        return False


def prepare(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Let a JPEG decoder reduce by itself, refuse what is too large, all by the header.

    Returns:
        The factor that is still to go, and the bytes that decoding and reducing take.
    """
    width, height = image.size
    megapixels = f"{width * height / 1e6:,.0f} MP"
    if width * height > MAX_PIXELS:
        raise PhotoError(f"too large: {megapixels} by its header, the limit is 300 MP")
    factor = reduction(max(width, height))
    if image.format in jpeg.FORMATS:
        image.draft(None, (max(1, width // factor), max(1, height // factor)))
    to_go = factor // round(max(width, height) / max(image.size))
    pixels = image.width * image.height
    needed = _DECODER_BYTES.get(str(image.format), 4) * pixels
    if image.info.get("progressive"):
        needed += 6 * width * height  # coefficients of the whole photo
    if ";16" in str(image.tile) and image.mode in ("LA", "RGB", "RGBA"):
        needed += 9 * pixels  # all 16 bits, and 8 of them in sRGB, if colours are converted
    needed += os.path.getsize(image.filename)
    if to_go > 1:
        needed += 8 * min(pixels, STRIP_PIXELS)  # a strip, and the same in another mode
    if needed > MAX_DECODED_BYTES:
        raise PhotoError(
            f"too large: decoding {megapixels} of {image.format} takes {needed / 1e9:.1f} GB, "
            "the limit is 1 GB"
        )
    return to_go, needed


def exif_of(image: Image.Image) -> dict[int, Any]:
    """The tags of the main and the EXIF directory; a damaged one counts as absent."""
    try:
        exif = image.getexif()
        return {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    except Exception:  # a photo with unreadable EXIF is still a photo
        return {}


def camera(exif: dict[int, Any]) -> str | None:
    make, model = (
        "".join(c for c in str(exif.get(tag) or "") if c.isprintable()).strip()
        for tag in (ExifTags.Base.Make, ExifTags.Base.Model)
    )
    return (model if model.startswith(make) else f"{make} {model}") or None


def hush_libtiff() -> None:
    """Let libtiff print nothing of damaged files, for which Pillow has no switch; their errors are raised.

    Asked of Pillow's own module, the system finds the function in the libtiff that it was linked with;
    where it was linked statically there is none to be found, and all stays as it is.
    """
    module = importlib.util.find_spec("PIL._imaging")
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(module.origin if module else None).TIFFSetErrorHandler(None)
