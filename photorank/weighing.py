"""Which weights and which scale a ranking has: those given, or the defaults for its columns."""

from __future__ import annotations

import os
from typing import Any, cast

import pandas as pd

from photorank.config.config import DEFAULT_SCALE, DEFAULT_SCALE_FILE, Settings
from photorank.ranking.fusion import Scale
from photorank.ranking.weights import check_weights, read_weights
from photorank.utils.logging import logger
from photorank.utils.words import shown

from .table.record import Record


def scale_of(
    settings: Settings, columns: list[dict[str, Any]], record: Record
) -> tuple[Scale | str, str]:
    """The scale to use, or the name of the normalisation by which to fit one; and what it is called.

    A table that was scored by a fixed scale keeps it where none is asked for: its scores then stay
    what they are. Fitted scales are fitted anew: that is what they are for.

    Raises:
        ValueError: no scale, a damaged one, or one of another normalisation than is asked for.
    """
    given, asked = settings.scale, settings.normalization
    name = record.get("settings", {}).get("scale", "")
    if isinstance(given, str) and not given:
        if not name or "scale" not in record or asked != "robust":
            return asked, ""
        logger.info("scores stay on the scale that the table was scored by (--scale gives another)")
        kept = name != DEFAULT_SCALE
        if kept:
            return Scale.of(record["scale"], "the scale in the table's record"), name
        return _given_scale(name, columns), name
    scale = _given_scale(given, columns)
    if asked not in ("robust", scale.method):
        raise ValueError(
            f"the scale is of the normalization {scale.method!r}, and {asked!r} is asked for: leave "
            "out one of the two"
        )
    return scale, given if isinstance(given, str) else ""


def _given_scale(given: Any, columns: list[dict[str, Any]]) -> Scale:
    if isinstance(given, str) and given == DEFAULT_SCALE:
        given = DEFAULT_SCALE_FILE
    if isinstance(given, str | os.PathLike):
        if not os.path.exists(os.path.expanduser(given)):
            raise ValueError(
                f"no scale file {shown(str(given))}: give one, or default, which ships"
            )
        return Scale.load(given, columns)
    if not hasattr(given, "normalise"):
        raise ValueError(
            f"scale is a saved scale's file or what fit_scale returned, got {shown(given)}"
        )
    return cast(Scale, given)


def default_weights(
    table: pd.DataFrame, columns: list[dict[str, Any]], settings: Settings, notes: list[str]
) -> dict[str, float]:
    """The default set for the columns of this table."""
    has_clip = "aesthetic" in table and table["aesthetic"].notna().any()
    sets = settings.default_weights
    defaults = check_weights(sets.with_clip if has_clip else sets.without_clip, columns)
    weights = {name: weight for name, weight in defaults.items() if name in table}
    if weights:
        return weights
    ranked = [c["name"] for c in columns if c["better"] != "neither" and c["name"] in table]
    if not ranked:
        raise ValueError("no numeric column to rank by: give a table of measurements")
    notes.append(f"none of photorank's own columns: {', '.join(ranked)} weigh the same")
    return dict.fromkeys(ranked, 1.0)


def given_weights(settings: Settings, columns: list[dict[str, Any]]) -> dict[str, float] | None:
    """The user's own weights; None where the default sets stand."""
    if settings.weights == "":
        return None
    return check_weights(read_weights(settings.weights, columns), columns)
