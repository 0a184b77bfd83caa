"""What the command prints of a ranking: counts, the best and the worst, and why."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from photorank.ranking.classes import CLASSES
from photorank.ranking.tags import Tagged
from photorank.utils.rows import failed, measured_rows
from photorank.utils.text import say
from photorank.utils.words import kinds, plural, printable

from ..table.record import Record, record_of

_WHAT_BECAME = {
    "mark": "see dup_*; each ranks after it",
    "keep-best": "ranked after all others",
}
_FIRST, _LAST = 10, 3
_NOT_A_TERMINAL = 160  # columns: wide enough for any line


def print_summary(table: pd.DataFrame, record: Record, written: Sequence[Path]) -> None:
    """Print how many photos were ranked, failed and skipped, the best and the worst, and the files."""
    is_narrow = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = None if is_narrow else _NOT_A_TERMINAL  # a file or a pipe is not cut
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    with console.capture() as drawn:  # rich would take a closed pipe for an error
        for line in _lines(table, record, console.width):
            console.print(line)
    print(*(line.rstrip() for line in drawn.get().splitlines()), sep="\n")
    for path in written:
        say(f"wrote {path}")


def _lines(table: pd.DataFrame, record: Record, width: int) -> Iterator[str | Text | Table]:
    count = counted(record["ranked"], "ranked", record["failed"], record)
    yield f"{count} ({record['seconds']:.1f} s)"
    for line in _failures(table[failed(table)]):
        yield Text(printable(line), "red")
    if record.get("near_duplicates"):
        became = _WHAT_BECAME[record["settings"]["dedup"]]
        yield f"{record['near_duplicates']} of them near-duplicates of a better one: {became}"
    ranked = measured_rows(table)
    if len(ranked):
        if record["tags"]["counts"]:
            yield _tags(ranked, record)
        yield _best_and_worst(ranked, record["weights"], width)


def _failures(failed: pd.DataFrame) -> list[str]:
    """Why the first photos failed, and how many more did."""
    lines = [
        f"failed: {printable(file, 40)}: {error}"
        for file, error in failed[["file", "error"]].head(_LAST).to_numpy()
    ]
    more = len(failed) - len(lines)
    return [*lines, f"failed: {more} more, the last rows of the table"] if more else lines


def counted(done: int, what: str, failed: int, record: Record) -> str:
    """How many photos something was done with, how many failed, and what else lay there."""
    skipped = kinds(record.get("skipped", {}))
    raws = record.get("raw_beside_jpeg")
    return (
        f"{plural(done, 'photo')} {what}, {failed} failed"
        + (f", skipped: {skipped}" if skipped else "")
        + (f", RAW beside a photo: {raws}" if raws else "")
        + (f", excluded: {record['excluded']}" if record.get("excluded") else "")
    )


def _tags(ranked: pd.DataFrame, record: Record) -> str:
    """How many photos of each quality class, and the commonest tags."""
    classes = ranked["quality_class"].value_counts()
    counts = record["tags"]["counts"].items()
    common = sorted((pair for pair in counts if pair[1]), key=lambda pair: -pair[1])
    start = ", ".join(f"{classes.get(name, 0)} {name}" for name in CLASSES)
    return f"{start}; tags: {', '.join(f'{n} {name}' for name, n in common) or 'none'}"


def _best_and_worst(ranked: pd.DataFrame, weights: Mapping[str, float], columns: int) -> Table:
    """A line per photo for the first ten and the last three: rank, score, file, what made the score."""
    shown = ranked
    if len(ranked) > _FIRST + _LAST:
        shown = ranked.iloc[[*range(_FIRST), *range(-_LAST, 0)]]
    why = "against the folder's mean" if len(ranked) > 1 else "what adds up to it"
    table = Table(box=None, pad_edge=False, header_style="bold")
    parts = ranked[[f"{name}_contribution" for name in weights]]
    above = parts.loc[shown.index] - (parts.mean() if len(ranked) > 1 else 0)
    width = max(16, min(40, columns // 2 - 8))
    files = [printable(file, width) for file in shown["file"]]
    taken = max(map(cell_len, files))
    room = max(8, columns - taken - len("rank  score    "))
    table.add_column("rank", justify="right", no_wrap=True, min_width=4)
    table.add_column("score", justify="right", no_wrap=True, min_width=5)
    table.add_column("file", no_wrap=True, min_width=taken)
    table.add_column(why, no_wrap=True, overflow="ellipsis", max_width=room)
    for place, ((_, row), reasons) in enumerate(
        zip(shown.iterrows(), _reasons(above), strict=True)
    ):
        if place == _FIRST < len(ranked) - _LAST:
            table.add_row("...")
        while len(", ".join(reasons)) > room and len(reasons) > 1:
            reasons.pop()
        file = Text(files[place], "green" if place < _FIRST else "red")
        table.add_row(str(row["rank"]), f"{row['final_score']:.3f}", file, ", ".join(reasons))
    return table


def _reasons(above: pd.DataFrame) -> list[list[str]]:
    """What lifts or lowers each score most: up to three columns, by how much."""
    reasons = []
    for _, row in above.iterrows():
        most = row[row.abs() >= 0.005].sort_values(key=abs, ascending=False).head(3)
        names = (str(name).removesuffix("_contribution") for name in most.index)
        reasons.append([f"{printable(n)} {v:+.2f}" for n, v in zip(names, most, strict=True)])
    return reasons


def print_json(found: Mapping[str, Any]) -> None:
    """Figures or a record as JSON, and nothing else."""
    print(json.dumps(found, indent=1, default=str))


def check_any_read(table: pd.DataFrame, written: Sequence[Path]) -> None:
    """Make sure that not all photos failed.

    Raises:
        ValueError: they did.
    """
    if measured_rows(table).empty:
        first, (reasons,) = table.iloc[0], [p for p in written if p.name.endswith(".failed.csv")]
        raise ValueError(
            f"none of the {len(table)} photos could be read (the first, {printable(first['file'], 40)}: "
            f"{first['error']}); the reasons are in {reasons}"
        )


def of_tags(tagged: pd.DataFrame, found: Tagged, beside: Record) -> str:
    """The summary: how many photos there are, of each class and with each tag, and what holds for all.

    Args:
        tagged, found: from `with_tags`.
        beside: the record of a folder, which says what else lay there.
    """
    photos = measured_rows(tagged)
    first = counted(len(photos), "tagged", len(tagged) - len(photos), beside)
    if photos.empty:
        return first
    record = record_of(tagged)["tags"]
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
