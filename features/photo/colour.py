"""What colours a picture's numbers mean where no ICC profile says it, and in 16 bits; from them to sRGB."""

from __future__ import annotations

import functools
import io
import struct
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import ExifTags, Image, ImageCms

from .pixels import PhotoError

# Red, green, blue and white, x and y of each, by the code points of ITU-T H.273.
_D65 = (0.3127, 0.3290)
_SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *_D65)
_P3 = (0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
_BY_CODE = {
    1: _SRGB,
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    11: (*_P3, 0.314, 0.351),
    12: (*_P3, *_D65),
}
_ADOBE = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *_D65)
_ADOBE_GAMMA = 2 + 51 / 256
_UNSPECIFIED = (0, 2, 3)
_CURVES = {1: "srgb", 6: "srgb", 14: "srgb", 15: "srgb", 13: "srgb", 4: 2.2, 5: 2.8, 8: 1.0}
_HDR = {16: "pq", 18: "hlg"}
_WHITE, _PEAK = 203.0, 1000.0
"""Nits: what counts as white (ITU-R BT.2408), and the brightest that is told from what is brighter."""
_KNEE = 0.8
"""Of white's light: what is darker stays; from here to the peak all is drawn together below white."""

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.9642, 1, 0.8249])
_STEPS = np.linspace(0, 1, 65536)


class Space(NamedTuple):
    """Colours as numbers: the light of each of 65,536 levels, and what makes linear sRGB of it."""

    light: np.ndarray
    matrix: np.ndarray
    is_hlg: bool = False
    is_hdr: bool = False


def by_codes(primaries: int, transfer: int) -> Space | None:
    """The space of two code points of ITU-T H.273, as a PNG's cICP or a HEIF's nclx; None: sRGB.

    Raises:
        PhotoError: colours that are not known here.
    """
    curve = "srgb" if transfer in _UNSPECIFIED else {**_CURVES, **_HDR}.get(transfer)
    places = _SRGB if primaries in _UNSPECIFIED else _BY_CODE.get(primaries)
    if curve is None or places is None:
        raise PhotoError(
            f"colours of a kind that is not read (primaries {primaries}, transfer {transfer}): "
            "save it as sRGB"
        )
    return _space(places, curve)


def by_tags(image: Image.Image, exif: dict[int, Any]) -> Space | None:
    """The space that a PNG's gAMA and cHRM or a camera's EXIF tell; None: sRGB."""
    info = image.info if image.format == "PNG" else {}
    if "srgb" in info:
        return None
    if "gamma" in info or "chromaticity" in info:
        gamma, places = info.get("gamma", 0), info.get("chromaticity")
        curve = 1 / gamma if 0.1 <= gamma <= 2 and abs(gamma * 2.2 - 1) > 0.05 else "srgb"
        return _space((*places[2:], *places[:2]) if places else _SRGB, curve)
    return _space(_ADOBE, _ADOBE_GAMMA) if _is_adobe(image, exif) else None


def _is_adobe(image: Image.Image, exif: dict[int, Any]) -> bool:
    """Whether a camera says so: DCF's option file R03, unless an editor made sRGB of it since."""
    if exif.get(ExifTags.Base.ColorSpace) in (1, 2):
        return exif[ExifTags.Base.ColorSpace] == 2
    try:
        index = image.getexif().get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)
    except Exception:  # as in `exif_of`
        return False
    return str(index).strip("\0 ") == "R03"


@functools.lru_cache(maxsize=16)
def _space(places: tuple[float, ...], curve: str | float) -> Space | None:
    """None where the space is sRGB itself, or no space at all."""
    if curve == "srgb" and max(abs(a - b) for a, b in zip(places, _SRGB, strict=True)) < 0.002:
        return None
    try:
        matrix = np.linalg.inv(_to_d50(_SRGB)) @ _to_d50(places)
    except (np.linalg.LinAlgError, ZeroDivisionError):
        return None
    return Space(_light(curve), matrix, curve == "hlg", curve in _HDR.values())


def _to_d50(places: tuple[float, ...]) -> np.ndarray:
    """From linear light of a space to XYZ under D50: white to white, by Bradford's adaptation."""
    xyz = np.array(
        [[x / y, 1, (1 - x - y) / y] for x, y in zip(places[::2], places[1::2], strict=True)]
    )
    white, colours = xyz[3], xyz[:3].T
    adapted = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    return np.linalg.inv(_BRADFORD) @ adapted @ colours @ np.diag(np.linalg.solve(colours, white))


