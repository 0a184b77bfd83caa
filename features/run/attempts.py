"""What can go wrong when a photo is measured: with the photo, or with what measures it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any

import numpy as np

from photorank.utils.logging import logger
from photorank.utils.words import first, one_line

from ..base import UnavailableError
from .parts import Failure, Part, Row, failure

_ENOUGH = 10  # photos after which a feature that gave nothing it declares will not begin to


class Attempts:
    """Runs parts on photos: what one photo does costs that photo, what cannot run is left out.

    Attributes:
        left_out: columns of features that cannot run here, and why.
        loader: where models are loaded early; None: on first use.
    """

    def __init__(self, left_out: dict[str, str]) -> None:
        self.left_out = left_out
        self.loader: Executor | None = None
        self._loading: dict[Part, Future[object]] = {}
        self._right: set[Part] = set()
        self._wrong: dict[Part, list[str]] = {}

    def begin_loading(self, parts: Iterable[Part]) -> None:
        """Of models that the first photo has come for: a run that finds all in the store needs none."""
        for part in parts:
            if self.loader and part.load and part not in self._loading:
                self._loading[part] = self.loader.submit(part.load)

    def results(self, part: Part, views: Sequence[np.ndarray]) -> list[Any]:
        """A result for each view: None of a part that is left out, a `Failure` of one that failed."""
        if (name := first(part.names)) in self.left_out:
            return [None] * len(views)
        try:
            if part in self._loading:
                self._loading[part].result()  # raises what went wrong there
            return _tried(part, views)
        except UnavailableError as error:
            why = one_line(error)
            if self.left_out.setdefault(name, why) is why:  # of several threads one says it
                logger.warning("left out: %s: %s", name, why)
            return [None] * len(views)

    def values(self, results: Mapping[Part, Any]) -> Row | Failure:
        """The columns of a photo, or what went wrong with it.

        Raises:
            ValueError: see `check`.
        """
        row: Row = {}
        for part, result in results.items():
            values = part.values(result, row)
            if not isinstance(values, Failure):
                self._right.add(part)
                row |= values
                continue
            if values.is_undeclared:
                self._wrong.setdefault(part, []).append(values.reason)
                self.check(_ENOUGH)
            return values
        return row

    def check(self, enough: int = 1) -> None:
        """That features give what they declare, if only for some photos.

        Raises:
            ValueError: one did for none, and for `enough` it gave something else.
        """
        for part, reasons in self._wrong.items():
            if part not in self._right and len(reasons) >= enough:
                raise ValueError(reasons[0])


def _tried(part: Part, views: Sequence[np.ndarray]) -> list[Any]:
    """As `Part.run`; where it stumbles over a batch, each photo of it by itself."""
    try:
        return part.run(views)
    except UnavailableError:
        raise
    except Exception as error:
        if part.load:
            part.load()  # raises where it is the model's fault and not the photo's
        if len(views) == 1:
            return [failure(part.name, error)]
    return [result for view in views for result in _tried(part, [view])]
