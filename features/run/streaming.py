"""Threads that work ahead of their reader, in order, and a limit to the bytes that they hold."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

T = TypeVar("T")


def in_order(
    work: Callable[[T], T],
    items: Iterable[T],
    workers: int | None,
    ahead: int,
    is_done: Callable[[T], bool],
) -> Generator[T, None, None]:
    """`map(work, items)` on threads (decoders release the GIL), at most a few results ahead.

    When the reader stops, what has begun is finished and nothing else begins.

    Args:
        is_done: an item that needs no work is passed on as it is.
        workers: 0 works in the calling thread, None takes one thread per core.
        ahead: how many results may wait besides one per worker.
    """
    if workers is None:
        workers = os.cpu_count() or 1
    if workers == 0:
        yield from (item if is_done(item) else work(item) for item in items)
        return
    waiting: deque[Callable[[], T]] = deque()
    with threads(workers) as pool:
        for item in items:
            done = partial(_itself, item) if is_done(item) else pool.submit(work, item).result
            waiting.append(done)
            if len(waiting) > workers + ahead:
                yield waiting.popleft()()
        while waiting:
            yield waiting.popleft()()


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """When they are left, what has begun is finished and nothing else begins."""
    pool = ThreadPoolExecutor(count, thread_name_prefix="photorank")
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _itself(item: T) -> T:
    return item


class ByteBudget:
    """Keeps what decoders and waiting views hold together under a limit.

    A decoder waits until there is room, unless no other decodes: then nobody would ever make room.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._decoding = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, needed: int) -> Iterator[None]:
        """While a decoder needs that many bytes."""
        with self._changed:
            self._changed.wait_for(lambda: self._free >= needed or self._decoding == 0)
            self._free -= needed
            self._decoding += 1
        try:
            yield
        finally:
            with self._changed:
                self._decoding -= 1
            self.give_back(needed)

    def take(self, held: int) -> None:
        """Count bytes that are there already; never waits."""
        self.give_back(-held)

    def give_back(self, held: int) -> None:
        """They are there no longer."""
        with self._changed:
            self._free += held
            self._changed.notify_all()
