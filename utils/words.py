"""The words of messages: what to suggest for a misspelt name, the first of many, an error in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST = 40
_FEW = 3


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


def first(names: Iterable[object]) -> str:
    """The first few of many.

    >>> first("abcd")
    'a, b, c ...'
    """
    names = list(names)
    return ", ".join(map(str, names[:_FEW])) + " ..." * (len(names) > _FEW)


def one_line(error: Exception) -> str:
    """What an error says, or what it is where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
