"""Tag photos: apply a profile to a table, keep the record of it, write what a person reads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.ranking import tags
from photorank.ranking.profiles import Profile
from photorank.utils import io
from photorank.utils.rows import measured_rows

from .. import __version__
from ..table.columns import tag_columns
from ..table.files import as_table, check_output, is_table
from ..table.files import save as save_table
from ..table.record import record_of
from ..table.tags import marked, told
from .rank import rank

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
    given = is_table(source)
    table = marked(as_table(source)) if given else rank(source, profile=profile)
    return told(table, chosen)[0]


def save(tagged: pd.DataFrame, found: tags.Tagged, folder: Path) -> list[Path]:
    """Write `quality_results.csv` with its record, and `tagged_images.json`, into `folder`.

    Raises:
        ValueError: a place that cannot be written, or a file there that is not photorank's.
    """
    from photorank.evaluation.plots.tags import (
        tag_shares,  # brings matplotlib, which `rank` never needs
    )

    check_places(folder)
    said = [c for c in tag_columns(tagged) if c not in _FIRST]
    results = tagged[[*_FIRST, *said, "path", "error"]].rename(columns=_NAMES)
    written = save_table(results, folder / RESULTS)
    text = json.dumps(_objects(tagged, found), indent=1)
    io.write_text(folder / OBJECTS, text + "\n")
    count = len(measured_rows(tagged))
    counts = record_of(tagged)["tags"]["counts"]
    shares = {name: having / max(1, count) for name, having in counts.items()}
    io.write(folder / PLOT, lambda part: tag_shares(shares, count, tags.COMMON, part))
    return [*written, folder / OBJECTS, folder / PLOT]


def check_places(folder: Path) -> None:
    """Find out before the work that `save` will be able to write into `folder`.

    Raises:
        ValueError: no permission, or a file there that is not photorank's.
    """
    check_output(folder / RESULTS)
    io.check_ours(folder / OBJECTS)
    io.check_ours(folder / PLOT)


def _objects(tagged: pd.DataFrame, found: tags.Tagged) -> list[dict[str, Any]]:
    """One object per photo, failed ones too, ready for JSON."""
    record = record_of(tagged)["tags"]
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
