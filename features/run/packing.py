"""What the store keeps, as SQLite holds it: packed, with a checksum."""

from __future__ import annotations

import json
import zlib
from typing import Any

import numpy as np

from .database import Damaged

Value = Any
"""A list of numbers, texts, truth values and None, or a float32 vector."""


def can_be_kept(value: Value) -> bool:
    """Whether it comes back as it was: vectors, and what JSON has a type for."""
    plain = (str, int, float, bool, type(None))
    return isinstance(value, np.ndarray) or all(type(item) in plain for item in value)


def packed(value: Value, key: str, seed: int) -> tuple[str | bytes, int]:
    """A value as text or bytes, and its checksum."""
    is_vector = isinstance(value, np.ndarray)
    data = value.astype("<f4").tobytes() if is_vector else json.dumps(value)
    return data, checksum(data, key, seed)


def unpacked(data: str | bytes, crc: int, key: str, seed: int) -> Value:
    """The value that was packed.

    Raises:
        Damaged: it was another one.
    """
    if checksum(data, key, seed) != crc:
        raise Damaged("a value is not the one that was written")
    return np.frombuffer(data, "<f4") if isinstance(data, bytes) else json.loads(data)


def checksum(data: object, key: str, seed: int) -> int:
    """Of a value, its type and what it belongs to: SQLite has none, and a damaged page can look whole.

    One flipped bit makes bytes of a text.
    """
    plain = data if isinstance(data, bytes) else str(data).encode()
    return zlib.crc32(plain, zlib.crc32(f"{type(data).__name__} {key}".encode(), seed))
