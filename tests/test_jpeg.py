"""The fast JPEG decoder gives what Pillow gives, and leaves to Pillow whatever is not sound."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from photorank.features.photo import jpeg
from photorank.features.photo.image import Photo, PhotoError


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


def test_other_kinds_are_for_pillow(photo: np.ndarray, tmp_path: Path) -> None:
    picture = Image.fromarray(photo)
    for name, image in {
        "grey.jpg": picture.convert("L"),
        "ink.jpg": picture.convert("CMYK"),
    }.items():
        image.save(tmp_path / name)
        assert jpeg.decode(opened(tmp_path / name)) is None
    picture.save(tmp_path / "p.png")
    assert jpeg.decode(opened(tmp_path / "p.png")) is None


def test_what_the_decoder_warns_of_is_judged_by_pillow(photo: np.ndarray, tmp_path: Path) -> None:
    whole = saved(photo, tmp_path / "whole.jpg", (1024, 1024)).read_bytes()
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(whole[: len(whole) * 3 // 4])
    assert jpeg.decode(opened(cut)) is None
    with pytest.raises(PhotoError, match="truncated"):
        Photo.open(cut)
    odd = tmp_path / "odd.jpg"  # stray bytes before the end marker: Pillow reads over them
    odd.write_bytes(whole[:-2] + bytes(7) + whole[-2:])
    assert jpeg.decode(opened(odd)) is None
    np.testing.assert_array_equal(Photo.open(odd).view(), np.asarray(opened(odd)))


def test_a_huge_file_is_not_read_whole(
    photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(photo, tmp_path / "p.jpg", (512, 512))
    monkeypatch.setattr(jpeg, "LARGEST", path.stat().st_size)
    assert jpeg.decode(opened(path)) is not None
    path.write_bytes(path.read_bytes() + b"\0")
    assert jpeg.decode(opened(path)) is None


def test_a_turned_photo_with_a_profile_is_as_pillow_alone_makes_it(
    photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 7
    profile = io.BytesIO(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    path = saved(photo, tmp_path / "p.jpg", (2000, 1500), exif=exif, icc_profile=profile.getvalue())
    fast = Photo.open(path)
    monkeypatch.setattr(jpeg, "LARGEST", 0)
    slow = Photo.open(path)
    assert (fast.width, fast.height) == (slow.width, slow.height) == (1500, 2000)
    np.testing.assert_array_equal(fast.view(), slow.view())
