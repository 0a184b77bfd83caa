"""Figures as text that a terminal of 100 columns shows whole."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

WIDTH = 100
_LEAST = 20  # columns that words get, however wide the figures before them are
_WHOLE: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}  # files' names too


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side, names to the left, figures to the right; the words at the end are wrapped."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    room = max(_LEAST, WIDTH - sum(widths[:-1]) - 2 * (len(widths) - 1))
    lines = []
    for first, *figures, words in rows:
        padded = (f"{text:>{width}}" for text, width in zip(figures, widths[1:-1], strict=True))
        start = "  ".join([f"{first:<{widths[0]}}", *padded, ""])
        said = textwrap.wrap(words, room, **_WHOLE) or [""]
        lines += [start + said[0], *(" " * len(start) + more for more in said[1:])]
    return "\n".join(line.rstrip() for line in lines)


def text_notes(notes: Iterable[str]) -> list[str]:
    """Each note, wrapped; its further lines are indented."""
    return [
        textwrap.fill(f"note: {note}", WIDTH, subsequent_indent="  ", **_WHOLE) for note in notes
    ]
