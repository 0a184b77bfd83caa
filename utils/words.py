"""Names: what to suggest for a misspelt one, several in one text."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

_MOST = 40


def near(name: str, known: Iterable[str]) -> str:
    """The closest known names, or what there is.

    >>> near("nosy", ["noisy", "blurry"])
    'did you mean noisy?'
    """
    known = list(known)
    close = difflib.get_close_matches(name, known)
    return f"did you mean {' or '.join(close)}?" if close else there_is(known)


def there_is(known: Iterable[str]) -> str:
    """The known names; of very many the first."""
    names = list(known)
    more = f" and {len(names) - _MOST:,} more" if len(names) > _MOST else ""
    return f"there is: {', '.join(names[:_MOST])}{more}"


def each_name(given: Iterable[Any]) -> list[Any]:
    """Names one by one, where a text may hold several, separated by commas; others stay as they are.

    >>> each_name(["sharpness, noise", "exposure"])
    ['sharpness', 'noise', 'exposure']
    """
    parts = (part.split(",") if isinstance(part, str) else [part] for part in given)
    names = (n.strip() if isinstance(n, str) else n for part in parts for n in part)
    return [name for name in names if name != ""]


def printable(name: str, width: int = 40) -> str:
    """A file name for one line of a terminal: nothing that moves the cursor, the middle left out."""
    from rich.cells import cell_len  # Chinese, Japanese, Korean and emoji take two columns each

    name = "".join(c if c.isprintable() else "?" for c in name)
    if cell_len(name) <= width:
        return name
    start, end = name[: len(name) // 2], name[len(name) // 2 :]
    while cell_len(f"{start}…{end}") > width:
        if cell_len(start) >= cell_len(end):
            start = start[:-1]
        else:
            end = end[1:]
    return f"{start}…{end}"
