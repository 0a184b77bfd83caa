"""A table with the columns of its tags."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pandas as pd

from photorank.ranking import tags
from photorank.ranking.dedup import mark_duplicates
from photorank.ranking.profiles import DUPLICATES, Profile, names

from .columns import arranged, columns_of, tag_columns, with_names
from .record import Record, TagRecord, record_of, with_record


def marked(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its near-duplicates marked, if they can be and are not."""
    can = "phash" in table and "dup_keeper" not in table
    return mark_duplicates(with_names(table)) if can else table


def told(table: pd.DataFrame, profile: Profile) -> tuple[pd.DataFrame, tags.Tagged]:
    """As `with_tags`, for a table that is there to be tagged.

    Raises:
        ValueError: not one tag can be told from it, or the profile was made for other columns.
    """
    check_profile(profile, table)
    tagged, found = with_tags(table, profile)
    if set(found.left_out) == set(profile.tags):
        tag, why = next(iter(found.left_out.items()))
        raise ValueError(
            f"none of the tags of the profile {profile.name} can be told from this table: {tag}, for "
            f"one, {why}; rank the folder of the photos first, then give its table"
        )
    return tagged, found


def check_profile(profile: Profile, table: pd.DataFrame) -> None:
    """Make sure that a profile is meant for the columns of a table.

    Raises:
        ValueError: it was fitted to other versions of them, or misspells one.
    """
    columns = columns_of(table)
    profile.check_versions([column for column in columns if column["name"] in table])
    profile.check_names({*map(str, table.columns), *(column["name"] for column in columns)})


def with_tags(table: pd.DataFrame, profile: Profile) -> tuple[pd.DataFrame, tags.Tagged]:
    """The table with the columns of its tags, and what else was found."""
    plain = with_names(table.drop(columns=tag_columns(table)))
    found = tags.tag(plain, profile)
    joined = plain.drop(columns=found.table.columns, errors="ignore").join(found.table)
    record = record_of(table) | Record(tags=_record(profile, found))
    return arranged(with_record(joined, record)), found


_shipped = cache(Profile.load)


def _record(profile: Profile, found: tags.Tagged) -> TagRecord:
    marks = found.table.filter(regex="^is_")
    record = TagRecord(
        profile=profile.name,
        version=profile.version,
        counts={str(name)[3:]: int(marks[name].sum()) for name in marks},
        common=found.common,
        left_out=found.left_out,
    )
    if profile.name in names() and profile != _shipped(profile.name):
        record["namesake"] = True
    return record


def judged(profile: Profile, photos: pd.DataFrame) -> list[str]:
    """The tags of the table that have a threshold: whether photos are copies is no matter of degree."""
    return [tag for tag in profile.tags if f"{tag}_score" in photos and tag not in DUPLICATES]


def check_there(wanted: Sequence[str], there: Sequence[str]) -> None:
    """Make sure that tags are among those of a table.

    Raises:
        ValueError: some are not.
    """
    if missing := sorted(set(wanted) - set(there)):
        raise ValueError(
            f"no tag {', '.join(missing)} in this table; there is: {', '.join(there) or 'none'}"
        )
