"""What the command prints of a ranking: counts, the best and the worst, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

_WHAT_BECAME = {
    "mark": "marked in the columns dup_*, the order is unchanged",
    "keep-best": "ranked after all others",
}
_FIRST, _LAST = 10, 3


def print_summary(table: pd.DataFrame, record: Mapping[str, Any], written: Sequence[Path]) -> None:
    """Print how many photos were ranked, failed and skipped, the best and the worst, and the files."""
    skipped = ", ".join(f"{n} {suffix}" for suffix, n in record.get("skipped", {}).items())
    print(
        f"{record['ranked']} photo{'s' * (record['ranked'] != 1)} ranked, {record['failed']} failed"
        + (f", skipped: {skipped}" if skipped else "")
        + (f", excluded: {record['excluded']}" if record.get("excluded") else "")
        + f" ({record['seconds']:.1f} s)"
    )
    if record.get("near_duplicates"):
        print(
            f"{record['near_duplicates']} of them near-duplicates of a better one: "
            + _WHAT_BECAME[record["settings"]["dedup"]]
        )
    ranked = table[table["error"].isna()]
    if len(ranked):
        print(_best_and_worst(ranked, record["weights"]))
    for path in written:
        print(f"wrote {path}")


def _best_and_worst(ranked: pd.DataFrame, weights: Mapping[str, float]) -> str:
    """A line per photo for the first ten and the last three: rank, score, file, what made the score."""
    shown = ranked
    if len(ranked) > _FIRST + _LAST:
        shown = ranked.iloc[[*range(_FIRST), *range(-_LAST, 0)]]
    width = min(40, max(len(printable(file)) for file in shown["file"]))
    parts = ranked[[f"{name}_contribution" for name in weights]]
    lines = [
        f"{row['rank']:>5}  {row['final_score']:.3f}  {printable(row['file']):<{width}}  {reasons}"
        for (_, row), reasons in zip(
            shown.iterrows(), _reasons(parts.loc[shown.index], parts.mean()), strict=True
        )
    ]
    if len(shown) < len(ranked):
        lines.insert(_FIRST, f"{'...':>5}")
    return "\n".join([f" rank  score  {'file':<{width}}  against the folder's mean", *lines])


def _reasons(parts: pd.DataFrame, mean: pd.Series[float]) -> list[str]:
    """What lifts or lowers each score most: up to three columns, by how much."""
    above = parts - mean
    reasons = []
    for _, row in above.iterrows():
        most = row[row.abs() >= 0.005].sort_values(key=abs, ascending=False).head(3)
        names = (str(name).removesuffix("_contribution") for name in most.index)
        reasons.append(", ".join(f"{n} {v:+.2f}" for n, v in zip(names, most, strict=True)))
    return reasons


def printable(name: str, width: int = 40) -> str:
    """A file name for one line of a terminal: nothing that moves the cursor, the middle left out."""
    name = "".join(c if c.isprintable() else "?" for c in name)
    return name if len(name) <= width else f"{name[: width // 2 - 1]}…{name[-width // 2 :]}"
