"""How a learned score is computed from a vector: a line, the nearest of known photos, or trees."""

from __future__ import annotations

import base64
import importlib.util
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked

MOST_BYTES = 12_000_000
"""Of the vectors that a file may hold: JSON is read up to 20 MB, and base64 adds a third."""
_MANY = 1000
STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class Model(Protocol):
    """What a file says how to compute; `kind` tells which."""

    @property
    def kind(self) -> str: ...
    def score(self, vectors: np.ndarray, quality: np.ndarray | None = None) -> np.ndarray: ...


@checked(config=STRICT, frozen=True)
class Linear:
    """bias + vector times weights + quality times its weight."""

    weights: list[float]
    bias: float
    quality: float = 0.0
    kind: str = "linear"

    def score(self, vectors: np.ndarray, quality: np.ndarray | None = None) -> np.ndarray:
        """(n, d) -> (n,)."""
        found = vectors @ self._weights + self.bias
        return found if quality is None else found + self.quality * quality

    @cached_property
    def _weights(self) -> np.ndarray:
        return np.array(self.weights)


@checked(config=STRICT, frozen=True)
class Neighbours:
    """The mean value of the `count` nearest of some photos, by the angle between the vectors.

    Attributes:
        centre: (d,) subtracted from all vectors first.
        vectors: (n, d) float32 in base64, of length 1 after that.
        values: (n,) of these photos.
    """

    centre: list[float]
    vectors: str
    values: list[float]
    count: int
    kind: str = "neighbours"

    @classmethod
    def of(cls, vectors: np.ndarray, values: np.ndarray, count: int) -> Neighbours:
        centre = vectors.mean(axis=0)
        data = _unit(vectors - centre).astype("<f4").tobytes()
        text = base64.b64encode(data).decode()
        return cls(centre.astype(float).tolist(), text, values.astype(float).tolist(), count)

    def score(self, vectors: np.ndarray, quality: np.ndarray | None = None) -> np.ndarray:
        """(n, d) -> (n,)."""
        alike = _unit(vectors - np.array(self.centre, np.float32)) @ self._known.T
        nearest = np.argpartition(-alike, self.count - 1, axis=1)[:, : self.count]
        return np.array(self.values)[nearest].mean(axis=1)

    @cached_property
    def _known(self) -> np.ndarray:
        data = base64.b64decode(self.vectors, validate=True)
        return np.frombuffer(data, "<f4").reshape(len(self.values), len(self.centre))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


@checked(config=STRICT, frozen=True)
class Trees:
    """LightGBM's regression trees, as its own text."""

    text: str
    kind: str = "lightgbm"

    def score(self, vectors: np.ndarray, quality: np.ndarray | None = None) -> np.ndarray:
        """(n, d) -> (n,)."""
        # Of few vectors, threads wait for one another longer than they work.
        threads = 1 if len(vectors) < _MANY else 0
        return np.asarray(self._booster.predict(vectors, num_threads=threads))

    @cached_property
    def _booster(self) -> Any:
        return lightgbm().Booster(model_str=self.text)


def lightgbm() -> Any:
    """The package.

    Raises:
        ImportError: it is not installed.
    """
    if importlib.util.find_spec("lightgbm") is None:
        raise ImportError("trees need LightGBM: pip install 'photorank[learn]'")
    import lightgbm

    return lightgbm


MODELS: dict[str, Any] = {"linear": Linear, "neighbours": Neighbours, "lightgbm": Trees}
