"""Which photos to label, for thresholds of the tags of one's own: a stratified random choice."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from photorank.ranking.profiles import Profile
from photorank.training.thresholds import to_label
from photorank.utils.cells import truths
from photorank.utils.rows import measured_rows

from ..table.files import as_table
from ..table.tags import check_there, judged, marked, told


def suggest(
    table: Any,
    number: int,
    profile: str | os.PathLike[str] = "default",
    only: Sequence[str] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """Photos to label, drawn at random from all strata of the tags' scores: a table to fill in with 1 or 0.

    Args:
        table: as for `calibrate`.
        number: how many photos.
        profile: whose thresholds are in question.
        only: tags; none: the faults that a person can see.
        seed: another one, another choice.

    Returns:
        `file` and an empty column for each tag, in the order of the table; of near-duplicates only
        the best.

    Raises:
        ValueError: a number below 1, or tags that there are not.
    """
    if number < 1:
        raise ValueError(f"suggest is a whole number from 1 up, got {number}")
    base = Profile.load(profile)
    tagged, _ = told(marked(as_table(table)), base)
    photos = measured_rows(tagged)
    if "dup_keeper" in photos:
        photos = photos[truths(photos["dup_keeper"])]
    all_ = judged(base, photos)
    wanted = list(only) or [*base.quality["serious"], *base.quality["minor"]]
    there = [tag for tag in wanted if tag in all_]
    check_there(only if there else wanted, all_)
    scores = photos[[f"{tag}_score" for tag in there]].to_numpy(float)
    rows = to_label(scores, number, seed)
    return photos.iloc[np.sort(rows)][["file"]].assign(**dict.fromkeys(there, ""))
