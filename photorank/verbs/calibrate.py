"""Thresholds of tags from people's labels, and what those are worth."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photorank.evaluation.detection import detection, draw_detection
from photorank.ranking.profiles import Profile
from photorank.training.thresholds import likelihood, likely, threshold
from photorank.utils import io, text
from photorank.utils.rows import measured_rows
from photorank.utils.tables import read_table

from ..table.columns import columns_of
from ..table.files import as_table
from ..table.labels import Labels, match_labels, read_answers
from ..table.tags import check_there, judged, marked, told

FEWEST = 3  # labels of each kind: with fewer a threshold is a guess


@dataclass(frozen=True)
class Calibrated:
    """A profile with thresholds that fit some labels, and how good they are.

    Attributes:
        profile: the new one; `save` writes it for `--profile`.
        figures: a row per tag: n labels, positives, auc and average_precision (`value low high`),
            threshold before and now, and the precision and recall to expect in the whole table.
        notes: a sentence on each tag or label that could not be used.
    """

    profile: Profile
    figures: pd.DataFrame
    notes: list[str]
    curves: dict[str, tuple[np.ndarray, np.ndarray, float]]

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the profile, named after the file.

        Raises:
            ValueError: there is a file of that name, which is never written over.
        """
        target = check_new(path)
        io.write_text(target, replace(self.profile, name=target.stem).as_toml())
        return target

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw ROC and precision-recall of the tags that were fitted."""
        return io.write_ours(path, lambda part: draw_detection(self.curves, part))

    def report(self) -> str:
        """The figures as a table, and the notes."""
        head = "tag, labels, yes, AUC (95 %), AP, threshold, precision, recall".split(", ")
        rows = [_line(tag, row) for tag, row in self.figures.iterrows()]
        below = "precision and recall are to be expected in the whole table; the picture's are of the labels"
        return "\n".join([text.table([head, *rows]), below, *text.notes(self.notes)])


def _line(tag: Any, row: pd.Series[Any]) -> list[str]:
    """A tag's line in the report."""
    auc, precision = row["auc"], row["average_precision"]["value"]
    interval = "" if auc["low"] is None else f" ({auc['low']:.2f}-{auc['high']:.2f})"
    moved = f"{row['before']:.2f} -> {row['threshold']:.2f}"
    counts = [f"{row['n']}", f"{row['positives']}"]
    figures = [f"{auc['value']:.2f}{interval}", f"{precision:.2f}", moved]
    return [tag, *counts, *figures, f"{row['precision']:.2f}", f"{row['recall']:.2f}"]


def calibrate(
    table: Any,
    labels: Labels,
    profile: str | os.PathLike[str] = "default",
    precision: float | None = None,
    recall: float | None = None,
    only: Sequence[str] = (),
) -> Calibrated:
    """Fit the thresholds of a profile's tags to people's labels.

    For each tag a curve tells how likely a person gives it at each score; it is believed for all
    photos of the table, labelled or not, so that labels asked for where they teach most do not
    bend the threshold. AUC and average precision are of the labelled photos alone.

    Args:
        table: from `rank`, `extract` or `load`, or the path of a saved one.
        labels: a table or the file of one: file (or path, image, ...), a column for each tag with 1
            or 0, yes or no, or nothing, and perhaps scene.
        profile: the one to start from.
        precision, recall: what is wished of each tag, 0 to 1; neither: that both are equal.
        only: tags; none: all that the labels have.

    Returns:
        A profile, with `save`, `plot`, `report` and the figures.

    Raises:
        ValueError: both wishes, labels without a tag or a photo, one that is neither yes nor no, or
            none that could be used.
    """
    _check_wish(precision, recall)
    base = Profile.load(profile)
    given = labels if isinstance(labels, pd.DataFrame) else read_table(labels)
    tagged, _ = told(marked(as_table(table)), base)
    photos = measured_rows(tagged)
    asked = _labelled(given, judged(base, photos), only)
    answers = read_answers(given, asked)
    rows: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    curves: dict[str, tuple[np.ndarray, np.ndarray, float]] = {}
    for tag in asked:
        scores = photos[f"{tag}_score"].dropna()
        truth, said = _truth(answers, tag, photos.loc[scores.index])
        notes += [note for note in said if note not in notes]
        if truth is None:
            continue
        try:
            fitted, curves[tag] = _fitted(scores, truth, precision, recall)
        except ValueError as error:  # other tags may have what is wished
            notes.append(f"{tag}: {error}, so it stays as it was")
            continue
        rows[tag] = {"before": base.threshold(tag)} | fitted
        if (fitted["auc"]["low"] or 1) <= 0.5:
            notes.append(f"{tag}: its score may not tell these labels apart (AUC .5 is chance)")
    if not rows:
        raise ValueError(f"nothing to calibrate: {'; '.join(notes) or 'no label is filled in'}")
    made = {"from": f"{base.name} {base.version}", "precision": precision, "recall": recall}
    made["labels"] = None if isinstance(labels, pd.DataFrame) else Path(labels).name
    made = {name: value for name, value in made.items() if value is not None}
    new = _profile(base, rows, made, columns_of(tagged))
    return Calibrated(new, pd.DataFrame.from_dict(rows, orient="index"), notes, curves)


