"""Tag photos: apply a profile to a table, keep the record of it, write what a person reads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.ranking import tags
from photorank.ranking.classes import CLASSES
from photorank.ranking.dedup import mark_duplicates
from photorank.ranking.profiles import DUPLICATES, Profile, names
from photorank.utils import io
from photorank.utils.rows import measured_rows
from photorank.utils.words import printable

from .. import __version__
from ..cli.summary import counted
from ..table import columns as tables
from ..table import files as table_files

RESULTS, OBJECTS, PLOT = "quality_results.csv", "tagged_images.json", "tags.png"
_FIRST = ["file", "quality_class", "tags", "quality_score", "tag_reasons", "suggestions"]
_NAMES = {"file": "image", "quality_class": "quality"}


def tag(source: Any, profile: str | os.PathLike[str] = "default") -> pd.DataFrame:
    """Say of each photo in words what its measurements say in numbers.

    Args:
        source: a table from `rank`, `extract` or `load`, or the path of a saved one, for which no
            photo is opened; or photos as `rank` takes them, which are ranked first. A tag whose
            columns are missing is left out, and the record says so.
        profile: the rules and thresholds: default, strict, lenient, faces, or a TOML file
            (docs/tags.md).

    Returns:
        The table with `quality_class` (Good, Fair, Poor), `quality_score`, `tags`, `tag_reasons`,
        `suggestions`, and `<tag>_score` (0 to 1) and `is_<tag>` per tag.
        `attrs["photorank"]["tags"]` holds the profile's name and version, how many photos have each
        tag, the tags left out, and those so common that they speak of the folder.

    Raises:
        ValueError: nothing that could be tagged, no such profile, or one that was fitted to other
            measurements.
    """
    chosen = Profile.load(profile)
    if table_files.is_table(source):
        return told(marked(table_files.as_table(source)), chosen)[0]
    from ..pipeline import rank  # which imports this

    return told(rank(source, profile=profile), chosen)[0]


def marked(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its near-duplicates marked, if they can be and are not."""
    can = "phash" in table and "dup_keeper" not in table
    return mark_duplicates(tables.with_names(table)) if can else table


def told(table: pd.DataFrame, profile: Profile) -> tuple[pd.DataFrame, tags.Tagged]:
    """As `with_tags`, for a table that is there to be tagged.

    Raises:
        ValueError: not one tag can be told from it.
    """
    tagged, found = with_tags(table, profile)
    if set(found.left_out) == set(profile.tags):
        tag, why = next(iter(found.left_out.items()))
        raise ValueError(
            f"none of the tags of the profile {profile.name} can be told from this table: {tag}, for "
            f"one, {why}; rank the folder of the photos first, then give its table"
        )
    return tagged, found


def with_tags(table: pd.DataFrame, profile: Profile) -> tuple[pd.DataFrame, tags.Tagged]:
    """The table with the columns of its tags, and what else was found."""
    columns = tables.columns_of(table)
    profile.check_versions([column for column in columns if column["name"] in table])
    profile.check_names({*map(str, table.columns), *(column["name"] for column in columns)})
    plain = tables.with_names(table.drop(columns=tables.tag_columns(table)))
    found = tags.tag(plain, profile)
    joined = plain.drop(columns=found.table.columns, errors="ignore").join(found.table)
    joined.attrs = table.attrs | {
        "photorank": table.attrs.get("photorank", {}) | {"tags": _record(profile, found)}
    }
    return tables.arranged(joined), found


def _record(profile: Profile, found: tags.Tagged) -> dict[str, Any]:
    """What the sidecar says of the tags; `namesake`: by somebody's own profile, called as a shipped one."""
    marks = found.table.filter(regex="^is_")
    namesake = profile.name in names() and profile != Profile.load(profile.name)
    record = {
        "profile": profile.name,
        "version": profile.version,
        "counts": {str(name)[3:]: int(marks[name].sum()) for name in marks},
        "common": found.common,
        "left_out": found.left_out,
    }
    return record | {"namesake": True} if namesake else record


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


