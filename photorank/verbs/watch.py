"""Score the photos that arrive in a folder, one row each, by a fixed scale, and say when they drift."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.config.config import Settings
from photorank.evaluation.drift_text import as_text
from photorank.features.run.extract import FACTS
from photorank.ranking.fusion import Scale
from photorank.utils import io
from photorank.utils.find import checked_folder, real
from photorank.utils.logging import each_once, logger
from photorank.utils.text import say_lines
from photorank.utils.words import printable

from ..plan import Plan
from ..sources import Photos, photos_in
from ..table import files as table_files
from ..table import journal
from ..table.record import Record, record_of, with_record
from . import drift as drifting
from .rank import fit_scale

_BATCH = 32  # photos that are kept at once: what a kill can cost
_PAUSE = 10  # times as long as writing the table took, before it is written again


@dataclass(frozen=True)
class _Rule:
    """By what every photo of a table is scored and compared, the last like the first."""

    folder: Path
    plan: Plan
    sample: pd.DataFrame
    columns: list[str]
    record: Record
    reference: pd.DataFrame | None
    window: int
    quiet: bool


def watch(
    folder: str,
    output: Path,
    reference: str | None,
    settings: Settings,
    window: int,
    every: float,
    once: bool,
) -> tuple[bool, int]:
    """Score what has not changed since the look before, wait, look again; `once`: until that is done.

    Returns:
        Whether the last full window has drifted, and how many photos could not be read.

    Raises:
        ValueError: folder, settings, table or reference cannot be used; or the table there is of
            another folder, scale or set of columns, or is in use.
    """
    _check(folder, output, reference, settings, window, every)
    rule = _rule(real(folder), reference, settings, window)
    failed, due, logged = 0, 0.0, set[str]()
    with journal.opened(output) as db:
        known = journal.resume(db, output, rule.columns, rule.record)
        _say(rule, f"{len(known):,} photos scored so far; scores go to {printable(str(output))}")
        full = len(known) // window
        drifted = _compare(rule, db, range(full - 1, full))  # how it stands
        try:
            for arrived in _arrivals(rule, known, every, once):
                with each_once(logged):  # what is wrong with the cache is so for every batch
                    rows = _scored(rule, arrived) if arrived else []
                journal.keep(db, rows, arrived)
                known |= {row["file"]: arrived[row["file"]] for row in rows}
                failed += sum(_say_score(rule, row) for row in rows)
                before, full = full, len(known) // window
                drifted = _compare(rule, db, range(before, full), drifted, output.stem)
                if (start := time.monotonic()) >= due:
                    journal.export(db, output, rule.columns)
                    due = start + _PAUSE * (time.monotonic() - start)
        finally:
            journal.export(db, output, rule.columns)
    return drifted, failed


def _check(
    folder: str, output: Path, reference: str | None, settings: Settings, window: int, every: float
) -> None:
    if window < 1 or every <= 0:
        raise ValueError(
            f"window is a number of photos from 1 up and every of seconds above 0, got {window}, {every}"
        )
    checked_folder(folder)
    if output.suffix.lower() != ".csv":
        raise ValueError(f"watch writes its table as .csv, got {output}")
    table_files.check_output(output)
    if reference is None and not settings.scale:
        raise ValueError(
            "watch needs a scale, or a photo's score would depend on the photos beside it: give --scale "
            "default, --scale FILE (photorank rank DIR --save_scale FILE makes one) or --reference TABLE"
        )


def _rule(folder: Path, reference: str | None, settings: Settings, window: int) -> _Rule:
    """Features, scale and columns, before the first photo is there; they compare with the reference."""
    old = None if reference is None else table_files.load(reference)
    chosen = settings.but(dedup="off", limit=0, save_scale="", quiet=True)
    if old is not None and not settings.scale:
        known = record_of(old).get("scale")
        chosen = chosen.but(
            scale=Scale(**known) if known else fit_scale(old, settings.normalization)
        )
    plan = Plan.of(Photos([], [], {"source": str(folder)}), chosen, may_fetch=True)
    plan.fetch()
    sample = _made_up_photo(folder, plan)
    start = replace(plan, source=sample).run()
    if old is not None:
        drifting.comparable(old, start)
    counts = ("found", "ranked", "failed", "seconds", "notes")  # they change
    about = {n: value for n, value in record_of(start).items() if n not in counts}
    record = json.loads(json.dumps(about | {"watch": True}, default=str))
    columns = [str(n) for n in start if n not in ("rank", "error")] + ["modified", "error"]
    return _Rule(folder, plan, sample, columns, record, old, window, settings.quiet)


def _made_up_photo(folder: Path, plan: Plan) -> pd.DataFrame:
    """A table of one photo that lacks no value: it gives columns, weights and scale before there is
    a photo, and in every batch keeps the weights what they are where all photos lack a column."""
    values = {c["name"]: None if c["better"] == "neither" else 0.0 for c in plan.columns}
    row = {"file": "", "path": ""} | values
    table = io.frame([row], [*row, *FACTS, "error"])
    return with_record(table, {"columns": plan.columns, "source": str(folder)})


def _arrivals(
    rule: _Rule, known: Mapping[str, journal.Stamp], every: float, once: bool
) -> Iterator[dict[str, journal.Stamp]]:
    """Photos that are not `known` and are what they were a look before; none at the end of a look."""
    before: dict[str, journal.Stamp] = {}
    is_gone = False
    while True:
        try:
            there = _look(rule)
            if is_gone:
                _say(rule, f"{rule.folder} is back", True)
            is_gone = False
        except ValueError as error:  # the folder itself: a card or share comes back
            if once:
                raise
            if not is_gone:
                logger.warning("%s; waiting until it is back", error)
            there, is_gone = {}, True
        now = {file: stamp for file, stamp in there.items() if known.get(file) != stamp}
        settled = [file for file in now if now[file] == before.get(file)]
        for i in range(0, len(settled), _BATCH):
            yield {file: now[file] for file in settled[i : i + _BATCH]}
        yield {}
        if once and (before or not now):
            if unsettled := len(now) - len(settled):
                _say(rule, f"{unsettled} still being written: left for the next run")
            return
        before = now
        time.sleep(every)


def _look(rule: _Rule) -> dict[str, journal.Stamp]:
    """The photos that are there, by their path in the folder."""
    stamps = {}
    for path in photos_in([str(rule.folder)], rule.plan.settings)[0].photos:
        with contextlib.suppress(OSError):  # gone again
            facts = os.stat(path)
            file = Path(os.path.relpath(path, rule.folder)).as_posix()
            stamps[file] = facts.st_size, _utc(facts.st_mtime_ns), str(facts.st_ctime_ns)
    return stamps


def _utc(ns: int) -> str:
    """A file's time as ISO 8601; one that Python has no date for as the nearest that it has."""
    try:
        time = datetime.fromtimestamp(ns / 1e9, UTC)
    except (ValueError, OverflowError):
        time = (datetime.max if ns > 0 else datetime.min).replace(tzinfo=UTC)
    return time.isoformat(timespec="microseconds")


