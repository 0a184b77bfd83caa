"""Tune the weights of a ranking on ratings, or on degraded copies of a person's own photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from photorank.config.config import Settings
from photorank.evaluation.proxy_metrics import proxy_metrics
from photorank.ranking.fusion import MISSING, Scale
from photorank.training.copies import (
    choose,
    measurable,
    measure_copies,
    named,
    note_changed,
    pairs_of,
)
from photorank.training.folds import Fold, scene_folds
from photorank.training.weights.held_out import Result, by_cell, judge, seen_by, studies, verdict
from photorank.training.weights.search import Pairs, Ratings, kind_folds
from photorank.utils.logging import progress
from photorank.utils.rows import measured_rows
from photorank.utils.stats import FEWEST_SCENES
from photorank.utils.words import near, plural

from .. import models
from ..plan import Plan
from ..sources import NO_COPIES
from ..table.labels import Labels, match_labels, read_labels, scenes_of
from ..table.record import record_of
from .tuned import Tuned

FEWEST_RATINGS, _FOLDS, _PHOTOS_PER_FOLD = 10, 5, 10


def tune(
    source: Any,
    labels: Labels | None = None,
    trials: int = 200,
    seed: int = 0,
    columns: Sequence[str] = (),
    max_photos: int = 40,
    **settings: Any,
) -> Tuned:
    """Tune the weights of a ranking, and find out on held-out photos whether that was worth it.

    With `labels`: so that the score agrees with people's ratings (Spearman's rank correlation).
    Without: so that degraded copies of the photos rank below their originals, which teaches what
    those degradations are, and no taste. Writes nothing.

    Args:
        source: a table of measurements, the file of one, photos as `rank` takes them, or a plan.
        labels: ratings (a table or the file of one: file, rating, perhaps scene); photos without a
            rating are left out.
        trials: how many sets of weights are tried in each fold.
        seed: the same seed gives the same result.
        columns: what to weigh; none: every ranked column that varies.
        max_photos: without labels, how many photos to make copies of.
        **settings: fields of `Settings`. `weights` are the baseline called default; `features` must
            hold those of the table's columns that are not built in, for the copies.

    Returns:
        A mapping of weights for `rank(weights=...)`; its `held_out`, `differences` and `verdict` say
        what they are worth.

    Raises:
        ValueError: too few photos or scenes, nothing that varies, labels that fit no photo, photos
            that are gone, an unknown column or setting.
    """
    for name, number in {"trials": trials, "max_photos": max_photos}.items():
        if type(number) is not int or number < 1:
            raise ValueError(f"{name} is a whole number from 1 up, got {number!r}")
    given = None if labels is None else read_labels(labels)  # a mistake there costs no measuring
    if not isinstance(source, Plan):
        source = Plan.of(source, Settings.load(settings), NO_COPIES)
    ranked = source.run()
    photos = measured_rows(ranked)
    if photos.empty:
        raise ValueError("no photo here could be measured: there is nothing to tune on")
    rated, notes = (None, []) if given is None else match_labels(given, photos)
    if rated is not None:
        _check_ratings(rated["rating"])
    weighed = _to_weigh(ranked, columns, () if given is None else given.attrs["columns"], notes)
    groups = scenes_of(photos, rated, notes)
    job = _Job(photos, weighed, groups, source.settings, trials, seed, notes)
    return _on_copies(job, max_photos) if rated is None else _on_ratings(job, rated)


@dataclass(frozen=True)
class _Job:
    """What both ways of tuning need: ranked photos, the columns to weigh, each photo's scene."""

    photos: pd.DataFrame
    columns: list[dict[str, Any]]
    scenes: pd.Series[Any]
    settings: Settings
    trials: int
    seed: int
    notes: list[str]

    def values(self, rows: pd.DataFrame, columns: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """(rows, columns) in [0, 1], on the scale by which `rank` ranked all photos."""
        scale = Scale(**record_of(self.photos)["scale"])
        norms = [scale.normalise(c["name"], rows[c["name"]])[0] for c in columns]
        return np.nan_to_num(np.stack(norms, axis=1), nan=MISSING)


def _on_ratings(job: _Job, rated: pd.DataFrame) -> Tuned:
    groups = job.scenes.loc[rated.index].to_numpy(int)
    _check_scenes(groups, "rated photos")
    values = job.values(job.photos.loc[rated.index], job.columns)
    task = Ratings(values, rated["rating"].to_numpy(float), groups)
    parts = max(2, min(_FOLDS, len(rated) // _PHOTOS_PER_FOLD))
    folds = scene_folds(groups, parts, job.seed)
    return _tuned(job, task, job.columns, _judged(job, task, job.columns, folds, folds), len(rated))


def _on_copies(job: _Job, max_photos: int) -> Tuned:
    settings = job.settings
    if "aesthetic" not in {c["name"] for c in job.columns}:
        settings = settings.but(aesthetic="none", vocabulary="")  # no copy needs CLIP
    columns, features = measurable(job.columns, models.features_of(settings), job.notes)
    sample = choose(job.photos, job.scenes, max_photos, job.seed, job.notes)
    workers = None if settings.workers == -1 else settings.workers
    shown = {} if settings.quiet else {"watch": partial(progress, doing="degraded copies")}
    copies, lost = measure_copies([*sample["path"]], features, workers, job.seed, **shown)
    note_changed(sample, copies, columns, job.notes)
    if lost:
        job.notes.append(named(lost, len(sample), "photos could not be opened or measured"))
    scene_of = dict(zip(sample["path"], job.scenes.loc[sample.index], strict=True))
    _check_scenes([scene_of[path] for path in copies["path"]], "photos to make copies of")
    task = pairs_of(copies, job.values(copies, columns), scene_of)
    folds, halves = kind_folds(task, job.seed), scene_folds(task.groups, 2, job.seed)
    result = _judged(job, task, columns, folds, halves)
    levels = np.array([f"{k} {v}" for k, v in zip(task.kinds, task.levels, strict=True)])
    return _tuned(
        job,
        task,
        columns,
        result,
        copies["path"].nunique(),
        kinds=by_cell(task, task.kinds, folds, result.by_fold),
        cells=by_cell(task, levels, folds, result.by_fold),
        seen=seen_by(task, [c["name"] for c in columns], job.seed),
    )


def _judged(
    job: _Job,
    task: Ratings | Pairs,
    columns: Sequence[Mapping[str, Any]],
    folds: Sequence[Fold],
    control_folds: Sequence[Fold],
) -> Result:
    names = [c["name"] for c in columns]
    default = np.array([record_of(job.photos)["weights"].get(n, 0.0) for n in names])
    baselines = {"default": default, "equal": np.ones(len(names))}
    fair = {name: w / w.sum() for name, w in baselines.items() if w.sum() > 0}
    total = job.trials * studies(folds, control_folds)
    quiet = (number for number in range(total))
    shown: Any = progress(range(total), total, "tuning", "trial")
    with closing(quiet if job.settings.quiet else shown) as steps:
        tick = partial(next, steps, None)
        return judge(task, folds, control_folds, fair, job.trials, job.seed, tick)


def _tuned(
    job: _Job,
    task: Ratings | Pairs,
    columns: Sequence[Mapping[str, Any]],
    result: Result,
    photos: int,
    **by_kind: pd.DataFrame,
) -> Tuned:
    names = [str(c["name"]) for c in columns]
    shares = zip(names, result.weights.tolist(), strict=True)
    weights = {name: share for name, share in shares if share > 0}
    again = Plan.of(job.photos, job.settings.but(weights=weights), idle=()).run()
    versions = {c["name"]: c["version"] for c in columns if c["name"] in weights and "version" in c}
    return Tuned(
        weights=weights,
        held_out=result.held_out,
        differences=result.differences,
        verdict=verdict(result, task.chance),
        agreement=task.meaning,
        chance=task.chance,
        by_fold=pd.DataFrame(result.by_fold["tuned"], columns=names),
        proxy={"default": proxy_metrics(job.photos), "tuned": proxy_metrics(again)},
        notes=job.notes,
        record={
            "photos": photos,
            "scenes": len(np.unique(task.groups)),
            "folds": len(result.by_fold["tuned"]),
            "trials": job.trials,
            "seed": job.seed,
            "columns": versions,
        },
        **by_kind,
    )


def _to_weigh(
    ranked: pd.DataFrame, wanted: Sequence[str], not_measured: Sequence[str], notes: list[str]
) -> list[dict[str, Any]]:
    """The declarations of the columns to weigh: those asked for, or all that vary."""
    photos, record = measured_rows(ranked), record_of(ranked)
    known = {
        c["name"]: c
        for c in record["columns"]
        if c["name"] in record["scale"]["columns"] and c["name"] not in not_measured
    }
    for name in wanted:
        if name not in known:
            raise ValueError(f"columns: no ranked column {name!r}; {near(name, known)}")
    names = [*wanted] or [*known]
    constant = [name for name in names if photos[name].nunique() < 2]
    if len(constant) == len(names):
        raise ValueError(
            f"every column is the same for all {len(photos)} photos ({', '.join(names) or 'none'}): "
            "there is nothing to weigh"
        )
    notes += [f"the same for every photo, so not weighed: {', '.join(constant)}"] * bool(constant)
    return [known[name] for name in names if name not in constant]


def _check_ratings(ratings: pd.Series[float]) -> None:
    if len(ratings) < FEWEST_RATINGS:
        raise ValueError(
            f"ratings for {len(ratings)} of the photos: tuning needs {FEWEST_RATINGS} or more"
        )
    if ratings.nunique() == 1:
        raise ValueError(f"all {len(ratings)} ratings are {ratings.iloc[0]:g}: nothing to learn")


def _check_scenes(groups: Sequence[int] | np.ndarray, what: str) -> None:
    if (count := len(np.unique(groups))) < FEWEST_SCENES:
        raise ValueError(
            f"{what}: {plural(count, 'scene')}; to hold some out and judge on them takes "
            f"{FEWEST_SCENES} or more: take photos of more scenes, or name the scenes in a labels "
            "column 'scene'"
        )
