"""The declarations that a measurement consists of: `Column`, `Feature`, `Encoder`, `Head`.

A feature is a plain function on an array and, below it, one declaration. There is no base class to
inherit from and no registry: whoever has the declaration can pass it on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Better = Literal["higher", "lower", "neither"]
View = Literal["rgb", "luma"]

CANONICAL_SIDE = 960
"""The canonical picture's longest side is at least this (unless the photo itself is smaller)."""

PICTURE_VERSION = "2"
"""Changes whenever decoding may give other pixels, or a header other facts; stored values go by it."""


class UndeclaredError(ValueError):
    """Another result than a feature declares, or other vectors than a head reads: no photo is to blame."""


class UnavailableError(Exception):
    """What a feature's model needs is not on this machine: the feature is left out of the run."""


@dataclass(frozen=True)
class Column:
    """One measured number per photo: its name, direction, unit and range.

    Args:
        name: the table's column.
        better: "higher" or "lower" ranks; "neither" is reported and never ranked.
        unit: what one step of the value is ("8-bit levels", "share of the frame").
        range: (low, high) for a value that already lives on a scale of its own and keeps it when
            normalised; None for an open-ended one.
        heavy_tailed: values span orders of magnitude, so that they are normalised on log1p.

    Raises:
        ValueError: an empty name, an unknown direction or a range that is not low < high.

    >>> Column("warmth", unit="8-bit levels").better
    'higher'
    """

    name: str
    better: Better = "higher"
    unit: str = ""
    range: tuple[float, float] | None = None
    heavy_tailed: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a Column needs a name, got an empty one")
        if self.better not in ("higher", "lower", "neither"):
            raise ValueError(
                f"Column {self.name!r}: better is 'higher', 'lower' or 'neither', got {self.better!r}"
            )
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(
                f"Column {self.name!r}: range is (low, high) with low < high, got {self.range}"
            )


@dataclass(frozen=True)
class Feature:
    """A function from one view of a photo to the values of its columns.

    Args:
        name: what the feature is chosen by.
        version: changes whenever a value may change; values are cached under it.
        columns: in the order in which `measure` returns them.
        measure: takes a read-only uint8 array, (h, w, 3) for view "rgb" or (h, w) for "luma", and
            returns a number, or a tuple with one entry per column. With `batch` it takes a list of
            up to `batch` such arrays and returns a list of results.
        view: "rgb" (sRGB) or "luma" (ITU-R 601 luma of the same picture).
        size: longest side of the view in pixels, resampled to exactly that with antialiasing;
            None is the canonical picture as decoded (see features/photo/image.py).
        batch: how many views one call of `measure` takes; None: one, not in a list.
        settings: whatever else determines the value; part of the fingerprint.
        resolve: called once when a run starts, returns the feature to use in this feature's place:
            for one whose model depends on what is on this machine.

    Raises:
        ValueError: no columns, an unknown view, or a size above the canonical picture's.
    """

    name: str
    version: str
    columns: tuple[Column, ...]
    measure: Callable[..., Any]
    view: View = "rgb"
    size: int | None = None
    batch: int | None = None
    settings: tuple[Any, ...] = ()
    resolve: Callable[[], Feature] | None = None

    def __post_init__(self) -> None:
        if not self.columns or not all(hasattr(column, "better") for column in self.columns):
            raise ValueError(
                f"Feature {self.name!r} needs a tuple of at least one Column, got {self.columns!r}"
            )
        _check_view(f"Feature {self.name!r}", self.view, self.size)

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """Two features with one fingerprint give one value for one photo."""
        return (self.name, self.version, self.settings)


@dataclass(frozen=True)
class Encoder:
    """A function from views to vectors, from which heads compute scores.

    Args:
        name, version, settings: the fingerprint; the same three give the same vector.
        view, size: as for `Feature`.
        batch: how many views `encode` takes at once; None: each photo by itself, in the thread that
            decodes it.
        encode: list of up to `batch` arrays -> (n, d) float32; of length 1 where they are CLIP's.
        prepare: a view -> the smaller array that waits for its batch in the view's place; called in
            the thread that decodes. `encode` takes either, and gives the same vector for both.
        load: gets ready what `encode` would get ready on first use; called in a thread of its own
            while the first photos are decoded. What it raises, the run raises.
    """

    name: str
    version: str
    settings: tuple[Any, ...]
    view: View
    size: int | None
    batch: int | None
    encode: Callable[[Sequence[np.ndarray]], np.ndarray]
    prepare: Callable[[np.ndarray], np.ndarray] | None = field(default=None, kw_only=True)
    load: Callable[[], object] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_view(f"Encoder {self.name!r}", self.view, self.size)

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """Two encoders with one fingerprint give one vector for one photo."""
        return (self.name, self.version, self.settings)


@dataclass(frozen=True)
class Head:
    """A function from an encoder's vectors to columns: prompts, trained heads, tags.

    Args:
        columns: what the head adds to the table.
        score: (n, d) float32 vectors -> (n,) or (n, len(columns)) floats. Computed from stored
            vectors, so a new head never needs a photo to be opened again.
        encoder: whose vectors it reads.
        version, settings: with the encoder's fingerprint, what determines the value.
        uses: columns of features before it whose values `score` takes too, one number each.
    """

    columns: tuple[Column, ...]
    score: Callable[..., np.ndarray]
    encoder: Encoder
    version: str = "1"
    settings: tuple[Any, ...] = ()
    uses: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its first column."""
        return self.columns[0].name

    @property
    def fingerprint(self) -> tuple[Any, ...]:
        """Two heads with one fingerprint give one value for one photo."""
        return (self.name, self.version, self.settings, self.encoder.fingerprint)


def declare(features: Sequence[Feature | Head]) -> list[dict[str, Any]]:
    """The columns of `features` as plain dicts, in order: what the other folders know of a column.

    Returns:
        One dict per column: name, better, unit, range, heavy_tailed, feature, version (with the
        settings, so that two values under one version may be compared).

    Raises:
        ValueError: two features give a column of one name.
    """
    declared: dict[str, dict[str, Any]] = {}
    for feature in features:
        version = " ".join(str(part) for part in _flat(feature.fingerprint[1:]))
        for column in feature.columns:
            if column.name in declared:
                raise ValueError(
                    f"two features give the column {column.name!r}: {declared[column.name]['feature']!r} "
                    f"and {feature.name!r}; rename one of the columns"
                )
            declared[column.name] = {
                "name": column.name,
                "better": column.better,
                "unit": column.unit,
                "range": list(column.range) if column.range else None,
                "heavy_tailed": column.heavy_tailed,
                "feature": feature.name,
                "version": version,
            }
    return list(declared.values())


def _flat(parts: tuple[Any, ...]) -> list[Any]:
    return [p for part in parts for p in (_flat(part) if isinstance(part, tuple) else [part])]


def _check_view(who: str, view: str, size: int | None) -> None:
    if view not in ("rgb", "luma"):
        raise ValueError(f"{who}: view is 'rgb' or 'luma', got {view!r}")
    if size is not None and not 1 <= size <= CANONICAL_SIDE:
        raise ValueError(
            f"{who}: size is 1 to {CANONICAL_SIDE} pixels (the canonical picture's side), got {size}; "
            "leave it out for the canonical picture itself"
        )
