"""One photo, decoded once: upright, sRGB, on white, at the canonical size; its views and header facts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from photorank.utils.words import one_line

from ..base import View
from . import colour, container, deep, jpeg, tiff
from .dates import taken_at
from .header import camera, check_file, exif_of, open_header, prepare, reduction
from .pixels import PhotoError as PhotoError
from .pixels import on_white, reduce, srgb
from .resample import lanczos

_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda stored: cv2.flip(stored, 1),
    3: lambda stored: cv2.rotate(stored, cv2.ROTATE_180),
    4: lambda stored: cv2.flip(stored, 0),
    5: cv2.transpose,
    6: lambda stored: cv2.rotate(stored, cv2.ROTATE_90_CLOCKWISE),
    7: lambda stored: cv2.flip(cv2.transpose(stored), -1),
    8: lambda stored: cv2.rotate(stored, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
_OF_INK = ("CMYK", "LAB")


class Photo:
    """One decoded picture and what its header says.

    Attributes:
        width, height: pixels of the upright photo at full size.
        taken_at: ISO 8601 local time by EXIF or XMP (`dates.taken_at`), or None.
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
        with _explained():
            check_file(path)
            with open_header(path) as image:
                size = image.size
                factor, decoded_bytes = prepare(image)
                with admit(decoded_bytes):
                    said = container.read(path, image)
                    return cls._finish(image, jpeg.decode(image), factor, size, said)

    @classmethod
    def _finish(
        cls,
        image: Image.Image,
        decoded: np.ndarray | None,
        factor: int,
        size: tuple[int, int],
        said: container.Said | None = None,
    ) -> Photo:
        """The photo of an opened `image`, whose pixels may have been decoded already."""
        is_deep = said is not None and deep.is_deep(image)
        if decoded is None:
            image.load()  # before anything else asks for EXIF, which would swallow a decoder's error
        tiff.mend_palette(image)
        exif = exif_of(image)
        orientation = exif.get(ExifTags.Base.Orientation)
        icc, space = _colours(image, exif, said or container.Said(), is_deep)
        shown = image
        if is_deep and (space or "transparency" in image.info):
            shown, space = deep.converted(image, space), None
        picture = _canonical(shown, decoded, factor, icc, space)
        if orientation in _UPRIGHT:
            picture = _UPRIGHT[orientation](picture)
        if orientation in (5, 6, 7, 8):
            size = size[::-1]
        return cls(picture, size, taken_at(image, exif), camera(exif), jpeg.quality(image))

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
        with _explained():  # Pillow reads a file that it opened only now
            return cls._finish(image, None, reduction(max(image.size)), image.size)

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


def _colours(
    image: Image.Image, exif: dict[int, Any], said: container.Said, is_deep: bool
) -> tuple[bytes | None, colour.Space | None]:
    """The profile by which colours are to be converted, or the space; neither: they are sRGB."""
    icc = image.info.get("icc_profile") or said.icc
    if said.codes and (image.format == "PNG" or not icc):
        return None, colour.by_codes(*said.codes)
    if icc:
        space = colour.by_profile(icc)
        return (None, space) if space and (is_deep or space.is_hdr) else (icc, None)
    return None, colour.by_tags(image, exif)


def _canonical(
    image: Image.Image,
    decoded: np.ndarray | None,
    factor: int,
    icc: bytes | None,
    space: colour.Space | None,
) -> np.ndarray:
    """The pixels as stored, but in sRGB, on white and reduced by `factor`."""
    if decoded is not None:
        if factor == 1 and image.mode == "RGB" and not icc:
            return colour.to_srgb(decoded, space) if space else decoded
        image = Image.frombytes(image.mode, decoded.shape[1::-1], decoded)
    reduced = on_white(reduce(image, factor, tiff.levels(image)), image.format)
    picture = np.asarray(srgb(reduced, icc))
    return colour.to_srgb(picture, space) if space and image.mode not in _OF_INK else picture


def _frozen(array: np.ndarray) -> np.ndarray:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except PhotoError:
        raise
    except Exception as error:  # decoders raise nearly anything on damaged input
        raise PhotoError(_reason(error)) from error


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
    text = one_line(error)
    return text if "truncated" in text else f"damaged: {text}"
