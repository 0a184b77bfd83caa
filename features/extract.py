"""Measure many photos: decode each once, take every value from it, one row per photo in input order."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import numpy as np
from PIL import Image

from .base import Column, Encoder, Feature, Head, View, declare
from .image import MAX_DECODED_BYTES, Photo, PhotoError

Row = dict[str, Any]
_ViewKey = tuple[View, int | None]
Source = str | os.PathLike[str] | tuple[str, np.ndarray | Image.Image]

FACTS = ("width", "height", "bytes", "taken_at", "camera")
"""What a row says of a photo besides `path`, the measured columns and `error`."""


def extract(
    sources: Iterable[Source],
    features: Sequence[Feature | Head],
    workers: int | None = None,
) -> Iterator[Row]:
    """Measure photos: a generator of one dict per photo, in the order of `sources`.

    A value depends on its photo and its feature alone: never on the other features, the number of
    workers, the batch or the order of the photos. Decoders in flight hold under 1 GB together.

    Args:
        sources: paths, or (name, picture) pairs with a uint8 RGB array or a PIL image.
        features: `Feature`s and `Head`s; the encoders of heads run on every photo.
        workers: threads that decode and measure; 0 does all in the calling thread, None takes one
            per core.

    Yields:
        `path`, one entry per column, `width height bytes taken_at camera`, and `error`: None, or why
        the photo failed, and then there are no values.

    Raises:
        ValueError: two features with one column, or a measure that returns another number of values
            than its feature has columns.
    """
    features = resolve(features)
    declare(features)
    batches = _batches(features)
    singles = [f for f in _measuring(features) if f.batch is None]
    views = {(b.view, b.size) for b in batches}
    at_once = max((b.batch for b in batches), default=1)
    budget = _ByteBudget(MAX_DECODED_BYTES)

    def measure(source: Source) -> _Measured:
        return _measure(source, singles, views, budget)

    ready: list[_Measured] = []
    for measured in _in_order(measure, sources, workers, ahead=at_once):
        ready.append(measured)
        if len(ready) == at_once:
            yield from _finish(ready, batches)
            ready = []
    yield from _finish(ready, batches)


def resolve(features: Sequence[Feature | Head]) -> list[Feature | Head]:
    """The features as this machine runs them: one whose model depends on what is here has chosen."""
    choices = (getattr(feature, "resolve", None) for feature in features)
    return [choose() if choose else f for f, choose in zip(features, choices, strict=True)]


def _measuring(features: Sequence[Feature | Head]) -> list[Feature]:
    """The features that are not heads; not by `isinstance`, for a class imported both as
    `features.base` and as `photorank.features.base` is two classes."""
    return [cast(Feature, f) for f in features if hasattr(f, "measure")]


@dataclass
class _Measured:
    """A row on its way, with the views that its batches still need."""

    row: Row
    views: dict[_ViewKey, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class _Batch:
    """Something that takes several views at once and gives each photo's columns."""

    view: View
    size: int | None
    batch: int
    run: Callable[[list[np.ndarray]], list[Row]]


def _measure(
    source: Source, singles: list[Feature], views: set[_ViewKey], budget: _ByteBudget
) -> _Measured:
    """One photo's row and the views for its batches; a photo that fails is a row with an `error`."""
    path = source[0] if isinstance(source, tuple) else os.fspath(source)
    facts: Row = {"path": path, "error": None}
    try:
        if isinstance(source, tuple):
            photo = Photo.from_image(source[1])
        else:
            facts["bytes"] = os.stat(path).st_size
            photo = Photo.open(path, budget.hold)
        facts |= {name: getattr(photo, name) for name in ("width", "height", "taken_at", "camera")}
        values = [_value(f, photo.view(f.view, f.size)) for f in singles]
        row = {k: v for value in values for k, v in value.items()}
        return _Measured(facts | row, {key: photo.view(*key) for key in views})
    except OSError as error:
        return _Measured(facts | {"error": f"vanished or unreadable: {error.strerror}"})
    except PhotoError as error:
        return _Measured(facts | {"error": str(error)})


