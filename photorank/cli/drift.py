"""Compare two tables of measurements column by column: has the camera, the light, the folder changed?

Writes figures and a plot to results/. Exit code 0: stable, 3: drifted.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from photorank.utils.text import say, say_lines

from . import DONE, DRIFTED
from .arguments import Names


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    text = "the table to compare with, and the newer one"
    parser.add_argument("tables", nargs="*", default=[], metavar="TABLE", help=text)
    for name, place in (("reference", "first"), ("current", "second")):
        parser.add_argument(f"--{name}", metavar="FILE", help=f"the same as the {place} TABLE")
    text = "what to compare (default: all in common but width, height, bytes)"
    parser.add_argument("--columns", nargs="+", action=Names, metavar="COLUMN", help=text)
    text = "count one photo of each of these, such as dup_group"
    parser.add_argument("--scene", metavar="COLUMN", help=text)
    text = "false alarms that are allowed (default: 0.01)"
    parser.add_argument("--alpha", type=float, metavar="P", help=text)
    text = "the least PSI that is drift (default: 0.1)"
    parser.add_argument("--least_psi", type=float, metavar="X", help=text)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, no text")


def run(
    tables: list[str], reference: str = "", current: str = "", json: bool = False, **options: Any
) -> int:
    """Compare two tables, report, save and draw what moved."""
    from photorank.evaluation.drift_text import as_text

    from ..table.files import as_table
    from ..verbs import drift
    from .summary import print_json

    left = iter(tables)
    reference, current = (given or next(left, "") for given in (reference, current))
    if not current or next(left, ""):
        raise ValueError("drift compares two tables: photorank drift OLD.csv NEW.csv")
    old, new = as_table(reference), as_table(current)
    found = drift.drift(old, new, **options)
    files = drift.write(old, new, found, Path(current).stem)
    if json:
        print_json(found)
    else:
        say_lines(as_text(found))
        for path in files:
            say(f"look at {path}")
    return DRIFTED if found["drifted"] else DONE
