"""What is computed of each photo: a feature's values or an encoder's vector, and the columns they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from numbers import Real
from typing import Any, NamedTuple, cast

import numpy as np

from photorank.utils.words import short

from ..base import PICTURE_VERSION, Column, Encoder, Feature, Head, UndeclaredError, View
from ..photo.image import Photo
from .store import key_of

Row = dict[str, Any]


class Failure(NamedTuple):
    """In a result's place: why there is none, and whether the feature broke its declaration."""

    reason: str
    is_undeclared: bool = False


def failure(name: str, error: Exception) -> Failure:
    """Of what a feature raised: the error itself would keep the photo alive."""
    if isinstance(error, UndeclaredError):
        return Failure(str(error), is_undeclared=True)
    return Failure(f"feature {name!r} failed: {short(repr(error))}")


@dataclass(frozen=True, eq=False)  # each is itself: it serves as a key
class Part:
    """One thing to compute from one view of a photo, and to keep.

    Attributes:
        name: what the feature or encoder is called.
        key: what the result is kept under, or None for one that is not kept.
        view: kind and size of the view.
        batch: how many views `run` takes at most.
        alone: each photo by itself, in the thread that decodes it.
        run: views -> one result each: a list of plain values, or a float32 vector.
        names: the columns.
        columns: a result, and what is known of the photo so far -> the columns that it gives, or a
            `Failure`.
        prepare, load: as for `Encoder`.
    """

    name: str
    key: str | None
    view: tuple[View, int | None]
    batch: int
    alone: bool
    run: Callable[[Sequence[np.ndarray]], list[Any]]
    names: Sequence[str]
    columns: Callable[[Any, Row], Row | Failure]
    prepare: Callable[[np.ndarray], np.ndarray] | None = None
    load: Callable[[], object] | None = None

    def of(self, photo: Photo) -> np.ndarray:
        """What `run` takes of a photo."""
        view = photo.view(*self.view)
        return self.prepare(view) if self.prepare else view

    def values(self, result: Any, before: Row) -> Row | Failure:
        """The columns of a result; empty where there is none, for the part was left out.

        Args:
            before: what is known of the photo so far.
        """
        if result is None:
            return dict.fromkeys(self.names)
        return result if isinstance(result, Failure) else self.columns(result, before)


def parts_of(features: Sequence[Feature | Head]) -> list[Part]:
    """A part for each feature, and one for each encoder with all its heads.

    Told apart by what they have, not by `isinstance`: a class imported both as `features.base` and
    as `photorank.features.base` is two classes.
    """
    parts = [_of_feature(cast(Feature, f)) for f in features if hasattr(f, "measure")]
    sharing: dict[tuple[Any, ...], list[Head]] = {}
    for head in (cast(Head, f) for f in features if hasattr(f, "encoder")):
        sharing.setdefault(head.encoder.fingerprint, []).append(head)
    return parts + [_of_encoder(heads[0].encoder, heads) for heads in sharing.values()]


def _of_feature(feature: Feature) -> Part:
    names = [column.name for column in feature.columns]
    batched = feature.batch is not None

    def run(views: Sequence[np.ndarray]) -> list[list[Any]]:
        results = feature.measure([*views]) if batched else map(feature.measure, views)
        return [
            plain_values(feature.name, feature.columns, r) for r in _each(feature, results, views)
        ]

    def columns(values: list[Any], _: Row) -> Row:
        return dict(zip(names, values, strict=True))

    view = (feature.view, feature.size)
    key = key_of(feature.version, feature.fingerprint, view, names, PICTURE_VERSION)
    return Part(feature.name, key, view, feature.batch or 1, not batched, run, names, columns)


def _each(maker: Feature | Encoder, results: Any, views: Sequence[np.ndarray]) -> list[Any]:
    """The results, if there is one for each view."""
    every = [*results]
    if len(every) != len(views):
        raise UndeclaredError(
            f"{maker.name!r} takes several photos at once and should return a result for each: "
            f"of {len(views)} it returned {len(every)}"
        )
    return every


def _of_encoder(encoder: Encoder, heads: Sequence[Head]) -> Part:
    def run(views: Sequence[np.ndarray]) -> list[np.ndarray]:
        vectors = np.asarray(encoder.encode([*views]), np.float32)
        return [vector.copy() for vector in _each(encoder, vectors, views)]

    view = (encoder.view, encoder.size)
    key = key_of(encoder.version, encoder.fingerprint, view, PICTURE_VERSION)
    batch, alone = encoder.batch or 1, encoder.batch is None
    columns, early = partial(_scores, heads), (encoder.prepare, encoder.load)
    names = [column.name for head in heads for column in head.columns]
    return Part(encoder.name, key, view, batch, alone, run, names, columns, *early)


def _scores(heads: Sequence[Head], vector: np.ndarray, before: Row) -> Row | Failure:
    """One photo at a time: in the last bits, a product of matrices depends on how many rows there are."""
    row: Row = {}
    for head in heads:
        try:
            used = ((before | row)[name] for name in getattr(head, "uses", ()))
            values = tuple(np.asarray(head.score(vector[None], *used)).reshape(-1))
            scores = plain_values(head.name, head.columns, values)
        except Exception as error:
            return failure(head.name, error)
        row.update(zip((column.name for column in head.columns), scores, strict=True))
    return row


def plain_values(name: str, columns: Sequence[Column], result: Any) -> list[Any]:
    """What a measure returned, as plain Python values in the order of its columns.

    Raises:
        ValueError: another number of values than columns, or something that is no single value.
    """
    values = result if isinstance(result, tuple) else (result,)
    if len(values) != len(columns):
        raise UndeclaredError(
            f"feature {name!r} has {len(columns)} columns ({', '.join(c.name for c in columns)}) "
            f"but its measure returned {len(values)} values; return one for each"
        )
    plain = [v.item() if hasattr(v, "item") and np.size(v) == 1 else v for v in values]
    if odd := [v for v in plain if not _fits_a_cell(v)]:
        raise UndeclaredError(
            f"feature {name!r}: its measure should return a number for each column, "
            f"got {type(odd[0]).__name__}"
        )
    return plain


def _fits_a_cell(value: Any) -> bool:
    """Whether it is a text, bytes, nothing, or a number that is a float too."""
    if value is None or isinstance(value, str | bytes | float):
        return True
    try:
        return isinstance(value, Real | Decimal) and float(value) is not None
    except (OverflowError, ValueError):
        return False