def _value(feature: Feature, view: np.ndarray) -> Row:
    try:
        result = feature.measure(view)
    except Exception as error:  # a feature that stumbles over one photo costs that photo only
        raise PhotoError(f"feature {feature.name!r} failed: {error!r}") from error
    return _named(feature.name, feature.columns, result)


def _named(name: str, columns: Sequence[Column], result: Any) -> Row:
    """`result` as plain Python values under the names of `columns`."""
    values = result if isinstance(result, tuple) else (result,)
    if len(values) != len(columns):
        raise ValueError(
            f"feature {name!r} has {len(columns)} columns ({', '.join(c.name for c in columns)}) "
            f"but its measure returned {len(values)} values; return one for each"
        )
    plain = [v.item() if hasattr(v, "item") and np.size(v) == 1 else v for v in values]
    if odd := [v for v in plain if np.ndim(v)]:
        raise ValueError(
            f"feature {name!r}: its measure should return a number for each column, "
            f"got {type(odd[0]).__name__}"
        )
    return {column.name: value for column, value in zip(columns, plain, strict=True)}


def _batches(features: Sequence[Feature | Head]) -> list[_Batch]:
    """The batched features, and each encoder once with all its heads."""
    batches = [
        _Batch(f.view, f.size, f.batch, partial(_run_feature, f))
        for f in _measuring(features)
        if f.batch is not None
    ]
    heads: dict[tuple[Any, ...], list[Head]] = {}
    for head in (cast(Head, f) for f in features if hasattr(f, "encoder")):
        heads.setdefault(head.encoder.fingerprint, []).append(head)
    for sharing in heads.values():
        e = sharing[0].encoder
        batches.append(_Batch(e.view, e.size, e.batch, partial(_run_heads, e, sharing)))
    return batches


def _run_feature(feature: Feature, views: list[np.ndarray]) -> list[Row]:
    return [_named(feature.name, feature.columns, result) for result in feature.measure(views)]


def _run_heads(encoder: Encoder, heads: list[Head], views: list[np.ndarray]) -> list[Row]:
    vectors = np.asarray(encoder.encode(views), np.float32)
    rows: list[Row] = [{} for _ in views]
    for head in heads:
        scores = np.asarray(head.score(vectors)).reshape(len(views), -1)
        for row, values in zip(rows, scores, strict=True):
            row.update(_named(head.name, head.columns, tuple(values)))
    return rows


def _finish(ready: list[_Measured], batches: list[_Batch]) -> Iterator[Row]:
    """The rows, with the columns of the batches for every photo that could be decoded."""
    good = [measured for measured in ready if measured.row["error"] is None]
    for batch in batches:
        for start in range(0, len(good), batch.batch):
            chunk = good[start : start + batch.batch]
            rows = batch.run([measured.views[batch.view, batch.size] for measured in chunk])
            for measured, row in zip(chunk, rows, strict=True):
                measured.row.update(row)
    for measured in ready:
        yield measured.row


def _in_order(
    work: Callable[[Source], _Measured],
    sources: Iterable[Source],
    workers: int | None,
    ahead: int,
) -> Iterator[_Measured]:
    """`map(work, sources)` on threads (decoders release the GIL), at most a few results ahead."""
    if workers is None:
        workers = os.cpu_count() or 1
    if workers == 0:
        yield from map(work, sources)
        return
    waiting: deque[Future[_Measured]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="photorank")
    try:
        for source in sources:
            waiting.append(pool.submit(work, source))
            if len(waiting) > workers + ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _ByteBudget:
    """Lets decoders in while their bytes together stay under a limit; none may need more than all."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, needed: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._free >= needed)
            self._free -= needed
        try:
            yield
        finally:
            with self._changed:
                self._free += needed
                self._changed.notify_all()
