"""Near-duplicates, photos whose perceptual hashes differ in few bits, and scenes."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from photorank.utils.rows import failed

from .hamming import HASH_BITS, first_keepers
from .keep import keep_best as keep_best
from .keep import soundness

DEFAULT_DISTANCE = 8
"""Re-saves of a photo lie within it, different photos far beyond: docs/near_duplicates.md."""
SCENE_GAP_SECONDS = 30
"""A longer pause between two photos starts a new scene."""

_FEWEST_ONES = 16
"""Bits of a hash that says anything: photos have 32 ones (3,478 of 3,479 in docs/near_duplicates.md),
flat tones, stripes and plain gradients 0 to 9, so that any two of these are alike. From a photo they
differ in 17 bits or more, so that none is lost to a distance of 16 or less."""
_HASH = re.compile("[0-9a-fA-F]{16}")


def mark_duplicates(table: pd.DataFrame, distance: int = DEFAULT_DISTANCE) -> pd.DataFrame:
    """Group photos whose perceptual hashes differ in at most `distance` bits.

    The photos are walked from the soundest (`keep.soundness`; equal ones in the table's order): the
    first one that no group has taken yet becomes a keeper and takes every untaken photo within the
    distance of it. A group is therefore a keeper and what looks like *it*; two photos that both
    resemble a third need not share a group.
    A flat or striped picture, whose hash has fewer than 16 ones, takes those with its `content_hash`.
    Exact: no near-duplicate is missed. A million hashes take a fraction of a minute.

    Hashes see re-saves, resizings, small crops and brightness; not mirror images, larger crops or
    the same subject taken again.

    Args:
        table: ranked photos, best first, with `phash` (16 hex digits, or empty: the photo is then
            its own keeper), and perhaps `content_hash`. Rows with an `error` are left out of every
            group.
        distance: bits, 0 to 64. 0 takes equal hashes only; beyond about 12 different photos meet.

    Returns:
        A copy with `dup_group` (from 1, in the order of their first photos), `dup_keeper`,
        `dup_distance` (bits between the photo and its keeper, 0 for a keeper), and `dup_size`
        (photos in the group, the keeper among them).

    Raises:
        ValueError: a distance outside 0 to 64, no column `phash`, or a malformed hash.

    >>> hashes = ["00000000ffffffff", "ffffffff00000000", "00000000fffffffe"]
    >>> mark_duplicates(pd.DataFrame({"phash": hashes})).dup_group.to_list()
    [1, 2, 1]
    """
    if isinstance(distance, bool) or not 0 <= distance <= HASH_BITS or distance != int(distance):
        raise ValueError(
            f"dedup distance is a whole number of bits from 0 to {HASH_BITS}, got {distance!r}; "
            f"{DEFAULT_DISTANCE} finds re-saved copies"
        )
    if "phash" not in table.columns:
        raise ValueError(
            "near-duplicates need the column 'phash', which this table lacks: rank with the "
            f"feature phash; columns: {', '.join(map(str, table.columns))}"
        )
    rows, hashes = _rows_with_hash(table)
    soundest = np.argsort(-soundness(table)[rows], kind="stable")
    rows, hashes = rows[soundest], hashes[soundest]
    keeper, code = np.arange(len(table)), np.zeros(len(table), np.uint64)
    code[rows] = hashes
    telling = np.bitwise_count(hashes) >= _FEWEST_ONES
    alike, flat = rows[telling], rows[~telling]
    keeper[alike] = alike[first_keepers(code[alike], int(distance))]
    keeper[flat] = flat[_first_of_content(table, flat)]
    bits = np.bitwise_count(code ^ code[keeper])

    ranked = ~failed(table)
    marked = table.copy()
    group = pd.factorize(keeper[ranked])[0]
    marked["dup_group"] = _filled(group + 1, ranked)
    marked["dup_keeper"] = (keeper == np.arange(len(table))) & ranked
    marked["dup_distance"] = _filled(bits[ranked], ranked)
    marked["dup_size"] = _filled(np.bincount(group)[group], ranked)
    return marked


def scenes(table: pd.DataFrame, labels_column: str | None = None) -> pd.Series:
    """Which photos show one subject at one time, for bursts and for splits that must not leak.

    By the labels column if one is named; else by time: a gap of more than 30 s in `taken_at` starts
    a new scene; a photo without a time joins the scene of its near-duplicates (`dup_group`).

    Args:
        table: photos; rows with an `error` get no scene.
        labels_column: a column that holds the scene of each photo, in words or numbers. A photo
            whose label is empty is a scene of its own.

    Returns:
        Scene numbers from 1 in the order of their first photo in the table, on the table's index.

    Raises:
        ValueError: the labels column, or both `taken_at` and `dup_group`, are missing.
    """
    photos = table[~failed(table)]
    if labels_column is not None and labels_column not in photos:
        raise ValueError(
            f"no column {labels_column!r} to take scenes from; columns: "
            f"{', '.join(map(str, table.columns))}"
        )
    if labels_column is None and not {"taken_at", "dup_group"} & set(photos):
        raise ValueError(
            "scenes need a labels column, 'taken_at' or 'dup_group': this table has none"
        )
    if labels_column is not None:
        names = photos[labels_column].map(lambda label: f"label {label}", na_action="ignore")
    else:
        names = _scenes_by_time_and_group(photos)
    alone = pd.Series([f"row {i}" for i in range(len(photos))], index=photos.index)
    numbers = pd.factorize(names.where(names.notna(), alone))[0] + 1
    return pd.Series(_filled(numbers, ~failed(table)), index=table.index, name="scene")


def _scenes_by_time_and_group(photos: pd.DataFrame) -> pd.Series:
    """A name per photo: its run of times, else that of its near-duplicates, else their group."""
    names = pd.Series(None, index=photos.index, dtype=object)
    if "taken_at" in photos:
        times = _moments(photos["taken_at"])
        in_order = np.argsort(times.to_numpy(), kind="stable")
        gaps = times.iloc[in_order].diff() > pd.Timedelta(seconds=SCENE_GAP_SECONDS)
        runs = np.empty(len(photos), np.int64)
        runs[in_order] = gaps.cumsum()
        names = pd.Series([f"time {run}" for run in runs], index=photos.index).where(times.notna())
    if "dup_group" in photos:
        group = photos["dup_group"]
        names = names.fillna(names.groupby(group).transform("first"))
        names = names.fillna(group.map(lambda number: f"group {number}", na_action="ignore"))
    return names


def _moments(taken_at: pd.Series[Any]) -> pd.Series[Any]:
    """Times that compare: one without an offset is taken to have the commonest of the table's, and a
    day alone is no time."""
    texts = taken_at.map(str)
    offsets = texts.str.extract(r"\d[T ].*?(Z|[-+]\d\d:?\d\d)$")[0]
    usual = "".join(offsets.mode().to_list()[:1])
    timed = texts.where(offsets.notna(), texts + usual).where(texts.str.len() > len("2024-01-31"))
    return pd.to_datetime(timed, errors="coerce", format="ISO8601", utc=True).dt.tz_convert(None)


def _first_of_content(table: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    """For each of the rows the first of them with the same pixels: itself where none are known."""
    each = np.arange(len(rows))
    if "content_hash" not in table:
        return each
    content = table["content_hash"].iloc[rows]
    codes = pd.factorize(content.mask(content == ""))[0]  # -1: none
    alone = len(rows) + each
    return first_keepers(np.where(codes < 0, alone, codes).astype(np.uint64), 0)


def _filled(values: np.ndarray, where: np.ndarray) -> pd.arrays.IntegerArray:
    """Whole numbers in the rows `where`, empty elsewhere."""
    column = np.zeros(len(where), np.int64)
    column[where] = values
    return pd.arrays.IntegerArray(column, ~where)


def _rows_with_hash(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the ranked rows that have a hash, and these hashes as uint64."""
    texts = table["phash"]
    present = ~failed(table) & (texts.notna() & (texts != "")).to_numpy(bool)
    rows = np.flatnonzero(present)
    for row, text in zip(rows, texts.iloc[rows], strict=True):
        if not (isinstance(text, str) and _HASH.fullmatch(text)):
            name = table["file"].iloc[row] if "file" in table else f"row {row}"
            raise ValueError(
                f"{name}: phash is 16 hex digits, got {text!r}; "
                "a CSV must be read with its phash as text"
            )
    packed = bytes.fromhex("".join(texts.iloc[rows]))
    return rows, np.frombuffer(packed, dtype=">u8").astype(np.uint64)
