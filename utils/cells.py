"""What the cells of anybody's table mean: numbers in either notation, truths, names, or nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from .words import shown

POINT, COMMA = ".", ","
_OTHER = {POINT: COMMA, COMMA: POINT}
_SPACES = "'\u2019 \xa0\u2009\u202f"  # between thousands, as Swiss and French write them
_NUMBER = {
    mark: re.compile(
        rf"[-+\u2212]?(?=[{mark}]?[0-9])(?:[1-9][0-9]{{0,2}}(?:[{other}{_SPACES}][0-9]{{3}})+|[0-9]*)"
        rf"(?:[{mark}][0-9]*)?(?:[eE][-+]?[0-9]+)?"
    )
    for mark, other in _OTHER.items()
}
_PLAIN = {
    mark: str.maketrans({**dict.fromkeys(_SPACES + other), mark: ".", "\u2212": "-"})
    for mark, other in _OTHER.items()
}
_NOTHING = frozenset(["", *"#n/a #na #nv <na> n/a na nan -nan none null".split()])
"""What stands for an empty cell among numbers and truths; among texts it is a name."""

_SPREADSHEETS = dict.fromkeys(
    "true wahr vrai verdadero vero verdadeiro waar sant sand prawda истина".split(), True
) | dict.fromkeys("false falsch faux falso onwaar falskt falsk fałsz ложь".split(), False)
ANSWERS = (
    _SPREADSHEETS
    | dict.fromkeys("1 1.0 1,0 y yes j ja oui si sí sì sim".split(), True)
    | dict.fromkeys("0 0.0 0,0 n no nein nee non não nej".split(), False)
)
"""What spreadsheets and people write for true and false."""

TEXT = frozenset(
    "file path phash content_hash taken_at camera missing error "
    "quality_class tags tag_reasons suggestions".split()
)
"""photorank's own columns of text."""

_HASH = re.compile("[0-9a-fA-F]{16}")
_IDENTIFIER = re.compile(
    r"(?i:file|path|image|photo|picture|file_?name|image_?name|name|title|scene|person|index|uuid|guid"
    r"|key|nr|no|number|nummer|bildnummer|unnamed: \d+|(?:.*[\W_]|image|photo|file|img)?id)|.*[a-z]I[dD]",
    re.DOTALL,
)
_LONGEST_CELL = 32_767  # as in Excel


def is_identifier(column: object) -> bool:
    """Whether a column's name says that it names things, so that its numbers are no measure.

    >>> [name for name in ("file", "photo_id", "imageId", "width", "valid") if is_identifier(name)]
    ['file', 'photo_id', 'imageId']
    """
    return _IDENTIFIER.fullmatch(str(column).strip()) is not None


def is_text(column: object) -> bool:
    """Whether the cells of a column are taken as they are."""
    return column in TEXT or is_identifier(column)


def truths(column: pd.Series[Any]) -> np.ndarray:
    """(n,) bool; an empty cell is not true.

    Raises:
        ValueError: a cell is neither true nor false.
    """
    return column.to_numpy() if column.dtype == bool else _truths(column).eq(True).to_numpy(bool)


def needed_mark(cells: Iterable[str]) -> str:
    """The decimal mark without which some cells would be no number; nothing if there is no such."""
    kinds = {_kind(cell) for cell in cells} & {POINT, COMMA}
    return kinds.pop() if len(kinds) == 1 else ""


