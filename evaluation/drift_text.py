"""What `drift` found, in words and a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from photorank.utils import text
from photorank.utils.words import plural

_READING = """PSI: 0 the same, below .1 little, .1 to .25 some, above .25 much; KS: 0 to 1
p after Holm's correction; reference and current: the median, or the share"""


def as_text(found: Mapping[str, Any]) -> str:
    """The result of `drift`: a line per column, what moved, and how to read it."""
    old, new = (_counts(found[which]) for which in ("reference", "current"))
    verdict = "DRIFTED" if found["drifted"] else "stable"
    rows: list[tuple[str, ...]] = [("column", "PSI", "KS", "p", "reference", "current", "")]
    rows += [_line(row) for row in found["columns"]]
    return "\n".join(
        [
            f"{verdict}: {old} in the reference, {new} now",
            text.table(rows),
            _READING,
            f"drifted: p < {found['alpha']:g} and PSI >= {found['least_psi']:g}; with so many photos "
            f"a KS below {found['least_ks']:.2f} cannot be told from chance",
            *text.notes(found.get("notes", ())),
        ]
    )


def _counts(side: Mapping[str, int]) -> str:
    failed = f" ({side['failed']:,} failed)" if side["failed"] else ""
    return f"{plural(side['photos'], 'photo')}{failed}"


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    if row["psi"] is None:
        return (row["column"], "", "", "", *_sizes(row), row["verdict"])
    share = row["reference"]["share"] and row["current"]["share"]
    sides = (_side(row["reference"], share), _side(row["current"], share))
    p = row["p_holm"]
    p_text = f"{p:.4f}" if p >= 1e-4 else "<.0001"
    figures = (f"{row['psi']:.3f}", f"{row['ks']:.3f}", p_text)
    return (row["column"], *figures, *sides, _said(row, share))


def _said(row: Mapping[str, Any], share: bool) -> str:
    """The verdict and, where something moved, by how much in units and whether for the better."""
    old, new = (row[which]["mean" if share else "median"] for which in ("reference", "current"))
    if row["verdict"] == "stable" or old == new:
        return str(row["verdict"])
    moved = (
        f"{100 * (new - old):+.1f} points"
        if share
        else f"{_short(new - old, '+')} {row.get('unit') or ''}"
    )
    way = {"higher": new > old, "lower": new < old}.get(str(row.get("better")))
    judged = "" if way is None else ", better" if way else ", worse"
    return f"{row['verdict']}: {moved.strip()}{judged}"


def _sizes(row: Mapping[str, Any]) -> tuple[str, str]:
    return f"{row['n_reference']:,} values", f"{row['n_current']:,} values"


def _side(side: Mapping[str, float], share: bool) -> str:
    if share:
        return f"{100 * side['mean']:.1f} %"
    return _short(side["median"])


def _short(value: float, sign: str = "") -> str:
    """Three figures, or all that are before the point."""
    return f"{value:{sign},.0f}" if abs(value) >= 1000 else f"{value:{sign}.3g}"
