"""Whether a table that was read is of today's versions of the features and of the tags' profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from photorank.features import BUILTIN
from photorank.features.base import declare
from photorank.ranking.profiles import Profile, names


def outdated(record: Mapping[str, Any]) -> str:
    """What a table's record names in other versions than today's, and what to do; or nothing.

    What photorank does not measure itself, and a profile that does not ship with it, are not judged.
    """
    return "; ".join(filter(None, (outdated_columns(record.get("columns", [])), _tags(record))))


def outdated_columns(columns: list[dict[str, Any]]) -> str:
    """A sentence on the columns that today's photorank would measure otherwise, or nothing."""
    today = {(c["feature"], c["name"]): _number(c["version"]) for c in declare(BUILTIN)}
    old = []
    for column in columns:
        had = _number(str(column.get("version", "")))
        now = today.get((column.get("feature"), column["name"]), had)
        if had not in ("", now):
            old.append(f"{column['name']} {had}, now {now}")
    about = (
        "measured by another version of photorank: rank the photos again to compare with new ones"
    )
    return f"{about} ({'; '.join(old)})" if old else ""


def _tags(record: Mapping[str, Any]) -> str:
    tags = record.get("tags", {})
    name, had = tags.get("profile"), tags.get("version")
    ships = name in names() and "namesake" not in tags
    now = Profile.load(name).version if ships else had
    if had == now:
        return ""
    about = "tagged by another version of photorank: rank or tag it again to have today's tags"
    return f"{about} (profile {name} {had}, now {now})"


def _number(version: str) -> str:
    """A version without the settings after it: which face detector is here is no matter of age."""
    return version.partition(" ")[0]
