"""The fast JPEG decoder gives what Pillow gives."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from photorank.features.photo import jpeg
from photorank.features.photo.image import Photo


def saved(photo: np.ndarray, path: Path, size: tuple[int, int], **options: object) -> Path:
    Image.fromarray(photo).resize(size).save(path, "JPEG", **options)
    return path


def opened(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def drafted(path: Path, factor: int) -> Image.Image:
    image = opened(path)
    image.draft(None, (image.width // factor, image.height // factor))
    return image


@pytest.mark.parametrize("factor", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(1024, 768), (1003, 517)])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
def test_bit_for_bit_what_pillow_decodes(
    photo: np.ndarray,
    tmp_path: Path,
    factor: int,
    size: tuple[int, int],
    options: dict[str, object],
) -> None:
    path = saved(photo, tmp_path / "p.jpg", size, **options)
    fast = jpeg.decode(drafted(path, factor))
    assert fast is not None
    np.testing.assert_array_equal(fast, np.asarray(drafted(path, factor)))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_colours_too(photo: np.ndarray, tmp_path: Path, mode: str) -> None:
    Image.fromarray(photo).convert(mode).save(tmp_path / "p.jpg")
    fast = jpeg.decode(opened(tmp_path / "p.jpg"))
    np.testing.assert_array_equal(fast, np.asarray(opened(tmp_path / "p.jpg")))


def test_a_turned_photo_with_a_profile_is_as_pillow_alone_makes_it(
    photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 7
    profile = io.BytesIO(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    path = saved(photo, tmp_path / "p.jpg", (2000, 1500), exif=exif, icc_profile=profile.getvalue())
    fast = Photo.open(path)
    monkeypatch.setattr("photorank.features.photo.image.jpeg.decode", lambda image: None)
    slow = Photo.open(path)
    assert (fast.width, fast.height) == (slow.width, slow.height) == (1500, 2000)
    np.testing.assert_array_equal(fast.view(), slow.view())
