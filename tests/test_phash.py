"""The perceptual hash: known values, and one hash for one picture however it is stored."""

from __future__ import annotations

from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image

from photorank.features.measures.phash import PHASH
from photorank.features.photo.image import Photo

# What a viewer does for each EXIF orientation, undone.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def hash_of(path: Path) -> str:
    return str(PHASH.measure(Photo.open(path).view(PHASH.view, PHASH.size)))


def test_equals_the_value_pinned_by_imagehash(shared_data: Path) -> None:
    assert hash_of(shared_data / "reference" / "imagehash.png") == "ba8c84536bd3c366"


def test_equals_imagehash_on_the_canonical_picture() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8)
    view = Photo.from_image(noise).view(PHASH.view, PHASH.size)
    assert PHASH.measure(view) == str(imagehash.phash(Image.fromarray(noise)))


@pytest.mark.parametrize("orientation", STORED)
def test_one_hash_for_all_exif_orientations(
    photo: np.ndarray, tmp_path: Path, orientation: int
) -> None:
    upright = Image.fromarray(photo[:400])
    stored, undo = upright, STORED[orientation]
    if undo is not None:
        stored = upright.transpose(undo)
    exif = Image.Exif()
    exif[274] = orientation
    stored.save(tmp_path / "stored.png", exif=exif)
    assert hash_of(tmp_path / "stored.png") == PHASH.measure(Photo.from_image(upright).view("luma"))


def test_a_saved_copy_is_near_and_another_picture_far(photo: np.ndarray, tmp_path: Path) -> None:
    def distance(a: str, b: str) -> int:
        return imagehash.hex_to_hash(a) - imagehash.hex_to_hash(b)

    original = PHASH.measure(Photo.from_image(photo).view("luma"))
    Image.fromarray(photo).resize((300, 300)).save(tmp_path / "small.jpg", quality=60)
    mirrored = PHASH.measure(Photo.from_image(np.ascontiguousarray(photo[:, ::-1])).view("luma"))
    assert distance(original, hash_of(tmp_path / "small.jpg")) <= 2
    assert distance(original, mirrored) >= 20


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1)])
def test_any_shape_has_a_hash(shape: tuple[int, int]) -> None:
    assert len(PHASH.measure(np.full(shape, 90, np.uint8))) == 16
