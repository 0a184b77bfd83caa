"""Train the quality model again, and write it with its card.

python scripts/train_quality.py --photos DIR --labels FILE [--check DIR --check-labels FILE]

The labels need the columns file, mos (0 to 1) and scene; near-duplicates join scenes. Three minutes
per thousand photos and core.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from .evaluation.agreement import agreement
from .features import quality
from .features.codebook import GRIDS, patches
from .quality_copies import LARGER, Job, plan, view
from .rated_photos import rated_photos, training_labels
from .training.blur import fit_blur, radius
from .training.codebook import learn_codes
from .training.degradations import KINDS
from .training.held_out_quality import card, cross_validate, kept, lowered
from .training.quality import Apparatus, Copies, Settings, fit
from .utils.io import (
    check_table_suffix,
    check_writable,
    read_table,
    write,
    write_table,
    write_text,
)

CODES = {"texture": 150, "colour": 240}
PATCHES_PER_PHOTO = 20
FEWEST = -(-max(CODES.values()) // PATCHES_PER_PHOTO)  # photos, for a patch to each code
GOOD = 0.7  # mos, about the median: from here on a brightened copy is a worse one
USE = Apparatus(quality.normal_scores, quality.coordinates, quality.similarities)

Map = Callable[..., Iterable[Any]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as `arguments` say. Exit code 2 for what is wrong with them, which is said; 130: interrupted."""
    given = _arguments(arguments)
    try:
        _train(given)
    except KeyboardInterrupt:
        print("train_quality: interrupted; no file is half-written", file=sys.stderr)
        sys.exit(130)
    except (ValueError, ImportError, OSError) as error:
        print(f"train_quality: {error}", file=sys.stderr)
        sys.exit(2)


def _train(given: argparse.Namespace) -> None:
    """Learn the codes, describe photos and copies, cross-validate, fit on all, write."""
    labels, checked = _labels(given)
    photos = [(str(given.photos / file), "", 0, n) for n, file in enumerate(labels.file)]
    planned = plan(len(photos), given.seed)
    copies = [(photos[photo][0], kind, level, photo) for photo, kind, level in planned]
    print(f"learning codes from {len(photos):,} photos", flush=True)
    with _pool(given.workers) as pool:
        codes = _codes(photos, given.seed, pool.map)
        print(f"describing {len(photos):,} photos and {len(copies):,} copies", flush=True)
        describe = functools.partial(_describe, codes)
        rows, worse = (_table(pool.map(describe, jobs, chunksize=8)) for jobs in (photos, copies))
        checks = _checks(given, checked, describe, pool.map)
    photo, kind, level = (np.array(values) for values in zip(*planned, strict=True))
    settings = Settings(seed=given.seed)
    data = (rows, _sizes(codes, rows.shape[1]), labels.mos.to_numpy())
    made_worse = Copies(worse, photo, kind, level)
    print(f"cross-validating in {given.folds} folds", flush=True)
    held_out = cross_validate(
        *data, labels.scene.to_numpy(), made_worse, USE, quality.predict, settings, given.folds
    )
    if given.held_out:  # what weights may be tuned on: the shipped model has seen these ratings
        write_table(labels.assign(quality=held_out.photos), given.held_out)
        print(f"wrote {given.held_out}")
    model = codes | fit(*data, made_worse, USE, settings)
    model |= _blur(model, rows, data[2] >= GOOD, made_worse)
    figures = {f"{_name(given.labels)}, held-out scenes": _agreement(held_out.photos, labels)}
    for name, (descriptions, ratings) in checks.items():
        figures[name] = _agreement(quality.predict(model, descriptions), ratings)
    laws = lowered(held_out, made_worse, data[2] >= GOOD)
    same = kept(held_out, made_worse, LARGER)
    _write(given.out, model, card(figures, laws, same, settings, _name(given.labels), given.folds))


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder of the rated photos")
    parser.add_argument("--labels", type=Path, required=True, help="CSV: file, mos, scene")
    parser.add_argument("--check", type=Path, help="folder of photos that are only scored")
    parser.add_argument("--check-labels", type=Path, help="CSV: file, mos")
    parser.add_argument(
        "--out",
        type=Path,
        default=quality.MODEL_PATH.parent,
        help="folder of the model and its card (default: features/models, what photorank uses)",
    )
    parser.add_argument("--held-out", type=Path, help="CSV to write: each photo's held-out score")
    parser.add_argument("--folds", type=int, default=5, help="of cross-validation (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="the same gives the same model")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="processes (default: one per core)"
    )
    return parser.parse_args(arguments)


