"""Copies of the best photos, as `rank` and `show` make them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from photorank.utils.text import say

from .arguments import add_switches

if TYPE_CHECKING:
    import pandas as pd


class Copying(NamedTuple):
    """Which of the best photos are copied, where to, and how."""

    copy_top: int = 0
    to: str = ""
    link: bool = False
    keepers_only: bool = False
    dry_run: bool = False


def add_copying(parser: argparse.ArgumentParser, everything: bool) -> None:
    """The flags of `Copying`."""
    group = parser.add_argument_group("copies of the best photos")
    group.add_argument("--copy_top", type=int, metavar="N", help="copy the first N; needs --to")
    group.add_argument("--to", metavar="DIR", help="where to; nothing there is ever overwritten")
    switches = {
        "--link": "make symbolic links instead of copies",
        "--keepers_only": "count and copy only the best of each group of near-duplicates",
        "--dry_run": "only say what would be copied",
    }
    add_switches(group, switches, everything)


def taken_from(flags: dict[str, Any]) -> Copying:
    """What is wanted of copies, taken out of `flags`.

    Raises:
        ValueError: flags that do not belong together.
    """
    wanted = Copying(**{name: flags.pop(name) for name in Copying._fields if name in flags})
    if wanted.copy_top < 0:
        raise ValueError(f"copy_top is a whole number from 0 up, got {wanted.copy_top}")
    if bool(wanted.copy_top) != bool(wanted.to) or (any(wanted[2:]) and not wanted.to):
        raise ValueError(
            "--copy_top N and --to DIR go together, and --link, --keepers_only and --dry_run with them"
        )
    if wanted.to and Path(wanted.to).expanduser().is_file():
        raise ValueError(f"--to {wanted.to} is a file: give a folder, there or not yet there")
    return wanted


def copy_best(table: pd.DataFrame, wanted: Copying) -> None:
    """Copy the first photos, if that is wanted, and say where they are."""
    if not wanted.copy_top:
        return
    from photorank.utils.rows import measured_rows
    from photorank.utils.words import plural

    from ..verbs.copy import copy
    from ..verbs.show import keepers

    chosen = measured_rows(table)
    chosen = (keepers(chosen) if wanted.keepers_only else chosen).head(wanted.copy_top)
    folder = Path(wanted.to).expanduser().absolute()
    made = copy(chosen, folder, link=wanted.link, dry_run=wanted.dry_run)
    done = "would be" if wanted.dry_run else "are"
    others = len(set(folder.glob("*")) - set(made))
    beside = f", beside {plural(others, 'other file')} that lay there" if others else ""
    say(f"{len(made)} photos {done} in {folder}{beside}")
