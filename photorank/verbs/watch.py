"""Score the photos that arrive in a folder, one row each, by a fixed scale, and say when they drift."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.config.config import DEFAULT_SCALE, Settings
from photorank.evaluation.drift_text import as_text
from photorank.features.base import declare
from photorank.features.run.extract import FACTS
from photorank.ranking.fusion import Scale
from photorank.utils import io, journal
from photorank.utils.find import find, real
from photorank.utils.logging import each_once, logger
from photorank.utils.words import printable

from .. import pipeline
from ..models import features_of
from ..sources import photos_in
from ..table import files as table_files
from . import drift as drifting

_BATCH = 32  # photos between two writes: a kill costs their time, not their rows
_FIXED = ("source", "columns", "weights", "scale", "tags")

Stamp = tuple[int, str]
"""Bytes of a file and when it was modified: another stamp, another photo."""


def check(
    folder: str, output: Path, reference: str | None, settings: Settings, window: int, every: float
) -> pd.DataFrame | None:
    """Find mistakes before anything is downloaded or measured, and read the reference.

    Raises:
        ValueError: the folder, the table or the reference cannot be used, or there is no scale.
    """
    if window < 1 or every <= 0:
        raise ValueError(
            f"window is a number of photos from 1 up and every of seconds above 0, got {window}, {every}"
        )
    find(folder, ())
    if output.suffix.lower() != ".csv":
        raise ValueError(f"watch appends to its table, which a .csv alone allows, got {output}")
    table_files.check_output(output)
    if reference is None and not settings.scale:
        raise ValueError(
            "watch needs a scale, or a photo's score would depend on the photos beside it: give "
            "--scale default, --scale FILE (photorank rank DIR --save_scale FILE makes one) or "
            "--reference TABLE"
        )
    pipeline.check_settings(settings)
    return None if reference is None else table_files.load(reference)


class Watch:
    """A folder, its table of scores and where the scoring stands; the table itself is the memory.

    Attributes:
        failed: photos that could not be read since the start.
        drifted: whether the last full window has drifted.
    """

    def __init__(
        self,
        folder: str,
        output: Path,
        reference: pd.DataFrame | None,
        settings: Settings,
        window: int,
    ) -> None:
        """Raises ValueError if the table there is of another folder, scale or set of columns."""
        self.failed, self.drifted, self._gone = 0, False, False
        self._said: set[str] = set()
        self._folder, self._output, self._window = real(folder), output, window
        self._chosen, self._reference = settings, reference
        self._features = features_of(settings)
        chosen = {"dedup": "off", "limit": 0, "save_scale": "", "quiet": True}
        chosen |= {"aesthetic": "none", "vocabulary": ""}  # the features have both
        self._settings = vars(settings) | chosen
        self._settings.pop("features")
        if not settings.scale and reference is not None:
            self._settings["scale"] = _scale_of(reference, settings.normalization)
        self._anchor = self._made_up_photo()
        start = pipeline.rank_by(self._anchor, Settings.load(self._settings))
        if settings.scale != DEFAULT_SCALE:  # a file may change while this runs
            self._settings["scale"] = Scale(**start.attrs["photorank"]["scale"])
        self._header = [str(n) for n in start if n not in ("rank", "error")] + ["modified", "error"]
        self._record = self._record_of(start)
        if reference is not None:
            drifting.comparable(reference, start)

    def run(self, every: float, once: bool) -> None:
        """Look, score what has not changed since the last look, wait; `once`: only until that is done."""
        with journal.only_writer(self._output):
            known = self._resume()
            self._say(f"{len(known):,} photos scored so far; scores go to {self._output}")
            full = self._windows(len(known))
            self._compare(max(0, full - 1), full, draw=False)  # how it stands
            before: dict[str, Stamp] = {}
            while True:
                there = self._look() if once else self._patient_look()
                now = {f: s for f, s in there.items() if known.get(f) != s}
                settled = [file for file in now if now[file] == before.get(file)]
                for i in range(0, len(settled), _BATCH):
                    self._score({file: now[file] for file in settled[i : i + _BATCH]}, known)
                if once and (before or not now):
                    if unsettled := len(now) - len(settled):
                        self._say(f"{unsettled} still being written: left for the next run")
                    return
                before = now
                time.sleep(every)

    def _resume(self) -> dict[str, Stamp]:
        """What the table holds already; its record is written where there is none.

        Raises:
            ValueError: the table was made of another folder, by another scale, or is no watch's.
        """
        record = self._output.with_name(f"{self._output.stem}.meta.json")
        if record.exists():
            self._check_same(json.loads(record.read_text(encoding="utf-8")))
        else:
            text = json.dumps(self._record, indent=1) + "\n"
            io.write_text(record, text)
        if cut := journal.repair(self._output):
            self._say(f"{self._output}: {cut} bytes of a half-written row removed", True)
        header = io.csv_bytes(pd.DataFrame(columns=self._header))
        if not self._output.exists() or not self._output.stat().st_size:
            journal.append(self._output, header)
        if self._output.stat().st_size <= len(header):
            return {}
        rows = self._rows()
        stamps = zip(rows["bytes"].astype(int), rows["modified"], strict=True)
        return dict(zip(rows["file"], stamps, strict=True))

    def _check_same(self, record: Mapping[str, Any]) -> None:
        for name in ("watch", *_FIXED):
            if record.get(name) != self._record[name]:
                what = "by watch" if name == "watch" else f"with the same {name}"
                raise ValueError(
                    f"{self._output} was not made {what}: go on as it was begun, or begin another "
                    "table with --output_csv FILE"
                )

    def _rows(self) -> pd.DataFrame:
        rows = table_files.load(self._output)
        if list(rows) != self._header:
            raise ValueError(
                f"{self._output} has other columns than watch gives it: move it away, or give "
                "another --output_csv"
            )
        return rows

    def _patient_look(self) -> dict[str, Stamp]:
        """The same; nothing while the folder itself is gone: a card or share comes back."""
        try:
            stamps = self._look()
        except ValueError as error:
            if not self._gone:
                logger.warning("%s; waiting until it is back", error)
            self._gone = True
            return {}
        if self._gone:
            self._say(f"{self._folder} is back", True)
        self._gone = False
        return stamps

    def _look(self) -> dict[str, Stamp]:
        """The photos that are there, by their path in the folder."""
        stamps = {}
        for path in photos_in(self._folder, self._chosen).photos:
            with contextlib.suppress(OSError):  # gone again
                facts = os.stat(path)
                modified = datetime.fromtimestamp(facts.st_mtime_ns / 1e9, UTC)
                file = Path(os.path.relpath(path, self._folder)).as_posix()
                stamps[file] = facts.st_size, modified.isoformat(timespec="microseconds")
        return stamps

    def _score(self, arrived: Mapping[str, Stamp], known: dict[str, Stamp]) -> None:
        """Measure photos, write their rows and print a line for each; none of what is gone again."""
        rows = self._ranked(arrived)
        there = [
            not isinstance(error, str) or (self._folder / file).exists()
            for file, error in zip(rows["file"], rows["error"], strict=True)
        ]
        rows = rows[there]
        arrived = {file: arrived[file] for file in rows["file"]}
        if not arrived:
            return
        before = self._windows(len(known))
        if known.keys() & arrived.keys():  # changed since they were scored: in the place they had
            self._replace(rows)
        else:
            journal.append(self._output, io.csv_bytes(rows, header=False))
        known |= arrived
        failed = rows["error"].notna()
        self.failed += int(failed.sum())
        for file, score, error in rows[["file", "final_score", "error"]].itertuples(index=False):
            said = f"failed  {printable(file, 40)}: {error}" if isinstance(error, str) else ""
            self._say(said or f"{score:.3f}  {printable(file, 40)}")
        self._compare(before, self._windows(len(known)))

    def _ranked(self, arrived: Mapping[str, Stamp]) -> pd.DataFrame:
        """Their rows in the order of the header; each depends on its photo and the scale alone."""
        paths = [str(self._folder / file) for file in arrived]
        with each_once(self._said):  # what is wrong with the cache is so for every batch
            measured = pipeline.extract(paths, self._features, **self._settings)
        measured["file"] = pd.Series(list(arrived), dtype=object)
        measured["bytes"] = [size for size, _ in arrived.values()]
        together = io.frame(_records(self._anchor, measured), [*map(str, measured)])
        together.attrs = measured.attrs
        ranked = pipeline.rank_by(together, Settings.load(self._settings))
        rows = {row["file"]: row for row in _records(ranked)}
        in_order = [rows[file] | {"modified": when} for file, (_, when) in arrived.items()]
        return io.frame(in_order, self._header)

    def _replace(self, rows: pd.DataFrame) -> None:
        """Write the table anew, all or nothing, with `rows` in the place of those of their files."""
        by_file = {row["file"]: row for row in _records(self._rows(), rows)}
        io.write_table(io.frame(list(by_file.values()), self._header), self._output)

    def _windows(self, rows: int) -> int:
        """How many full windows so many rows hold; without a reference the first window is that."""
        return rows // self._window - (self._reference is None and rows >= self._window)

    def _compare(self, done: int, now: int, draw: bool = True) -> None:
        """Compare the windows from number `done` to before `now` with the reference, and say it."""
        if done >= now:
            return
        rows = self._rows()
        first = 0 if self._reference is not None else self._window
        reference = rows[:first] if self._reference is None else self._reference
        for number in range(done, now):
            start = first + number * self._window
            window = rows[start : start + self._window]
            found = drifting.drift(reference, window)
            self.drifted = found["drifted"]
            text = as_text(found) if self.drifted else "stable"
            self._say(f"photos {start + 1:,} to {start + self._window:,}: {text}", self.drifted)
        pictures = drifting.write(reference, window, found, self._output.stem) if draw else []
        for path in pictures:
            self._say(f"look at {path}", self.drifted)

    def _say(self, text: str, even_if_quiet: bool = False) -> None:
        if even_if_quiet or not self._chosen.quiet:
            print(text, flush=True)

    def _made_up_photo(self) -> pd.DataFrame:
        """A table of one photo that lacks no value. Ranked with every batch it keeps the weights what
        they are where all photos of a batch lack a column; and it gives header, weights and scale
        before the first photo is there."""
        columns = declare(self._features)
        values = {c["name"]: None if c["better"] == "neither" else 0.0 for c in columns}
        names = ["file", "path", *values, *FACTS, "error"]
        table = io.frame([{"file": "", "path": ""} | values], names)
        about = {"columns": columns, "source": str(self._folder), "settings": vars(self._chosen)}
        table.attrs["photorank"] = about
        return table

    def _record_of(self, ranked: pd.DataFrame) -> dict[str, Any]:
        """What the sidecar says: what a ranking's does, but for counts, which change."""
        counts = ("found", "ranked", "failed", "seconds", "notes")
        record = {k: v for k, v in ranked.attrs["photorank"].items() if k not in counts}
        return dict(json.loads(json.dumps(record | {"watch": True}, default=str)))


def _records(*tables: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of several tables, one after the other; pd.concat would guess types anew."""
    return [dict(row) for table in tables for row in table.to_dict("records")]  # type: ignore[arg-type]


def _scale_of(reference: pd.DataFrame, normalization: str) -> Scale:
    """The scale that the reference was ranked with, or else one that is fitted to it."""
    recorded = reference.attrs.get("photorank", {}).get("scale")
    return Scale(**recorded) if recorded else pipeline.fit_scale(reference, normalization)
