"""Splits of rows for cross-validation: no scene is on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Fold:
    """Rows to train on and rows to judge on, of other scenes."""

    train: np.ndarray
    test: np.ndarray


def joined_scenes(scenes: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Scene numbers; one for all scenes that near-duplicates connect.

    Else one subject stands on both sides of a split, and the figures are too good.

    Args:
        groups: (n,) of near-duplicates.
    """
    numbers = pd.Series(scenes)
    while True:
        joined = numbers.groupby(groups).transform("min").groupby(scenes).transform("min")
        if joined.equals(numbers):
            return numbers.to_numpy()
        numbers = joined


def scene_folds(groups: np.ndarray, count: int, seed: int) -> list[Fold]:
    """`count` parts of about equal size, each judged by what was trained on the others.

    Scenes are dealt out largest first, those of one size in random order, to the part that is smallest.

    Raises:
        ValueError: fewer scenes than parts.
    """
    names, members = np.unique(groups, return_inverse=True)
    if len(names) < count:
        raise ValueError(f"{count} folds need at least as many scenes, got {len(names)}")
    sizes = np.bincount(members)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    part_of = np.zeros(len(names), int)
    filled = np.zeros(count)
    for scene in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        part_of[scene] = np.argmin(filled)
        filled[part_of[scene]] += sizes[scene]
    part = part_of[members]
    return [Fold(np.flatnonzero(part != i), np.flatnonzero(part == i)) for i in range(count)]
