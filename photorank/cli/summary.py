"""What the command prints of a ranking: counts, the best and the worst, and why."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.ranking.classes import CLASSES
from photorank.utils.rows import failed, measured_rows
from photorank.utils.words import padded, printable, terminal_width

_WHAT_BECAME = {
    "mark": "see dup_*; the order stays",
    "keep-best": "ranked after all others",
}
_FIRST, _LAST = 10, 3
_NAME = 40  # columns of a terminal for the name of a file
_NOT_A_TERMINAL = (160, 24)  # wide enough for any line: a file or a pipe is not cut


def print_summary(table: pd.DataFrame, record: Mapping[str, Any], written: Sequence[Path]) -> None:
    """Print how many photos were ranked, failed and skipped, the best and the worst, and the files."""
    print(
        f"{counted(record['ranked'], 'ranked', record['failed'], record)} ({record['seconds']:.1f} s)"
    )
    for line in _failures(table[failed(table)]):
        print(line)
    if record.get("near_duplicates"):
        print(
            f"{record['near_duplicates']} of them near-duplicates of a better one: "
            + _WHAT_BECAME[record["settings"]["dedup"]]
        )
    ranked = measured_rows(table)
    columns = shutil.get_terminal_size(_NOT_A_TERMINAL).columns
    if len(ranked):
        if record["tags"]["counts"]:
            print(_tags(ranked, record, columns))
        print(_best_and_worst(ranked, record["weights"], columns))
    for path in written:
        print(f"wrote {path}")


def _failures(failed: pd.DataFrame) -> list[str]:
    """Why the first photos failed, and how many more did."""
    lines = [
        f"failed: {printable(file, _NAME)}: {error}"
        for file, error in failed[["file", "error"]].head(_LAST).to_numpy()
    ]
    more = len(failed) - len(lines)
    return [*lines, f"failed: {more} more, the last rows of the table"] if more else lines


def counted(done: int, what: str, failed: int, record: Mapping[str, Any]) -> str:
    """How many photos something was done with, how many failed, and what else lay there."""
    skipped = ", ".join(f"{n} {suffix}" for suffix, n in record.get("skipped", {}).items())
    return (
        f"{done} photo{'s' * (done != 1)} {what}, {failed} failed"
        + (f", skipped: {skipped}" if skipped else "")
        + (f", excluded: {record['excluded']}" if record.get("excluded") else "")
    )


def _tags(ranked: pd.DataFrame, record: Mapping[str, Any], columns: int) -> str:
    """How many photos of each quality class, and the commonest tags."""
    classes = ranked["quality_class"].value_counts()
    counts = record["tags"]["counts"].items()
    common = sorted((pair for pair in counts if pair[1]), key=lambda pair: -pair[1])
    start = ", ".join(f"{classes.get(name, 0)} {name}" for name in CLASSES) + "; tags: "
    words = [f"{n} {name}" for name, n in common]
    shown = _fitting(words, columns - len(start) - len(", …"))
    return start + (shown or "none") + ", …" * (shown != ", ".join(words))


def _fitting(words: Iterable[str], width: int) -> str:
    """As many of the words, comma-separated, as fit in a width; the first one always."""
    line = ""
    for word in words:
        longer = f"{line}, {word}" if line else word
        if line and len(longer) > width:
            break
        line = longer
    return line


def _best_and_worst(ranked: pd.DataFrame, weights: Mapping[str, float], columns: int) -> str:
    """A line per photo for the first ten and the last three: rank, score, file, what made the score."""
    shown = ranked
    if len(ranked) > _FIRST + _LAST:
        shown = ranked.iloc[[*range(_FIRST), *range(-_LAST, 0)]]
    why = "against the folder's mean" if len(ranked) > 1 else "what adds up to it"
    room = max(20, columns - len(f" rank  score    {why}"))
    width = min(_NAME, room, max(terminal_width(printable(file)) for file in shown["file"]))
    parts = ranked[[f"{name}_contribution" for name in weights]]
    above = parts.loc[shown.index] - (parts.mean() if len(ranked) > 1 else 0)
    lines = [
        f"{row['rank']:>5}  {row['final_score']:.3f}  {padded(printable(row['file'], width), width)}  "
        + _fitting(reasons, columns - width - 16)
        for (_, row), reasons in zip(shown.iterrows(), _reasons(above), strict=True)
    ]
    if len(shown) < len(ranked):
        lines.insert(_FIRST, f"{'...':>5}")
    return "\n".join([f" rank  score  {'file':<{width}}  {why}", *lines])


def _reasons(above: pd.DataFrame) -> list[list[str]]:
    """What lifts or lowers each score most: up to three columns, by how much."""
    reasons = []
    for _, row in above.iterrows():
        most = row[row.abs() >= 0.005].sort_values(key=abs, ascending=False).head(3)
        names = (str(name).removesuffix("_contribution") for name in most.index)
        reasons.append([f"{n} {v:+.2f}" for n, v in zip(names, most, strict=True)])
    return reasons