def _scored(rule: _Rule, arrived: Mapping[str, journal.Stamp]) -> list[dict[str, Any]]:
    """A row for each photo that is not gone again; it depends on its photo and the rule alone."""
    paths = [str(rule.folder / file) for file in arrived]
    photos = Photos(paths, [*arrived], {"source": str(rule.folder)})
    measured = replace(rule.plan, source=photos).measure()
    measured["bytes"] = [size for size, *_ in arrived.values()]
    together = io.frame([*_records(rule.sample), *_records(measured)], [*map(str, measured)])
    scored = replace(rule.plan, source=with_record(together, record_of(measured))).run()
    ranked = {row["file"]: row for row in _records(scored)}
    rows = [ranked[file] | {"modified": when} for file, (_, when, _) in arrived.items()]
    there = (r for r in rows if pd.isna(r["error"]) or (rule.folder / r["file"]).exists())
    return [{name: row[name] for name in rule.columns} for row in there]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")  # type: ignore[return-value]


def _compare(
    rule: _Rule, db: journal.Journal, windows: range, drifted: bool = False, name: str = ""
) -> bool:
    """Compare full windows with the reference, or with the first of them; draw the last as `name`.

    Returns:
        Whether the last one has drifted; `drifted` if there is none.
    """
    size, reference = rule.window, rule.reference
    for number in windows:
        if number < (rule.reference is None):
            continue
        if reference is None:
            reference = journal.table(db, rule.columns, size)
        window = journal.table(db, rule.columns, size, number * size)
        found = drifting.drift(reference, window)
        drifted = found["drifted"]
        text = as_text(found) if drifted else "stable"
        _say(rule, f"photos {number * size + 1:,} to {(number + 1) * size:,}: {text}", drifted)
        if name and number == windows[-1]:
            for path in drifting.write(reference, window, found, name):
                _say(rule, f"look at {path}", drifted)
    return drifted


def _say_score(rule: _Rule, row: Mapping[str, Any]) -> bool:
    """Print a photo's line; returns whether the photo failed."""
    file, failed = printable(row["file"]), isinstance(row["error"], str)
    _say(rule, f"failed  {file}: {row['error']}" if failed else f"{row['final_score']:.3f}  {file}")
    return failed


def _say(rule: _Rule, text: str, even_if_quiet: bool = False) -> None:
    if even_if_quiet or not rule.quiet:
        say_lines(text)
