"""Embeddings: a vector per photo, and the table that says of which photo and of which encoder."""

from __future__ import annotations

import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd

from photorank.features.base import Encoder
from photorank.features.heads import Source
from photorank.utils import io
from photorank.utils.rows import failed
from photorank.utils.words import one_line

SUFFIXES = (".parquet", ".npz")
_SOURCE = ("encoder", "checkpoint", "clip_model", "clip_pretrained")
_CONSTANT = (*_SOURCE, "precision")
_MARK = "photorank"  # the first entry of an .npz: `check_ours` reads the start of a file


class Embeddings(NamedTuple):
    """A row per photo in both.

    Attributes:
        table: `file path encoder checkpoint clip_model clip_pretrained precision quality phash
            taken_at error`.
        vectors: (n, d) float32; NaN in the row of a photo that failed.
    """

    table: pd.DataFrame
    vectors: np.ndarray

    @property
    def source(self) -> Source:
        """The encoder that all are of.

        Raises:
            ValueError: no row, a column is missing, or they are of several.
        """
        if missing := [name for name in _SOURCE if name not in self.table]:
            raise ValueError(f"embeddings need the column {missing[0]!r}: make them with embed")
        found = self.table[list(_SOURCE)].fillna("").astype(str).drop_duplicates()
        if len(found) != 1:
            names = found["encoder"] + " " + found["checkpoint"]
            raise ValueError(
                f"embeddings are of one encoder, these of {len(found)}: {', '.join(names[:2])}"
            )
        return Source(**found.iloc[0])

    @classmethod
    def of(cls, measured: pd.DataFrame, encoder: Encoder, source: Source) -> Embeddings:
        """From a table of measurements with the column `vector`: the bytes of each."""
        good = ~failed(measured)
        known = [np.frombuffer(data, np.float32) for data in measured["vector"][good]]
        vectors = np.full((len(measured), len(known[0]) if known else 0), np.nan, np.float32)
        vectors[good] = known or np.nan
        precisions = (p.removeprefix("precision=") for p in encoder.settings if "precision=" in p)
        about = asdict(cast(Any, source)) | {"precision": next(precisions, "fp32")}
        said = measured[["quality", "phash", "taken_at", "error"]]
        return cls(measured[["file", "path"]].assign(**about).join(said), vectors)


def vector_bytes(vectors: np.ndarray) -> np.ndarray:
    """(1, d) -> (1,) its bytes: a cell of a table holds one value."""
    return np.array([np.asarray(vectors, np.float32).tobytes()], object)


def check_output(path: str | os.PathLike[str]) -> Path:
    """The place for embeddings, once it is known that they can be written there.

    Raises:
        ValueError: another suffix, no permission, or a file that is not photorank's.
    """
    target = Path(path).expanduser()
    if target.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"embeddings are {' or '.join(SUFFIXES)} by their suffix, got {str(path)!r}"
        )
    if target.suffix.lower() == ".npz":
        io.check_ours(target)
    elif target.exists():
        load(target)  # refuses what is no file of embeddings
    io.check_writable(target)
    return target


def save(found: Embeddings, path: str | os.PathLike[str]) -> Path:
    """Write embeddings: a column `vector` in .parquet, an array `vectors` in .npz.

    Raises:
        ValueError: as for `check_output`.
    """
    target = check_output(path)
    table = found.table.drop(columns="file")
    if target.suffix.lower() == ".parquet":
        good = ~failed(table)
        cells = [v if ok else None for v, ok in zip(found.vectors, good, strict=True)]
        io.write_table(table.assign(vector=pd.Series(cells, table.index, object)), target)
        return target
    arrays = {_MARK: np.array(_MARK), "vectors": found.vectors}
    for name, column in table.items():
        plain = column if name == "quality" else column.fillna("").astype(str)
        values = plain.to_numpy(float if name == "quality" else np.str_)
        arrays[str(name)] = values[:1] if name in _CONSTANT else values
    io.write(target, lambda part: _savez(part, arrays))
    return target


def _savez(part: Path, arrays: dict[str, np.ndarray]) -> None:
    with part.open("wb") as file:
        np.savez(file, **cast(Any, arrays))


def is_embeddings(source: Any) -> bool:
    """Whether this is a file of embeddings by its suffix, or what `embed` returned."""
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        return path.suffix.lower() in SUFFIXES and not path.is_dir()
    return isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], pd.DataFrame)


def load(path: str | os.PathLike[str]) -> Embeddings:
    """Read what `save` wrote.

    Raises:
        ValueError: unreadable, not embeddings, or of several encoders.
    """
    source = Path(path).expanduser()
    read = _read_parquet if source.suffix.lower() == ".parquet" else _read_npz
    try:
        table, vectors = read(source)
        table.insert(0, "file", table["path"])
    except OSError as error:
        raise ValueError(f"cannot read {source}: {error.strerror or one_line(error)}") from error
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{source} holds no embeddings: {one_line(error)[:300]}") from error
    return checked(Embeddings(table, vectors))


def checked(found: Embeddings) -> Embeddings:
    """The same, once each photo that did not fail is known to have a finite vector of one encoder.

    Raises:
        ValueError: it is otherwise.
    """
    table, vectors = found
    if vectors.ndim != 2 or len(table) != len(vectors) or not len(table):
        raise ValueError(
            f"embeddings are a vector for each photo, got {len(table)} photos and the shape "
            f"{vectors.shape}"
        )
    known = Embeddings(table.reset_index(drop=True), np.asarray(vectors, np.float32))
    bad = ~failed(known.table) & ~np.isfinite(known.vectors).all(axis=1)
    if bad.any():
        name = known.table["file"][bad].iloc[0]
        raise ValueError(f"{bad.sum()} of {len(bad)} vectors are not finite, the first of {name!r}")
    _ = known.source
    return known


def _read_parquet(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    io.check_table_suffix(path)
    table = pd.read_parquet(path)
    cells = table.pop("vector")
    width = len(next((cell for cell in cells if cell is not None), ()))
    vectors = np.full((len(table), width), np.nan, np.float32)
    for row, cell in enumerate(cells):
        if cell is not None:
            vectors[row] = cell
    return table, vectors


def _read_npz(path: Path) -> tuple[pd.DataFrame, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        named = {name: arrays[name] for name in arrays.files if name != _MARK}
    vectors = named.pop("vectors")
    rows = len(vectors)
    columns = {n: v.tolist() * (rows if n in _CONSTANT else 1) for n, v in named.items()}
    return pd.DataFrame(columns), vectors
