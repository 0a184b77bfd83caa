"""Fit a profile's thresholds to your labels, or choose photos to label.

Says what the tags are worth on the labels, and writes a new profile for --profile. With --suggest,
writes a table of photos, drawn at random from all strata of the scores, to fill in with 1 or 0 and give
back with --labels.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from photorank.utils.text import say, say_lines

from .arguments import add_table


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    add_table(parser)
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--labels", metavar="FILE", help="a table: file, and a column for each tag")
    task.add_argument("--suggest", type=int, metavar="N", help="choose N photos to label")
    wish = parser.add_mutually_exclusive_group()
    for name in ("precision", "recall"):
        wish.add_argument(f"--{name}", type=float, metavar="P", help=f"the {name} that is wished")
    text = "which (default: with --labels all that it has, with --suggest the faults of [quality])"
    parser.add_argument("--tags", nargs="+", metavar="TAG", help=text)
    text = "how the tags answer to blur, light and noise"
    parser.add_argument("--sensitivity", action="store_true", help=text)
    parser.add_argument("--profile", help="what to start from (default: default)")
    text = "a new file (default: tags-1.toml, or to_label-1.csv, ...)"
    parser.add_argument("--output", metavar="FILE", help=text)


def run(
    table: str | None = None,
    labels: str | None = None,
    precision: float | None = None,
    recall: float | None = None,
    suggest: int | None = None,
    tags: Sequence[str] = (),
    sensitivity: bool = False,
    profile: str = "default",
    output: str | None = None,
) -> None:
    """Fit thresholds to labels, or choose what to label, or try the tags on degraded copies."""
    from photorank.utils import io

    from ..table.files import load
    from ..verbs import calibrate
    from ..verbs import sensitivity as degraded
    from ..verbs import suggest as suggestion
    from . import places

    if not (labels or suggest is not None or sensitivity):
        raise ValueError("nothing to do: give --labels FILE, --suggest N or --sensitivity")
    measured = load(table or places.newest_table())
    if sensitivity:
        say_lines(degraded.as_text(degraded.sensitivity(measured, profile)))
    if suggest is not None:
        target = calibrate.check_new(output or places.free("to_label", ".csv"))
        chosen = suggestion.suggest(measured, suggest, profile, tags)
        io.write_table(chosen, target)
        say(f"wrote {target}: fill in 1 or 0 for {len(chosen)} photos, then --labels {target}")
    elif labels:
        target = calibrate.check_new(output or places.free("tags", ".toml"))
        found = calibrate.calibrate(measured, labels, profile, precision, recall, tags)
        say_lines(found.report())
        say(f"wrote {found.save(target)}; use it: photorank tag DIR --profile {target}")
        say(f"look at {found.plot(Path('results', f'{target.stem}_detection.png'))}")
