"""What to measure: the photos of a folder, a list of paths, or pictures in hand, and their names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from photorank.config.config import Settings
from photorank.features import aesthetic
from photorank.features.photo.header import photo_suffixes
from photorank.features.run.extract import Source
from photorank.utils.find import Found, find, inside, real

from .models import wants_clip
from .table.files import is_table

NO_COPIES = ("limit", "exclude", "vocabulary")
"""The settings that bear neither on a table nor on degraded copies of its photos."""

OF_PHOTOS = (
    *NO_COPIES,
    *("features", "positive_prompt", "negative_prompt"),
    *("aesthetic", "clip_model", "clip_pretrained"),
)
"""The settings by which photos are measured: a table was, and takes no others."""


def check(source: Any, settings: Settings) -> tuple[list[Source], list[str], dict[str, Any]]:
    """What there is to measure: its photos, their names in the table, what the record says of them.

    Raises:
        ValueError: no photos, or prompts that do not pair: before anything is downloaded.
    """
    sources, files, record = _sources(source, settings)
    if not sources:
        raise ValueError(_nothing_found(source, record))
    if wants_clip(settings):
        aesthetic.prompt_pairs(settings.positive_prompt, settings.negative_prompt)
    return sources, files, record


def check_table(source: Any, asked: Settings, idle: Sequence[str] = OF_PHOTOS) -> None:
    """Make sure that nothing is asked of a table that takes photos.

    Args:
        source: a table, or anything else, of which all may be asked.
        asked: what somebody asks of it, other than by `--config`.
        idle: the names of the settings that it cannot answer.

    Raises:
        ValueError: one of those is not the default, but for `aesthetic="none"`, which a table can do.
    """
    if not is_table(source):
        return
    usual = Settings.load({})
    chosen = [name for name in idle if getattr(asked, name) != getattr(usual, name)]
    if asked.aesthetic == "none":
        chosen = [name for name in chosen if name != "aesthetic"]
    if chosen:
        flags = ", ".join(f"--{name}" for name in chosen)
        raise ValueError(
            f"{flags}: a table is taken as it was measured: give the folder of its photos instead, or "
            "leave this out"
        )


def _sources(source: Any, settings: Settings) -> tuple[list[Source], list[str], dict[str, Any]]:
    """What to measure, each photo's name in the table, and what the record says of them."""
    record: dict[str, Any]
    if isinstance(source, str | os.PathLike):
        found = photos_in(source, settings)
        sources: list[Source] = list(found.photos)
        folder = real(source)
        files = [inside(folder, path).replace(os.sep, "/") for path in found.photos]
        record = {
            "source": str(folder),
            "skipped": dict(found.skipped.most_common()),
            "raw_beside_jpeg": found.raw_beside_jpeg,
            "excluded": found.excluded,
        }
    elif isinstance(source, Mapping):
        sources, files, record = list(source.items()), list(source), {"source": "pictures"}
    else:
        sources = _paths(source)
        files, record = [os.path.basename(str(path)) for path in sources], {"source": "paths"}
    taken = settings.limit or len(sources)
    record |= {"found": min(taken, len(sources)), "beyond_limit": max(0, len(sources) - taken)}
    return sources[:taken], files[:taken], record


def photos_in(folder: str | os.PathLike[str], settings: Settings) -> Found:
    """The photos of a folder, without pictures that photorank draws.

    Raises:
        ValueError: a folder that cannot be read.
    """
    found = find(folder, photo_suffixes(), settings.exclude)
    here = real(".")
    photos = [path for path in found.photos if not _made_here(path, here)]
    if len(photos) < len(found.photos):
        found.skipped["made by photorank"] = len(found.photos) - len(photos)
    found.photos = photos
    return found


def _made_here(path: str, here: Path) -> bool:
    """Whether it is a picture that photorank draws below the folder `here`: no photo to rank."""
    if not path.startswith(f"{here}{os.sep}"):
        return False
    place = Path(path).relative_to(here)
    if place.parts[:2] in (("output", "topk_images"), ("output", "tags")):
        return True
    if place.parts[0] != "results" or len(place.parts) != 2:
        return False
    records = (here / "output" / "csvs").glob("*.meta.json")
    names = ("tuning_", "drift_", *(record.name.removesuffix(".meta.json") for record in records))
    return place.stem.startswith(names) or place.name.endswith("_detection.png")


def _paths(source: Any) -> list[Source]:
    """A list of paths as absolute ones.

    Raises:
        ValueError: `source` is nothing of what can be ranked.
    """
    try:
        return [os.path.abspath(os.path.expanduser(os.fsdecode(path))) for path in source]
    except TypeError as error:
        raise ValueError(
            "the source is a folder, a list of paths, a dict of name -> picture or a table, "
            f"got {type(source).__name__} ({error})"
        ) from error


def _nothing_found(source: Any, record: Mapping[str, Any]) -> str:
    others = ", ".join(f"{n} {suffix}" for suffix, n in record.get("skipped", {}).items())
    seen = f"; other files there: {others}" if others else ""
    seen += f"; {record['excluded']} excluded" if record.get("excluded") else ""
    heif = "" if "heic" in photo_suffixes() else " (HEIC: pip install 'photorank[heif]')"
    return (
        f"no photos in {source!s}{seen}; give a folder with {', '.join(sorted(photo_suffixes()))} "
        f"files{heif}"
    )
