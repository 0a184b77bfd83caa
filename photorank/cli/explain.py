"""Say in words why a photo stands where it stands in a ranking."""

from __future__ import annotations

import argparse

from photorank.utils.text import say_lines


def add_arguments(parser: argparse.ArgumentParser, everything: bool) -> None:
    parser.add_argument("file", metavar="FILE", help="a photo of the table, by name or path")
    text = "a ranked table (default: the newest in output/csvs)"
    parser.add_argument("table", nargs="?", metavar="TABLE", help=text)


def run(file: str, table: str | None = None) -> None:
    """Print where the photo's score comes from."""
    from ..table.files import load
    from ..verbs.show import explain
    from . import places

    path = table or places.newest_table()
    try:
        say_lines(explain(load(path), file))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
