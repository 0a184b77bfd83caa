"""From what a decoder gives to 8-bit sRGB: reduced, averaged, laid on white, colours converted."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image, ImageCms

STRIP_PIXELS = 16_000_000  # under Pillow's bomb limit, which its crop() checks too

_UNUSED_ALPHA = ("BMP", "DIB", "TIFF", "ICO")
"""In these an alpha that is 0 everywhere was left unset: the picture is opaque."""


class PhotoError(Exception):
    """A photo that cannot be measured; the message says why in one line."""

    @property
    def is_lasting(self) -> bool:
        """Whether the file itself is to blame, and not the disk, a permission or too little memory."""
        cause = self.__cause__
        return getattr(cause, "errno", None) is None and not isinstance(cause, MemoryError)


def reduce(image: Image.Image, factor: int, ends: tuple[int, int] = (0, 65535)) -> Image.Image:
    """Box-average by `factor` in a mode in which averaging makes sense, a strip at a time.

    Strips bound the memory: a palette or 16-bit picture is never held twice at full size.

    Args:
        ends: black and white of a picture in 16 bits.
    """
    if factor == 1:
        return _averageable(image, ends)
    rows = max(1, STRIP_PIXELS // image.width // factor) * factor
    strips = [
        _averageable(image.crop((0, top, image.width, min(top + rows, image.height))), ends).reduce(
            factor
        )
        for top in range(0, image.height, rows)
    ]
    whole = Image.new(strips[0].mode, (strips[0].width, sum(strip.height for strip in strips)))
    for index, strip in enumerate(strips):
        whole.paste(strip, (0, index * rows // factor))
    return whole


def _averageable(image: Image.Image, ends: tuple[int, int]) -> Image.Image:
    """The same picture in mode L, LA, RGB, RGBA, CMYK or LAB, 8 bit."""
    if image.mode.startswith("I"):
        return _from_16_bit(np.asarray(image), *ends)
    if image.mode == "F":
        raise PhotoError("floating-point pixels have no defined white: save it with 8 or 16 bits")
    if image.mode in ("PA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    to = {"1": "L", "P": "RGB", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB"}
    return image.convert(to.get(image.mode, image.mode))


def _from_16_bit(levels: np.ndarray, black: int, white: int) -> Image.Image:
    if levels.min() < 0 or levels.max() > max(black, white):
        raise PhotoError("32-bit pixels have no defined white: save it with 8 or 16 bits")
    above_black = np.subtract(levels, black, dtype=float)
    return Image.fromarray((above_black * (255 / (white - black)) + 0.5).astype(np.uint8))


def on_white(image: Image.Image, file_format: str | None = None) -> Image.Image:
    """Transparent parts laid on white, in grey or in colours as before."""
    if image.mode not in ("LA", "RGBA"):
        return image
    colours = "L" if image.mode == "LA" else "RGB"
    if file_format in _UNUSED_ALPHA and image.getextrema()[-1] == (0, 0):
        return image.convert(colours)
    white = Image.new("RGBA", image.size, "white")
    laid = Image.alpha_composite(white, image.convert("RGBA"))
    return laid.getchannel(0) if colours == "L" else laid.convert("RGB")


def srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """sRGB where a profile says otherwise; a damaged or misplaced profile counts as none."""
    if image.mode == "LAB" or icc:
        try:
            image = _in_channels(image, icc[16:20]) if icc else image
            transform = _to_srgb(icc if image.mode != "LAB" else None, image.mode)
            if transform is not None:
                converted = ImageCms.applyTransform(image, transform)
                return converted if converted is not None else image
        except (ImageCms.PyCMSError, OSError):
            pass
    return image.convert("RGB")


def _in_channels(image: Image.Image, kind: bytes) -> Image.Image:
    """Grey in as many channels as its profile has: WebP stores three of any; colours as they are."""
    if kind != b"GRAY":
        return image.convert("RGB") if kind == b"RGB " and image.mode == "L" else image
    levels = np.asarray(image)
    is_grey = levels.ndim == 3 and (levels[..., :1] == levels).all()
    return Image.fromarray(levels[..., 0]) if is_grey else image


@functools.lru_cache(maxsize=16)
def _to_srgb(icc: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform from a profile (None: CIELAB) to sRGB, None where the profile is sRGB itself."""
    if icc is None:
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    else:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    shared_by_threads = ImageCms.Flags.NOCACHE
    srgb = ImageCms.createProfile("sRGB")
    transform = ImageCms.buildTransform(profile, srgb, mode, "RGB", flags=shared_by_threads)
    return None if mode == "RGB" and _changes_nothing(transform) else transform


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether no colour of a fine grid moves by more than a level, whatever the profile's name."""
    steps = np.uint8(np.linspace(0, 255, 18).round())
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(18, -1, 3)
    moved = ImageCms.applyTransform(Image.fromarray(grid), transform)
    return moved is not None and np.abs(np.asarray(moved).astype(int) - grid).max() <= 1
