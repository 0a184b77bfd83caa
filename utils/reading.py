"""Read JSON and TOML that anybody may have written: limits first, then what they say."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .words import shown

_MOST_BYTES = {"JSON": 20_000_000, "TOML": 1_000_000}
_DEEPEST = 20
_PART = r"""(?:(?<![\w-])[\w-]+|"[^"\n]*"|'[^'\n]*')"""
_LONG_KEY = re.compile(rf"(?:{_PART}[ \t]*\.[ \t]*){{{_DEEPEST}}}")  # tomllib takes its square
_TOO_DEEP = f"it is nested more than {_DEEPEST} deep"


def read_json(path: str | os.PathLike[str]) -> Any:
    """What a file of settings or a record says.

    Raises:
        ValueError: not JSON, or what no such file says: more than 20 MB, nested more than 20 deep, a
            key twice, NaN, or a number beyond all measure.
        OSError: it cannot be read.
    """
    return _parsed(path, "JSON", lambda text: json.loads(text, object_pairs_hook=_each_once))


def read_saved(
    path: str | os.PathLike[str], what: str, schema: str, made_by: str, holds: Iterable[str] = ()
) -> dict[str, Any]:
    """What a JSON file that photorank wrote says, once it is known to be of the wanted kind.

    Args:
        what: the kind, in a message.
        made_by: what writes such a file.
        holds: keys that it must have.

    Raises:
        ValueError: no such file, not JSON, or of another schema.
    """
    try:
        shape = read_json(Path(path).expanduser())
    except OSError as error:
        raise ValueError(f"cannot read the {what} {path}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"the {what} {path} is not JSON that can be used: {error}") from error
    found = shape.get("schema") if isinstance(shape, dict) else None
    if found != schema or not set(holds) <= set(shape):
        raise ValueError(
            f"{path} is no {what}: wanted schema {schema!r}, got {shown(found)}; make one with {made_by}"
        )
    return dict(shape)


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """As `read_json`, for TOML of up to 1 MB."""
    return _parsed(path, "TOML", tomllib.loads)


def _parsed(path: str | os.PathLike[str], kind: str, parse: Callable[[str], Any]) -> Any:
    with Path(path).open("rb") as file:
        data = file.read(_MOST_BYTES[kind] + 1)
    if len(data) > _MOST_BYTES[kind]:
        raise ValueError(f"it has more than {_MOST_BYTES[kind]:,} bytes")
    text = data.decode("utf-8-sig")
    if kind == "TOML" and _LONG_KEY.search(text):
        raise ValueError(_TOO_DEEP)
    try:
        parsed = parse(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    _check_values(parsed)
    return parsed


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{shown(next(n for n in names if names.count(n) > 1))} is there twice")
    return read


def _check_values(parsed: Any) -> None:
    """Make sure that what was read can be worked with, level by level: it may be deep."""
    level = [parsed]
    for _ in range(_DEEPEST):
        for value in level:
            if isinstance(value, int | float) and not abs(value) <= sys.float_info.max:
                raise ValueError(f"{shown(value)} is no number to work with")
        level = [part for value in level for part in _parts(value)]
    if level:
        raise ValueError(_TOO_DEEP)


def _parts(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
