"""Names and numbers in a sentence: what to suggest for a misspelt name, names that can be printed."""

from __future__ import annotations

import bisect
import difflib
import itertools
import os
import reprlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_LONGEST_SUFFIX = 16
_MOST = 40
_FEW = 3
_KINDS, _KIND = 8, 32
_LONGEST, _COMPARED = 200, 2_000  # comparing takes the product of both, and of the lengths
_LONGEST_REASON = 500


def near(name: str, known: Iterable[str]) -> str:
    """The closest known names, or what there is.

    >>> near("nosy", ["noisy", "blurry"])
    'did you mean noisy?'
    """
    known = list(known)
    close = [] if len(name) > _LONGEST else difflib.get_close_matches(name, known[:_COMPARED])
    return f"did you mean {' or '.join(close)}?" if close else there_is(known)


def one_form(name: str) -> str:
    r"""A name in one spelling: é may be one character or, as on a Mac, e and an accent.

    >>> one_form("Cafe\u0301") == "Caf\u00e9"
    True
    """
    return unicodedata.normalize("NFC", name)


def nearest(path: str, files: Iterable[object]) -> str:
    """The file whose name is most like that of `path`."""
    name = path.replace("\\", "/").rpartition("/")[2].lower()
    by_name = {str(f).lower(): str(f) for f in itertools.islice(files, _COMPARED)}
    return by_name[difflib.get_close_matches(name[:_LONGEST], by_name, n=1, cutoff=0)[0]]


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


def plural(count: int, what: str) -> str:
    """How many of something.

    >>> plural(1, "photo"), plural(1200, "photo")
    ('1 photo', '1,200 photos')
    """
    return f"{count:,} {what}{'s' * (count != 1)}"


def commonest(counts: Mapping[str, int]) -> dict[str, int]:
    """The commonest kinds of many, and all others as one.

    >>> commonest({"b": 1, "a": 2}), len(commonest(dict.fromkeys(map(str, range(99)), 1)))
    ({'a': 2, 'b': 1}, 9)
    """
    ordered = sorted(counts.items(), key=lambda kind: (-kind[1], kind[0]))
    rest = ordered[_KINDS:]
    others = {f"of {len(rest):,} other kinds": sum(count for _, count in rest)} if rest else {}
    return dict(ordered[:_KINDS]) | others


def kinds(counts: Mapping[str, int]) -> str:
    """How many of each kind there are.

    >>> kinds({"xmp": 2, "mov": 1})
    '2 xmp, 1 mov'
    """
    return ", ".join(f"{count:,} {printable(kind, _KIND)}" for kind, count in counts.items())


def printable(text: str, width: int | None = None) -> str:
    r"""The text with whatever cannot be shown, such as line breaks, written as escapes.

    Args:
        width: columns of a terminal; of a longer text the middle is left out, for names of photos
            end in the number that tells them apart.

    >>> printable("a\nb\udcff.jpg")
    'a\\nb\\udcff.jpg'
    >>> printable("holiday-in-spain-0417.jpg", 16)
    'holiday-…417.jpg'
    """
    from rich.cells import cell_len  # Chinese, Japanese, Korean and emoji take two columns each

    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return shown if width is None else shortened(shown, lambda s: cell_len(s) <= width)


def shortened(text: str, fits: Callable[[str], bool]) -> str:
    """The text, of which as much of the middle is left out as it takes to fit."""
    if fits(text):
        return text

    def cut(kept: int) -> str:
        return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"

    sizes = range(2, len(text) + 1)
    fitting = bisect.bisect_left(sizes, True, key=lambda kept: not fits(cut(kept)))
    return cut(sizes[fitting - 1]) if fitting else "…"


def fitting(name: str, room: int = 255) -> str:
    """A file name within the bytes that file systems take: of a longer one the middle is left out.

    >>> fitting("001_" + "x" * 250 + ".jpg", 20)
    '001_xxx…xxxxxx.jpg'
    """
    stem, suffix = os.path.splitext(name)
    if len(suffix) > _LONGEST_SUFFIX:
        stem, suffix = name, ""
    return shortened(stem, lambda s: len(os.fsencode(s + suffix)) <= room) + suffix


def file_name(text: object) -> object:
    """A name from a table in the form that files have here: beyond ASCII, LC_ALL=C makes it bytes."""
    if not isinstance(text, str):
        return text
    try:
        os.fsencode(text)
        return text
    except UnicodeEncodeError:
        return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def first(names: Iterable[object]) -> str:
    """The first few of many.

    >>> first("abcd")
    'a, b, c ...'
    """
    names = list(names)
    return ", ".join(map(str, names[:_FEW])) + " ..." * (len(names) > _FEW)


def one_line(error: Exception) -> str:
    """What an error says, or what it is where it says nothing."""
    return short(" ".join(str(error).split())) or type(error).__name__


def short(text: str) -> str:
    """The text, of which the middle is left out where no one would read it."""
    half = _LONGEST_REASON // 2
    return text if len(text) <= _LONGEST_REASON else f"{text[:half]}…{text[-half:]}"


_brief = reprlib.Repr()
_brief.maxlevel, _brief.maxstring, _brief.maxother, _brief.maxlong = 3, 80, 80, 40


def shown(value: object) -> str:
    """A value in a message: `repr`, of a long or deep one the beginning.

    >>> shown("x" * 1000)[:8], len(shown("x" * 1000)), shown([[[[[1]]]]])
    ("'xxxxxxx", 80, '[[[...]]]')
    """
    try:
        return _brief.repr(value)
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of thousands of digits"
