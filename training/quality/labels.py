"""The labels of rated photos, checked before hours are spent on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from photorank.features.measures.phash import PHASH
from photorank.features.run.extract import extract
from photorank.ranking.dedup import mark_duplicates
from photorank.utils.tables import read_table
from photorank.utils.words import first

from ..folds import joined_scenes

FEWEST = 12


def training_labels(path: Path, folder: Path, parts: int) -> pd.DataFrame:
    """Labels with `file`, `mos` from 0 to 1 and `scene`, fit to be trained on: near-duplicates share a scene.

    Args:
        path: the file of the labels.
        folder: of the photos.
        parts: into which the scenes are to be split.

    Raises:
        ValueError: a column or a value is missing, a rating is outside 0 to 1, a photo is not there
            or named twice, all ratings are the same, or there are too few photos or scenes.
    """
    labels = _rated_photos(path, folder)
    _require(labels, labels["mos"].between(0, 1), f"mos in {path} is from 0 (bad) to 1 (good)")
    _require(labels, labels["scene"].notna(), f"{path} names the scene of each photo")
    if len(labels) < FEWEST:
        raise ValueError(f"training needs {FEWEST} photos or more, {path} has {len(labels)}")
    if labels["mos"].nunique() == 1:
        raise ValueError(f"the ratings must differ; those of {path} are all {labels['mos'][0]:g}")
    labels["scene"] = _joined_scenes(labels["scene"], [folder / file for file in labels["file"]])
    scenes = labels["scene"].nunique()
    if scenes < parts:
        raise ValueError(
            f"training needs {parts} scenes or more, to judge by those that it did not see; {path} "
            f"has {scenes}, near-duplicates joined"
        )
    return labels


def _rated_photos(path: Path, folder: Path) -> pd.DataFrame:
    """Labels with all columns, `mos` a number in each row, `file` an own photo of `folder` in each."""
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}: give the folder of the photos that {path} rates")
    labels = read_table(path)
    if not {"file", "mos", "scene"} <= set(labels):
        there = ", ".join(map(str, labels.columns))
        raise ValueError(f"{path} needs the columns file, mos, scene; it has {there}")
    labels["mos"] = pd.to_numeric(labels["mos"], errors="coerce")
    _require(labels, labels["mos"].notna(), f"mos in {path} is a number")
    labels["file"] = labels["file"].astype(str)
    found = labels["file"].map(lambda file: (folder / file).is_file())
    _require(labels, found, f"{path} names photos in {folder}")
    _require(labels, ~labels["file"].duplicated(), f"{path} names each photo once")
    return labels


def _joined_scenes(scenes: pd.Series, photos: list[Path]) -> pd.Series:
    """Scene numbers; one for all scenes that near-duplicates connect."""
    measured = pd.DataFrame(extract(photos, [PHASH]))
    alone = pd.Series(-1 - np.arange(len(photos)))
    groups = mark_duplicates(measured)["dup_group"].fillna(alone).to_numpy(int)
    return pd.Series(joined_scenes(pd.factorize(scenes)[0], groups))


def _require(labels: pd.DataFrame, fine: pd.Series, wanted: str) -> None:
    if not fine.all():
        wrong = labels["file"][~fine]
        some = first(map(repr, wrong))
        raise ValueError(f"{wanted}; {len(wrong)} of {len(labels)} rows do otherwise: {some}")
