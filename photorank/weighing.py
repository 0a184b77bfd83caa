"""Which weights and which scale a ranking has: those given, or the defaults for its columns."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

import pandas as pd

from photorank.config.config import DEFAULT_SCALE, DEFAULT_SCALE_FILE, Settings
from photorank.ranking.fusion import Scale
from photorank.ranking.weights import check_weights, read_weights
from photorank.utils.logging import logger


def scale_of(settings: Settings, columns: list[dict[str, Any]]) -> Scale | str:
    """The scale that was given, read if it is a file; else the name of the one to fit to the table.

    Raises:
        ValueError: no scale, a damaged one, or one of another normalisation than is asked for.
    """
    if isinstance(settings.scale, str) and not settings.scale:
        return settings.normalization
    scale, asked = _given_scale(settings.scale, columns), settings.normalization
    if asked not in ("robust", scale.method):
        raise ValueError(
            f"the scale is of the normalization {scale.method!r}, and {asked!r} is asked for: leave "
            "out one of the two"
        )
    return scale


def _given_scale(given: Any, columns: list[dict[str, Any]]) -> Scale:
    if given == DEFAULT_SCALE:
        given = DEFAULT_SCALE_FILE
    if isinstance(given, str | os.PathLike):
        return Scale.load(given, columns)
    if not hasattr(given, "normalise"):
        raise ValueError(f"scale is a saved scale's file or what fit_scale returned, got {given!r}")
    return cast(Scale, given)


def fixed_scale(table: pd.DataFrame, settings: Settings) -> dict[str, Any]:
    """The scale that the table was scored by as a setting, if that was a fixed one and none is asked for.

    Its scores then stay what they are. Fitted scales are fitted anew: that is what they are for.
    """
    record = table.attrs.get("photorank", {})
    name = record.get("settings", {}).get("scale", "")
    if not name or "scale" not in record or settings.scale or settings.normalization != "robust":
        return {}
    logger.info("scores stay on the scale that the table was scored by (--scale gives another)")
    return {"scale": DEFAULT_SCALE if name == DEFAULT_SCALE else Scale(**record["scale"])}


def weights_of(
    table: pd.DataFrame, columns: list[dict[str, Any]], settings: Settings, notes: list[str]
) -> dict[str, float]:
    """The weights for this table: those given, or the default set for its columns."""
    given = given_weights(settings, columns)
    if given is not None:
        return given
    has_clip = "aesthetic" in table and table["aesthetic"].notna().any()
    sets = cast(Mapping[str, Any], settings.weights)
    defaults = check_weights(sets["with_clip" if has_clip else "without_clip"], columns)
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
    if isinstance(settings.weights, Mapping) and "with_clip" in settings.weights:
        return None
    return check_weights(read_weights(settings.weights, columns), columns)
