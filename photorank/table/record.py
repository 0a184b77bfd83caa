"""The record of a table: how it was made. The sidecar `<stem>.meta.json` and `table.attrs` hold it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, cast, get_type_hints

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from photorank.utils.reading import read_json
from photorank.utils.words import shown

KEY = "photorank"
"""Where `table.attrs` has it."""


class TagRecord(TypedDict, total=False):
    """What a tagging was: its profile, how many photos have each tag, what was left out and why.

    `namesake`: it is somebody's own profile, called as a shipped one. `common`: the tags so common
    that they speak of the folder, with their shares.
    """

    profile: str
    version: str
    counts: dict[str, int]
    common: dict[str, float]
    left_out: dict[str, str]
    namesake: bool


class Record(TypedDict, total=False):
    """Everything that a table says of itself; what a step does not know is not there.

    Measuring: `source` (folder, "paths" or "pictures"; of several `folders`: what they lie in;
    `table`: the file that was ranked), `found`,
    `beyond_limit`, `skipped` (files by suffix), `excluded`, `raw_beside_jpeg`, `columns`
    (declarations). Ranking: `photorank` (version), `settings`, `ranked`, `failed`,
    `near_duplicates`, `weights`, `scale`, `notes`, `seconds`, `tags`. `watch`: by it.
    """

    photorank: str
    source: str
    folders: list[str]
    table: str
    found: int
    beyond_limit: int
    skipped: dict[str, int]
    excluded: int
    raw_beside_jpeg: int
    columns: list[dict[str, Any]]
    settings: dict[str, Any]
    ranked: int
    failed: int
    near_duplicates: int
    weights: dict[str, float]
    scale: dict[str, Any]
    notes: list[str]
    seconds: float
    tags: TagRecord
    watch: bool


class _Declared(BaseModel):
    """What the declaration of a column must be for all that is done with it."""

    model_config = ConfigDict(strict=True)

    name: str
    better: Literal["higher", "lower", "neither"]
    feature: str = ""
    version: str = ""
    range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None


def _model(kind: type, **others: Any) -> type[BaseModel]:
    """A model of the types of a record, of which all may be absent; `others` go before its own."""
    types: dict[str, Any] = {n: (of, None) for n, of in (get_type_hints(kind) | others).items()}
    return create_model(kind.__name__, __config__=ConfigDict(strict=True), **types)


_RECORD = _model(
    Record, columns=Annotated[list[_Declared], Field(max_length=5_000)], tags=_model(TagRecord)
)


def record_of(table: pd.DataFrame) -> Record:
    """A table's record; empty where it has none."""
    return cast(Record, table.attrs.get(KEY, {}))


def with_record(table: pd.DataFrame, record: Record) -> pd.DataFrame:
    """The same table with another record."""
    table.attrs = {**table.attrs, KEY: record}
    return table


def read_record(path: Path) -> Record:
    """The record that was saved beside a table.

    Raises:
        ValueError: it is damaged, or somebody else's.
    """
    try:
        record = read_json(path)
        if isinstance(record, dict) and KEY in record:
            _RECORD(**record)
            return cast(Record, record)
        problem = "not photorank's"
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        problem = f"damaged ({where}: {first['msg']}, got {shown(first['input'])})"
    except (OSError, ValueError) as error:
        problem = f"damaged ({error})"
    raise ValueError(f"{path} is {problem}: move it away, or rank the photos again")
