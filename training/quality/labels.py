"""The labels of rated photos, checked before hours are spent on them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from photorank.features.measures.phash import PHASH
from photorank.features.run.extract import extract
from photorank.ranking.dedup import mark_duplicates
from photorank.utils.io import read_table

_SHOWN = 3


def training_labels(path: Path, folder: Path, folds: int, fewest: int) -> pd.DataFrame:
    """Labels with `file`, `mos` from 0 to 1 and `scene`, fit to be trained on: near-duplicates share a scene.

    Args:
        path: the file of the labels.
        folder: of the photos.
        folds: into which the scenes are to be split.
        fewest: photos that are enough.

    Raises:
        ValueError: a column or a value is missing, a rating is outside 0 to 1, a photo is not there
            or named twice, all ratings are the same, or there are too few photos or scenes.
    """
    labels = rated_photos(path, folder, ("file", "mos", "scene"))
    _require(labels, labels["mos"].between(0, 1), f"mos in {path} is from 0 (bad) to 1 (good)")
    _require(labels, labels["scene"].notna(), f"{path} names the scene of each photo")
    if len(labels) < fewest:
        raise ValueError(f"training needs {fewest} photos or more, {path} has {len(labels)}")
    if labels["mos"].nunique() == 1:
        raise ValueError(f"the ratings must differ; those of {path} are all {labels['mos'][0]:g}")
    labels["scene"] = _joined_scenes(labels["scene"], [folder / file for file in labels["file"]])
    scenes = labels["scene"].nunique()
    if scenes < 2:
        raise ValueError(f"all photos of {path} are one scene: none would be left to judge by")
    if not 2 <= folds <= scenes:
        raise ValueError(f"--folds is from 2 to the scenes in {path}, {scenes}; got {folds}")
    return labels


def rated_photos(path: Path, folder: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Labels with these columns, `mos` a number in each row, `file` an own photo of `folder` in each.

    Raises:
        ValueError: one of these is missing.
    """
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}: give the folder of the photos that {path} rates")
    labels = read_table(path)
    missing = [name for name in columns if name not in labels]
    if missing:
        there = ", ".join(map(str, labels.columns))
        raise ValueError(f"{path} needs the columns {', '.join(columns)}; it has {there}")
    labels["mos"] = pd.to_numeric(labels["mos"], errors="coerce")
    _require(labels, labels["mos"].notna(), f"mos in {path} is a number")
    labels["file"] = labels["file"].astype(str)
    found = labels["file"].map(lambda file: (folder / file).is_file())
    _require(labels, found, f"{path} names photos in {folder}")
    _require(labels, ~labels["file"].duplicated(), f"{path} names each photo once")
    return labels


def _joined_scenes(scenes: pd.Series, photos: list[Path]) -> pd.Series:
    """Scene numbers; one for all scenes that near-duplicates connect.

    Else one subject stands on both sides of a split, and the figures are too good.
    """
    measured = pd.DataFrame(extract(photos, [PHASH]))
    alone = pd.Series(-1 - np.arange(len(photos)))
    groups = mark_duplicates(measured)["dup_group"].fillna(alone).to_numpy(int)
    own = pd.factorize(scenes)[0]
    numbers = pd.Series(own)
    while True:
        joined = numbers.groupby(groups).transform("min").groupby(own).transform("min")
        if joined.equals(numbers):
            return numbers
        numbers = joined


def _require(labels: pd.DataFrame, fine: pd.Series, wanted: str) -> None:
    if not fine.all():
        wrong = labels["file"][~fine]
        some = ", ".join(map(repr, wrong.head(_SHOWN))) + " ..." * (len(wrong) > _SHOWN)
        raise ValueError(f"{wanted}; {len(wrong)} of {len(labels)} rows do otherwise: {some}")
