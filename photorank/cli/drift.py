"""Compare two tables of measurements column by column: has the camera, the light, the folder changed?

Writes figures and a plot to results/. Exit code 0: stable, 3: drifted.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .arguments import Names

DRIFTED = 3


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    sides = (("reference", "the table to compare with"), ("current", "the newer table"))
    for name, text in sides:
        given = parser.add_mutually_exclusive_group(required=True)
        given.add_argument(name, nargs="?", metavar=name.upper(), help=text)
        given.add_argument(f"--{name}", metavar="FILE", help=f"the same as {name.upper()}")
    text = "what to compare (default: all in common but width, height, bytes)"
    parser.add_argument("--columns", nargs="+", action=Names, metavar="COLUMN", help=text)
    text = "count one photo of each of these, such as dup_group"
    parser.add_argument("--scene", metavar="COLUMN", help=text)
    text = "false alarms that are allowed (default: 0.01)"
    parser.add_argument("--alpha", type=float, metavar="P", help=text)
    text = "the least PSI that is drift (default: 0.1)"
    parser.add_argument("--least_psi", type=float, metavar="X", help=text)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, no text")


def run(reference: str, current: str, json: bool = False, **options: Any) -> int:
    """Compare two tables, report, save and draw what moved."""
    from photorank.evaluation.drift_text import as_text

    from ..table.files import as_table
    from ..verbs import drift
    from .summary import print_json

    old, new = as_table(reference), as_table(current)
    found = drift.drift(old, new, **options)
    files = drift.write(old, new, found, Path(current).stem)
    if json:
        print_json(found)
    else:
        print(as_text(found))
        for path in files:
            print(f"look at {path}")
    return DRIFTED if found["drifted"] else 0
