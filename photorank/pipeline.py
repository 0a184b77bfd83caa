"""A plan carried out: photos -> table of measurements -> ranked and tagged table, with its record."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from copy import deepcopy
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from photorank.config.config import DEFAULT_SCALE, Settings
from photorank.features.run.extract import FACTS
from photorank.features.run.extract import measured as rows_of
from photorank.ranking.dedup import mark_duplicates
from photorank.ranking.fusion import Fused, fuse
from photorank.ranking.keep import keep_best, keepers_first
from photorank.ranking.order import order
from photorank.utils import io
from photorank.utils.logging import logger, progress
from photorank.utils.rows import measured_rows

from . import __version__
from .models import cache_of
from .sources import OF_PHOTOS, Photos
from .table.columns import (
    SCORE_1_TO_10,
    arranged,
    columns_of,
)
from .table.record import Record, record_of, with_record
from .table.tags import with_tags
from .table.versions import outdated_columns
from .weighing import default_weights

if TYPE_CHECKING:
    from .plan import Plan


def measured(plan: Plan) -> pd.DataFrame:
    """The table of measurements of a plan's photos."""
    photos, settings, columns = plan.source, plan.settings, plan.columns
    assert isinstance(photos, Photos)
    for column in columns:
        logger.debug("measuring %s, version %s", column["name"], column["version"])
    workers = None if settings.workers == -1 else settings.workers
    names = ["file", "path", *(c["name"] for c in columns), *FACTS, "error"]
    left_out: dict[str, str] = {}
    cache = cache_of(settings)
    with closing(rows_of(photos.sources, plan.features, workers, cache, left_out)) as rows:
        shown = rows if settings.quiet else progress(rows, len(photos.files), "measuring")
        named = ({"file": file} | row for file, row in zip(photos.files, shown, strict=True))
        table = io.frame(named, names)
    notes = [f"left out: {name}: {why}" for name, why in left_out.items()]
    record = deepcopy(photos.record) | {"columns": deepcopy(columns)}
    return with_record(table, record | ({"notes": notes} if notes else {}))


def run(plan: Plan) -> pd.DataFrame:
    """Measure if need be, rank and tag, with the record of it."""
    start = time.monotonic()
    measurements = plan.measure()
    ranked, record = _ranked(measurements, plan)
    table, _ = with_tags(ranked, plan.profile)
    before = record_of(measurements)
    record |= {"photorank": __version__, "settings": _settings(plan, before)}
    record |= {"seconds": round(time.monotonic() - start, 2), "tags": record_of(table)["tags"]}
    return with_record(table, before | record)


def _settings(plan: Plan, before: Record) -> dict[str, Any]:
    """The settings as they can be written down; those by which a table was measured stay."""
    simple = (str, int, float, bool, tuple, list, Mapping)
    given = plan.settings
    plain = vars(given) | {"default_weights": vars(given.default_weights)}
    plain["features"] = tuple(getattr(feature, "name", feature) for feature in given.features)
    plain = {name: v if isinstance(v, simple) else repr(v) for name, v in plain.items()}
    old = before.get("settings", {})
    plain |= {name: value for name, value in old.items() if name in OF_PHOTOS}
    return plain | ({"scale": plan.scale_name} if plan.scale_name else {})


def _ranked(measurements: pd.DataFrame, plan: Plan) -> tuple[pd.DataFrame, Record]:
    """The ordered table and what the record says of how it came about."""
    table, notes = measurements, [*plan.notes]
    for note in notes:
        logger.warning(note)
    if plan.features:  # else those of an earlier ranking
        notes += record_of(table).get("notes", [])
    good = measured_rows(table)
    columns, weights = _to_weigh(table, plan, notes)
    record = Record(found=len(table), ranked=len(good), failed=len(table) - len(good))
    record |= {"columns": columns, "notes": notes}
    if good.empty:
        table = table.assign(final_score=np.nan)
    else:
        fused = fuse(good, columns, weights, plan.scale)
        table = table.join(fused.table)
        notes[:0] = filter(None, [outdated_columns(columns)])
        record |= {"weights": fused.weights, "scale": asdict(fused.scale)}
        notes += _say(fused)
        if plan.scale_name == DEFAULT_SCALE:
            table[SCORE_1_TO_10] = (1 + 9 * table["final_score"]).round(1)
        if plan.settings.save_scale:
            fused.scale.save(plan.settings.save_scale)
    for file, error in table.drop(good.index)[["file", "error"]].itertuples(index=False):
        logger.debug("failed: %s: %s", file, error)
    return _ordered(table, plan.settings, record), record


def _to_weigh(
    table: pd.DataFrame, plan: Plan, notes: list[str]
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """The columns that are normalised, and their weights."""
    columns = columns_of(table, plan.settings.lower_is_better)
    weights, said = plan.weights, len(notes)
    if weights is None:
        weights = default_weights(table, columns, plan.settings, notes)
        for note in notes[said:]:
            logger.info(note)
    own = [c for c in columns if c["name"] in weights or not c.get("foreign")]
    return [c for c in own if c["name"] in table], weights


def _say(fused: Fused) -> list[str]:
    """Log what there is to say of a fusion, and give back what the record keeps of it."""
    dropped = [f"{n} has no value here: its weight goes to the others" for n in fused.dropped]
    for note in dropped:
        logger.warning(note)
    for note in fused.notes:
        logger.info(note)
    for name, weight in fused.weights.items():
        logger.debug("weight %s = %.3f", name, weight)
    return dropped + fused.notes


def compares(table: pd.DataFrame, settings: Settings) -> bool:
    """Whether near-duplicates are looked for: if that is wanted, and cannot fail or must not."""
    return settings.dedup == "keep-best" or (settings.dedup == "mark" and "phash" in table)


def _ordered(table: pd.DataFrame, settings: Settings, record: Record) -> pd.DataFrame:
    """Best first, with near-duplicates marked if they are wanted and can be had."""
    ordered = order(table)
    if compares(ordered, settings):
        ordered = keepers_first(mark_duplicates(ordered, settings.dedup_distance))
        is_worse = ~ordered["dup_keeper"] & ordered["error"].isna()
        record["near_duplicates"] = int(is_worse.sum())
    return arranged(keep_best(ordered) if settings.dedup == "keep-best" else ordered)
