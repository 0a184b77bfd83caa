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
    `near_duplicates`, `weights`, `scale`, `notes`, `seconds`, `tags`. `watch`: by it. In a sidecar
    alone: `sha256` of the bytes of the table that it is of, and `others`, the records of tables that
    share the sidecar, and of the one that is just being replaced.
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
    sha256: str
    others: list[dict[str, Any]]


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


_COLUMNS = Annotated[list[_Declared], Field(max_length=5_000)]
_OTHER = _model(Record, columns=_COLUMNS, tags=_model(TagRecord))
_RECORD = _model(Record, columns=_COLUMNS, tags=_model(TagRecord), others=list[_OTHER])  # type: ignore[valid-type]


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


def of_table(sidecar: Record, digest: str) -> Record | None:
    """The record in a sidecar of the table with this digest; None: it is of others.

    One without any digest is of whatever table it lies beside.
    """
    every = cast(list[Record], [sidecar, *sidecar.get("others", [])])
    own = next((record for record in every if record.get("sha256", digest) == digest), None)
    return own and _without(own, "sha256", "others")


def of_columns(sidecar: Record) -> Record:
    """What holds also of a table that was changed since: what its columns are."""
    return _without(sidecar, *set(sidecar) - {KEY, "columns", "tags"})


def _without(record: Record, *names: str) -> Record:
    return cast(Record, {name: value for name, value in record.items() if name not in names})
