"""The command and its exit codes: `parser.py` says what may be typed, `commands.py` does it.

Nothing heavy is imported before the arguments are read.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence

from photorank.utils.logging import set_up_logging

from .parser import make_parser

DONE, WRONG_USE, INTERRUPTED = 0, 2, 130


def run() -> None:
    """The installed command's entry."""
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run the command line `argv` and return its exit code.

    0: done; 1: done but some photos failed (only with --strict); 2: wrong use or nothing to rank;
    3: done, and the photos have drifted (`drift` and `watch --once`); 130: interrupted.
    """
    arguments = vars(make_parser().parse_args(argv))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # file names need not be UTF-8
    try:
        from photorank.features.photo.header import hush_libtiff

        from . import commands

        warnings.filterwarnings("ignore", module="PIL")  # a damaged photo's row says what matters
        logging.getLogger("PIL").setLevel(logging.CRITICAL)
        hush_libtiff()
        set_up_logging(logging.WARNING)  # a command with settings asks for more, if at all
        command: Callable[..., int] = getattr(commands, arguments.pop("command"))
        return command(**arguments)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        print("photorank: interrupted; no file is half-written", file=sys.stderr)
        return INTERRUPTED
    except (ValueError, ImportError, OSError) as error:
        print(f"photorank: {error}", file=sys.stderr)
        return WRONG_USE
