"""Take the best away: copies of or links to ranked photos; nothing is ever overwritten."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd

from photorank.features.photo.header import is_photo
from photorank.utils import io
from photorank.utils.logging import logger
from photorank.utils.rows import measured_rows
from photorank.utils.words import fitting, printable

from ..table.columns import check_columns


def copy(
    table: pd.DataFrame, to: str | os.PathLike[str], *, link: bool = False, dry_run: bool = False
) -> list[Path]:
    """Copy the photos of `table` into a folder: 001_IMG_2041.jpg, 002_..., in the order of the table.

    Only what would be measured is copied (docs/commands.md), whatever the table names. Nothing is
    overwritten: a photo that is there already (same name, same bytes) is left as it is,
    and if anything else stands in the way, nothing is copied at all.

    Args:
        link: make symbolic links instead of copies.
        dry_run: touch nothing, only say what would be written.

    Returns:
        Where the photos are now (or would be).

    Raises:
        ValueError: not a ranked table, another file in the way, or not one photo that is still
            where it was ranked and is one.
    """
    check_columns(table, "path")
    folder = Path(os.path.abspath(os.path.expanduser(to)))
    plan = _copies(measured_rows(table), folder)
    blocked = [(source, target) for source, target in plan if _in_the_way(source, target, link)]
    if blocked:
        links = all(t.is_symlink() and t.resolve() == s.resolve() for s, t in blocked)
        what = "exist as links to these photos" if links else "exist and differ"
        name = printable(blocked[0][1].name)
        raise ValueError(
            f"{len(blocked)} of {len(plan)} files {what} in {folder} (first: {name}): "
            "nothing was copied; give another folder"
        )
    for source, target in plan:
        if not dry_run and not target.is_symlink() and not target.exists():
            io.write(target, lambda part, of=source: _place(of, part, link))  # type: ignore[misc]
    return [target for _, target in plan]


def _place(source: Path, part: Path, link: bool) -> None:
    if link:
        part.symlink_to(source)
    else:
        shutil.copy2(source, part)


def _copies(photos: pd.DataFrame, folder: Path) -> list[tuple[Path, Path]]:
    """Pairs of a photo that is still there and the place that it goes to."""
    digits = max(3, len(str(len(photos))))
    sources = [Path(str(path)) for path in photos["path"]]
    pairs = [(s, folder / fitting(f"{i:0{digits}}_{s.name}")) for i, s in enumerate(sources, 1)]
    gone = [source for source in sources if not os.path.isfile(source)]
    none = [source for source in sources if os.path.isfile(source) and not is_photo(source)]
    said = "; ".join(
        f"{len(some)} of {len(pairs)} photos are {what} (first: {printable(str(some[0]))})"
        for some, what in ((gone, "no longer there"), (none, "none, by name or content"))
        if some
    )
    if said and len(gone) + len(none) == len(pairs):
        raise ValueError(f"{said}: rank the folder again")
    if said:
        logger.warning("%s: they are not copied", said)
    return [pair for pair in pairs if pair[0] not in {*gone, *none}]


def _in_the_way(source: Path, target: Path, link: bool) -> bool:
    if target.is_symlink():
        return not (link and target.readlink() == source)
    if not target.exists():
        return False
    return link or not io.same_bytes(source, target)
