"""The one JSON shape of what a person keeps between runs: scales, weights, thresholds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from photorank.utils import io
from photorank.utils.reading import read_saved
from photorank.utils.words import shown


def save(
    path: str | os.PathLike[str],
    kind: str,
    versions: Mapping[str, str],
    body: Any,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write `{"schema", "columns": {name: version}, kind: body}` and `about`, all or nothing.

    Raises:
        ValueError: it cannot be written.
    """
    shape = {"schema": f"photorank/{kind}/1", "columns": dict(versions), kind: body}
    shape |= about or {}
    text = json.dumps(shape, indent=1) + "\n"
    io.write_text(Path(path).expanduser(), text)


def load(path: str | os.PathLike[str], kind: str, columns: Iterable[Mapping[str, Any]]) -> Any:
    """The body of a saved file, once its schema and column versions are known to fit.

    Args:
        columns: the declarations of the columns it is to be used on.

    Raises:
        ValueError: no such file, not JSON, another schema, or made for another version of a column.
    """
    schema = f"photorank/{kind}/1"
    shape = read_saved(path, f"{kind} file", schema, "photorank", holds=(kind,))
    versions, body = shape.get("columns", {}), shape[kind]
    if not isinstance(versions, dict) or not isinstance(body, dict):
        raise ValueError(f"the {kind} file {path} is damaged; make it again")
    here = {column["name"]: column.get("version", "") for column in columns}
    for name, version in versions.items():
        if name in here and here[name] != version:
            raise ValueError(
                f"the {kind} file {path} was made for version {shown(version)} of {name!r}, "
                f"this table has {here[name]!r}: measure the photos again, or make the file again"
            )
    return body
