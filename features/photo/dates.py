"""When a photo was taken: from EXIF, else XMP, else its name; never when its file was changed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Any

from PIL import ExifTags, Image

_TAGS = ExifTags.Base
_TAKEN = (
    (_TAGS.DateTimeOriginal, _TAGS.OffsetTimeOriginal, _TAGS.SubsecTimeOriginal),
    (_TAGS.DateTimeDigitized, _TAGS.OffsetTimeDigitized, _TAGS.SubsecTimeDigitized),
)
_XMP = (
    *("exif:DateTimeOriginal", "photoshop:DateCreated"),
    *("exif:DateTimeDigitized", "(?:xmp|xap):CreateDate"),
)
_MOST_XMP = 1 << 20  # bytes: more than any camera or program writes
_FIRST_PHOTO = 1826  # years before it, such as 0000 and 0001, are some program's zero

_HALF = r"(?:[\s\u202f]*(?P<half>[ap])\.?m\b)?"  # macOS puts a narrow space there
_FLAGS = re.ASCII | re.IGNORECASE
_WRITTEN = re.compile(
    r"\s*(?P<year>\d{4})[-:/.](?P<month>[ \d]?\d)[-:/.](?P<day>[ \d]?\d)"
    r"(?:[T ]\s*(?P<hour>\d\d?):(?P<minute>[ \d]?\d)(?::(?P<second>[ \d]?\d))?"
    rf"(?:[.,](?P<fraction>\d+))?{_HALF}\s*(?P<offset>Z|[-+]\d\d:?\d\d)?)?",
    _FLAGS,
)
_DAY_NAMED = r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<dash>[-_.]?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
_CLOCK = r"(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)(?P<fraction>\d{3})?(?!\d)"
_NAMED = (
    re.compile(rf"{_DAY_NAMED}[T _-]{{1,3}}{_CLOCK}", _FLAGS),
    re.compile(rf"[a-z][_-]?{_DAY_NAMED}{_CLOCK}", _FLAGS),  # 14 digits alone may be a number
    re.compile(
        rf"{_DAY_NAMED}\D{{1,12}}(?P<hour>\d\d?)(?P<dot>[-_.:])(?P<minute>\d\d)(?P=dot)"
        rf"(?P<second>\d\d)(?!\d){_HALF}",
        _FLAGS,
    ),
    re.compile(r"(?<!\d)(?P<year>(?:19|20)\d\d)-(?P<month>\d\d)-(?P<day>\d\d)(?!\d)", _FLAGS),
    re.compile(r"IMG-(?P<year>20\d\d)(?P<month>\d\d)(?P<day>\d\d)-WA\d", _FLAGS),  # WhatsApp
)
_OFFSET = re.compile(r"([-+])(0\d|1[0-4]):?([0-5]\d)", re.ASCII)


def taken_at(image: Image.Image, exif: dict[int, Any]) -> str | None:
    """ISO 8601 local time by what the file says, with fractions and offset where they are given.

    Of DateTimeOriginal, DateTimeDigitized and the dates of XMP the first that is a date; a day alone
    where no more is said. EXIF's DateTime is that of the last change, and not asked.
    """
    return next(filter(None, chain(_of_exif(exif), _of_xmp(image.info.get("xmp")))), None)


def named_at(path: str) -> str | None:
    """When a photo was taken by its file's name, as phones and programs for screenshots give it.

    >>> named_at("IMG_20240131_142530.jpg"), named_at("Screenshot 2024-01-31 at 2.25.30 PM.png")
    ('2024-01-31T14:25:30', '2024-01-31T14:25:30')
    >>> named_at("PXL_20240131_142530123.jpg"), named_at("IMG-20240131-WA0001.jpg")
    ('2024-01-31T14:25:30.123+00:00', '2024-01-31')
    """
    name = os.path.basename(path)
    offset = "Z" if name.startswith("PXL_") else ""  # Pixel phones alone name by UTC
    found = chain.from_iterable(form.finditer(name) for form in _NAMED)
    return next(filter(None, (_iso(one.groupdict(), offset=offset) for one in found)), None)


def _of_exif(exif: dict[int, Any]) -> Iterator[str | None]:
    """What the tags of a date say of it; OffsetTime, of the last change, where that was the same."""
    offsets = {_text(exif.get(_TAGS.DateTime)): _text(exif.get(_TAGS.OffsetTime))}
    for date, offset, fraction in _TAKEN:
        text = _text(exif.get(date))
        offset_text = _text(exif.get(offset)) or offsets.get(text, "")
        yield _written(text, _text(exif.get(fraction)), offset_text)


def _of_xmp(packet: Any) -> Iterator[str | None]:
    """Read as text: an XML parser would follow what a stranger's file tells it to."""
    text = _text(packet[:_MOST_XMP]) if isinstance(packet, bytes | str) else ""
    for name in _XMP:
        for found in re.finditer(rf"\b{name}\s*(?:=\s*[\"']|>)([^\"'<]{{,40}})", text):
            yield _written(found[1])


def _written(text: str, fraction: str = "", offset: str = "") -> str | None:
    """A date as EXIF or XMP write it, as ISO 8601; None where it is blank, zero or no date."""
    found = _WRITTEN.match(text)
    return _iso(found.groupdict(), fraction, offset) if found else None


def _iso(part: dict[str, str | None], fraction: str = "", offset: str = "") -> str | None:
    """The parts of a date; what they hold of fraction and offset goes before what is given."""
    units = ("year", "month", "day", "hour", "minute", "second")
    numbers = [int(part.get(unit) or 0) for unit in units]
    if half := part.get("half"):
        numbers[3] = numbers[3] % 12 + 12 * (half in "pP")
    try:
        time = datetime(*numbers)  # type: ignore[arg-type]
    except ValueError:
        return None
    if time.year < _FIRST_PHOTO:
        return None
    if not part.get("hour"):
        return time.date().isoformat()
    fraction = part.get("fraction") or fraction
    zone = _OFFSET.fullmatch((part.get("offset") or offset).upper().replace("Z", "+00:00"))
    return (
        time.isoformat()
        + (f".{fraction[:9]}" if fraction.isascii() and fraction.isdigit() else "")
        + (f"{zone[1]}{zone[2]}:{zone[3]}" if zone else "")
    )


def _text(value: Any) -> str:
    """A tag's text; some programs write bytes, or numbers."""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return text.replace("\0", "").strip()
