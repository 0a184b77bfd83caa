"""Copies of the best photos, as `rank` and `show` make them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from photorank.utils.rows import measured_rows


def check(copy_top: int, to: str, how: bool) -> None:
    """Make sure that the flags belong together; `how`: whether one needs `to`.

    Raises:
        ValueError: they do not.
    """
    if copy_top < 0:
        raise ValueError(f"copy_top is a whole number from 0 up, got {copy_top}")
    if bool(copy_top) != bool(to) or (how and not to):
        raise ValueError(
            "--copy_top N and --to DIR go together, and --link, --keepers_only and --dry_run with them"
        )


def copy_best(
    table: pd.DataFrame, copy_top: int, to: str, link: bool, keepers_only: bool, dry_run: bool
) -> None:
    """Copy the first photos, and say where they are."""
    from ..verbs.copy import copy
    from ..verbs.show import keepers

    chosen = measured_rows(table)
    chosen = (keepers(chosen) if keepers_only else chosen).head(copy_top)
    made = copy(chosen, to, link, dry_run)
    done = "would be" if dry_run else "are"
    print(f"{len(made)} photos {done} in {Path(to).expanduser().absolute()}")
