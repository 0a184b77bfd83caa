"""One picture written in many colour spaces is measured alike, however the file says which it is."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from photorank.features.photo import colour
from photorank.features.photo.image import Photo, PhotoError

D50 = np.array([0.9642, 1, 0.8249])
# From linear light to XYZ under D65, as published: IEC 61966-2-1, SMPTE EG 432-1, Adobe RGB (1998), BT.2020.
TO_XYZ = {
    "srgb": [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
    "p3": [[0.48657, 0.26567, 0.19822], [0.22897, 0.69174, 0.07929], [0, 0.04511, 1.04394]],
    "adobe": [
        [0.57667, 0.18556, 0.18823],
        [0.29734, 0.62736, 0.07529],
        [0.02703, 0.07069, 0.99134],
    ],
    "2020": [[0.63696, 0.14462, 0.16888], [0.26270, 0.67800, 0.05930], [0, 0.02807, 1.06099]],
}
BRADFORD = np.array(
    [[1.0478, 0.0229, -0.0501], [0.0295, 0.9905, -0.0171], [-0.0092, 0.0151, 0.7517]]
)


def light(rgb: np.ndarray, space: str = "srgb") -> np.ndarray:
    """The linear light of sRGB levels, in another space."""
    v = rgb / 255
    linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    change = np.linalg.inv(TO_XYZ[space]) @ TO_XYZ["srgb"]
    return (linear @ change.T).clip(0, 1) if linear.ndim == 3 else linear


def srgb_curve(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def pq(linear: np.ndarray) -> np.ndarray:
    power = (linear * 203 / 10_000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def hlg(linear: np.ndarray) -> np.ndarray:
    display = linear * 0.203
    luminance = np.maximum(display @ [0.2627, 0.678, 0.0593], 1e-9)[..., None]
    scene = display * luminance ** (1 / 1.2 - 1)
    logarithm = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), logarithm)


def levels(values: np.ndarray, bits: int = 8) -> np.ndarray:
    return np.round(values * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def profile(curve: bytes, space: str = "", name: bytes = b"a name") -> bytes:
    """An ICC profile of version 2: of `space`, or of grey without one."""

    def xyz(values: np.ndarray) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(v * 65536) for v in values))

    name += b"\0"
    desc = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(78)
    tags = {b"desc": desc, b"cprt": b"text\0\0\0\0none\0", b"wtpt": xyz(D50)}
    if space:
        columns = (BRADFORD @ np.array(TO_XYZ[space])).T
        tags |= {bytes([c]) + b"XYZ": xyz(v) for c, v in zip(b"rgb", columns, strict=True)}
        tags |= {bytes([c]) + b"TRC": curve for c in b"rgb"}
    else:
        tags[b"kTRC"] = curve
    table, data = struct.pack(">I", len(tags)), b""
    for tag, body in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    head = bytearray(128)
    head[:4] = struct.pack(">I", 128 + len(table) + len(data))
    head[8:24] = b"\2\x10\0\0mntr" + (b"RGB " if space else b"GRAY") + b"XYZ "
    head[36:40], head[68:80] = b"acsp", xyz(D50)[8:]
    return bytes(head) + table + data


LINEAR = b"curv" + bytes(8)
SRGB_CURVE = b"para\0\0\0\0\0\3\0\0" + struct.pack(
    ">5i", *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)
ADOBE_GAMMA = b"curv\0\0\0\0\0\0\0\1\x02\x33"


def png(picture: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG by OpenCV, which writes 16 bits as well, with more chunks before its pixels."""
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".png", picture)[1].tobytes()
    for kind, body in chunks:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        data = data[:33] + struct.pack(">I", len(body)) + kind + body + crc + data[33:]
    return data


def iccp(icc: bytes) -> tuple[bytes, bytes]:
    return b"iCCP", b"x\0\0" + zlib.compress(icc)


