"""Where a command reads and writes where it is not told."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from photorank.utils.logging import logger
from photorank.utils.words import fitting

from ..sources import apart, common_parent, folders_of
from ..table.record import Record, read_record

_ROOM = 200  # bytes


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
    before = _record_beside(csv)
    place = (before.get(made_from), before.get("folders", []))
    same = place == (str(folder), several) if before else not csv.exists()
    digest = hashlib.sha256(os.fsencode("\0".join([str(folder), *several]))).hexdigest()[:8]
    return csv if same else csv.with_name(f"{name}-{digest}.csv")


def _record_beside(output: Path) -> Record:
    """The record of the table there; empty where there is none that can be read."""
    try:
        return read_record(output.with_name(f"{output.stem}.meta.json"))
    except ValueError:
        return Record()


def check_whole(record: Record, output: Path, is_named: bool) -> None:
    """Make sure that a table of some photos of a folder does not replace that of more in silence.

    Args:
        record: of the photos that are to be ranked into `output`.
        is_named: somebody has named it; a warning is enough.

    Raises:
        ValueError: --limit left photos out, and nobody named the output.
    """
    before, left_out = _record_beside(output), record.get("beyond_limit") or record.get("excluded")
    more = before.get("found", 0) - record.get("found", 0)
    places = [(r.get("source"), r.get("folders")) for r in (before, record)]
    if not left_out or more <= 0 or places[0] != places[1]:
        return
    now = f"{output} has {before['found']:,} photos of this folder, and now {record['found']:,}"
    if record.get("beyond_limit") and not is_named:
        raise ValueError(f"{now} would replace them: name another file with --output_csv")
    logger.warning("%s replace them (another --output_csv keeps both)", now)


def the_place(source: Any) -> Path:
    """The table or folder, or what several folders lie in."""
    return common_parent(folders_of(source))


def name_of(source: Any) -> str:
    """What the files are called that are made of a table or of folders, with room for their endings."""
    place = the_place(source)
    return fitting((place.stem if place.is_file() else place.name) or "root", _ROOM)


def free(stem: str, suffix: str) -> Path:
    """The first of stem-1, stem-2, ... that is not there yet."""
    names = (Path(f"{stem}-{number}{suffix}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())
