"""The copies of rated photos that the quality model is trained with, as it sees them.

Degraded ones must score lower than their photo; the same picture saved otherwise (level 0), the same.
"""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image

from .features.image import Photo, PhotoError
from .training.degradations import KINDS, degrade

COPIES = 2  # of each photo, degraded
LEVELS = (2, 2, 3, 4, 5)  # the mildest that must count is drawn twice as often: it is the hardest
KIND_SHARES = np.array([1 + kind.endswith("exposure") for kind in KINDS])  # the hardest kinds
LARGER, CLEANED, CLEAN_JPEG = "saved larger", "cleaned", "jpeg of cleaned"
CLEANING_SHIFTS = ((0, 0), (4, 4), (2, 6), (6, 2), (1, 3), (3, 1), (5, 7), (7, 5))  # rows, columns
CLEANING_QUALITY = 60  # JPEG's
CLEAN_JPEG_LEVELS = (2, 2, 3, 4)
CAMERA_QUALITY = 92  # JPEG's
SIDES = (512, 1000, 1400, 1930, 2600, 3900)  # pixels: decoding reduces the last three by 2, 2 and 4
CLEAN_SIDES = (512, 640, 800, 1024)  # at which a cleaned photo is compressed

Job = tuple[str, str, int, int]
"""A photo's path, how it is copied ("": not at all), the copy's level and the photo's number."""


def plan(photos: int, seed: int) -> list[tuple[int, str, int]]:
    """Which copies are made: (photo, kind, level), the kinds of one photo all different."""
    copies = []
    for photo in range(photos):
        rng = np.random.default_rng((seed, photo))
        kinds = rng.choice(KINDS, COPIES, replace=False, p=KIND_SHARES / KIND_SHARES.sum())
        levels = rng.choice(LEVELS, COPIES)
        copies += [
            (photo, str(kind), int(level)) for kind, level in zip(kinds, levels, strict=True)
        ]
        if photo % 2:  # every other photo is enough of each
            copies.append((photo, LARGER, 0))
        else:  # the photos are JPEGs: without these, one that never was gains from compression
            level = CLEAN_JPEG_LEVELS[photo // 2 % len(CLEAN_JPEG_LEVELS)]
            copies += [(photo, CLEANED, 0), (photo, CLEAN_JPEG, level)]
    return copies


def view(job: Job) -> np.ndarray:
    """What the model sees of a photo or of a copy of it: (h, w, 3) uint8, the longest side 512.

    Raises:
        ValueError: the photo cannot be read.
    """
    path, kind, level, number = job
    try:
        rgb = Photo.open(path).view("rgb", 512)
    except PhotoError as error:
        raise ValueError(f"{path} cannot be read: {error}; mend it or leave it out") from error
    if kind == LARGER:
        larger = _resized(rgb, SIDES[number // 2 % len(SIDES)])
        return _saved(larger).view("rgb", 512)
    if kind == CLEANED:
        return _cleaned(rgb)
    if kind == CLEAN_JPEG:
        larger = _resized(_cleaned(rgb), CLEAN_SIDES[number // 8 % len(CLEAN_SIDES)])
        worse = degrade(larger, "jpeg_compression", level, number)
        return Photo.from_image(worse).view("rgb", 512)
    return degrade(rgb, kind, level, number) if level else rgb


def _cleaned(rgb: np.ndarray) -> np.ndarray:
    """Without JPEG blocks: the mean of compressions whose blocks lie elsewhere each time.

    References:
        Nosratinia (2001), Enhancement of JPEG-compressed images by re-application of JPEG,
        doi:10.1023/A:1008167430544
    """
    height, width = rgb.shape[:2]
    total = np.zeros(rgb.shape, np.float32)
    for down, right in CLEANING_SHIFTS:
        shifted = cv2.copyMakeBorder(
            rgb, 8 - down, 8 + down, 8 - right, 8 + right, cv2.BORDER_REFLECT_101
        )
        options = [cv2.IMWRITE_JPEG_QUALITY, CLEANING_QUALITY]
        encoded = cv2.imencode(".jpg", shifted[..., ::-1], options)[1]
        decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR))
        total += decoded[8 - down :, 8 - right :, ::-1][:height, :width]
    return np.asarray(total / len(CLEANING_SHIFTS) + 0.5).astype(np.uint8)


def _resized(rgb: np.ndarray, side: int) -> np.ndarray:
    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))


def _saved(rgb: np.ndarray) -> Photo:
    """As it is after being saved as a JPEG and opened again."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=CAMERA_QUALITY)
    return Photo.from_image(Image.open(file))
