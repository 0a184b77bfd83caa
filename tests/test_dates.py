"""When a photo was taken: which source speaks, what counts as a date, what a name says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import photorank as pr
from photorank.features.photo.dates import named_at
from photorank.features.photo.image import Photo

ORIGINAL, DIGITIZED, CHANGED = 0x9003, 0x9004, 0x0132
OFFSET, OFFSET_ORIGINAL, FRACTION = 0x9010, 0x9011, 0x9291


def exif_of(tags: dict[int, Any]) -> Image.Exif:
    exif = Image.Exif()
    for tag, value in tags.items():
        (exif if tag == CHANGED else exif.get_ifd(0x8769))[tag] = value
    return exif


def taken(tags: dict[int, Any], path: Path, **more: Any) -> str | None:
    Image.new("RGB", (32, 32)).save(path, exif=exif_of(tags), **more)
    return Photo.open(path).taken_at


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        (
            {ORIGINAL: "2015:03:20 12:07:53", DIGITIZED: "2016:01:01 00:00:00"},
            "2015-03-20T12:07:53",
        ),
        (
            {ORIGINAL: "0000:00:00 00:00:00", DIGITIZED: "2015:03:20 12:07:53"},
            "2015-03-20T12:07:53",
        ),
        (
            {ORIGINAL: "    :  :     :  :  ", DIGITIZED: "2015:03:20 12:07:53"},
            "2015-03-20T12:07:53",
        ),
        (
            {ORIGINAL: "2019:01:01 24:04:20", DIGITIZED: "2019:01:01 00:04:20"},
            "2019-01-01T00:04:20",
        ),
        ({ORIGINAL: "2019:13:01 01:04:20"}, None),
        ({ORIGINAL: "0001:01:01 00:00:00"}, None),
        ({CHANGED: "2015:03:20 12:07:53"}, None),
        ({ORIGINAL: "2015: 3:20 12: 7: 3"}, "2015-03-20T12:07:03"),
        ({ORIGINAL: "2015-03-20T12:07:53.25+02:00"}, "2015-03-20T12:07:53.25+02:00"),
        ({ORIGINAL: "2015:03:20 05:07:53 PM"}, "2015-03-20T17:07:53"),
        ({ORIGINAL: "2015:03:20   :  :  "}, "2015-03-20"),
        (
            {ORIGINAL: "2015:03:20 12:07:53", OFFSET_ORIGINAL: "-03:30", FRACTION: "042 "},
            "2015-03-20T12:07:53.042-03:30",
        ),
        ({ORIGINAL: "2015:03:20 12:07:53", OFFSET_ORIGINAL: "   :  "}, "2015-03-20T12:07:53"),
        ({ORIGINAL: "2015:03:20 12:07:53", OFFSET_ORIGINAL: "+25:00"}, "2015-03-20T12:07:53"),
        (
            {ORIGINAL: "2015:03:20 12:07:53", CHANGED: "2015:03:20 12:07:53", OFFSET: "+02:00"},
            "2015-03-20T12:07:53+02:00",
        ),
        (
            {ORIGINAL: "2015:03:20 12:07:53", CHANGED: "2015:07:01 10:00:00", OFFSET: "+03:00"},
            "2015-03-20T12:07:53",
        ),
    ],
)
def test_the_first_tag_that_is_a_date_speaks(
    tags: dict[int, Any], said: str | None, tmp_path: Path
) -> None:
    assert taken(tags, tmp_path / "a.jpg") == said


def with_xmp(packet: str, path: Path) -> Path:
    text = PngImagePlugin.PngInfo()
    text.add_itxt("XML:com.adobe.xmp", packet)
    tags = Image.Exif()
    tags[700] = packet.encode()
    options = {".png": {"pnginfo": text}, ".tif": {"exif": tags}}
    options = options.get(path.suffix, {"xmp": packet.encode()})
    Image.new("RGB", (32, 32)).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize(
    ("packet", "said"),
    [
        (
            "<x xmp:CreateDate=\"2020-01-01T00:00:00\" exif:DateTimeOriginal = '2015-03-20'/>",
            "2015-03-20",
        ),
        (
            "<xmp:CreateDate>2020-01-01T00:00:00</xmp:CreateDate>"
            "<exif:DateTimeOriginal>0000-00-00T00:00:00</exif:DateTimeOriginal>"
            "<photoshop:DateCreated>\n2015-03-20T12:07:53.5Z</photoshop:DateCreated>",
            "2015-03-20T12:07:53.5+00:00",
        ),
        ('<x xmp:ModifyDate="2020-01-01T00:00:00" xmp:MetadataDate="2020-01-01T00:00:00"/>', None),
        ('<x xmp:CreateDate="2020"/>', None),
    ],
)
def test_xmp_speaks_where_exif_does_not(
    suffix: str, packet: str, said: str | None, tmp_path: Path
) -> None:
    assert Photo.open(with_xmp(packet, tmp_path / f"a.{suffix}")).taken_at == said


def test_exif_speaks_before_xmp_unless_it_is_blank(tmp_path: Path) -> None:
    packet = b'<x exif:DateTimeOriginal="2015-03-20T12:07:53"/>'
    for digitized, year in (("2014:01:01 00:00:00", "2014"), ("    :  :     :  :  ", "2015")):
        said = taken({DIGITIZED: digitized}, tmp_path / "a.jpg", xmp=packet)
        assert said is not None
        assert said.startswith(year)


def test_a_packet_of_entities_is_text(tmp_path: Path) -> None:
    bomb = "<!DOCTYPE x [<!ENTITY a 'b'>" + "<!ENTITY a '&a;&a;'>" * 99 + "]>&a;"
    packet = f'{bomb}<x xmp:CreateDate="2020-01-01T00:00:00"/>'
    assert Photo.open(with_xmp(packet, tmp_path / "a.png")).taken_at == "2020-01-01T00:00:00"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("IMG_20240131_142530.jpg", "2024-01-31T14:25:30"),
        ("20240131_142530(0).jpg", "2024-01-31T14:25:30"),
        ("PXL_20240131_142530123.MP.jpg", "2024-01-31T14:25:30.123+00:00"),
        ("2024-01-31 14.25.30-2.jpg", "2024-01-31T14:25:30"),
        ("photo_2024-01-31_14-25-30.jpg", "2024-01-31T14:25:30"),
        ("WIN_20240131_14_25_30_Pro.jpg", "2024-01-31T14:25:30"),
        ("DJI_20240131142530_0001_D.JPG", "2024-01-31T14:25:30"),
        ("signal-2024-01-31-14-25-30-123.jpg", "2024-01-31T14:25:30"),
        ("Screenshot 2024-01-31 at 2.25.30\u202fPM.png", "2024-01-31T14:25:30"),
        ("WhatsApp Image 2024-01-31 at 12.05.30 AM.jpeg", "2024-01-31T00:05:30"),
        ("IMG-20240131-WA0001.jpg", "2024-01-31"),
        ("2024-01-31 pic 123456.jpg", "2024-01-31"),
        ("IMG_20241331_142530.jpg", None),
        ("IMG_20240131_246060.jpg", None),
        ("WP_20240131_001.jpg", None),
        ("2012030412345.jpg", None),  # a barcode
        ("20240131.jpg", None),  # a number
        ("26_1_3_20170104222823975.jpg", None),  # that of a data set
        ("1706711130123.jpg", None),
    ],
)
def test_names_of_phones_and_programs(name: str, said: str | None) -> None:
    assert named_at(f"/20200101_101010/{name}") == said


def test_a_name_speaks_last_and_goes_with_the_name(photo: np.ndarray, tmp_path: Path) -> None:
    """It is no part of what is stored of a content: a copy may be called otherwise."""
    image, cache = Image.fromarray(photo).resize((64, 64)), tmp_path / "c.sqlite"
    exif = exif_of({DIGITIZED: "2015:03:20 12:07:53"})
    folder = tmp_path / "photos"
    folder.mkdir()
    image.save(folder / "IMG_20240131_142530.jpg", exif=exif)
    for name in ("IMG_20230131_142530.png", "IMG_1.png"):
        image.save(folder / name)
    for _ in range(2):
        table = pr.extract(folder, ["contrast"], cache=cache, quiet=True).set_index("file")
        assert table["taken_at"].fillna("").to_dict() == {
            "IMG_20240131_142530.jpg": "2015-03-20T12:07:53",
            "IMG_20230131_142530.png": "2023-01-31T14:25:30",
            "IMG_1.png": "",
        }
