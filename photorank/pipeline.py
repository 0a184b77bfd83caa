"""Where the folders meet: measure photos, fuse their columns, order them, and keep the record of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photorank.config.config import DEFAULT_SCALE, Settings
from photorank.features.base import declare
from photorank.features.run.extract import FACTS
from photorank.features.run.extract import extract as measure
from photorank.ranking.dedup import keep_best, mark_duplicates
from photorank.ranking.fusion import Scale, fuse
from photorank.ranking.order import order
from photorank.ranking.profiles import Profile
from photorank.utils import io
from photorank.utils.logging import logger, progress
from photorank.utils.rows import measured_rows

from . import __version__
from .models import cache_of, features_of, vocabulary_of
from .sources import OF_PHOTOS, check, check_table
from .table.columns import (
    SCORE_1_TO_10,
    arranged,
    columns_of,
    derived_columns,
    with_names,
    with_numbers,
)
from .table.files import as_table, is_table, load, save
from .table.versions import outdated_columns
from .verbs.tag import with_tags
from .weighing import fixed_scale, given_weights, scale_of, weights_of

__all__ = ["extract", "fit_scale", "load", "rank", "save"]


def rank(source: Any, **settings: Any) -> pd.DataFrame:
    """Rank photos, best first, with what each score is made of.

    Args:
        source: a folder (searched with all folders below it), a list of paths, a dict of name ->
            uint8 RGB array or PIL image, or a table of measurements (from `extract`, any DataFrame
            with numeric columns, or the path of such a table), ranked without opening a photo.
        **settings: any field of `Settings`, by the name of its flag.

    Returns:
        One row per photo, best first and failed ones last (`rank` empty, `error` filled); the README
        lists the columns. `table.attrs["photorank"]` holds settings, versions, weights, scale and
        counts: what the sidecar of a CSV holds.

    Raises:
        ValueError: wrong settings, or nothing that could be ranked in `source`.

    Writes nothing but the file `cache`, if one is named (docs/performance.md), and downloads nothing:
    CLIP is used if its weights are already on this machine.
    """
    chosen = Settings.load(settings)
    check_table(source, chosen)
    return rank_by(source, chosen)


def rank_by(source: Any, chosen: Settings) -> pd.DataFrame:
    """As `rank`, but what a table cannot answer is passed over: a file of settings may be for photos too."""
    start = time.monotonic()
    measured = as_table(source) if is_table(source) else _measured(source, chosen)
    kept = fixed_scale(measured, chosen)
    table, record = _ranked(measured, replace(chosen, **kept))
    table, _ = with_tags(table, Profile.load(chosen.profile))
    before = measured.attrs.get("photorank", {})
    of_photos = {n: v for n, v in before.get("settings", {}).items() if n in OF_PHOTOS}
    record |= {"photorank": __version__, "settings": _plain(chosen) | of_photos}
    if kept:  # by the name that it was given, for the next time
        record["settings"]["scale"] = before["settings"]["scale"]
    record["seconds"] = round(time.monotonic() - start, 2)
    record["tags"] = table.attrs["photorank"]["tags"]
    table.attrs["photorank"] = before | record
    return table


def extract(source: Any, features: Sequence[Any] = (), **settings: Any) -> pd.DataFrame:
    """Measure photos without ranking them.

    Args:
        source: a folder, a list of paths, or a dict of name -> uint8 RGB array or PIL image.
        features: `Feature`s, `Head`s or names of built-in features; none: all, and CLIP if its
            weights are already on this machine.
        **settings: fields of `Settings` that bear on measuring; with `cache` photos that are in that
            file as they are now are not opened again.

    Returns:
        One row per photo in the order found: file, path, the columns of the features, width, height,
        bytes, jpeg_quality, taken_at, camera, error. Their declarations are in `table.attrs["photorank"]`.

    Raises:
        ValueError: wrong settings, no photos, a table, or features whose columns clash.
    """
    if is_table(source):
        raise ValueError(
            "extract measures photos, and this is a table: give the folder of its photos, or rank it"
        )
    return _measured(source, Settings.load(settings | {"features": features}))


def fit_scale(table: Any, normalization: str = "robust") -> Scale:
    """Fit a normalisation to a table of measurements; with `rank(scale=...)` it serves other folders.

    Args:
        table: a DataFrame, or the path of a saved one.
        normalization: "robust", "minmax" or "rank".

    Raises:
        ValueError: an unknown method.
    """
    table = as_table(table)
    ranked = [c for c in columns_of(table) if c["better"] != "neither"]
    return Scale.fit(measured_rows(table), ranked, normalization)


def _measured(source: Any, settings: Settings) -> pd.DataFrame:
    """The table of measurements of photos, with its record in attrs."""
    sources, files, record = check(source, settings)
    features = features_of(settings)
    if not features:
        raise ValueError(
            "nothing to measure: CLIP is not to be had, and no other feature was named"
        )
    columns = declare(features)
    _check_before(settings, columns)
    workers = None if settings.workers == -1 else settings.workers
    for column in columns:
        logger.debug("measuring %s, version %s", column["name"], column["version"])
    names = ["file", "path", *(c["name"] for c in columns), *FACTS, "error"]
    with closing(measure(sources, features, workers, cache_of(settings))) as rows:
        shown = rows if settings.quiet else progress(rows, len(sources), "measuring")
        named = ({"file": file} | row for file, row in zip(files, shown, strict=True))
        table = io.frame(named, names)
    table.attrs["photorank"] = record | {"columns": columns}
    return table


def check_settings(settings: Settings) -> None:
    """Find mistakes in weights, scales, profile and vocabulary before anything is downloaded.

    Raises:
        ValueError: one that could not be used whatever is measured.
    """
    vocabulary_of(settings)
    columns = columns_of(pd.DataFrame())
    given_weights(settings, columns)
    scale_of(settings, [])
    Profile.load(settings.profile).check_names(c["name"] for c in columns)


def _check_before(settings: Settings, columns: list[dict[str, Any]]) -> None:
    """Find mistakes in weights, scales and places to write before the work, not after it."""
    empty = pd.DataFrame({column["name"]: [] for column in columns})
    empty.attrs["photorank"] = {"columns": columns}
    given = given_weights(settings, columns_of(empty))
    if given is not None and not set(given) & set(empty):
        raise ValueError(
            f"none of the weighted columns ({', '.join(given)}) is measured in this run, which has "
            f"{', '.join(map(str, empty))}: give other weights or features"
        )
    scale_of(settings, columns)
    profile = Profile.load(settings.profile)
    profile.check_versions(columns)
    profile.check_names(c["name"] for c in columns_of(empty))
    _with_duplicates(empty, settings)
    if settings.save_scale:
        io.check_ours(settings.save_scale)
        io.check_writable(Path(settings.save_scale).expanduser())


def _ranked(measured: pd.DataFrame, settings: Settings) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The ordered table and what the record says of how it came about."""
    table, bad = with_numbers(with_names(measured.drop(columns=derived_columns(measured))))
    for note in bad:
        logger.warning(note)
    good = measured_rows(table)
    columns = columns_of(table, settings.lower_is_better)
    notes: list[str] = []
    weights = weights_of(table, columns, settings, notes)
    columns = [c for c in columns if c["name"] in weights or not c.get("foreign")]
    columns = [c for c in columns if c["name"] in table]
    counts = {"ranked": len(good), "failed": len(table) - len(good)}
    record: dict[str, Any] = {"found": len(table)} | counts | {"columns": columns, "notes": notes}
    if good.empty:
        table["final_score"] = np.nan
    else:
        scale = scale_of(settings, columns)
        fused = fuse(good, columns, weights, scale)
        notes += fused.notes
        dropped = [f"{n} has no value here: its weight goes to the others" for n in fused.dropped]
        for note in dropped:
            logger.warning(note)
        record["notes"] = [*filter(None, [outdated_columns(columns)]), *bad, *dropped, *notes]
        table = table.join(fused.table)
        if settings.scale == DEFAULT_SCALE:
            table[SCORE_1_TO_10] = (1 + 9 * table["final_score"]).round(1)
        record |= {"weights": fused.weights, "scale": asdict(fused.scale)}
        if settings.save_scale:
            fused.scale.save(settings.save_scale)
    for note in notes:
        logger.info(note)
    for name, weight in record.get("weights", {}).items():
        logger.debug("weight %s = %.3f", name, weight)
    for file, error in table.drop(good.index)[["file", "error"]].itertuples(index=False):
        logger.debug("failed: %s: %s", file, error)
    ordered = _with_duplicates(order(table), settings)
    if "dup_keeper" in ordered:
        record["near_duplicates"] = int((~measured_rows(ordered)["dup_keeper"]).sum())
    if settings.dedup == "keep-best":
        ordered = keep_best(ordered)
    return arranged(ordered), record


def _with_duplicates(ordered: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Near-duplicates marked, unless they are not wanted, or cannot be had and need not."""
    if settings.dedup == "off" or ("phash" not in ordered and settings.dedup == "mark"):
        return ordered
    return mark_duplicates(ordered, settings.dedup_distance)


def _plain(settings: Settings) -> dict[str, Any]:
    """The settings as they can be written down."""
    simple = (str, int, float, bool, tuple, list, Mapping)
    plain = {f.name: getattr(settings, f.name) for f in fields(settings)}
    plain = {name: dict(v) if isinstance(v, Mapping) else v for name, v in plain.items()}
    return {name: v if isinstance(v, simple) else repr(v) for name, v in plain.items()}
