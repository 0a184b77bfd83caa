"""Find the photos of a folder without opening one."""

from __future__ import annotations

import fnmatch
import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .logging import logger

RAW_SUFFIXES = frozenset(
    [
        "3fr",
        "arw",
        "cr2",
        "cr3",
        "crw",
        "dcr",
        "dng",
        "erf",
        "iiq",
        "kdc",
        "mef",
        "mos",
        "mrw",
        "nef",
        "nrw",
        "orf",
        "pef",
        "raf",
        "raw",
        "rw2",
        "rwl",
        "sr2",
        "srf",
        "srw",
        "x3f",
    ]
)


@dataclass
class Found:
    """What is in a folder.

    Attributes:
        photos: absolute paths, sorted by their path in the folder.
        skipped: how many other files there are, by suffix.
        excluded: how many files an exclude pattern matched.
        raw_beside_jpeg: RAW files that have a photo of the same name beside them: one photo, not two.
    """

    photos: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    excluded: int = 0
    raw_beside_jpeg: int = 0


def find(
    folder: str | os.PathLike[str], suffixes: Iterable[str], exclude: Sequence[str] = ()
) -> Found:
    """The photos in `folder` and all folders below it: regular files with one of `suffixes`.

    Symlinked and hidden folders (`.thumbnails`, `.Trash`) are not entered, the hidden ones are counted;
    files that are excluded are neither found nor skipped.

    Args:
        suffixes: lower case, without a dot.
        exclude: glob patterns, matched against names and paths in the folder, of files and of the
            folders that hold them.

    Raises:
        ValueError: no such folder, not a folder, or one that cannot be read.
    """
    root = checked_folder(folder)
    found = Found()
    raws: list[str] = []
    for path in _files(root, found.skipped):
        if exclude and _excluded(inside(root, path), exclude):
            found.excluded += 1
            continue
        kind = _kind(path, frozenset(suffixes))
        if kind == "photo":
            found.photos.append(path)
        elif kind in RAW_SUFFIXES:
            raws.append(path)
        else:
            found.skipped[kind] += 1
    found.photos.sort()
    stems = {os.path.splitext(path)[0] for path in found.photos}
    for raw in raws:
        if os.path.splitext(raw)[0] in stems:
            found.raw_beside_jpeg += 1
        else:
            found.skipped[_suffix(raw)] += 1
    return found


def checked_folder(folder: str | os.PathLike[str]) -> Path:
    """The real path of a folder, once it is known that it can be read; nothing in it is looked at.

    Raises:
        ValueError: no such folder, not a folder, or one that cannot be read.
    """
    if not os.fspath(folder):  # an unset variable in a shell, and never meant as the current folder
        raise ValueError("the folder's name is empty: give a folder of photos")
    root = real(folder)
    try:
        os.scandir(root).close()
    except OSError as error:
        advice = "give the folder that holds it" if root.is_file() else "give a folder of photos"
        raise ValueError(
            f"cannot read the folder {str(folder)!r}: {error.strerror}; {advice}"
        ) from error
    return root


def inside(root: Path, path: str) -> str:
    """The path within `root` of what lies there: in a large folder os.path.relpath takes a second."""
    return path[len(os.path.join(root, "")) :]


def _excluded(place: str, exclude: Sequence[str]) -> bool:
    """Whether a pattern matches the path in the folder, a folder on the way to it, or a name of these."""
    *folders, name = place.split(os.sep)
    paths = [os.sep.join(folders[: n + 1]) for n in range(len(folders))]
    candidates = (place, name, *folders, *paths)
    return any(fnmatch.fnmatch(c, g.rstrip("/")) for g in exclude for c in candidates)


def real(path: str | os.PathLike[str]) -> Path:
    """The one absolute path of what may be spelt with `~`, `..` or by way of a link."""
    return Path(os.path.realpath(os.path.expanduser(path)))


def _files(root: Path, skipped: Counter[str]) -> Iterator[str]:
    for folder, folders, names in os.walk(root, onerror=_warn_unreadable):
        visible = [name for name in folders if not name.startswith(".")]
        if len(visible) < len(folders):
            skipped[".* (hidden folder)"] += len(folders) - len(visible)
            folders[:] = visible
        yield from (os.path.join(folder, name) for name in names)


def _warn_unreadable(error: OSError) -> None:
    logger.warning(
        "cannot read the folder %s: %s; its photos are not ranked", error.filename, error.strerror
    )


def _kind(path: str, suffixes: frozenset[str]) -> str:
    """ "photo", or the word under which a file is counted as skipped. Opens nothing: a FIFO would block."""
    if os.path.basename(path).startswith("._"):
        return "._* (macOS metadata)"
    suffix = _suffix(path)
    if suffix not in suffixes:
        return suffix
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return f"{suffix} (broken link)"
    return "photo" if regular else f"{suffix} (not a regular file)"


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower().lstrip(".") or "(no suffix)"
