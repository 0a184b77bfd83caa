"""Weights per column: read from a flag or a file, checked against the columns there are."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from photorank.utils.cells import as_float
from photorank.utils.reading import read_json
from photorank.utils.words import near, shown, there_is

from . import saved

ALIASES = {"faces": "face_present"}


def read_weights(
    given: str | os.PathLike[str] | Mapping[str, Any], columns: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Weights from `name=value,...`, from a JSON file (saved by photorank, or just {name: value}), or a dict.

    Raises:
        ValueError: neither of these, or saved for another version of a column.
    """
    if isinstance(given, Mapping):
        return dict(given)
    text = str(given)
    if "=" in text and not Path(text).exists():
        return dict(_pair(part) for part in text.split(",") if part.strip())
    try:
        plain = read_json(Path(text).expanduser())
    except (OSError, ValueError) as error:
        raise ValueError(
            f"weights: wanted name=value,... or a JSON file, got {shown(text)} ({error})"
        ) from error
    if not isinstance(plain, dict) or not plain or "schema" in plain:
        plain = dict(saved.load(Path(text).expanduser(), "weights", columns))
    _check_measured(text, plain, columns)
    return plain


def _check_measured(
    file: str, weights: Mapping[str, Any], columns: Iterable[Mapping[str, Any]]
) -> None:
    """Tell a name that somebody's own feature has from one that is misspelt."""
    known = {*ALIASES, *(column["name"] for column in columns)}
    for name in weights.keys() - known:
        if "did you mean" not in near(name, known):
            raise ValueError(
                f"weights: {file} weighs {shown(name)}, which is not measured here. If a feature of "
                "your own does, rank in Python: pr.rank(folder, features=[*pr.BUILTIN, mine], "
                f"weights={file!r}); else take it out of the file"
            )


def _pair(part: str) -> tuple[str, float]:
    name, _, value = part.partition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise ValueError(
            f"weights: wanted name=value with a number, got {shown(part.strip())}"
        ) from None


def check_weights(
    weights: Mapping[str, Any], columns: Iterable[Mapping[str, Any]]
) -> dict[str, float]:
    """The weights by column name, `faces` read as `face_present`, zeros left out.

    Raises:
        ValueError: an unknown column, one that is never ranked, a weight that is negative or not a
            finite number, or no weight above 0.
    """
    known = {column["name"]: column["better"] for column in columns}
    checked: dict[str, float] = {}
    for given, weight in weights.items():
        name = ALIASES.get(given, given)
        if known.get(name, "neither") == "neither":
            ranked = [n for n, better in known.items() if better != "neither"]
            problem = "is reported but never ranked" if name in known else "is no column"
            hint = there_is(ranked) if name in known else near(name, ranked)
            raise ValueError(f"weight for {shown(given)}: {shown(given)} {problem}; {hint}")
        if isinstance(weight, bool) or not isinstance(weight, numbers.Real):
            raise ValueError(f"weight for {given!r}: wanted a number, got {shown(weight)}")
        number = as_float(weight)
        if not 0 <= number < math.inf:
            raise ValueError(f"weight for {given!r}: wanted 0 or more, got {shown(weight)}")
        if number > 0:
            checked[name] = number
    if sum(checked.values()) == math.inf:
        raise ValueError("the weights add up to more than a number holds: only their ratios count")
    if not checked:
        raise ValueError("every weight is 0: give at least one column a weight above 0")
    return checked
