"""Train a score of your own on rated photos (--labels) or on those you picked (--picks).

Judges several ways of learning it on photos of other scenes, says which is best and where it fails, and
writes the best for `rank --heads` and `tag --heads`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from photorank.utils.text import say, say_lines
from photorank.utils.words import printable

from .arguments import LABELS, add_settings, the_settings
from .embed import ENCODER, SETTINGS

_OWN = (
    *("labels", "picks", "name", "encoder", "trials", "seed", "model"),
    *("oversampling", "weighting"),
)


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    text = "a folder of photos, or a file of embeddings from `photorank embed`"
    parser.add_argument("source", metavar="SOURCE", help=text)
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--labels", metavar="FILE", help=f"{LABELS}, or person")
    text = (
        "a table with a column pick of 1 and 0, or a folder: of XMP stars, or of the chosen photos"
    )
    task.add_argument("--picks", metavar="FILE", help=text)
    text = "where to write the head (default: head.json)"
    parser.add_argument("--output", metavar="FILE", help=text)
    text = "what its column is called (default: learned)"
    parser.add_argument("--name", metavar="COLUMN", help=text)
    parser.add_argument("--encoder", choices=("network", "clip"), help=ENCODER)
    text = "sets of LightGBM's parameters that are tried per fold; 0: without it (default: 50)"
    parser.add_argument("--trials", type=int, metavar="N", help=text)
    text = "the same seed gives the same result (default: 0)"
    parser.add_argument("--seed", type=int, metavar="N", help=text)
    text = "which candidate is saved (default: the best)"
    parser.add_argument("--model", metavar="NAME", help=text)
    for name in ("oversampling", "weighting"):
        text = f"LightGBM without {name} of extremes"
        parser.add_argument(f"--no_{name}", dest=name, action="store_false", help=text)
    add_settings(parser, everything, only=[name for name in SETTINGS if name != "strict"])


def run(source: str, output: str = "head.json", config: str | None = None, **given: Any) -> None:
    """Learn, report, save, and write the page."""
    from .. import models
    from ..table.embeddings import is_embeddings
    from ..verbs.learn import learn_from
    from ..verbs.learned import check_output

    own = {name: given.pop(name) for name in _OWN if name in given}
    settings = the_settings(given, config)
    check_output(output)
    if not is_embeddings(source):
        models.encoder_of(own.get("encoder", "network"), settings, download=True)
    learned = learn_from(source, settings, **own)
    say_lines(f"{printable(source)}: {learned.report()}")
    say(f"wrote {learned.save(output)}; use it: photorank rank DIR --heads {output}")
    stem = Path(source).resolve().stem
    say(f"look at {learned.page(Path('results', f'learned_{stem}.html'))}")