def _light(curve: str | float) -> np.ndarray:
    """The light of each level, white is 1; of HLG that of the scene, its peak is 1."""
    if isinstance(curve, float):
        light = _STEPS**curve
    elif curve == "srgb":
        light = np.where(_STEPS <= 0.04045, _STEPS / 12.92, ((_STEPS + 0.055) / 1.055) ** 2.4)
    elif curve == "pq":  # SMPTE ST 2084
        root = _STEPS ** (32 / 2523)
        over = np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)
        light = over ** (16384 / 2610) * (10_000 / _WHITE)
    else:  # ITU-R BT.2100, HLG
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(_STEPS <= 0.5, _STEPS**2 / 3, (np.exp((_STEPS - c) / a) + b) / 12)
    return _float32(light)


def _float32(light: np.ndarray) -> np.ndarray:
    return light.astype(np.float32)


def to_srgb(levels: np.ndarray, space: Space) -> np.ndarray:
    """8-bit sRGB of (h, w, 3) or of grey (h, w), in 8 or 16 bits."""
    light = (space.light if levels.dtype == np.uint16 else space.light[::257])[levels]
    if space.is_hlg:  # the display's light by the scene's, at a peak of 1,000 nits
        luminance = cv2.transform(light, np.array([[0.2627, 0.6780, 0.0593]]))
        light *= np.maximum(luminance, 1e-6)[..., None] ** 0.2 * (_PEAK / _WHITE)
    if light.ndim == 3:
        light = cv2.transform(light, space.matrix)
    light = np.maximum(light, 0, out=light)
    if space.is_hdr:
        light *= _toned(light.max(-1, keepdims=True))
    return _encoding()[(np.minimum(light, 1) * 65535 + 0.5).astype(np.uint16)]


def _toned(brightest: np.ndarray) -> np.ndarray:
    """By what a colour is dimmed so that its largest part is at most white's: hues stay."""
    over = np.maximum(brightest - _KNEE, 0) / (1 - _KNEE)
    peak = (_PEAK / _WHITE - _KNEE) / (1 - _KNEE)
    below = _KNEE + (1 - _KNEE) * over * (1 + over / peak**2) / (1 + over)  # Reinhard et al., 2002
    return np.where(brightest > _KNEE, below / np.maximum(brightest, _KNEE), 1).astype(np.float32)


@functools.cache
def _encoding() -> np.ndarray:
    """The sRGB level of each of 65,536 steps of light."""
    encoded = np.where(_STEPS <= 0.0031308, _STEPS * 12.92, 1.055 * _STEPS ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)


def by_profile(icc: bytes) -> Space | None:
    """The space of an ICC profile of primaries and one curve, or that says it is HDR; None: another."""
    try:
        return _by_profile(icc)
    except (KeyError, IndexError, ValueError, OSError, struct.error):
        return None


@functools.lru_cache(maxsize=16)
def _by_profile(icc: bytes) -> Space | None:
    tags = _icc_tags(icc)
    if b"cicp" in tags and tags[b"cicp"][9] in _HDR:
        return by_codes(*tags[b"cicp"][8:10])
    if icc[16:20] == b"GRAY":
        return Space(_icc_curve(tags[b"kTRC"]), np.eye(3))
    if b"A2B0" in tags or not tags[b"rTRC"] == tags[b"gTRC"] == tags[b"bTRC"]:
        return None
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile
    colours = (profile.red_colorant, profile.green_colorant, profile.blue_colorant)
    to_d50 = np.array([colour[0] for colour in colours if colour]).T
    return Space(_icc_curve(tags[b"rTRC"]), np.linalg.inv(_to_d50(_SRGB)) @ to_d50)


def _icc_tags(icc: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", icc, 128)
    entries = (struct.unpack_from(">4sII", icc, 132 + 12 * i) for i in range(min(count, 100)))
    return {name: icc[start : start + size] for name, start, size in entries}


def _icc_curve(tag: bytes) -> np.ndarray:
    """The light of each of 65,536 levels, by a tag of type curv or para (ICC.1, 10.6 and 10.18)."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        points = np.frombuffer(tag, ">u2", count, 12) if count else np.array([256])
        if count < 2:
            return _float32(_STEPS ** (points[0] / 256))
        return _float32(np.interp(_STEPS, np.linspace(0, 1, count), points / 65535))
    (kind,) = struct.unpack_from(">H", tag, 8)
    g, *rest = np.frombuffer(tag, ">i4", (1, 3, 4, 5, 7)[kind], 12) / 65536
    a, b, *rest = rest or (1, 0)
    slope, start, above, below = 0.0, -b / a, 0.0, 0.0
    if kind == 2:
        above = below = rest[0]
    elif kind > 2:
        slope, start, above, below = (*rest, 0, 0)[:4]
    power = np.maximum(a * _STEPS + b, 0) ** g + above
    return _float32(np.where(start <= _STEPS, power, slope * _STEPS + below))
