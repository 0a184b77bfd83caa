"""The one decode: what a photo's pixels are, whatever file they come in."""

from __future__ import annotations

import contextlib
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from photorank.features.photo.header import photo_suffixes, reduction
from photorank.features.photo.image import Photo, PhotoError

INVERSE = {  # what to do to upright pixels so that the EXIF orientation puts them right again
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def oriented(photo: np.ndarray, orientation: int, path: Path) -> Path:
    """`photo` stored turned, with the EXIF orientation that says so."""
    image, turn = Image.fromarray(photo), INVERSE[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    (image.transpose(turn) if turn is not None else image).save(path, exif=exif)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_upright(photo: np.ndarray, tmp_path: Path, orientation: int) -> None:
    tall = photo[:, :300]
    opened = Photo.open(oriented(tall, orientation, tmp_path / "p.png"))
    assert (opened.width, opened.height) == (300, 512)
    np.testing.assert_array_equal(opened.view(), tall)


@pytest.mark.parametrize("side", [959, 960, 1919, 1920, 3839, 3840, 7680, 20000])
def test_canonical_side_is_the_smallest_that_is_at_least_960(side: int) -> None:
    factor = reduction(side)
    assert factor in (1, 2, 4, 8)
    assert factor == 1 or side / factor >= 960
    assert factor == 8 or side / (2 * factor) < 960


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_canonical_picture_is_reduced_alike_in_every_format(
    photo: np.ndarray, tmp_path: Path, suffix: str
) -> None:
    big = Image.fromarray(photo).resize((2048, 2048), Image.Resampling.BICUBIC)
    path = tmp_path / f"big.{suffix}"
    big.save(path, quality=98)
    view = Photo.open(path).view()
    assert view.shape == (1024, 1024, 3)
    boxed = np.asarray(big.reduce(2), float)
    assert np.abs(view - boxed).mean() < 1.5


def test_views_are_read_only_fixed_in_size_and_made_once(photo: np.ndarray) -> None:
    opened = Photo.from_image(photo[:100])
    view = opened.view("luma", 512)
    assert view.shape == (100, 512)
    assert opened.view("luma", 512) is view
    assert opened.view("rgb", 1024 - 64).shape == (188, 960, 3)
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1


def test_transparency_lies_on_white(tmp_path: Path) -> None:
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[:, 20:] = (255, 0, 0, 255)
    for name, image in {
        "rgba.png": Image.fromarray(rgba),
        "rgba.webp": Image.fromarray(rgba),
        "palette.gif": Image.fromarray(rgba),
    }.items():
        image.save(tmp_path / name)
        view = Photo.open(tmp_path / name).view()
        assert (view[:, :20] == 255).all(), name
        assert np.abs(view[:, 22:].astype(int) - (255, 0, 0)).max() <= 3, name


def test_16_bit_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    levels = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    view = Photo.open(tmp_path / "deep.png").view("luma")
    np.testing.assert_array_equal(view.ravel(), np.arange(256))


def test_cmyk_is_converted(tmp_path: Path) -> None:
    Image.new("CMYK", (20, 20), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=95)
    red, green, blue = Photo.open(tmp_path / "red.jpg").view()[10, 10].astype(int)
    assert red > 200
    assert max(green, blue) < 60


def test_another_colour_space_becomes_srgb(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    lab = ImageCms.createProfile("LAB")
    to_lab = ImageCms.buildTransform(srgb, lab, "RGB", "LAB")
    picture = Image.new("RGB", (16, 16), (200, 30, 60))
    in_lab = ImageCms.applyTransform(picture, to_lab)
    assert in_lab is not None
    in_lab.save(tmp_path / "lab.tif")
    view = Photo.open(tmp_path / "lab.tif").view()
    assert np.abs(view[8, 8].astype(int) - (200, 30, 60)).max() <= 3


def test_srgb_profile_changes_nothing_and_a_damaged_one_counts_as_none(
    photo: np.ndarray, tmp_path: Path
) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name, icc in {"srgb.png": srgb, "damaged.png": b"not a profile"}.items():
        Image.fromarray(photo).save(tmp_path / name, icc_profile=icc)
        np.testing.assert_array_equal(Photo.open(tmp_path / name).view(), photo)


def test_first_frame_counts(photo: np.ndarray, tmp_path: Path) -> None:
    first, second = Image.fromarray(photo), Image.new("RGB", (512, 512))
    first.save(tmp_path / "a.webp", save_all=True, append_images=[second], lossless=True)
    np.testing.assert_array_equal(Photo.open(tmp_path / "a.webp").view(), photo)


def test_header_facts(photo: np.ndarray, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "NIKON CORPORATION\0", "NIKON D90"
    exif.get_ifd(0x8769)[0x9003] = "2021:05:06 07:08:09"
    Image.fromarray(photo).save(tmp_path / "p.jpg", exif=exif)
    opened = Photo.open(tmp_path / "p.jpg")
    assert opened.taken_at == "2021-05-06T07:08:09"
    assert opened.camera == "NIKON CORPORATION NIKON D90"
    assert Photo.from_image(photo).camera is None


def test_absurd_exif_is_no_exif(photo: np.ndarray, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif.get_ifd(0x8769)[0x9003] = 77, "yesterday"
    Image.fromarray(photo).save(tmp_path / "p.jpg", exif=exif)
    assert Photo.open(tmp_path / "p.jpg").taken_at is None


def _jpeg(photo: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda jpeg: b"", "empty"),
        (lambda jpeg: b"hello" * 99, "not a picture"),
        (lambda jpeg: jpeg[: len(jpeg) // 2], "truncated"),
        (lambda jpeg: jpeg[: len(jpeg) // 2] + bytes(len(jpeg) // 2), "truncated"),
        (lambda jpeg: jpeg[:20], "not a picture"),
    ],
)
def test_a_damaged_file_fails_with_its_reason(
    photo: np.ndarray, tmp_path: Path, content: object, message: str
) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(content(_jpeg(photo)))  # type: ignore[operator]
    with pytest.raises(PhotoError, match=message):
        Photo.open(path)


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoError, match="not a regular file"):
        Photo.open(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoError, match="vanished"):
        Photo.open(tmp_path / "nothing.jpg")


def _png_header(width: int, height: int) -> bytes:
    whole = io.BytesIO()
    Image.new("RGB", (1, 1)).save(whole, "PNG")
    data = bytearray(whole.getvalue())
    data[16:24] = width.to_bytes(4) + height.to_bytes(4)
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    return bytes(data)


def test_too_large_by_the_header_is_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(_png_header(100_000, 100_000))
    with pytest.raises(
        PhotoError, match=r"too large: 10,000 MP by its header, the limit is 300 MP"
    ):
        Photo.open(path)
    path.write_bytes(_png_header(17_000, 17_000))
    with pytest.raises(
        PhotoError, match=r"decoding 289 MP of PNG takes 1\.3 GB, the limit is 1 GB"
    ):
        Photo.open(path)


def test_pillows_own_limit_is_left_as_it_was(photo_file: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS
    Photo.open(photo_file)
    assert before == Image.MAX_IMAGE_PIXELS


def test_memory_is_asked_for_by_the_reduced_size(photo: np.ndarray, tmp_path: Path) -> None:
    asked = []

    @contextlib.contextmanager
    def admit(needed: int) -> Iterator[None]:
        asked.append(needed)
        yield

    big = Image.fromarray(photo).resize((2048, 1024))
    files = {"b.jpg": {}, "p.jpg": {"progressive": True}, "b.png": {}, "b.tif": {}, "b.jp2": {}}
    for name, options in files.items():
        big.save(tmp_path / name, **options)
        Photo.open(tmp_path / name, admit)
    pixels = 2048 * 1024
    reducing = 8 * pixels
    whole = [os.path.getsize(tmp_path / name) for name in files]
    decoding = [pixels, pixels + 6 * pixels, *(n * pixels + reducing for n in (4, 6, 17))]
    assert asked == [a + b for a, b in zip(decoding, whole, strict=True)]


def test_what_could_never_be_admitted_is_refused(
    monkeypatch: pytest.MonkeyPatch, photo: np.ndarray, tmp_path: Path
) -> None:
    monkeypatch.setattr("photorank.features.photo.header.MAX_DECODED_BYTES", 10_000_000)
    Image.fromarray(photo).resize((2000, 1000)).save(tmp_path / "b.png")  # 8 MB, 24 to reduce it
    with pytest.raises(PhotoError, match="too large: decoding 2 MP of PNG takes"):
        Photo.open(tmp_path / "b.png")


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4), float), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_arrays_of_another_kind_are_refused(array: np.ndarray) -> None:
    with pytest.raises(PhotoError, match="an array must be uint8 of shape"):
        Photo.from_image(array)


def test_a_picture_in_hand_is_the_picture_in_its_file(photo: np.ndarray, tmp_path: Path) -> None:
    path = oriented(photo, 6, tmp_path / "p.png")
    with Image.open(path) as image:
        np.testing.assert_array_equal(Photo.from_image(image).view(), photo)
        np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(image)), photo)


def test_strips_join_without_a_seam(
    photo: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from photorank.features.photo import pixels as module

    big = Image.fromarray(photo).resize((2001, 1999)).quantize(64)
    big.save(tmp_path / "p.png")
    whole = Photo.open(tmp_path / "p.png").view()
    monkeypatch.setattr(module, "STRIP_PIXELS", 2001 * 70)
    np.testing.assert_array_equal(Photo.open(tmp_path / "p.png").view(), whole)
    np.testing.assert_array_equal(whole, np.asarray(big.convert("RGB").reduce(2)))


def test_suffixes() -> None:
    assert {"jpg", "png", "tiff", "avif", "jp2"} <= photo_suffixes()
    assert not any(suffix.startswith(".") for suffix in photo_suffixes())


@pytest.mark.parametrize("quality", range(1, 101))
def test_the_quality_of_a_jpeg_is_what_it_was_saved_with(photo: np.ndarray, quality: int) -> None:
    file = io.BytesIO()
    Image.fromarray(photo[:16, :16]).save(file, "JPEG", quality=quality)
    assert Photo.from_image(Image.open(file)).jpeg_quality == quality


def test_the_quality_of_other_tables_is_the_nearest_and_of_other_formats_none(
    photo: np.ndarray, tmp_path: Path
) -> None:
    coarse = [[2 * step for step in range(1, 65)]] * 2  # 65 on average; 57.6 at quality 50
    Image.fromarray(photo).save(tmp_path / "own.jpg", qtables=coarse)
    assert Photo.open(tmp_path / "own.jpg").jpeg_quality == 44
    Image.fromarray(photo).save(tmp_path / "p.webp", quality=10)
    assert Photo.open(tmp_path / "p.webp").jpeg_quality is None


@pytest.mark.parametrize("mode", ["L", "CMYK", "YCbCr"])
def test_the_quality_of_a_jpeg_in_other_colours(photo: np.ndarray, mode: str) -> None:
    file = io.BytesIO()
    Image.fromarray(photo).convert(mode).save(file, "JPEG", quality=60)
    assert Photo.from_image(Image.open(file)).jpeg_quality == 60


def test_the_quality_of_several_pictures_in_one_file_is_that_of_the_first(
    photo: np.ndarray, tmp_path: Path
) -> None:
    first, second = Image.fromarray(photo), Image.fromarray(photo[:64, :64])
    first.save(tmp_path / "p.mpo", quality=60, save_all=True, append_images=[second])
    assert Photo.open(tmp_path / "p.mpo").jpeg_quality == 60
