"""Pictures of 16 bits whose colours are converted before they are cut to 8."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from PIL import Image, ImageFile

from . import tiff
from .colour import Space, to_srgb
from .pixels import STRIP_PIXELS


def is_deep(image: Image.Image) -> bool:
    """Whether the file of a picture that is not loaded yet holds 16 bits that can be had."""
    if image.mode.startswith("I;16"):
        return True
    is_planar = getattr(image, "tag_v2", {}).get(284) == 2  # which OpenCV reads wrongly
    return (
        image.mode in ("LA", "RGB", "RGBA")
        and not is_planar
        and ";16" in str(getattr(image, "tile", ""))
    )


def converted(image: Image.Image, space: Space | None) -> Image.Image:
    """A loaded picture of 16 bits in 8, of a `space` in sRGB, with its transparency."""
    ends = tiff.levels(image)
    levels = _grey(image, *ends) if image.mode.startswith("I") else _colours(image)
    rows = max(1, STRIP_PIXELS // 16 // image.width)
    strips = [
        _in_8_bits(_triple(levels[top : top + rows]), space) for top in range(0, len(levels), rows)
    ]
    picture = Image.fromarray(np.concatenate(strips))
    picture.format = image.format
    if "A" in image.mode:
        picture.putalpha(image.getchannel("A"))
    elif "transparency" in image.info:  # a PNG's one colour, in 16 bits
        is_seen = np.atleast_3d(levels != np.array(image.info["transparency"])).any(2)
        picture.putalpha(Image.fromarray(is_seen))
    return picture


def _in_8_bits(levels: np.ndarray, space: Space | None) -> np.ndarray:
    if space:
        return to_srgb(levels, space)
    scale = np.float32(255 / np.iinfo(levels.dtype).max)
    return (levels * scale + 0.5).astype(np.uint8)


def _grey(image: Image.Image, black: int, white: int) -> np.ndarray:
    above_black = np.subtract(np.asarray(image), black, dtype=np.float32)
    return (above_black * (65535 / (white - black)) + 0.5).astype(np.uint16)


def _colours(image: Image.Image) -> np.ndarray:
    """All 16 bits by OpenCV: Pillow keeps 8, which stay where OpenCV reads another picture."""
    path = cast(ImageFile.ImageFile, image).filename
    levels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if levels is None or levels.dtype != np.uint16 or levels.shape[1::-1] != image.size:
        return np.asarray(image.convert("RGB"))
    return levels[..., 2::-1] if levels.ndim == 3 else levels


def _triple(levels: np.ndarray) -> np.ndarray:
    return levels if levels.ndim == 3 else cv2.merge([levels] * 3)
