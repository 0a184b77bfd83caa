"""Write a ranked table as one HTML page with thumbnails, scores and reasons; copy the best."""

from __future__ import annotations

import argparse
from pathlib import Path

from .arguments import add_copying, add_table


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    add_table(parser)
    text = "where to write the page (default: results/<table>.html)"
    parser.add_argument("--html", metavar="FILE", help=text)
    add_copying(parser)


def run(
    table: str | None = None,
    html: str | None = None,
    copy_top: int = 0,
    to: str = "",
    link: bool = False,
    keepers_only: bool = False,
    dry_run: bool = False,
) -> None:
    """Write the contact sheet; then copy where that is wanted."""
    from ..table.files import as_table
    from ..verbs import show
    from . import copies, places

    copies.check(copy_top, to, link or keepers_only or dry_run)
    path = Path(table or places.newest_table())
    ranked = as_table(path)
    show.warn_of_gone(ranked)
    page = Path(html) if html else Path("results", f"{path.stem}.html")
    show.show(ranked, page, path.stem)
    print(f"look at {page}")
    if copy_top:
        copies.copy_best(ranked, copy_top, to, link, keepers_only, dry_run)
