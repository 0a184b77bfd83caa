"""Where a command reads and writes where it is not told."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from photorank.utils import io

from ..sources import apart, common_parent, folders_of


def own_command() -> str:
    """What to type for photorank: `.venv/bin/photorank` where the environment is not activated."""
    beside = Path(sys.executable).with_name("photorank")
    if shutil.which("photorank") or not beside.is_file():
        return "photorank"
    return min(str(beside), os.path.relpath(beside), key=len)


def newest_table() -> Path:
    """The newest table of photorank's in output/csvs."""
    folder = Path("output", "csvs")
    records = sorted(folder.glob("*.meta.json"), key=lambda path: path.stat().st_mtime)
    for record in reversed(records):
        table = record.with_name(record.name.replace(".meta.json", ".csv"))
        if table.exists():
            return table
    raise ValueError(f"no table in {folder}: give one, or rank a folder first")


def newest_table_or_demo() -> str:
    """The newest table in output/csvs; where there is none, the demo photos, made if need be."""
    try:
        return str(newest_table())
    except ValueError:
        pass
    from photorank.training.demo import make_demo_photos

    folder = "output/demo_photos"
    try:
        make_demo_photos(folder)
    except OSError as error:
        raise ValueError(f"demo photos in {folder}: {error}; give a folder or a table") from error
    return folder


def default_output(source: Any) -> Path:
    """output/csvs/<folder>.csv, unless that was made from another folder of the same name."""
    folder, folders = the_place(source), folders_of(source)
    several = apart(folders) if len(folders) > 1 else []
    made_from = "table" if folder.is_file() else "source"
    name = name_of(source)
    csv = Path("output", "csvs", f"{name}.csv")
    record = csv.with_name(f"{name}.meta.json")
    try:
        before = io.read_json(record)
        same = (before.get(made_from), before.get("folders", [])) == (str(folder), several)
    except (OSError, ValueError, AttributeError):
        same = not csv.exists()
    digest = hashlib.sha256(os.fsencode("\0".join([str(folder), *several]))).hexdigest()[:8]
    return csv if same else csv.with_name(f"{name}-{digest}.csv")


def the_place(source: Any) -> Path:
    """The table or folder, or what several folders lie in."""
    return common_parent(folders_of(source))


def name_of(source: Any) -> str:
    """What the files are called that are made of a table or of folders."""
    place = the_place(source)
    return (place.stem if place.is_file() else place.name) or "root"


def free(stem: str, suffix: str) -> Path:
    """The first of stem-1, stem-2, ... that is not there yet."""
    names = (Path(f"{stem}-{number}{suffix}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())
