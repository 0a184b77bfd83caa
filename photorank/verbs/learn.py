"""Train a head: a score from 1 to 10 like one's own ratings, or one that leans towards one's own picks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from photorank.config.config import Settings
from photorank.features.run.extract import FACTS
from photorank.ranking.dedup import mark_duplicates
from photorank.training import heads
from photorank.training.folds import joined_scenes
from photorank.training.trees import Balance
from photorank.utils.logging import logger
from photorank.utils.rows import failed, numbers
from photorank.utils.tables import read_table
from photorank.utils.words import plural, shown

from ..table.columns import FIRST_COLUMNS, RAW_COLUMNS
from ..table.embeddings import Embeddings, checked, is_embeddings, load
from ..table.labels import Labels, match_labels, read_labels, scenes_of
from ..table.picks import read_picks
from .embed import embedded
from .learned import Learned
from .learning import FOLDS, Job, of_picks, of_ratings

FEWEST = 20


def learn(source: Any, labels: Labels | None = None, picks: Any = None, **settings: Any) -> Learned:
    """Train several candidates for a head, judge each on photos of other scenes, keep the best.

    With `labels` to a scale from 1 to 10, which the least and the highest rating become; with `picks`
    to what tells those from the others, within scenes where scenes have both. Writes nothing.

    Args:
        source: photos as `rank` takes them, what `embed` returned, or a file of embeddings.
        labels: ratings (a table or the file of one: file, rating, perhaps scene, or person, by which
            photos are then split).
        picks: a table with a column pick of 1 and 0, or a folder: of photos or .xmp files with stars
            (one or more is a pick), or of copies of the chosen photos.
        **settings: `name` ("learned") of the column; `encoder` ("network" or "clip"); `trials` (50) of
            LightGBM's parameters per fold, 0 without it; `seed` (0); `model`, a candidate, in the best
            one's place; `oversampling` and `weighting` (True) of extremes, for LightGBM; and fields of
            `Settings`.

    Returns:
        The head, what each candidate is worth, and a report.

    Raises:
        ValueError: too few photos or scenes, labels that fit none, ratings that are all the same,
            vectors that are not of one encoder.
    """
    own = {name: settings.pop(name) for name in _OPTIONS if name in settings}
    return learn_from(source, Settings.load(settings), labels, picks, **own)


_OPTIONS = ("name", "encoder", "trials", "seed", "model", "oversampling", "weighting")


def learn_from(
    source: Any,
    settings: Settings,
    labels: Labels | None = None,
    picks: Any = None,
    name: str = "learned",
    encoder: str = "network",
    trials: int = 50,
    seed: int = 0,
    model: str = "",
    oversampling: bool = True,
    weighting: bool = True,
) -> Learned:
    """As `learn`, by settings that are loaded."""
    _check(name, trials, (labels is None) == (picks is None))
    given = None if labels is None else _read(labels)  # a mistake there costs no measuring
    found = _embeddings(source, encoder, settings)
    table = found.table.assign(error=None)
    if given is not None:
        rated, notes = match_labels(given, table)
    else:
        picked, notes = read_picks(picks, table)
        rated = picked.dropna().to_frame("rating")
    groups = _scenes(table, rated, notes)
    values = numbers(rated["rating"])
    _check_labels(values, groups, picks is not None)
    low, high = values.min(), values.max()
    wanted = values if given is None else 1 + 9 * (values - low) / (high - low)
    quality = numbers(table["quality"]) if "quality" in table else np.full(len(table), np.nan)
    rows = rated.index.to_numpy()
    known = None if np.isnan(quality[rows]).any() else quality[rows]
    if known is None:
        notes.append("no column quality beside the vectors: candidates that read it are left out")
    photos = heads.Photos(found.vectors[rows], wanted, groups, known)
    about = {"labels": [float(low), float(high)], "seed": seed}
    job = Job(photos, table.loc[rows], found.source, name, model, notes, about)
    if given is None:
        return of_picks(job)
    balance = Balance(oversampling, weighting)
    return of_ratings(job, trials, balance, settings.quiet)


def _check(name: str, trials: int, is_unclear: bool) -> None:
    if is_unclear:
        raise ValueError("learning takes labels or picks: give one of the two")
    taken = {"file", "path", "rank", "error", "missing", *FIRST_COLUMNS, *RAW_COLUMNS, *FACTS}
    if name in taken or not name.isidentifier() or name.endswith(("_norm", "_contribution")):
        raise ValueError(
            f"a head's column has a name of its own, of letters and _, got {shown(name)}"
        )
    if type(trials) is not int or trials < 0:
        raise ValueError(f"trials is a whole number from 0 up, got {trials!r}")


def _read(labels: Labels) -> pd.DataFrame:
    """Labels whose scene is the person, where they name one."""
    table = labels if isinstance(labels, pd.DataFrame) else read_table(labels)
    names = {str(column).strip().lower(): column for column in table.columns}
    if "person" in names:
        others = [names["scene"]] if "scene" in names else []
        table = table.drop(columns=others).rename(columns={names["person"]: "scene"})
    return read_labels(table)


def _embeddings(source: Any, encoder: str, settings: Settings) -> Embeddings:
    """The photos that have a vector."""
    if is_embeddings(source):
        found = checked(Embeddings(*source)) if isinstance(source, tuple) else load(source)
    else:
        found = embedded(source, encoder, settings)
    good = ~failed(found.table)
    if not good.any():
        raise ValueError(f"no photo could be read: {found.table['error'].iloc[0]}")
    if lost := int((~good).sum()):
        logger.warning("%s failed and are left out", plural(lost, "photo"))
    return Embeddings(found.table[good].reset_index(drop=True), found.vectors[good])


def _scenes(table: pd.DataFrame, rated: pd.DataFrame, notes: list[str]) -> np.ndarray:
    """(rated,) scenes by the labels, else by time; those that near-duplicates connect are one."""
    known = table.loc[rated.index]
    if "phash" in known:
        known = mark_duplicates(known)
    own = scenes_of(known, rated, notes).to_numpy(int)
    if "dup_group" not in known:
        return own
    return joined_scenes(own, known["dup_group"].to_numpy(int))


def _check_labels(values: np.ndarray, groups: np.ndarray, are_picks: bool) -> None:
    what = "picks and others" if are_picks else "ratings"
    if len(values) < FEWEST:
        raise ValueError(
            f"{what} for {plural(len(values), 'photo')}: learning takes {FEWEST} or more"
        )
    if np.ptp(values) == 0:
        raise ValueError(f"all {len(values)} {what} are {values[0]:g}: there is nothing to learn")
    if (count := len(np.unique(groups))) < 2 * FOLDS:
        raise ValueError(
            f"{plural(count, 'scene')}: to judge on scenes that were not learned from takes "
            f"{2 * FOLDS} or more"
        )
