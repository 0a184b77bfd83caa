"""Names of files, written into pictures: any characters, any length."""

from __future__ import annotations

import functools
from pathlib import Path

import matplotlib
from matplotlib import font_manager, ft2font
from PIL import ImageFont

from photorank.utils.words import printable, shortened

PAPER, INK, MUTED = "#f6f6f4", "#1c1c1e", "#6b6b70"

Font = ImageFont.FreeTypeFont

_EAST_ASIAN = (
    "Noto Sans CJK",
    "Noto Sans JP",
    "Source Han Sans",
    "WenQuanYi",
    "Droid Sans Fallback",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Hiragino Sans",
    "PingFang",
)


def with_font(text: str, bold: bool = False) -> tuple[str, str]:
    """The text as it can be written, and the file of the font that has its letters.

    That is DejaVu Sans, or an East Asian font of this machine where DejaVu lacks a letter; what no
    font has becomes an empty square.
    """
    text = printable(text)
    dejavu = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = str(Path(matplotlib.get_data_path(), "fonts", "ttf", dejavu))
    if not _letters(path).issuperset(map(ord, text)):
        path = next((p for p in _east_asian_fonts() if _letters(p) >= set(map(ord, text))), path)
    return "".join(c if ord(c) in _letters(path) else "\N{WHITE SQUARE}" for c in text), path


def fitted(text: str, size: int, width: float, bold: bool = False) -> tuple[str, Font]:
    """The text and its font, the middle of the text left out if it is wider than `width` pixels."""
    text, path = with_font(text, bold)
    font = _font(path, size)
    return shortened(text, lambda short: font.getlength(short) <= width), font


@functools.cache
def _font(path: str, size: int) -> Font:
    return ImageFont.truetype(path, size)


@functools.cache
def _letters(path: str) -> frozenset[int]:
    return frozenset(ft2font.FT2Font(path).get_charmap())


@functools.cache
def _east_asian_fonts() -> tuple[str, ...]:
    found = font_manager.fontManager.ttflist
    return tuple(entry.fname for entry in found if entry.name.startswith(_EAST_ASIAN))