def save(tagged: pd.DataFrame, found: tags.Tagged, folder: Path) -> list[Path]:
    """Write `quality_results.csv` with its record, and `tagged_images.json`, into `folder`.

    Raises:
        ValueError: a place that cannot be written, or a file there that is not photorank's.
    """
    from photorank.evaluation.plots.tags import (
        tag_shares,  # brings matplotlib, which `rank` never needs
    )

    check_places(folder)
    said = [c for c in tables.tag_columns(tagged) if c not in _FIRST]
    results = tagged[[*_FIRST, *said, "path", "error"]].rename(columns=_NAMES)
    written = table_files.save(results, folder / RESULTS)
    text = json.dumps(_objects(tagged, found), indent=1)
    io.write_text(folder / OBJECTS, text + "\n")
    count = len(measured_rows(tagged))
    counts = tagged.attrs["photorank"]["tags"]["counts"]
    shares = {name: having / max(1, count) for name, having in counts.items()}
    io.write(folder / PLOT, lambda part: tag_shares(shares, count, tags.COMMON, part))
    return [*written, folder / OBJECTS, folder / PLOT]


def check_places(folder: Path) -> None:
    """Find out before the work that `save` will be able to write into `folder`.

    Raises:
        ValueError: no permission, or a file there that is not photorank's.
    """
    table_files.check_output(folder / RESULTS)
    io.check_ours(folder / OBJECTS)
    io.check_ours(folder / PLOT)


def as_text(tagged: pd.DataFrame, found: tags.Tagged, beside: Mapping[str, Any]) -> str:
    """The summary: how many photos there are, of each class and with each tag, and what holds for all.

    Args:
        tagged, found: from `with_tags`.
        beside: the record of a folder, which says what else lay there.
    """
    photos = measured_rows(tagged)
    first = counted(len(photos), "tagged", len(tagged) - len(photos), beside)
    if photos.empty:
        return first
    record = tagged.attrs["photorank"]["tags"]
    classes = photos["quality_class"].value_counts()
    lines = [
        first,
        f"by the profile {record['profile']} {record['version']}: "
        + ", ".join(f"{classes.get(name, 0)} {name}" for name in CLASSES),
        f"{'tag':<16} photos  share  the surest one",
    ]
    for name, count in record["counts"].items():
        surest = photos["file"].iloc[int(photos[f"{name}_score"].argmax())] if count else ""
        surest = printable(surest, 40)
        lines.append(
            f"{name:<16} {count:>6}  {count / max(1, len(photos)):>5.0%}  {surest}".rstrip()
        )
    for name, share in found.common.items():
        lines.append(f"{name}: {share:.0%} of the photos, a property of the folder, not of a photo")
    lines += [f"{name}: left out, it {why}" for name, why in found.left_out.items()]
    return "\n".join(lines)


def _objects(tagged: pd.DataFrame, found: tags.Tagged) -> list[dict[str, Any]]:
    """One object per photo, failed ones too, ready for JSON."""
    record = tagged.attrs["photorank"]["tags"]
    made_by = {"photorank": __version__, "profile": record["profile"], "version": record["version"]}
    names = list(record["counts"])
    objects = []
    for label, row in zip(tagged.index, tagged.to_dict("records"), strict=True):
        told = found.told.get(label, {})
        scores = {n: row[f"{n}_score"] for n in ("quality", *names)}
        objects.append(
            {
                "made_by": made_by,  # first: `check_ours` reads the start of the file
                "image": row["file"],
                "path": row["path"],
                "quality": row["quality_class"],
                "quality_score": _plain(scores.pop("quality")),
                "tags": list(told),
                "scores": {name: _plain(score) for name, score in scores.items()},
                "reasons": {name: why for name, (why, _) in told.items()},
                "suggestions": {name: do for name, (_, do) in told.items() if do},
                "error": None if pd.isna(row["error"]) else row["error"],
            }
        )
    return objects


def _plain(score: Any) -> float | None:
    return None if pd.isna(score) else round(float(score), 4)
