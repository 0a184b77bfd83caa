"""Measure many photos: decode each once, take every value from it, one row per photo in input order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import closing
from typing import Any

import numpy as np
import PIL
from PIL import Image
from threadpoolctl import threadpool_limits

from photorank.utils.logging import logger

from ..base import PICTURE_VERSION, Feature, Head, declare
from ..photo.dates import named_at
from ..photo.header import MAX_DECODED_BYTES, photo_suffixes
from ..photo.image import Photo, PhotoError
from .identity import content_of, key_now, photo_key
from .job import Failed, Job
from .parts import Part, Row, parts_of
from .store import Store, key_of
from .streaming import ByteBudget, in_order, threads

Source = str | os.PathLike[str] | tuple[str, np.ndarray | Image.Image]

FACTS = ("width", "height", "bytes", "jpeg_quality", "taken_at", "camera")
"""What a row says of a photo besides `path`, the measured columns and `error`."""

_OF_PHOTO = ("width", "height", "jpeg_quality", "taken_at", "camera")
_MOST_AHEAD = 32  # photos that wait decoded for a batch, besides one per worker
_MOST_VIEW_BYTES = 300_000_000  # of a batch: one of large pictures is closed early
_MOST_WAITING = 1024  # rows that wait for one before them


def extract(
    sources: Iterable[Source],
    features: Sequence[Feature | Head],
    workers: int | None = None,
    cache: str | os.PathLike[str] = "",
) -> Generator[Row, None, None]:
    """Measure photos: a generator of one dict per photo, in the order of `sources`.

    A value depends on its photo and its feature alone: never on the other features, the number of
    workers, the batch, the order of the photos or on what was stored. Threads decode and measure while
    encoders take batches; what decoders and pictures that wait hold together is under 1 GB.

    Args:
        sources: paths, or (name, picture) pairs with a uint8 RGB array or a PIL image.
        features: `Feature`s and `Head`s; the encoders of heads run on every photo.
        workers: threads that decode and measure; 0 does all in the calling thread, None takes one
            per core. Besides them, one loads the models meanwhile.
        cache: a file that keeps what is measured (docs/performance.md): a photo that is there is not
            opened. Empty: none. Pictures in hand and features without a version are not kept.

    Yields:
        `path`, one entry per column, `width height bytes jpeg_quality taken_at camera`, and `error`:
        None, or why the photo failed, and then there are no values.

    Raises:
        ValueError: two features with one column, a measure that returns another number of values
            than its feature has columns, or a `cache` that is another program's file.
    """
    features = resolve(features)
    declare(features)
    yield from measured(sources, features, workers, cache)


def measured(
    sources: Iterable[Source],
    features: Sequence[Feature | Head],
    workers: int | None,
    cache: str | os.PathLike[str],
) -> Generator[Row, None, None]:
    """As `extract`, by features that are resolved and whose columns do not clash."""
    run = _Run(parts_of(features), cache)
    # The products of a photo are small: BLAS on several threads takes four times as long for them.
    with run.store, threadpool_limits(1, user_api="blas"), threads(1) as loader:
        run.loader = None if workers == 0 else loader
        known = (run.look_up(source) for source in sources)
        with closing(in_order(run.open, known, workers, run.ahead, Job.is_complete)) as jobs:
            yield from run.rows(jobs)
        run.log()


def resolve(features: Sequence[Feature | Head]) -> list[Feature | Head]:
    """The features as this machine runs them: one whose model depends on what is here has chosen."""
    choices = (getattr(feature, "resolve", None) for feature in features)
    return [choose() if choose else f for f, choose in zip(features, choices, strict=True)]


class _Run:
    """One pass over photos: what there is to compute of each, and the store."""

    def __init__(self, parts: list[Part], cache: str | os.PathLike[str]) -> None:
        self.parts = parts
        self.at_once = max((part.batch for part in parts if not part.alone), default=1)
        self.ahead = min(self.at_once, _MOST_AHEAD)
        self.budget = ByteBudget(MAX_DECODED_BYTES)
        self.facts_key = key_of(PICTURE_VERSION, "facts", _OF_PHOTO) or ""
        readers = (PIL.__version__, sorted(photo_suffixes()))  # another one may read what failed
        self.error_key = key_of(PICTURE_VERSION, "error", readers) or ""
        self.loader: Executor | None = None
        self.loading: dict[Part, Future[object]] = {}
        self.known = self.asked = 0
        keys = (self.facts_key, self.error_key, *(part.key for part in parts))
        self.store = Store(cache, [key for key in keys if key])

    def log(self) -> None:
        if self.store:
            logger.info("%d of %d photos are in the cache as they are", self.known, self.asked)

    def look_up(self, source: Source) -> Job:
        """What is known of a photo, without opening it."""
        if isinstance(source, tuple):
            return Job(source[0], source[1], missing=self.parts)
        job = Job(os.fspath(source), missing=self.parts)
        try:
            job.key = photo_key(job.path)
            self._recall(job, self.store.content(job.key))
        except OSError as error:
            job.error = f"vanished or unreadable: {error.strerror}"
        self.asked += 1
        return job

    def _recall(self, job: Job, content: bytes | None) -> None:
        """What is in the store of a photo's content; nothing where that is not known."""
        job.content = content
        known = self.store.get(content) if content else {}
        (job.error,) = known.get(self.error_key, [None])
        job.facts = known.get(self.facts_key) if job.error is None else None
        job.results = {part: known[part.key] for part in self.parts if part.key in known}
        job.missing = [part for part in self.parts if part not in job.results]
        job.is_known = job.is_complete()

    def open(self, job: Job) -> Job:
        """Decode a photo, measure what is missing and keep the views for its batches; in a thread."""
        try:
            photo = self._decoded(job) if job.key else Photo.from_image(job.picture)
            if photo:
                self._measure(job, photo)
        except PhotoError as error:
            job.error = str(error)
        return job

    def _decoded(self, job: Job) -> Photo | None:
        """The photo of a file, None if its content is known; one that changes is read once more."""
        for _ in range(2):
            before = job.key
            if self.store and job.key and not job.content:
                self._recall(job, content_of(job.path, job.key.size))
            if job.is_known:
                self._keep(job, {})
                return None
            found = self._opened(job.path)
            job.key = key_now(job.path)
            if job.key == before:
                break
            self._recall(job, None)
        else:
            job.key = before
        if isinstance(found, Photo):
            return found
        self._keep(job, {self.error_key: [found.reason]} if found.is_lasting else {})
        raise PhotoError(found.reason)

    def _opened(self, path: str) -> Photo | Failed:
        try:
            return Photo.open(path, self.budget.hold)
        except PhotoError as error:  # itself it would keep what was decoded alive
            return Failed(str(error), error.is_lasting)

    def _measure(self, job: Job, photo: Photo) -> None:
        job.facts = [getattr(photo, name) for name in _OF_PHOTO]
        alone = [part for part in job.missing if part.alone]
        for part in alone:
            (job.results[part],) = part.run([part.of(photo)])
        done = {part.key: job.results[part] for part in alone}
        self._keep(job, {self.facts_key: job.facts, **done})
        job.views = {part: part.of(photo) for part in job.missing if not part.alone}
        self.budget.take(job.view_bytes)

    def _keep(self, job: Job, results: Mapping[str | None, Any]) -> None:
        if job.content:
            self.store.put(job.content, results, job.key)

    def rows(self, jobs: Iterable[Job]) -> Iterator[Row]:
        """The rows in order, each as soon as its batches and all rows before it are done."""
        waiting: deque[Job] = deque()
        batch: list[Job] = []
        for job in jobs:
            waiting.append(job)
            if job.views:
                batch.append(job)
                self._begin_loading(job.views)
            if self._is_full(batch) or len(waiting) >= _MOST_WAITING:
                self._run_batches(batch)
                self.store.save()
                batch = []
            while waiting and not waiting[0].views:
                yield self._row(waiting.popleft())
            self.store.save_if_due()
        self._run_batches(batch)
        yield from map(self._row, waiting)

    def _begin_loading(self, parts: Iterable[Part]) -> None:
        """Of models that the first photo has come for: a run that finds all in the store needs none."""
        for part in parts:
            if self.loader and part.load and part not in self.loading:
                self.loading[part] = self.loader.submit(part.load)

    def _is_full(self, batch: list[Job]) -> bool:
        held = sum(job.view_bytes for job in batch)
        return len(batch) >= self.at_once or held >= _MOST_VIEW_BYTES

    def _run_batches(self, batch: list[Job]) -> None:
        """What takes several photos at once; all of it is put before any is saved, so that a run that
        is killed and begun again makes the same batches of the rest."""
        held = sum(job.view_bytes for job in batch)
        for part in self.parts:
            lacking = [job for job in batch if part in job.views]
            if lacking and part in self.loading:
                self.loading[part].result()  # raises what went wrong there
            for start in range(0, len(lacking), part.batch):
                some = lacking[start : start + part.batch]
                results = part.run([job.views.pop(part) for job in some])
                for job, result in zip(some, results, strict=True):
                    job.results[part] = result
        self.budget.give_back(held)
        for job in batch:
            self._keep(job, {part.key: job.results[part] for part in job.missing if not part.alone})

    def _row(self, job: Job) -> Row:
        self.known += job.is_known
        row: Row = {"path": job.path, "error": job.error}
        if job.key:
            row["bytes"] = job.key.size
        if job.facts:
            row |= zip(_OF_PHOTO, job.facts, strict=True)
            row["taken_at"] = row["taken_at"] or named_at(job.path)
        if job.error is None:
            for part in self.parts:
                row |= part.columns(job.results[part], row)
        return row
