"""One photo, decoded once: upright, sRGB, on white, at the canonical size; its views and header facts."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import os
import stat
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any, cast

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from ..base import CANONICAL_SIDE, View
from . import jpeg
from .pixels import STRIP_PIXELS, on_white, reduce, srgb
from .pixels import PhotoError as PhotoError
from .resample import lanczos

MAX_PIXELS = 300_000_000
"""A photo with more pixels than this by its header is refused before it is decoded."""
MAX_DECODED_BYTES = 1_000_000_000
"""A photo that needs more memory than this is refused before it is decoded."""

_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda stored: cv2.flip(stored, 1),
    3: lambda stored: cv2.rotate(stored, cv2.ROTATE_180),
    4: lambda stored: cv2.flip(stored, 0),
    5: cv2.transpose,
    6: lambda stored: cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE),
    7: lambda stored: cv2.flip(cv2.transpose(stored), -1),
    8: lambda stored: cv2.rotate(stored, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
_DECODER_BYTES = {"JPEG2000": 17, "WEBP": 14, "AVIF": 8, "TIFF": 6}
"""What these decoders take per pixel at their peak, measured with Pillow 12; the others take 4."""
_header_lock = threading.Lock()


def photo_suffixes() -> frozenset[str]:
    """The file suffixes that count as photos here: HEIF only where the extra `[heif]` is installed."""
    suffixes = "jpg jpeg jpe jfif png webp tif tiff bmp gif mpo ico jp2 avif"
    heif = " heic heif hif" if importlib.util.find_spec("pi_heif") else ""
    return frozenset((suffixes + heif).split())


class Photo:
    """One decoded picture and what its header says.

    Attributes:
        width, height: pixels of the upright photo at full size.
        taken_at: ISO 8601 local time from EXIF DateTimeOriginal (else DateTime), or None.
        camera: EXIF make and model, or None.
        jpeg_quality: of a JPEG file, 1 to 100 (`jpeg.quality`), or None.
    """

    def __init__(
        self,
        canonical: np.ndarray,
        size: tuple[int, int],
        taken_at: str | None = None,
        camera: str | None = None,
        jpeg_quality: int | None = None,
    ) -> None:
        self.width, self.height = size
        self.taken_at = taken_at
        self.camera = camera
        self.jpeg_quality = jpeg_quality
        self._views: dict[tuple[str, int | None], np.ndarray] = {("rgb", None): _frozen(canonical)}

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        admit: Callable[[int], AbstractContextManager[Any]] = nullcontext,
    ) -> Photo:
        """Decode the photo at `path` to its canonical picture.

        That is upright (EXIF orientation), sRGB, 8 bit, laid on white, the first frame, and reduced
        by the factor 1, 2, 4 or 8 that leaves its longest side smallest but at least 960 pixels.

        Args:
            path: a file; its content decides the format, not its suffix.
            admit: a context manager over the bytes that decoding takes, entered before it starts
                and left after: bounds the memory of several decoders at once.

        Raises:
            PhotoError: unreadable, not a picture, truncated or too large.
        """
        try:
            _check_file(path)
            with _open_header(path) as image:
                size = image.size
                if image.format in jpeg.FORMATS:
                    jpeg.check_padding(path)
                factor, decoded_bytes = _prepare(image)
                with admit(decoded_bytes):
                    decoded = jpeg.decode(image) if factor == 1 else None
                    return cls._finish(image, decoded, factor, size)
        except PhotoError:
            raise
        except Exception as error:  # decoders raise nearly anything on damaged input
            raise PhotoError(_reason(error)) from error

    @classmethod
    def _finish(
        cls, image: Image.Image, decoded: np.ndarray | None, factor: int, size: tuple[int, int]
    ) -> Photo:
        """The photo of an opened `image`, whose pixels may have been decoded already."""
        if decoded is None:
            image.load()  # before anything else asks for EXIF, which would swallow a decoder's error
        exif = _exif(image)
        orientation = exif.get(ExifTags.Base.Orientation)
        picture = _canonical(image, decoded, factor)
        if orientation in _UPRIGHT:
            picture = _UPRIGHT[orientation](picture)
        if orientation in (5, 6, 7, 8):
            size = size[::-1]
        return cls(picture, size, _taken_at(exif), _camera(exif), jpeg.quality(image))

    @classmethod
    def from_image(cls, image: Image.Image | np.ndarray) -> Photo:
        """A photo from a PIL image, or from a uint8 array (h, w), (h, w, 3) or (h, w, 4), in sRGB.

        Raises:
            PhotoError: an array of another type or shape, another object, a file that is truncated.
        """
        if isinstance(image, np.ndarray):
            shape_ok = image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))
            if image.dtype != np.uint8 or not shape_ok or image.size == 0:
                raise PhotoError(
                    "an array must be uint8 of shape (h, w), (h, w, 3) or (h, w, 4), "
                    f"got {image.dtype} of shape {image.shape}"
                )
            image = Image.fromarray(image)
        if not isinstance(image, Image.Image):
            raise PhotoError(f"a picture is a PIL image or an array, got {type(image).__name__}")
        try:
            return cls._finish(image, None, reduction(max(image.size)), image.size)
        except PhotoError:
            raise
        except Exception as error:  # as above: Pillow reads a file that it opened only now
            raise PhotoError(_reason(error)) from error

    def view(self, kind: View = "rgb", size: int | None = None) -> np.ndarray:
        """A read-only uint8 array: (h, w, 3) for "rgb", (h, w) for "luma" (ITU-R 601).

        Args:
            kind: "rgb" or "luma".
            size: longest side in pixels, Lanczos-filtered over the whole footprint; None is the
                canonical picture, not resampled. A smaller photo is enlarged: a view is what one
                would see at that size.
        """
        key = (kind, size)
        if key not in self._views:
            self._views[key] = _frozen(self._render(kind, size))
        return self._views[key]

    def _render(self, kind: View, size: int | None) -> np.ndarray:
        if kind == "luma":
            return cv2.cvtColor(self.view("rgb", size), cv2.COLOR_RGB2GRAY)
        whole = self.view()
        height, width = whole.shape[:2]
        scale = cast(int, size) / max(height, width)
        shape = (max(1, round(width * scale)), max(1, round(height * scale)))
        return whole if shape == (width, height) else lanczos(whole, shape)


def _canonical(image: Image.Image, decoded: np.ndarray | None, factor: int) -> np.ndarray:
    """The pixels as stored, but in sRGB, on white and reduced by `factor`."""
    icc = image.info.get("icc_profile")
    if decoded is None:
        return np.asarray(srgb(on_white(reduce(image, factor)), icc))
    return np.asarray(srgb(Image.fromarray(decoded), icc)) if icc else decoded


def reduction(longest_side: int) -> int:
    """The factor 1, 2, 4 or 8 that leaves `longest_side` smallest but at least 960 pixels.

    >>> [reduction(side) for side in (800, 1919, 1920, 4000, 8000, 20000)]
    [1, 1, 2, 4, 8, 8]
    """
    return next(f for f in (8, 4, 2, 1) if f == 1 or longest_side >= f * CANONICAL_SIDE)


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


@functools.cache
def _register_heif() -> None:
    if importlib.util.find_spec("pi_heif"):
        import pi_heif

        pi_heif.register_heif_opener()


def _open_header(path: str | os.PathLike[str]) -> ImageFile.ImageFile:
    """Pillow's lazily opened image, without Pillow's own pixel limit: `_prepare` checks ours.

    That limit is one number for the whole process, so it is put back before another thread looks.
    """
    _register_heif()
    with _header_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _check_file(path: str | os.PathLike[str]) -> None:
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):  # opening a FIFO or a device could block for ever
        raise PhotoError("not a regular file")
    if status.st_size == 0:
        raise PhotoError("empty: the file has 0 bytes")


def _prepare(image: Image.Image) -> tuple[int, int]:
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
    if to_go > 1:
        needed += 8 * min(pixels, STRIP_PIXELS)  # a strip, and the same in another mode
    if needed > MAX_DECODED_BYTES:
        raise PhotoError(
            f"too large: decoding {megapixels} of {image.format} takes {needed / 1e9:.1f} GB, "
            "the limit is 1 GB"
        )
    return to_go, needed


def _exif(image: Image.Image) -> dict[int, Any]:
    """The tags of the main and the EXIF directory; a damaged one counts as absent."""
    try:
        exif = image.getexif()
        return {**exif, **exif.get_ifd(ExifTags.IFD.Exif)}
    except Exception:  # a photo with unreadable EXIF is still a photo
        return {}


def _taken_at(exif: dict[int, Any]) -> str | None:
    text = exif.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    try:
        return datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return None


def _camera(exif: dict[int, Any]) -> str | None:
    make, model = (
        "".join(c for c in str(exif.get(tag) or "") if c.isprintable()).strip()
        for tag in (ExifTags.Base.Make, ExifTags.Base.Model)
    )
    return (model if model.startswith(make) else f"{make} {model}") or None


def _reason(error: Exception) -> str:
    """One line that a photographer understands."""
    if isinstance(error, FileNotFoundError):
        return "vanished: no such file"
    if isinstance(error, PermissionError):
        return "unreadable: permission denied"
    if isinstance(error, UnidentifiedImageError):
        return "not a picture in a format that can be read, or damaged from its start"
    if isinstance(error, MemoryError):
        return "too large: not enough memory to decode it"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if "truncated" in text else f"damaged: {text}"


def hush_libtiff() -> None:
    """Let libtiff print nothing of damaged files, for which Pillow has no switch; their errors are raised.

    Asked of Pillow's own module, the system finds the function in the libtiff that it was linked with;
    where it was linked statically there is none to be found, and all stays as it is.
    """
    module = importlib.util.find_spec("PIL._imaging")
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(module.origin if module else None).TIFFSetErrorHandler(None)
