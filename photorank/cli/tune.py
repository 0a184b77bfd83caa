"""Tune the weights on your ratings (--labels), or so that degraded copies rank below their photos.

Judges them on photos that were held out, beside the default weights, equal weights and the best
single column; writes weights for `rank --weights`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from photorank.utils.text import say, say_lines
from photorank.utils.words import printable

from .arguments import LABELS, Names, add_settings, the_settings

_OWN = ("labels", "trials", "seed", "columns", "max_photos")


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    text = (
        "a table or a folder of photos (default: the newest table in output/csvs, else demo photos)"
    )
    parser.add_argument("source", nargs="?", metavar="SOURCE", help=text)
    parser.add_argument("--labels", metavar="FILE", help=LABELS)
    numbers = {
        "trials": "sets of weights that are tried per fold (default: 200)",
        "seed": "the same seed gives the same result (default: 0)",
        "max_photos": "without labels: how many photos to make copies of (default: 40)",
    }
    for name, text in numbers.items():
        parser.add_argument(f"--{name}", type=int, metavar="N", help=text)
    text = "what to weigh (default: all that vary)"
    parser.add_argument("--columns", nargs="+", action=Names, metavar="COLUMN", help=text)
    text = "where to write the weights (default: best_weights.json)"
    parser.add_argument("--output", metavar="FILE", help=text)
    add_settings(parser, everything, without=("output_csv", "save_scale", "dedup", "strict"))


def run(
    source: str | None = None,
    output: str = "best_weights.json",
    config: str | None = None,
    **given: Any,
) -> None:
    """Tune weights, report, save and draw them."""
    from ..plan import Plan
    from ..sources import NO_COPIES
    from ..verbs.tune import tune
    from ..verbs.tuned import check_output
    from . import places

    own = {name: given.pop(name) for name in _OWN if name in given}
    settings = the_settings(given, config)
    chosen = Path(source or places.newest_table_or_demo())
    if source is None:
        say(f"tuning on {chosen}, the newest table (photorank tune TABLE takes another)")
    plan = Plan.of(chosen, settings, NO_COPIES, may_fetch=True)
    check_output(Path(output))
    plan.fetch()
    tuned = tune(plan, **own)
    say_lines(f"{printable(str(chosen))}: {tuned.report()}")
    again = ", in the place of an earlier one" if Path(output).expanduser().exists() else ""
    say(f"wrote {tuned.save(output)}{again}")
    if tuned.is_better:
        say(f"to rank by these weights: photorank rank DIR --weights {output}")
    name = chosen.stem if chosen.is_file() else chosen.resolve().name
    say(f"look at {tuned.plot(Path('results', f'tuning_{name}.png'))}")
