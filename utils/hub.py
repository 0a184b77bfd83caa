"""Model files of the Hugging Face Hub: found in its cache, downloaded, verified.

The cache, the endpoint, proxies, tokens and offline mode are huggingface_hub's own (HF_HOME,
HF_ENDPOINT, HF_HUB_OFFLINE ...), so that what another tool has downloaded is found here.
"""

from __future__ import annotations

import functools
import hashlib
import re
import threading
from collections.abc import Sequence
from pathlib import Path

from .find import cache_folder
from .io import digest, write
from .words import one_line

_MOST_BYTES = 20_000_000
REACH_SECONDS = 3.0
"""How long the Hub has for its first answer before it counts as out of reach."""


class HubError(ValueError):
    """A file that is not here, cannot be downloaded or is damaged; the message says which."""


def cached(repo: str, filename: str) -> Path | None:
    """The file of the Hub repository `repo` in the local cache, or None; never uses the network."""
    from huggingface_hub import constants

    # As its try_to_load_from_cache does, without the HTTP client that importing that brings along.
    root = Path(constants.HF_HUB_CACHE, f"models--{repo.replace('/', '--')}")
    try:
        commit = (root / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    path = root / "snapshots" / commit / filename
    return path if path.is_file() else None


def out_of_reach(seconds: float = REACH_SECONDS) -> str | None:
    """Why the Hub cannot be asked now, or None if it answers; takes at most `seconds`."""
    import ssl  # beside the two below half of what an HTTP client takes to import, and proxies work
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    answers: list[str | None] = []

    def ask() -> None:
        try:
            urlopen(Request(constants.ENDPOINT, method="HEAD"), timeout=seconds).close()
            answers.append(None)
        except HTTPError as error:
            answers.append(None if error.code < 500 else f"status {error.code}")
        except (OSError, ValueError) as error:
            is_answer = isinstance(
                getattr(error, "reason", None), ssl.SSLError
            )  # somebody is there
            answers.append(None if is_answer else one_line(error)[:200])

    # HTTP timeouts do not cover name look-up, and count anew for every address and phase.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    problem = answers[0] if answers else f"no answer within {seconds:g} s"
    return f"{constants.ENDPOINT} cannot be reached ({problem})" if problem else None


def fetch(repo: str, filenames: Sequence[str], anew: bool = False) -> Path:
    """Download the first of `filenames` that `repo` has, with huggingface_hub's progress bar.

    Args:
        anew: replace a cached copy.

    Raises:
        HubError: no network, none of the files, no permission, disk full.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    wanted = f"{repo}/{' or '.join(filenames)}"
    if problem := out_of_reach():
        raise HubError(f"{wanted} cannot be downloaded: {problem}")
    for filename in filenames:
        try:
            path = Path(hf_hub_download(repo, filename, force_download=anew))
            verify(path)
            return path
        except RemoteEntryNotFoundError:
            continue
        except HubError:
            raise
        except Exception as error:  # from the network, the Hub or the disk: all end the download
            raise HubError(f"{wanted} cannot be downloaded: {one_line(error)[:200]}") from error
    raise HubError(f"{wanted} cannot be downloaded: the repository has no such file")


def verify(path: Path, sha256: str | None = None) -> None:
    """Compare a file with its SHA-256; without one, with that by which the Hub's cache names it.

    A small file (which the cache names otherwise) and one outside the cache have nothing to be
    compared with, and pass.

    Raises:
        HubError: another checksum.
    """
    wanted = sha256 or _cached_under(path)
    if wanted and (got := file_sha256(path)) != wanted:
        raise HubError(
            f"{path} is damaged or not the file it should be: its SHA-256 should be {wanted}, "
            f"got {got}; delete it and run `photorank download`"
        )


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes in hexadecimal digits; read once as long as it stays the same."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@functools.cache
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    return digest(path)


def _cached_under(path: Path) -> str | None:
    """The cache links snapshots/<commit>/<file> to blobs/<SHA-256>, if the file is a large one."""
    name = path.readlink().name if path.is_symlink() else ""
    return name if re.fullmatch("[0-9a-f]{64}", name) else None


def fetch_plain(url: str, sha256: str, download: bool) -> Path:
    """A small file that lies elsewhere than on the Hub, kept in ~/.cache/photorank, its checksum verified.

    Raises:
        HubError: it is not here, damaged or not to be had.
    """
    from urllib.request import urlopen

    from huggingface_hub import constants

    if (folder := cache_folder()) is None:
        raise HubError(f"no home folder to keep {url} in: set XDG_CACHE_HOME")
    path = folder / "heads" / url.rpartition("/")[2]
    if path.is_file():
        verify(path, sha256)
        return path
    if not download:
        raise HubError(f"{path} is not here: run `photorank download` with the same flags")
    if constants.HF_HUB_OFFLINE:
        raise HubError(f"{url} cannot be downloaded: HF_HUB_OFFLINE is set")
    try:
        with urlopen(url, timeout=REACH_SECONDS) as answer:
            data = answer.read(_MOST_BYTES)
    except (OSError, ValueError) as error:
        raise HubError(f"{url} cannot be downloaded: {one_line(error)[:200]}") from error
    if (got := hashlib.sha256(data).hexdigest()) != sha256:
        raise HubError(f"{url} is not the file it should be: SHA-256 {got}, wanted {sha256}")
    write(path, lambda part: part.write_bytes(data))
    return path
