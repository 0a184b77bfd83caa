"""The record of a table: how it was made. The sidecar `<stem>.meta.json` and `table.attrs` hold it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict, cast

import pandas as pd

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
        record = json.loads(path.read_text(encoding="utf-8"))
        columns = record.get("columns", [])
        named = all({"name", "better"} <= set(c) for c in columns)
        if KEY in record and named and isinstance(record.get("tags", {}), dict):
            return cast(Record, record)
        problem = "not photorank's"
    except (OSError, ValueError, TypeError, AttributeError) as error:
        problem = f"damaged ({error})"
    raise ValueError(f"{path} is {problem}: move it away, or rank the photos again")
