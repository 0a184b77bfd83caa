"""The judgement behind `learn`: which candidate is best on scenes that it was not trained on, and saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from photorank.features.formulas import lightgbm
from photorank.features.heads import Source, Trained
from photorank.training import head_figures as figures
from photorank.training import heads
from photorank.training.folds import Fold, scene_folds
from photorank.training.trees import Balance
from photorank.utils.logging import progress
from photorank.utils.stats import FEWEST_SCENES
from photorank.utils.words import near, plural

from .learned import Learned

FEWEST_PICKS, FOLDS = 40, 5
_SCALE = (1.0, 10.0)


@dataclass(frozen=True)
class Job:
    """What both ways of learning need.

    Attributes:
        photos: what to learn from.
        table: `file path` of each.
        source: the encoder of their vectors.
        name: of the column.
        model: the candidate to take; empty: the best.
        notes: what was left out.
        about: seed, range of the labels and more, for the card.
    """

    photos: heads.Photos
    table: pd.DataFrame
    source: Source
    name: str
    model: str
    notes: list[str]
    about: dict[str, Any]

    @property
    def seed(self) -> int:
        return int(self.about["seed"])

    def folds(self, groups: np.ndarray) -> list[Fold]:
        return scene_folds(groups, FOLDS, self.seed)

    def judge(self, folds: Sequence[Fold], picks: bool = False) -> figures.Judge:
        """Scores are compared within the fold that they were held out with."""
        pool = np.zeros(len(self.photos.labels), int)
        for number, fold in enumerate(folds):
            pool[fold.test] = number
        return figures.Judge(self.photos.labels, self.photos.groups, pool, self.seed, picks)

    def check_model(self, fits: Mapping[str, heads.Fit]) -> None:
        if self.model and self.model not in fits:
            raise ValueError(f"no candidate {self.model!r}; {near(self.model, fits)}")


def of_ratings(job: Job, trials: int, balance: Balance, quiet: bool) -> Learned:
    """From 1 to 10, by whichever candidate orders photos of other scenes best."""
    photos, labels = job.photos, job.photos.labels
    folds = job.folds(photos.groups)
    fits, grown = heads.candidates(photos, job.seed), heads.TreeFits(trials, job.seed, balance)
    if trials and _has_lightgbm(job.notes):
        fits |= grown.candidates()
    job.check_model(fits)
    total = (len(folds) + 1) * trials * (heads.TREES in fits)
    steps: Any = (number for number in range(total))
    if not quiet:
        steps = progress(range(total), total, "learning", "trial")
    with closing(steps):
        grown.tick = partial(next, steps, None)
        found = heads.held_out(photos, folds, fits)
        judge, said = job.judge(folds), []
        tables = {}
        if heads.BALANCED in found:
            tables["balance"] = figures.balance_table(found, labels)
            pays, why = figures.balance_pays(found, labels)
            said.append(why)
            found.pop(heads.TREES if pays or job.model == heads.BALANCED else heads.BALANCED)
        worth = judge.figures(found)
        best = job.model or figures.best_of(worth, judge.order)
        if heads.TREES in fits:
            said.append(figures.trees_against_ridge(judge, found))
        model = fits[best](photos, len(folds))
        tables["bins"] = judge.bins(found[best])
        tables["splits"] = _splits(job, {best: fits[best]}, found[best], judge)
    said = _verdict(best, found, judge, worth) + said
    return _learned(job, model, best, found, worth, said, _SCALE, tables)


def of_picks(job: Job) -> Learned:
    """The candidate that puts picks above the others most often; within scenes where they have both."""
    photos, groups = job.photos, job.photos.groups
    both = heads.mixed(photos.labels, groups)
    many = 2 * photos.labels[both].sum() >= photos.labels.sum()
    pairwise = bool(many and len(np.unique(groups[both])) >= FEWEST_SCENES)
    fits = heads.preferences(photos, job.seed, pairwise)
    job.check_model(fits)
    folds = job.folds(groups)
    found = heads.held_out(photos, folds, fits, None)
    judge = job.judge(folds, picks=True)
    if pairwise:
        judge = figures.Judge(photos.labels, groups, groups, job.seed, picks=True)
    worth = judge.figures(found)
    best = job.model or figures.best_of(worth, judge.order)
    pairs = "of its own scene" if pairwise else "of other scenes too"
    said = [
        f"pairs: how often a pick is above another photo {pairs}; .5 is chance",
        *_verdict(best, found, judge, worth),
    ]
    if (count := int(photos.labels.sum())) < FEWEST_PICKS:
        said.append(
            f"{plural(count, 'pick')}: below {FEWEST_PICKS} it cannot be known whether this is your taste"
        )
    model = fits[best](photos, len(folds))
    return _learned(job, model, best, found, worth, said, None, {})


def _verdict(
    best: str, found: Mapping[str, np.ndarray], judge: figures.Judge, worth: pd.DataFrame
) -> list[str]:
    """Which is best, and whether it is better than chance and than quality alone."""
    row = worth.set_index("candidate").loc[best]
    if not (row[f"{judge.order}_low"] > judge.chance and row.get("r2_low", 1.0) > 0):
        return [
            f"best: {best}, which is worthless: it is not surely better than chance and the mean"
        ]
    if heads.QUALITY not in found:
        return [f"best: {best}"]
    if best == heads.QUALITY:
        return ["best: quality; nothing learned from the vectors is better than quality alone"]
    gap = judge.difference(found[best], found[heads.QUALITY])
    no = "" if gap["low"] > 0 else "no "
    interval = f"{gap['value']:+.3f}, {gap['low']:+.3f} to {gap['high']:+.3f}"
    return [f"best: {best}, {no}better than quality alone ({interval})"]


def _splits(
    job: Job, fits: Mapping[str, heads.Fit], by_scene: np.ndarray, judge: figures.Judge
) -> pd.DataFrame:
    """The chosen candidate judged by a split that knows no scenes, and by ours, side by side."""
    alone = replace(job.photos, groups=np.arange(len(job.photos.labels)))
    folds = job.folds(alone.groups)
    (at_random,) = heads.held_out(alone, folds, fits).values()
    one = job.judge(folds).figures({"random": at_random})
    other = judge.figures({"by scene": by_scene})
    return pd.concat([one, other]).rename(columns={"candidate": "split"})


def _learned(
    job: Job,
    model: Any,
    best: str,
    found: Mapping[str, np.ndarray],
    worth: pd.DataFrame,
    said: list[str],
    scale: tuple[float, float] | None,
    tables: dict[str, pd.DataFrame],
) -> Learned:
    photos, (low, high) = job.photos, scale or (None, None)
    record = {"photos": len(photos.labels), "folds": FOLDS, **job.about}
    record["scenes"] = len(np.unique(photos.groups))
    card = {"candidate": best, "verdict": said, **record, "worth": _plain(worth)}
    width = photos.vectors.shape[1]
    return Learned(
        head=Trained(job.name, job.source, width, model, low, high, card),
        worth=worth,
        verdict=said,
        notes=job.notes,
        record=record,
        photos=job.table[["file", "path"]].assign(wanted=photos.labels, found=found[best]),
        groups=photos.groups,
        **tables,
    )


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows for JSON, which has no word for NaN."""
    plain = table.astype(object).where(table.notna(), None)
    return [{str(k): v for k, v in row.items()} for row in plain.to_dict("records")]


def _has_lightgbm(notes: list[str]) -> bool:
    try:
        lightgbm()
    except ImportError as error:
        notes.append(f"LightGBM is no candidate: {error}")
        return False
    return True
