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
from .words import one_form

RAW_SUFFIXES = frozenset(
    "3fr arw cr2 cr3 crw dcr dng erf iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw"
    " x3f".split()
)

_PASSED_OVER = {
    "folder of thumbnails": "*/@eadir */@__thumb appdata_*/preview *.photoslibrary/resources "
    "*.lrdata *.*library/thumbnails *.*library/previews",
    "bin": "*/#recycle */@recycle */$recycle.bin */recycler */files_trashbin",
    "folder of snapshots": "*/#snapshot */~snapshot */@recently-snapshot */@sharesnap",
    "folder of the system": "*/system?volume?information */lost+found */@tmp",
}
"""Folders that NAS boxes, systems and other programs keep beside photos, as globs of the last two
names in lower case: no photos of anybody's, or the same ones again."""
_HIDDEN = {
    "._": "macOS metadata",
    ".trashed-": "deleted on a phone",
    ".pending-": "half-written by a phone",
    ".": "hidden file",
}
"""Starts of file names, the longer ones first."""


@dataclass
class Found:
    """What is in a folder.

    Attributes:
        photos: absolute paths, sorted by their path in the folder.
        skipped: how many other files there are, by suffix, and folders not entered, by kind.
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

    Links to folders, hidden folders (`.thumbnails`, `.Trash`) and those of NAS boxes (`@eaDir`,
    `#recycle`) are not entered, and hidden files are no photos; all are counted as skipped. Files
    that are excluded are neither found nor skipped.

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
    *folders, name = one_form(place).split(os.sep)
    paths = [os.sep.join(folders[: n + 1]) for n in range(len(folders))]
    candidates = (one_form(place), name, *folders, *paths)
    return any(fnmatch.fnmatch(c, one_form(g).rstrip("/")) for g in exclude for c in candidates)


def real(path: str | os.PathLike[str]) -> Path:
    """The one absolute path of what may be spelt with `~`, `..` or by way of a link."""
    return Path(os.path.realpath(os.path.expanduser(path)))


def cache_folder() -> Path | None:
    """Where photorank keeps what can be had again; None where there is no home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    folder = base if os.path.isabs(base) else os.path.expanduser("~/.cache")
    return Path(folder, "photorank") if os.path.isabs(folder) else None


def _files(root: Path, skipped: Counter[str]) -> Iterator[str]:
    """Without recursion, as folders may lie deeper in each other than Python can call."""
    folders = [os.fspath(root)]
    while folders:
        try:
            with os.scandir(folders.pop()) as there:
                entries = list(there)
        except OSError as error:
            _warn_unreadable(error)
            continue
        for entry in entries:
            if not _is_folder(entry):
                yield entry.path
            elif kind := _passed_over(entry):
                skipped[kind] += 1
            else:
                folders.append(entry.path)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or to where one may not look
        return False


def _passed_over(folder: os.DirEntry[str]) -> str | None:
    """Why a folder is not entered; None for one that is."""
    if folder.name.startswith("."):
        return ".* (hidden folder)"
    if folder.is_symlink():  # what it leads to may be this folder again
        return "link to a folder (not followed)"
    place = "/".join(Path(folder.path).parts[-2:]).lower()
    kinds = (
        kind
        for kind, globs in _PASSED_OVER.items()
        for glob in globs.split()
        if fnmatch.fnmatchcase(place, glob)
    )
    return next((f"{folder.name} ({kind})" for kind in kinds), None)


def _warn_unreadable(error: OSError) -> None:
    logger.warning(
        "cannot read the folder %s: %s; its photos are not ranked", error.filename, error.strerror
    )


def _kind(path: str, suffixes: frozenset[str]) -> str:
    """ "photo", or the word under which a file is counted as skipped. Opens nothing: a FIFO would block."""
    name = os.path.basename(path)
    for start, kind in _HIDDEN.items():
        if name.startswith(start):
            return f"{start}* ({kind})"
    suffix = _suffix(path)
    if suffix not in suffixes:
        return suffix
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return f"{suffix} (broken link)"
    return "photo" if regular else f"{suffix} (not a regular file)"


def is_photo(path: str | os.PathLike[str], suffixes: Iterable[str]) -> bool:
    """Whether `find` would count the file as one, by name and kind."""
    return _kind(os.fspath(path), frozenset(suffixes)) == "photo"


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower().lstrip(".") or "(no suffix)"