def _labels(given: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """The labels to train on and those to check with; all that can be wrong is found here, at once."""
    for name, least in (("seed", 0), ("workers", 1)):
        if getattr(given, name) < least:
            raise ValueError(f"--{name} is {least} or more, got {getattr(given, name)}")
    if (given.check is None) != (given.check_labels is None):
        raise ValueError("--check and --check-labels go together; only one was given")
    check_writable(given.out / quality.MODEL_PATH.name)
    if given.held_out:
        _check_held_out(given)
    labels = training_labels(given.labels, given.photos, given.folds, FEWEST, GOOD)
    if given.check is None:
        return labels, None
    return labels, rated_photos(given.check_labels, given.check, ("file", "mos"))


def _check_held_out(given: argparse.Namespace) -> None:
    path: Path = given.held_out
    check_table_suffix(path)
    check_writable(path)
    read = [labels.resolve() for labels in (given.labels, given.check_labels) if labels]
    if path.is_file() and (path.resolve() in read or not _holds_scores(path)):
        raise ValueError(
            f"{path} exists and holds no held-out scores: give another name, or move it away"
        )


def _holds_scores(path: Path) -> bool:
    """Whether a file is what an earlier training wrote: rated photos with their scores."""
    try:
        return {"file", "mos", "scene", "quality"} <= set(read_table(path))
    except ValueError:
        return False


def _pool(workers: int) -> ProcessPoolExecutor:
    """Processes of one thread each: more threads than cores make this several times slower."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    fresh = multiprocessing.get_context("spawn")  # a fork would keep this process's threads
    return ProcessPoolExecutor(workers, fresh, _start_worker)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the first process ends them


def _describe(codes: quality.Model, job: Job) -> np.ndarray:
    return quality.describe(codes, view(job))


def _some_patches(seed: int, job: Job) -> list[np.ndarray]:
    rng, rgb = np.random.default_rng((seed, job[3])), view(job)
    found = (patches(rgb, grid) for grid in GRIDS.values())
    flat = (rows.reshape(-1, rows.shape[-1]) for rows in found)
    return [rows[rng.integers(len(rows), size=PATCHES_PER_PHOTO)] for rows in flat]


def _codes(jobs: Sequence[Any], seed: int, run: Map) -> quality.Model:
    found = list(run(functools.partial(_some_patches, seed), jobs, chunksize=8))
    codes: quality.Model = {}
    for name, rows in zip(GRIDS, zip(*found, strict=True), strict=True):
        learned = learn_codes(np.concatenate(rows), CODES[name], seed)
        codes |= dict(zip((f"{name}_codes", f"{name}_offsets"), learned, strict=True))
    return codes


def _table(found: Iterable[np.ndarray]) -> np.ndarray:
    return np.stack(list(found))


def _sizes(codes: quality.Model, columns: int) -> tuple[int, ...]:
    """Columns of the statistics and of each codebook."""
    books = [5 * len(codes[f"{name}_offsets"]) for name in GRIDS]
    return (columns - sum(books), *books)


def _blur(
    model: quality.Model, rows: np.ndarray, good: np.ndarray, copies: Copies
) -> quality.Model:
    """The learned blur, from good photos and their degraded copies."""
    worse = good[copies.photo] & np.isin(copies.kind, KINDS)
    known = zip(copies.kind[worse], copies.level[worse], strict=True)
    radii = [0.0] * int(good.sum()) + [radius(kind, level) for kind, level in known]
    shown = np.concatenate([rows[good], copies.descriptions[worse]])
    return fit_blur(quality.coordinates(model, shown), np.array(radii))


def _checks(
    given: argparse.Namespace,
    labels: pd.DataFrame | None,
    describe: Callable[..., np.ndarray],
    run: Map,
) -> dict[str, tuple[np.ndarray, pd.DataFrame]]:
    if labels is None:
        return {}
    jobs = [(str(given.check / file), "", 0, n) for n, file in enumerate(labels.file)]
    name = f"{_name(given.check_labels)}, never trained on"
    return {name: (_table(run(describe, jobs, chunksize=8)), labels)}


def _name(labels: Path) -> str:
    """What the card calls the photos: the folder in which their labels lie."""
    return labels.absolute().parent.name


def _agreement(scores: np.ndarray, labels: pd.DataFrame) -> dict[str, Any]:
    return agreement(scores, labels.mos, labels.get("scene"))


def _write(folder: Path, model: quality.Model, text: str) -> None:
    file, its_card, packed = folder / quality.MODEL_PATH.name, folder / "quality.md", _packed(model)
    write(file, lambda part: np.savez_compressed(part, allow_pickle=False, **packed))
    write_text(its_card, text)
    print(f"{text}\nwrote {file}\nwrote {its_card}")


def _packed(model: quality.Model) -> quality.Model:
    """Half precision for what training rounded to it."""
    halved = {name for name in model if name.startswith(("projection", "landmarks"))}
    return {k: v.astype(np.float16) if k in halved else v for k, v in model.items()}
