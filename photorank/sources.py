"""What to measure: the photos of folders, a list of paths, or pictures in hand, and their names."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from photorank.config.config import Settings
from photorank.features.photo.header import photo_suffixes
from photorank.features.run.extract import Source
from photorank.utils.find import Found, find, inside, real
from photorank.utils.words import commonest, kinds

from .table.record import Record

NO_COPIES = ("limit", "exclude", "vocabulary")
"""The settings that bear neither on a table nor on degraded copies of its photos."""

OF_PHOTOS = (
    *NO_COPIES,
    *("features", "positive_prompt", "negative_prompt"),
    *("aesthetic", "clip_model", "clip_pretrained", "aesthetic_head", "heads"),
)
"""The settings by which photos are measured: a table was, and takes no others."""


@dataclass(frozen=True)
class Photos:
    """What there is to measure.

    Attributes:
        sources: paths, or names with pictures.
        files: the name of each in the table.
        record: what the table says of where they came from.
    """

    sources: Sequence[Source]
    files: Sequence[str]
    record: Record


def photos_of(source: Any, settings: Settings) -> Photos:
    """The photos that `source` is or holds.

    Args:
        source: a folder, several, a list of paths, or a mapping of name -> picture.

    Raises:
        ValueError: it is something else, cannot be read, or holds no photo.
    """
    folders = folders_of(source)
    if folders:
        found, above = photos_in(folders, settings)
        sources: list[Source] = list(found.photos)
        files = [inside(above, path).replace(os.sep, "/") for path in found.photos]
        record = Record(
            source=str(above),
            skipped=commonest(found.skipped),
            raw_beside_jpeg=found.raw_beside_jpeg,
            excluded=found.excluded,
        )
        if len(folders) > 1:
            record["folders"] = apart(folders)
    elif isinstance(source, Mapping):
        sources, files, record = list(source.items()), list(source), Record(source="pictures")
    else:
        sources = _paths(source)
        files, record = [os.path.basename(str(p)) for p in sources], Record(source="paths")
    taken = min(settings.limit or len(sources), len(sources))
    record["found"], record["beyond_limit"] = taken, len(sources) - taken
    if not sources:
        raise ValueError(_nothing_found(source, record))
    return Photos(sources[:taken], files[:taken], record)


def folders_of(source: Any) -> list[str]:
    """The folders that `source` names, if that is what it names; one path is always taken for one."""
    if isinstance(source, str | os.PathLike):
        return [os.fspath(source)]
    some = list(source) if isinstance(source, list | tuple) else []
    if some and all(
        isinstance(f, str | os.PathLike) and Path(f).expanduser().is_dir() for f in some
    ):
        return [os.fspath(folder) for folder in some]
    return []


def common_parent(folders: Sequence[str]) -> Path:
    """The folder itself, or what several folders lie in together."""
    return Path(os.path.commonpath([real(folder) for folder in folders]))


def apart(folders: Sequence[str]) -> list[str]:
    """Each of them once, sorted, and none that lies in another, with which it is searched."""
    every = sorted({real(folder) for folder in folders})
    return [str(f) for f in every if not any(f != o and f.is_relative_to(o) for o in every)]


def photos_in(folders: Sequence[str], settings: Settings) -> tuple[Found, Path]:
    """The photos of some folders without pictures that photorank draws, and what all lie in.

    Raises:
        ValueError: a folder that cannot be read.
    """
    here, above = real("."), common_parent(folders)
    searched = folders if len(folders) == 1 else apart(folders)
    every = [find(folder, photo_suffixes(), settings.exclude) for folder in searched]
    found = every[0]
    if len(every) > 1:
        found = Found(
            photos=sorted(path for one in every for path in one.photos),
            skipped=sum((one.skipped for one in every), Counter()),
            excluded=sum(one.excluded for one in every),
            raw_beside_jpeg=sum(one.raw_beside_jpeg for one in every),
        )
    photos = [path for path in found.photos if not _made_here(path, here)]
    if len(photos) < len(found.photos):
        found.skipped["made by photorank"] = len(found.photos) - len(photos)
    found.photos = photos
    return found, above


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


def _nothing_found(source: Any, record: Record) -> str:
    others = kinds(record.get("skipped", {}))
    seen = f"; other files there: {others}" if others else ""
    seen += f"; {record['excluded']} excluded" if record.get("excluded") else ""
    heif = "" if "heic" in photo_suffixes() else " (HEIC: pip install 'photorank[heif]')"
    return (
        f"no photos in {source!s}{seen}; give a folder with {', '.join(sorted(photo_suffixes()))} "
        f"files{heif}"
    )
