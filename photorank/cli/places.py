"""Where a command reads and writes where it is not told."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from photorank.config.config import Settings
from photorank.utils.find import real


def own_command() -> str:
    """What to type for photorank: `.venv/bin/photorank` where the environment is not activated."""
    beside = Path(sys.executable).with_name("photorank")
    if shutil.which("photorank") or not beside.is_file():
        return "photorank"
    return min(str(beside), os.path.relpath(beside), key=len)


def taken_for_a_feature(flags: dict[str, Any], command: str) -> str:
    """The folder in `--features a b DIR`, which argparse takes for one more feature.

    Raises:
        ValueError: no folder was given.
    """
    names = flags.get("features", [])
    if len(names) > 1 and Path(names[-1]).expanduser().exists():
        return str(names.pop())
    raise ValueError(f"nothing to {command}: give a folder of photos (photorank {command} DIR)")


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


def default_output(input: str) -> Path:
    """output/csvs/<folder>.csv, unless that was made from another folder of the same name."""
    folder = real(input)
    made_from = "table" if folder.is_file() else "source"
    name = (folder.stem if folder.is_file() else folder.name) or "root"
    csv = Path("output", "csvs", f"{name}.csv")
    record = csv.with_name(f"{name}.meta.json")
    try:
        same = json.loads(record.read_text(encoding="utf-8")).get(made_from) == str(folder)
    except (OSError, ValueError, AttributeError):
        same = not csv.exists()
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]
    return csv if same else csv.with_name(f"{name}-{digest}.csv")


def free(stem: str, suffix: str) -> Path:
    """The first of stem-1, stem-2, ... that is not there yet."""
    names = (Path(f"{stem}-{number}{suffix}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def with_cache(settings: Settings) -> Settings:
    """With a place to keep measurements: unlike `photorank.rank`, the command has one of its own."""
    if settings.cache:
        return settings
    base = os.environ.get("XDG_CACHE_HOME", "")
    folder = base if os.path.isabs(base) else os.path.expanduser("~/.cache")
    place = os.path.join(folder, "photorank", "measurements.sqlite")
    return replace(settings, cache=place if os.path.isabs(place) else "off")
