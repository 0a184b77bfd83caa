"""Score each photo that arrives in a folder into a table, by a fixed scale.

Compares each window of them with a reference. Goes on where it left off.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from . import DONE, DRIFTED, SOME_FAILED
from .arguments import add_settings, the_settings


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    parser.add_argument("folder", metavar="DIR", help="the folder that photos arrive in")
    text = (
        "a table to compare with, whose scale is used where --scale names none "
        "(default: the first window)"
    )
    parser.add_argument("--reference", metavar="FILE", help=text)
    text = "score what is there and exit; 3 if it has drifted"
    parser.add_argument("--once", action="store_true", help=text)
    text = "photos that are compared at a time (default: 200)"
    parser.add_argument("--window", type=int, metavar="N", help=text)
    text = "between two looks (default: 2)"
    parser.add_argument("--every", type=float, metavar="SECONDS", help=text)
    elsewhere = ("lower_is_better", "save_scale", "dedup", "dedup_distance", "limit")
    add_settings(parser, everything, without=elsewhere)


def run(
    folder: str,
    reference: str | None = None,
    once: bool = False,
    window: int = 200,
    every: float = 2.0,
    config: str | None = None,
    **flags: Any,
) -> int:
    """Score what arrives in a folder, until interrupted or once."""
    from photorank.utils.find import real

    from ..verbs.watch import watch

    settings = the_settings(flags, config, quiet=True)  # a line per photo says enough
    default = f"output/csvs/{real(folder).name or 'root'}_watch.csv"
    output = Path(settings.output_csv or default).expanduser()
    drifted, failed = watch(folder, output, reference, settings, window, every, once)
    if drifted:
        return DRIFTED
    return SOME_FAILED if settings.strict and failed else DONE
