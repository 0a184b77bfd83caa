"""Figures of a ranked table; with --labels also how far it agrees with people's ratings.

Writes all digits and histograms to results/, and montages of the best and the worst photos to
output/topk_images/.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from photorank.utils.text import say, say_lines

from .arguments import LABELS, add_table


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    add_table(parser)
    text = "photos per montage (default: 20)"
    parser.add_argument("--top_k", type=int, metavar="N", help=text)
    parser.add_argument("--labels", metavar="FILE", help=LABELS)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, no text")


def run(
    table: str | None = None, top_k: int = 20, labels: str | None = None, json: bool = False
) -> None:
    """Print figures of a ranked table and draw it."""
    from photorank.evaluation import agreement, proxy_metrics

    from ..table.files import load
    from ..verbs import evaluate, show
    from . import places, summary

    path = Path(table or places.newest_table())
    ranked = load(path)
    found = evaluate.evaluate(ranked, labels)
    show.warn_of_gone(ranked)
    if not json:
        say_lines(proxy_metrics.as_text(found))
        if labels is not None:
            say_lines(agreement.as_text(found["agreement"]))
    files = [evaluate.write(found, path.stem), *evaluate.draw(ranked, path.stem, top_k)]
    if labels is not None and found["agreement"]["spearman"]:  # else there is no order to compare
        agreed = found["agreement"]
        files += evaluate.draw_agreement(ranked, labels, agreed, path.stem, top_k)
    if json:
        summary.print_json(found)
        return
    for file in files:
        say(f"look at {file}")
    say(f"for a page with thumbnails and reasons: {places.own_command()} show {path}")
    say(f"Proxy metrics: {proxy_metrics.as_line(found)}")
