"""Compare a table with a reference: which columns can be, what moved, and a picture of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.evaluation.drift import ALPHA, LEAST_PSI
from photorank.evaluation.drift import drift as compare_columns
from photorank.evaluation.plots.drift import draw_drift
from photorank.utils import io
from photorank.utils.words import near

from ..table.columns import columns_of, derived_columns
from ..table.files import as_table
from ..table.record import record_of

_NO_MEASURE = ("scene", "width", "height", "bytes")
"""A camera held upright, or another size of file, is no drift; who wants these names them."""


def drift(
    reference: Any,
    current: Any,
    columns: Sequence[str] = (),
    scene: str = "",
    alpha: float = ALPHA,
    least_psi: float = LEAST_PSI,
) -> dict[str, Any]:
    """Whether photos measure otherwise than those of a reference: another camera, season, fault.

    Args:
        reference, current: tables from `extract`, `rank` or `load`, or the paths of saved ones; any
            tables with numeric columns in common.
        columns: which to compare; none: all numeric ones that both have, but for width, height and
            bytes, which say how a camera was held. Columns that a ranking adds are left out, but
            for `final_score` where both were ranked with one scale and one set of weights.
        scene: a column of both that names the scene of each photo (`dup_group` does); of each scene
            only the first photo by `file` then counts, for photos of one scene are alike.
        alpha: how often, 0 to 1, a comparison of like with like may raise a false alarm.
        least_psi: population stability index below which a column has not drifted.

    Returns:
        What `evaluation.drift` says, with `better` and `unit` of each column, `only_reference` and
        `only_current` (numeric columns that the other lacks) and `notes`. Ready for JSON.

    Raises:
        ValueError: nothing to compare, a column that is not in both, or one whose versions differ.
    """
    old, new = as_table(reference), as_table(current)
    names, alone, notes = comparable(old, new, columns)
    if scene:
        old, new = _one_of_each(old, scene, "reference"), _one_of_each(new, scene, "current")
        notes.append(f"one photo of each {scene} counts")
    declared = {c["name"]: c for c in columns_of(new)} | {"final_score": {"better": "higher"}}
    found = compare_columns(old, new, names, alpha, least_psi)
    for row in found["columns"]:
        about = declared.get(row["column"], {})
        row |= {key: about.get(key) for key in ("better", "unit", "heavy_tailed")}
    notes += [f"only in the {w}, not compared: {', '.join(n)}" for w, n in alone.items() if n]
    return found | {f"only_{w}": n for w, n in alone.items()} | {"notes": notes}


def comparable(
    old: pd.DataFrame, new: pd.DataFrame, columns: Sequence[str] = ()
) -> tuple[list[str], dict[str, list[str]], list[str]]:
    """The columns of two tables that can be compared, those that only one has, and notes.

    Raises:
        ValueError: none, a column that is not in both, or one whose versions differ.
    """
    notes: list[str] = []
    names, alone = _common(old, new, columns, notes)
    if not names:
        raise ValueError(
            "the two tables have no measured column in common: nothing to compare; the reference has "
            f"{', '.join(alone['reference']) or 'none'}, the current {', '.join(alone['current']) or 'none'}"
        )
    _check_versions(old, new, names, notes)
    return names, alone, notes


def write(reference: Any, current: Any, found: dict[str, Any], name: str) -> list[Path]:
    """Write `results/drift_<name>.json` and the plot beside it, `.png`.

    Raises:
        ValueError: a place that cannot be written, or holds somebody else's file.
    """
    old, new = as_table(reference), as_table(current)
    place = Path("results", f"drift_{name}")
    io.check_ours(f"{place}.png")
    return [
        io.write_figures(f"{place}.json", "drift", found),
        io.write_ours(f"{place}.png", lambda part: draw_drift(old, new, found, part, name)),
    ]


def _common(
    old: pd.DataFrame, new: pd.DataFrame, wanted: Sequence[str], notes: list[str]
) -> tuple[list[str], dict[str, list[str]]]:
    """The columns to compare, and those that only one table has."""
    sides = {"reference": _numeric(old, wanted), "current": _numeric(new, wanted)}
    both = [n for n in sides["reference"] if n in sides["current"] and _any_values(n, old, new)]
    for name in wanted:
        if name not in both:
            raise ValueError(f"{name!r} is no numeric column of both tables; {near(name, both)}")
    first, second = sides.values()
    alone = {
        "reference": [n for n in first if n not in second],
        "current": [n for n in second if n not in first],
    }
    if "final_score" in both and not wanted and not _scored_alike(old, new):
        both.remove("final_score")
        notes.append(
            "final_score not compared: the tables were not ranked with one scale and one set of weights"
        )
    return list(wanted) or both, alone


def _numeric(table: pd.DataFrame, wanted: Sequence[str]) -> list[str]:
    left_out = {*derived_columns(table), *_NO_MEASURE} - {"final_score"}
    left_out -= set(_NO_MEASURE) & set(wanted)
    numeric = table.select_dtypes(["number", "bool"]).columns
    return [str(name) for name in numeric if name not in left_out]


def _any_values(name: str, *tables: pd.DataFrame) -> bool:
    return any(bool(table[name].notna().any()) for table in tables)


def _scored_alike(old: pd.DataFrame, new: pd.DataFrame) -> bool:
    first, second = (record_of(table) for table in (old, new))
    scales = [record.get("scale", {}) | {"photos": None} for record in (first, second)]
    return scales[0] == scales[1] and first.get("weights") == second.get("weights")


def _check_versions(
    old: pd.DataFrame, new: pd.DataFrame, names: Sequence[str], notes: list[str]
) -> None:
    """Values of two versions of a column do not compare.

    Raises:
        ValueError: the records name two versions of a column.
    """
    first, second = (_versions(table) for table in (old, new))
    for name in names:
        if name in first and name in second and first[name] != second[name]:
            raise ValueError(
                f"{name} is version {first[name]!r} in the reference and {second[name]!r} in the "
                "current table, which do not compare: measure one of them again, or name other columns"
            )
    unknown = [w for w, known in (("reference", first), ("current", second)) if not known]
    if len(unknown) == 1:
        notes.append(
            f"the {unknown[0]} has no record (.meta.json): that it holds the same versions of the "
            "columns is taken on trust"
        )


def _versions(table: pd.DataFrame) -> dict[str, str]:
    columns = record_of(table).get("columns", [])
    return {column["name"]: column.get("version", "") for column in columns}


def _one_of_each(table: pd.DataFrame, scene: str, which: str) -> pd.DataFrame:
    """The first photo by file of each scene, and every photo that has none."""
    for name in (scene, "file"):
        if name not in table:
            hint = near(name, map(str, table))
            raise ValueError(f"the {which} has no column {name!r} to tell scenes by; {hint}")
    by_file = table.sort_values("file", kind="stable")
    return by_file[~by_file[scene].duplicated() | by_file[scene].isna()]
