"""The table of photos: its columns and their order, and which of its rows count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from photorank.features import BUILTIN
from photorank.features.aesthetic import AESTHETIC
from photorank.features.base import declare
from photorank.features.run.extract import FACTS
from photorank.ranking.profiles import shipped_tags
from photorank.utils.cells import is_identifier, understood
from photorank.utils.rows import failed
from photorank.utils.words import near

from .record import record_of, with_record

SCORE_1_TO_10 = "score_1_to_10"
"""`final_score` read from 1 to 10; only there with the default scale, on which it means something."""

FIRST_COLUMNS = (
    "rank file path final_score aesthetic sharpness_norm exposure_norm contrast_norm face_present "
    f"{SCORE_1_TO_10}"
).split()
_PROMISED = (
    "sharpness exposure contrast noise colourfulness laplacian_variance brightness clipped_shadows "
    "clipped_highlights face_count face_area phash"
).split()
"""The order in which the first measurements stand for those who read a table by position."""
_SHOWN = 40  # characters of a cell
TAG_COLUMNS = ["quality_class", "quality_score", "tags", "tag_reasons", "suggestions"]
DUPLICATE_COLUMNS = ["dup_group", "dup_keeper", "dup_distance", "dup_size"]


_DECLARED = [c["name"] for c in declare(BUILTIN) if c["name"] not in FIRST_COLUMNS]
RAW_COLUMNS = list(dict.fromkeys([*_PROMISED, *_DECLARED]))


def columns_of(table: pd.DataFrame, lower_is_better: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The declarations of all columns that could be weighed: photorank's own, then a foreign table's.

    Args:
        lower_is_better: names of columns of the table, whose direction is then this.

    Returns:
        Plain dicts; those that photorank did not measure say `foreign: True`.

    Raises:
        ValueError: a name in `lower_is_better` that is no column.
    """
    declared = [*_built_in(), *record_of(table).get("columns", [])]
    own = {c["name"]: dict(c) for c in declared}  # whoever changes one changes no other table's
    numeric = [str(name) for name in table.select_dtypes("number").columns]
    reserved = {*FACTS, *FIRST_COLUMNS, *own}
    foreign = [n for n in numeric if n not in reserved and not is_identifier(n)]
    columns = [*own.values(), *({"name": n, "better": "higher", "foreign": True} for n in foreign)]
    for name in lower_is_better:
        if name not in numeric:
            raise ValueError(f"lower_is_better: no numeric column {name!r}; {near(name, numeric)}")
    return [c | {"better": "lower"} if c["name"] in lower_is_better else c for c in columns]


@cache
def _built_in() -> list[dict[str, Any]]:
    return [asdict(AESTHETIC) | {"version": ""}, *declare(BUILTIN)]


def empty_table(columns: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The table that a run has before its first row."""
    return with_record(pd.DataFrame({c["name"]: [] for c in columns}), {"columns": [*columns]})


def tag_columns(table: pd.DataFrame) -> list[str]:
    """The columns that tagging added: those of the tags in its record, or of a shipped profile."""
    known = shipped_tags().union(record_of(table).get("tags", {}).get("counts", ()))
    judged = {tag for tag in known if {f"is_{tag}", f"{tag}_score"} <= set(table.columns)}
    made = {*TAG_COLUMNS, *(f"is_{t}" for t in judged), *(f"{t}_score" for t in judged)}
    return [str(name) for name in table.columns if name in made]


def derived_columns(table: pd.DataFrame) -> list[str]:
    """The columns that an earlier ranking added."""
    made = [f"{name}_{part}" for name in table.columns for part in ("norm", "contribution")]
    made += tag_columns(table)
    derived = {*made, *DUPLICATE_COLUMNS, "rank", "final_score", SCORE_1_TO_10, "missing"}
    return [name for name in table.columns if name in derived]


def with_names(table: pd.DataFrame) -> pd.DataFrame:
    """Any table with the three columns that every ranking needs, and one label per row."""
    named = table.copy()
    if "file" not in named:
        candidates = (n for n in ("path", "image", "filename", "image_name", "name") if n in named)
        source = next(candidates, None)
        names = named.index if source is None else named[source]
        named.insert(0, "file", pd.Series(list(names), index=named.index, dtype=object))
    if "path" not in named:
        named.insert(1, "path", named["file"])
    for name in ("file", "path"):
        texts = [v if isinstance(v, str) else "" if is_empty(v) else str(v) for v in named[name]]
        named[name] = pd.Series(texts, index=named.index, dtype=object)
    unmeasured = failed(named)
    errors = named.get("error", named["file"])
    named["error"] = pd.Series(None, index=named.index, dtype=object).mask(unmeasured, errors)
    return named.reset_index(drop=True)  # tables that were put together repeat their labels


def cleaned(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Any table as it can be ranked, without what an earlier ranking added; and what was amiss."""
    plain, _, notes = understood(table.drop(columns=derived_columns(table)))
    named, more = with_numbers(with_names(plain))
    return named, notes + more


def with_numbers(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """With the cells emptied that are no numbers in a column of numbers, and a sentence on each such column.

    A column of numbers is one that photorank ranks, or one in which most cells are numbers.
    """
    declared = {c["name"]: c["better"] for c in columns_of(table)}
    others = {*FACTS, *FIRST_COLUMNS, *TAG_COLUMNS, *declared, "missing", "error"}
    notes = []
    for name in table.select_dtypes(exclude=["number", "bool"]):
        cells = table[name].dropna()
        numbers = pd.to_numeric(cells, errors="coerce")
        bad = cells[numbers.isna()]
        is_ranked = declared.get(str(name), "neither") != "neither"
        if not len(bad) or not (is_ranked or (name not in others and 2 * len(bad) < len(cells))):
            continue
        table = table.assign(**{str(name): numbers.astype(float).reindex(table.index)})
        be = "is no number" if len(bad) == 1 else "are no numbers"
        first = repr(str(bad.iloc[0])[:_SHOWN])
        notes.append(
            f"{name}: {len(bad)} of {len(cells)} values {be} ({first}): counted as missing"
        )
    for name, column in table.select_dtypes("number").items():
        if count := int(np.isinf(column.to_numpy(float, na_value=np.nan)).sum()):
            notes.append(
                f"{name}: {count} of {len(column)} values are infinite: counted as missing"
            )
    return table, notes


def is_empty(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN or the like."""
    return pd.api.types.is_scalar(value) and bool(pd.isna(value))


def arranged(table: pd.DataFrame) -> pd.DataFrame:
    """The columns in the order that the README promises; `aesthetic` is there even when empty."""
    if "aesthetic" not in table:
        table["aesthetic"] = np.nan
    last = [*tag_columns(table), *DUPLICATE_COLUMNS, *FACTS, "missing", "error"]
    norms = [n for n in table.columns if str(n).endswith(("_norm", "_contribution"))]
    wanted = [*FIRST_COLUMNS, *RAW_COLUMNS]
    placed = {*wanted, *norms, *last}
    others = [n for n in table.columns if n not in placed]
    ordered = dict.fromkeys([*wanted, *others, *norms, *last])
    return table[[name for name in ordered if name in table]].copy()  # in one piece, for speed


def check_columns(table: pd.DataFrame, *needed: str) -> None:
    """Make sure that a table has what a ranked one has.

    Raises:
        ValueError: a column of `needed` is missing.
    """
    if missing := [name for name in needed if name not in table]:
        raise ValueError(f"a table without {', '.join(missing)} is not ranked: rank it first")