def cicp(*codes: int) -> tuple[bytes, bytes]:
    return b"cICP", bytes([*codes, 0, 1])


def gama(gamma: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(gamma * 100_000))


def chrm(*places: float) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(place * 100_000) for place in places))


P3 = (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
FILES: dict[str, Callable[[np.ndarray], bytes]] = {
    "a P3 profile named sRGB": lambda rgb: png(
        levels(srgb_curve(light(rgb, "p3"))), iccp(profile(SRGB_CURVE, "p3", b"P3 with sRGB curve"))
    ),
    "cICP, P3": lambda rgb: png(levels(srgb_curve(light(rgb, "p3"))), cicp(12, 13)),
    "cICP before a profile": lambda rgb: png(
        levels(srgb_curve(light(rgb, "p3"))), iccp(profile(LINEAR, "adobe")), cicp(12, 13)
    ),
    "cICP, BT.709": lambda rgb: png(rgb, cicp(1, 1)),
    "gAMA and cHRM": lambda rgb: png(
        levels(light(rgb, "p3") ** (1 / 1.8)), gama(1 / 1.8), chrm(*P3)
    ),
    "sRGB before gAMA": lambda rgb: png(rgb, gama(1.0), (b"sRGB", b"\0")),
    "gAMA as sRGB writes it": lambda rgb: png(rgb, gama(0.45455)),
    "linear in 16 bits": lambda rgb: png(levels(light(rgb), 16), gama(1.0)),
    "a linear profile in 16 bits": lambda rgb: png(
        levels(light(rgb), 16), iccp(profile(LINEAR, "srgb"))
    ),
    "Adobe RGB in 16 bits": lambda rgb: png(
        levels(light(rgb, "adobe") ** (256 / 563), 16), iccp(profile(ADOBE_GAMMA, "adobe"))
    ),
    "PQ in 16 bits": lambda rgb: png(levels(pq(light(rgb, "2020")), 16), cicp(9, 16)),
    "HLG in 16 bits": lambda rgb: png(levels(hlg(light(rgb, "2020")), 16), cicp(9, 18)),
}


@pytest.mark.parametrize("name", FILES)
def test_colours_are_what_the_file_says(photo: np.ndarray, tmp_path: Path, name: str) -> None:
    rgb = photo[:160, 100:260] // 8 * 7  # below the knee of HDR
    (tmp_path / "p.png").write_bytes(FILES[name](rgb))
    view = Photo.open(tmp_path / "p.png").view()
    assert np.abs(view.astype(int) - rgb).max() <= 3


def test_what_is_brighter_than_white_stays_apart_and_keeps_its_hue() -> None:
    nits = np.array([100, 203, 400, 1000, 10_000])
    column = (nits / 203)[:, None, None] * [1, 0.5, 0.25]
    space = colour.by_codes(1, 16)
    assert space is not None
    seen = colour.to_srgb(levels(pq(column).clip(0, 1), 16), space)[:, 0]
    assert seen[:, 0].tolist() == [*sorted(set(seen[:-1, 0])), 255]
    assert (np.ptp(light(seen[:4]) / light(seen[:4])[:, :1], axis=0) < 0.02).all()


def test_codes_that_are_not_known_are_refused_with_what_to_do(
    photo: np.ndarray, tmp_path: Path
) -> None:
    (tmp_path / "p.png").write_bytes(png(photo, cicp(10, 17)))
    with pytest.raises(PhotoError, match=r"\(primaries 10, transfer 17\): save it as sRGB"):
        Photo.open(tmp_path / "p.png")


@pytest.mark.parametrize(
    ("space", "index", "is_adobe"),
    [(65535, "R03", True), (65535, "R98", False), (1, "R03", False), (2, None, True)],
)
def test_cameras_say_adobe_rgb_by_exif_alone(
    photo: np.ndarray, tmp_path: Path, space: int, index: str | None, is_adobe: bool
) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = space
    if index:
        exif.get_ifd(0x8769)[0xA005] = {1: index}
    stored = levels(light(photo, "adobe") ** (256 / 563))
    Image.fromarray(stored).save(tmp_path / "p.jpg", exif=exif, quality=98, subsampling=0)
    view = Photo.open(tmp_path / "p.jpg").view().astype(int)
    assert np.abs(view - (photo if is_adobe else stored)).mean() < 1.5


@pytest.mark.parametrize("space", ["", "srgb"])
@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "RGB"])
def test_a_profile_of_grey_or_of_colours_holds_for_grey_in_any_form(
    photo: np.ndarray, tmp_path: Path, mode: str, space: str
) -> None:
    grey = np.asarray(Image.fromarray(photo).convert("L"))
    stored = Image.fromarray(levels(light(grey), 16 if mode == "I;16" else 8))
    if mode in ("LA", "RGB"):
        stored = stored.convert(mode)
    stored.save(tmp_path / "p.tif", icc_profile=profile(LINEAR, space))
    wrong = np.abs(Photo.open(tmp_path / "p.tif").view()[..., 0].astype(int) - grey)
    assert wrong.max() <= (0 if mode == "I;16" else 14)  # 8 bits of light are few in the shadows


