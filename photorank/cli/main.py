"""The command line: which command is meant, and how it ends.

Each command has a file of its own beside this one: `add_arguments` says what may be typed, `run`
does it and returns an exit code where it is not 0.

Nothing heavy is imported before the arguments are read.
"""

from __future__ import annotations

import argparse
import importlib
import io
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from photorank.utils.logging import set_up_logging
from photorank.utils.words import near, printable, shortened

from .. import __version__
from . import DONE, INTERRUPTED, TERMINATED, WRONG_USE

COMMANDS = {
    "rank": "rank folders of photos, or a table of measurements",
    "explain": "say in words why a photo stands where it stands",
    "tag": "say what is amiss with each photo, and what to do",
    "show": "a page to look at a ranking, and copies of the best",
    "evaluate": "figures and pictures of a ranking",
    "tune": "find the weights that fit your ratings or photos, and their worth",
    "calibrate": "fit the thresholds of the tags to your labels",
    "drift": "whether photos measure otherwise than earlier ones",
    "watch": "score the photos that arrive in a folder, and say when they drift",
    "learn": "train a score of your own on ratings or picks",
    "embed": "write the vector of each photo, for `learn`",
    "download": "fetch all models, for use without a network",
}
"""What each file beside this one does; the page of a command says the rest."""

_LONGEST = 1000  # characters of an error, which may quote what somebody gave

_TASKS = """\
photorank puts the photos of a folder in order, best first, with the reasons.

  photorank ~/shoot                  rank a folder
  photorank show                     look at it: thumbnails and reasons on a page
  photorank tag ~/shoot              what is amiss: blurry, too dark, ...
  photorank tune --labels stars.csv  fit the weights to your own ratings
  photorank drift old.csv new.csv    compare two batches of photos

"""


def run() -> None:
    """The installed command's entry."""
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run the command line `argv` and return its exit code.

    0: done; 1: done but some photos failed (only with --strict); 2: wrong use or nothing to rank;
    3: done, and the photos have drifted (`drift` and `watch --once`); 130: interrupted; 143: ended
    by SIGTERM.
    """
    _open_streams()
    name, *words = _with_command(argv)
    command = importlib.import_module(f".{name}", __package__)
    parser = _Parser(
        prog=f"photorank {name}",
        description=command.__doc__,
        argument_default=argparse.SUPPRESS,
    )
    command.add_arguments(parser, "--help_all" in words)
    seldom = "show the flags that are seldom needed too"
    parser.add_argument("--help_all", action="help", help=seldom)
    arguments = vars(parser.parse_args(words))
    try:
        _prepare()
        return command.run(**arguments) or DONE
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        _complain("interrupted; no file is half-written")
        return INTERRUPTED
    except _Terminated:
        _complain("ended; no file is half-written")
        return TERMINATED
    except (ValueError, ImportError, OSError) as error:
        _complain(shortened(str(error), lambda text: len(text) <= _LONGEST))
        return WRONG_USE


def _open_streams() -> None:
    """Standard streams that are closed (`>&-`) lead nowhere: a file of ours would take their place.

    What a stream's encoding lacks is written as escapes.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _complain(text: str) -> None:
    try:
        print(f"photorank: {printable(text)}", file=sys.stderr, flush=True)
    except OSError:  # a full disk: what is left in it must not be tried again at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


class _Parser(argparse.ArgumentParser):
    """A mistake is one line, with what may have been meant."""

    def error(self, message: str) -> NoReturn:
        """Say it, and end with code 2."""
        wrong = message.partition("unrecognized arguments: ")[2].split(" ")[0].split("=")[0]
        hint = near(wrong, self._option_string_actions) if wrong.startswith("--") else ""
        more = hint if "did you mean" in hint else f"{self.prog} --help_all says what may be typed"
        self.exit(WRONG_USE, printable(f"{self.prog}: {message}; {more}") + "\n")


def _with_command(argv: Sequence[str]) -> list[str]:
    """The words typed, with `rank` before what is there to be ranked.

    Raises:
        SystemExit: 0 after help or version, 2 where no command is meant.
    """
    first = argv[0] if argv else ""
    if first in COMMANDS:
        return list(argv)
    if first == "--version":
        print(f"photorank {__version__}")
        sys.exit(DONE)
    if first in ("", "-h", "--help"):
        print(_TASKS + _all_commands())
        sys.exit(DONE)
    if first.startswith("-") or Path(first).expanduser().exists():
        return ["rank", *argv]
    hint = "it is not there" if os.sep in first else near(first, COMMANDS)
    print(f"photorank: {first!r} is no command, folder or table; {hint}", file=sys.stderr)
    sys.exit(WRONG_USE)


def _all_commands() -> str:
    lines = [f"  {name:<10} {what}" for name, what in COMMANDS.items()]
    return "\n".join(["commands (photorank COMMAND --help says more):", *lines])


class _Terminated(BaseException):
    """SIGTERM has come: no error, and so not to be caught as one of a photo or a feature."""


def _prepare() -> None:
    """What holds for every command: quiet libraries, log lines, a clean end on SIGTERM."""
    from photorank.features.photo.header import hush_libtiff

    warnings.filterwarnings("ignore", module="PIL")  # a damaged photo's row says what matters
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    hush_libtiff()
    set_up_logging(logging.WARNING)  # a command with settings asks for more, if at all
    try:
        os.getcwd()
    except OSError as error:
        raise ValueError("the folder that this runs in is gone: change to another one") from error

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one must not disturb the ending
        raise _Terminated

    try:
        signal.signal(signal.SIGTERM, end)
    except ValueError:  # called in another thread, whose process has its own way to end
        return