def understood(
    table: pd.DataFrame, usual: str = POINT
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """The table with its columns as numbers and truths where all of their filled cells are.

    Args:
        usual: the decimal mark of what could be read either way, such as 1,234, where no other
            column tells.

    Returns:
        The table; what was understood, such as "decimal commas"; and a sentence on each column that
        is amiss.

    Raises:
        ValueError: a cell holds a list or more than any name, or is neither true nor false in a
            column that must be.
    """
    new: dict[Any, Any] = {}
    said: dict[str, None] = {}
    notes: list[str] = []
    kinds: dict[Any, list[str]] = {}
    for name, column in table.items():
        if column.dtype == bool:
            continue
        if _is_truth(name, table):
            new[name] = _said_truths(column, said)
        elif pd.api.types.is_string_dtype(column) or column.dtype == object:
            _check_cells(column)
            if name == "phash":
                new[name] = _hashes(column, notes)
            elif not is_text(name):
                kinds[name] = [_kind(cell) for cell in column]
    marks = {mark for each in kinds.values() if (mark := _only_mark(each))}
    usual = marks.pop() if len(marks) == 1 else usual
    for name, each in kinds.items():
        if (read := _read(table[name], each, usual, said, notes)) is not None:
            new[name] = read
    whole = table.copy(deep=False)
    for name, column in new.items():
        whole[name] = column
    return whole, [*said], notes


def _is_truth(name: Any, table: pd.DataFrame) -> bool:
    is_tag = str(name).startswith("is_") and f"{str(name)[3:]}_score" in table
    return name == "dup_keeper" or is_tag


def _kind(cell: Any) -> str:
    """ "." or ",": a number with that decimal mark; ".,": with either; "truth", "nothing", "text"."""
    if isinstance(cell, bool | np.bool_):
        return "truth"
    if isinstance(cell, Real | Decimal):
        return "nothing" if cell != cell else ".,"
    text = cell.strip() if isinstance(cell, str) else ""
    if found := "".join(mark for mark in _NUMBER if _NUMBER[mark].fullmatch(text)):
        return found
    word = text.casefold()
    return "nothing" if word in _NOTHING else "truth" if word in _SPREADSHEETS else "text"


def _only_mark(kinds: list[str]) -> str:
    """The decimal mark by which all cells are numbers, if one alone does that."""
    there = set(kinds) - {"nothing", ".,"}
    return there.pop() if there in ({POINT}, {COMMA}) else ""


def _read(
    column: pd.Series[Any], kinds: list[str], usual: str, said: dict[str, None], notes: list[str]
) -> pd.Series[Any] | None:
    """The column as it is meant; None: as it is."""
    counts = Counter(kinds)
    filled = len(kinds) - counts["nothing"]
    if filled and counts["truth"] == filled:
        return _said_truths(column, said)
    of = {mark: counts[".,"] + counts[mark] for mark in (POINT, COMMA)}
    mark = usual if of[POINT] == of[COMMA] else max(of, key=lambda mark: of[mark])
    numeric = np.array([mark in kind for kind in kinds], bool)
    if filled and of[mark] == filled:
        return _numbers(column, numeric, mark, said)
    if counts[POINT] and counts[COMMA] and 2 * (sum(of.values()) - counts[".,"]) > filled:
        one, other = (shown(column.iloc[kinds.index(mark)]) for mark in (POINT, COMMA))
        notes.append(
            f"{column.name}: decimal points and decimal commas in one column ({one}, {other}): write "
            "all its numbers in one way"
        )
    elif counts[COMMA] and mark == COMMA and 2 * of[mark] > filled:
        said["decimal commas"] = None
        return column.mask(numeric, column.astype(str).str.strip().str.translate(_PLAIN[mark]))
    return None


def _numbers(
    column: pd.Series[Any], numeric: np.ndarray, mark: str, said: dict[str, None]
) -> pd.Series[Any]:
    """Floats, or whole numbers where all are."""
    texts = [str(cell).strip() if isinstance(cell, str) else cell for cell in column[numeric]]
    if any(isinstance(text, str) and "," in text for text in texts):
        said["decimal commas" if mark == COMMA else "thousands separated by commas"] = None
    if mark == COMMA and any(isinstance(text, str) and "." in text for text in texts):
        said["thousands separated by points"] = None
    plain = [text.translate(_PLAIN[mark]) if isinstance(text, str) else text for text in texts]
    floats = np.full(len(column), np.nan)
    floats[numeric] = [as_float(number) for number in plain]
    values = pd.Series(floats, index=column.index)
    whole = numeric.all() and all(isinstance(n, int) or str(n).isdecimal() for n in plain)
    return values.astype(np.int64) if whole and values.abs().max() < 2**53 else values


def as_float(number: Any) -> float:
    """A number as a float; infinite if it is a whole one of hundreds of digits."""
    try:
        return float(number)
    except OverflowError:
        return np.inf if number > 0 else -np.inf


def _said_truths(column: pd.Series[Any], said: dict[str, None]) -> pd.Series[Any]:
    read = _truths(column)
    words = {str(cell).strip() for cell in column.dropna().unique()}
    pair = sorted(
        (w for w in words if w.casefold() in ANSWERS), key=lambda w: not ANSWERS[w.casefold()]
    )
    if {w.casefold() for w in pair} - {"true", "false"}:
        said[f"{'/'.join(pair)} read as true/false"] = None
    return read


def _truths(column: pd.Series[Any]) -> pd.Series[Any]:
    """bool where no cell is empty, else True, False and None."""
    words = column.map(lambda cell: "" if pd.isna(cell) else str(cell).strip().casefold())
    odd = ~words.isin([*ANSWERS, *_NOTHING])
    if odd.any():
        raise ValueError(
            f"{column.name} is true or false for each photo (or 1 or 0, yes or no), got "
            f"{shown(column[odd].iloc[0])}"
        )
    values = pd.Series([ANSWERS.get(word) for word in words], index=column.index, dtype=object)
    return values.astype(bool) if values.notna().all() else values


def _hashes(column: pd.Series[Any], notes: list[str]) -> pd.Series[Any]:
    """Hashes as they were, where a spreadsheet took digits for a number and left out zeros."""
    cells = [
        cell.zfill(16) if isinstance(cell, str) and cell.isdecimal() else cell for cell in column
    ]
    lost = [isinstance(cell, str) and cell != "" and not _HASH.fullmatch(cell) for cell in cells]
    if any(lost):
        first = shown(cells[lost.index(True)])
        notes.append(f"{column.name}: {sum(lost)} are no hashes any more ({first}): left empty")
    return pd.Series(cells, index=column.index, dtype=object).mask(np.array(lost), None)


def _check_cells(column: pd.Series[Any]) -> None:
    for kind in set(map(type, column)):
        if issubclass(kind, list | tuple | dict | np.ndarray):
            raise ValueError(
                f"{column.name}: a cell is a number, a text or empty, and no {kind.__name__}"
            )
    longest = max((len(cell) for cell in column if isinstance(cell, str)), default=0)
    if longest > _LONGEST_CELL:
        raise ValueError(f"{column.name}: a text of {longest:,} characters is too long")