@pytest.mark.parametrize("gamma", [0.45455, 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_transparent_colour_of_16_bits_lies_on_white(
    tmp_path: Path, gamma: float, channels: int
) -> None:
    stored = np.full((8, 8, channels), 0x1234, np.uint16)
    stored[:, 4:, 0] += 1  # in 8 bits the same
    key = (b"tRNS", struct.pack(">H", 0x1234) * channels)
    (tmp_path / "p.png").write_bytes(png(stored.squeeze(), key, gama(gamma)))
    view = Photo.open(tmp_path / "p.png").view()
    assert (view[:, :4] == 255).all()
    shade = 0x1234 / 65535 * 255
    want = shade if gamma < 1 else levels(srgb_curve(np.array(shade / 255)))
    assert np.abs(view[:, 4:] - float(want)).max() <= 1


def test_srgb_under_any_name_changes_nothing(photo: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(png(photo, iccp(profile(SRGB_CURVE, "srgb", b"Camera RGB"))))
    np.testing.assert_array_equal(Photo.open(tmp_path / "p.png").view(), photo)


@pytest.mark.parametrize("codes", [(12, 13), (9, 16)])
def test_avif_says_its_colours_in_a_box(
    photo: np.ndarray, tmp_path: Path, codes: tuple[int, int]
) -> None:
    path = tmp_path / "p.avif"
    Image.fromarray(photo).save(path, quality=95)
    plain = Photo.open(path).view()
    data = path.read_bytes()
    at = data.index(b"nclx") + 4
    path.write_bytes(data[:at] + struct.pack(">HH", *codes) + data[at + 4 :])
    space = colour.by_codes(*codes)
    assert space is not None
    np.testing.assert_array_equal(Photo.open(path).view(), colour.to_srgb(plain, space))


def test_the_profile_of_a_jpeg_2000_is_used(photo: np.ndarray, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(levels(srgb_curve(light(photo, "p3")))).save(file, "JPEG2000")
    data, icc = file.getvalue(), profile(SRGB_CURVE, "p3")
    box = struct.pack(">I4s3B", 11 + len(icc), b"colr", 2, 0, 0) + icc
    head, old = data.index(b"jp2h") - 4, data.index(b"colr") - 4
    end = old + int.from_bytes(data[old : old + 4])
    size = int.from_bytes(data[head : head + 4]) - (end - old) + len(box)
    made = data[:head] + struct.pack(">I", size) + data[head + 4 : old] + box + data[end:]
    (tmp_path / "p.jp2").write_bytes(made)
    assert np.abs(Photo.open(tmp_path / "p.jp2").view().astype(int) - photo).max() <= 3
