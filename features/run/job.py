"""A photo on its way to its row: what is known of it, what is missing, what batches still need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .identity import PhotoKey
from .parts import Part


class Failed(NamedTuple):
    """Why a photo could not be decoded, and whether the file is to blame."""

    reason: str
    is_lasting: bool


@dataclass
class Job:
    """One photo.

    Attributes:
        path: its row's.
        picture: what was given in place of a file.
        key: by what its file is known; None: it is no file.
        content: the SHA-256 of the file, under which its results are kept; None: not known, and
            never of a file that changes while it is read.
        is_known: whether all was in the store.
        error: why it failed, or None.
        facts: what its header says.
        results, missing: of each part.
        views: what batches still need.
    """

    path: str
    picture: Any = None
    key: PhotoKey | None = None
    content: bytes | None = None
    is_known: bool = False
    error: str | None = None
    facts: list[Any] | None = None
    results: dict[Part, Any] = field(default_factory=dict)
    missing: list[Part] = field(default_factory=list)
    views: dict[Part, np.ndarray] = field(default_factory=dict)

    @property
    def view_bytes(self) -> int:
        return sum(view.nbytes for view in self.views.values())

    def is_complete(self) -> bool:
        """Whether it need not be opened."""
        return self.error is not None or not (self.missing or self.facts is None)
