"""Figures and words as plain text: columns side by side, notes that are wrapped."""

from __future__ import annotations

import io
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

from .words import printable

WIDTH = 100
_NAME = 60  # a longer one is broken, so that words have room


def say(text: object) -> None:
    """Print a line; what cannot be shown, a line break in a name too, is written as an escape."""
    print(printable(str(text)), flush=True)


def say_lines(text: object) -> None:
    """Print several."""
    for line in str(text).split("\n"):
        say(line)


def width() -> int:
    """Columns that a line may take: `WIDTH`, or those of a narrower terminal."""
    return min(WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else WIDTH


def table(rows: Iterable[Sequence[str]]) -> str:
    """Columns side by side: names at first and words at last, wrapped, figures to the right between.

    >>> print(table([("", "value", ""), ("noise", "0.25", "of the photo")]))
           value
    noise   0.25  of the photo
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    grid = Table.grid(padding=(0, 2, 0, 0))
    longest = max(len(row[0]) for row in rows)
    grid.add_column(overflow="fold", no_wrap=longest <= _NAME)
    for _ in rows[0][1:-1]:
        grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))
    written = io.StringIO()
    Console(file=written, width=width(), color_system=None, force_jupyter=False).print(grid)
    return "\n".join(line.rstrip() for line in written.getvalue().rstrip("\n").split("\n"))


def notes(said: Iterable[str]) -> list[str]:
    """Each note, wrapped; its further lines are indented. Names of files stay whole."""
    return [
        textwrap.fill(
            f"note: {note}",
            width(),
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for note in said
    ]
