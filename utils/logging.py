"""Log lines with timestamps, and progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from datetime import timedelta
from typing import TypeVar

from .words import printable

T = TypeVar("T")
logger = logging.getLogger("photorank")

_SECONDS_BETWEEN_LINES = 10


class _Handler(logging.Handler):
    """Writes to what is standard error now: a progress bar puts lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):  # a full disk, where no line can be written, ends no run
            print(printable(self.format(record)), file=sys.stderr, flush=True)


def set_up_logging(level: int) -> None:
    """Send photorank's log lines to standard error, each with its time; called by the command only."""
    handler = _Handler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logger.handlers = [handler]
    logger.setLevel(level)
    logger.propagate = False


@functools.cache
def log_once(level: int, text: str) -> None:
    """Log what a process that ranks many folders would else say at each of them."""
    logger.log(level, text)


@contextlib.contextmanager
def each_once(said: set[str]) -> Iterator[None]:
    """Leave out log lines that are in `said`, and add to it those that are not."""

    def is_new(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        is_said = text in said
        said.add(text)
        return not is_said

    logger.addFilter(is_new)
    try:
        yield
    finally:
        logger.removeFilter(is_new)


def progress(
    items: Iterable[T], total: int, doing: str, unit: str = "photo"
) -> Generator[T, None, None]:
    """Pass `items` on, showing how far they are: a bar on a terminal, else a line every 10 seconds."""
    shown = _bar if sys.stderr.isatty() else _lines
    yield from shown(items, total, doing, unit)


def _bar(items: Iterable[T], total: int, doing: str, unit: str) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), f"{unit}s,")
    left = TimeRemainingColumn(elapsed_when_finished=True)
    console = Console(stderr=True)
    with Progress(*columns, left, "left", console=console, transient=True) as bar:
        yield from bar.track(items, total=total, description=doing)


def _lines(items: Iterable[T], total: int, doing: str, unit: str) -> Iterator[T]:
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= _SECONDS_BETWEEN_LINES:
            last = now
            rate = done / (now - start)
            left = timedelta(seconds=round((total - done) / rate))
            logger.info("%s: %d of %d (%.1f %ss/s, %s left)", doing, done, total, rate, unit, left)