def _check_wish(precision: float | None, recall: float | None) -> None:
    if precision is not None and recall is not None:
        raise ValueError("give a precision or a recall, not both: one follows from the other")
    for wish in (precision, recall):
        if wish is not None and not 0 < wish <= 1:
            raise ValueError(f"precision and recall are above 0 and at most 1, got {wish}")


def _fitted(
    scores: pd.Series[float], truth: pd.DataFrame, precision: float | None, recall: float | None
) -> tuple[dict[str, Any], tuple[np.ndarray, np.ndarray, float]]:
    """A tag's figures, and its labelled scores, labels and threshold, for its curve.

    Raises:
        ValueError: the score does not tell the labels apart, or no threshold has the wished precision.
    """
    label, every = truth["rating"].to_numpy(), scores.to_numpy()
    score = scores[truth.index].to_numpy()
    figures = detection(score, label, truth.get("scene"))
    if figures["auc"]["value"] <= 0.5:
        raise ValueError("its score does not tell these labels apart (AUC .5 is chance)")
    chance = likely(every, likelihood(score, label))
    cut, right, found = threshold(every, chance, precision, recall)
    figures |= {"threshold": cut, "precision": right, "recall": found}
    return figures, (score, label, cut)


def check_new(path: str | os.PathLike[str]) -> Path:
    """The path of a profile or of labels to fill in, once it is known that nothing is there.

    Raises:
        ValueError: something is there.
    """
    target = Path(path).expanduser()
    if os.path.lexists(target):
        raise ValueError(
            f"{target} exists, and an old one is never written over: give another name"
        )
    return target


def _labelled(labels: pd.DataFrame, there: Sequence[str], only: Sequence[str]) -> list[str]:
    """The tags that the labels speak of and the table has, all or some."""
    check_there(only, there)
    tags = list(dict.fromkeys(only)) or [tag for tag in there if tag in labels]
    if not tags or set(tags) - set(labels):
        wanted = ", ".join(only or there)
        raise ValueError(
            f"labels need a column for each tag that is to be calibrated ({wanted}); these have "
            f"{', '.join(map(str, labels.columns))}"
        )
    return tags


def _truth(
    answers: pd.DataFrame, tag: str, photos: pd.DataFrame
) -> tuple[pd.DataFrame | None, list[str]]:
    """`rating` (1 or 0: whether people say so) and perhaps `scene` on the index of `photos`; notes.

    None where the labels are too few.
    """
    filled = answers.assign(rating=answers[tag]).dropna(subset="rating")
    if filled.empty:
        return None, []
    truth, notes = match_labels(filled, photos, "max")
    yes = int(truth["rating"].sum())
    if min(yes, len(truth) - yes) >= FEWEST:
        return truth, notes
    few = f"{tag}: {yes} of {len(truth)} labels say yes; {FEWEST} of each are needed, so it stays as it was"
    return None, [*notes, few]


def _profile(
    base: Profile,
    rows: Mapping[str, Mapping[str, Any]],
    made: dict[str, Any],
    columns: Sequence[Mapping[str, Any]],
) -> Profile:
    """The base with new thresholds, under a version that changes with them."""
    cuts = {tag: round(float(row["threshold"]), 6) for tag, row in rows.items()}
    digest = hashlib.sha256(json.dumps([made, cuts]).encode()).hexdigest()[:6]
    used = {column for tag in cuts for rule in base.rules[tag] for column in rule}
    fitted = {c["name"]: c["version"] for c in columns if c["name"] in used and c.get("version")}
    versions = {**base.columns, **fitted}
    thresholds = {**base.thresholds, **cuts}
    version = f"{base.version}+{digest}"
    return replace(base, version=version, thresholds=thresholds, columns=versions, made_by=made)
