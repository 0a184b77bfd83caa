"""Write a ranked table as one HTML page with thumbnails, scores and reasons; copy the best."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from photorank.utils.text import say

from . import copies
from .arguments import add_table


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    add_table(parser)
    text = "where to write the page (default: results/<table>.html)"
    parser.add_argument("--html", metavar="FILE", help=text)
    copies.add_copying(parser, everything=True)


def run(
    table: str | None = None,
    html: str | None = None,
    **flags: Any,
) -> None:
    """Write the contact sheet; then copy where that is wanted."""
    from ..table.files import as_table
    from ..verbs import show
    from . import places

    copying = copies.taken_from(flags)
    path = Path(table or places.newest_table())
    ranked = as_table(path)
    show.warn_of_gone(ranked)
    page = Path(html) if html else Path("results", f"{path.stem}.html")
    show.show(ranked, page, path.stem)
    say(f"look at {page}")
    copies.copy_best(ranked, copying)
