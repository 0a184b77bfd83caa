"""What is computed of each photo: a feature's values or an encoder's vector, and the columns they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from ..base import PICTURE_VERSION, Column, Encoder, Feature, Head, View
from ..photo.image import Photo
from ..photo.pixels import PhotoError
from .store import key_of

Row = dict[str, Any]


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
        columns: a result, and what is known of the photo so far -> the columns that it gives.
        prepare, load: as for `Encoder`.
    """

    name: str
    key: str | None
    view: tuple[View, int | None]
    batch: int
    alone: bool
    run: Callable[[list[np.ndarray]], list[Any]]
    columns: Callable[[Any, Row], Row]
    prepare: Callable[[np.ndarray], np.ndarray] | None = None
    load: Callable[[], object] | None = None

    def of(self, photo: Photo) -> np.ndarray:
        """What `run` takes of a photo."""
        view = photo.view(*self.view)
        return self.prepare(view) if self.prepare else view


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

    def run(views: list[np.ndarray]) -> list[list[Any]]:
        results = feature.measure(views) if batched else [_measured(feature, v) for v in views]
        return [plain_values(feature.name, feature.columns, result) for result in results]

    def columns(values: list[Any], _: Row) -> Row:
        return dict(zip(names, values, strict=True))

    view = (feature.view, feature.size)
    key = key_of(feature.version, feature.fingerprint, view, names, PICTURE_VERSION)
    return Part(feature.name, key, view, feature.batch or 1, not batched, run, columns)


def _measured(feature: Feature, view: np.ndarray) -> Any:
    try:
        return feature.measure(view)
    except Exception as error:  # a feature that stumbles over one photo costs that photo only
        raise PhotoError(f"feature {feature.name!r} failed: {error!r}") from error


def _of_encoder(encoder: Encoder, heads: Sequence[Head]) -> Part:
    def run(views: list[np.ndarray]) -> list[np.ndarray]:
        return [vector.copy() for vector in np.asarray(encoder.encode(views), np.float32)]

    view = (encoder.view, encoder.size)
    key = key_of(encoder.version, encoder.fingerprint, view, PICTURE_VERSION)
    batch, columns = encoder.batch or 1, partial(_scores, heads)
    alone, early = encoder.batch is None, (encoder.prepare, encoder.load)
    return Part(encoder.name, key, view, batch, alone, run, columns, *early)


def _scores(heads: Sequence[Head], vector: np.ndarray, before: Row) -> Row:
    """One photo at a time: in the last bits, a product of matrices depends on how many rows there are."""
    row: Row = {}
    for head in heads:
        used = ((before | row)[name] for name in getattr(head, "uses", ()))
        values = tuple(np.asarray(head.score(vector[None], *used)).reshape(-1))
        scores = plain_values(head.name, head.columns, values)
        row.update(zip((column.name for column in head.columns), scores, strict=True))
    return row


def plain_values(name: str, columns: Sequence[Column], result: Any) -> list[Any]:
    """What a measure returned, as plain Python values in the order of its columns.

    Raises:
        ValueError: another number of values than columns, or something that is no single value.
    """
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
    return plain
