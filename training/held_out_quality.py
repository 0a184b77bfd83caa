"""What a quality model is worth on scenes that it was not trained on, and what its card says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from .folds import scene_folds
from .quality import Apparatus, Apply, Copies, Settings, fit


@dataclass(frozen=True)
class HeldOut:
    """Each photo's and each copy's score by the model that saw neither of its scene."""

    photos: np.ndarray
    copies: np.ndarray


def cross_validate(
    descriptions: np.ndarray,
    sizes: tuple[int, ...],
    mos: np.ndarray,
    scenes: np.ndarray,
    copies: Copies,
    use: Apparatus,
    predict: Apply,
    settings: Settings,
    folds: int,
) -> HeldOut:
    """Fit on all scenes but a fold's, score the fold's photos and their copies; for every fold."""
    held_out = HeldOut(np.empty(len(mos)), np.empty(len(copies.photo)))
    for fold in scene_folds(scenes, folds, settings.seed):
        train, test = fold.train, fold.test
        model = fit(descriptions[train], sizes, mos[train], copies.of(train), use, settings)
        held_out.photos[test] = predict(model, descriptions[test])
        own = np.isin(copies.photo, test)
        held_out.copies[own] = predict(model, copies.descriptions[own])
    return held_out


def kept(held_out: HeldOut, copies: Copies, kind: str) -> dict[str, float]:
    """How far copies of a kind of level 0, the same picture saved otherwise, score from their photo."""
    same = copies.kind == kind
    apart = abs(held_out.copies - held_out.photos[copies.photo])[same]
    return {"n": same.sum(), "median": np.median(apart), "p95": np.quantile(apart, 0.95)}


def lowered(held_out: HeldOut, copies: Copies, good: np.ndarray) -> pd.DataFrame:
    """Per kind: share of copies that score below their photo, of all photos and of good ones.

    Args:
        good: (photos,) whether a photo is one: a dark one is better for being brightened.
    """
    pairs = pd.DataFrame(
        {
            "kind": copies.kind,
            "lowered": held_out.copies < held_out.photos[copies.photo],
            "good": good[copies.photo],
        }
    )[copies.level > 0]
    kinds = pairs.groupby("kind")["lowered"].agg(["mean", "size"])
    among_good = pairs[pairs.good].groupby("kind")["lowered"].agg(["mean", "size"])
    return pd.concat({"all": kinds, "good": among_good}, axis=1)


_BIQ2021 = """of BIQ2021 (Ahmed & Asif 2022, doi:10.1117/1.JEI.31.5.053010), rated by 30
people each in a laboratory: a part of its official training split. Its authors state no licence;
it is published for research. The model holds no photo and none can be rebuilt from it, but whoever
ships it in a product should know this."""
_OTHER = """of {name}: say here whose they are, who rated them and how, and under which licence. What
is said below of raters and of other photographs is true of BIQ2021, and has to be judged anew."""

_CARD = """# Model card: quality

What it is: a kernel regression on hand-made statistics and learned patch codes of a 512-pixel view,
one number in [0, 1]; and, linear in the same, how blurred a photo is (docs/scores.md, `learned_blur`).
`features/quality.py` applies it, `scripts/train_quality.py` made it and wrote this card, docs/quality.md
tells what else was tried.

## Data
{photos} photographs {data} Degraded copies were added,
without a rating: the model must only score each lower than its photo.

## Figures
By {folds}-fold cross-validation over scenes (no scene is in training and test; scenes that a near-duplicate
connects are one), 95 % intervals by drawing scenes; for photos never trained on, by the shipped model.

{figures}

Copies that score lower than their photo (levels 2 to 5, on held-out scenes). "good" are photos
rated .7 or better: a dark photo rightly gains from being brightened.

{laws}

The same photo saved again as a JPEG at 512 to 3900 pixels ({same[n]} photos, held-out scenes)
scores {same[median]:.3f} apart in the median and less than {same[p95]:.3f} in 95 %.

Settings: {settings}

## Limits
- It judges as 30 raters in one laboratory judged, mostly everyday and stock photographs. Nobody
  rated for beauty, faces, or the moment, and it knows nothing of them.
- It sees 512 pixels: a focus missed by little, or fine noise in a large file, is invisible.
- Intended blur, fog, silhouettes, night scenes, monochrome and drawings are judged as faults.
- Among good photos its order is weak: the top half of MMP-2k, macro photographs, is ordered hardly
  better than by chance. Trust it to find the bad ones.
- Photos of one scene compare better than photos of different ones.

## Not for
Deleting photos unseen; judging people, or their worth, by their photos; paying, grading or ranking
photographers; forensics; comparing cameras or codecs by small differences.
"""


def card(
    figures: Mapping[str, Mapping[str, Any]],
    laws: pd.DataFrame,
    same: Mapping[str, float],
    settings: Settings,
    data: str,
    folds: int,
) -> str:
    """The model card as Markdown.

    Args:
        figures: by the name of the data, what `evaluation.agreement` says of its scores; first of
            those trained on.
        data: the name of the photos trained on.
        laws: from `lowered`.
        same: from `kept`.
    """
    rows = ["| photos | n | Spearman | Pearson | Kendall |", "|---|---|---|---|---|"]
    for name, found in figures.items():
        cells = [_cell(found[key]) for key in ("spearman", "pearson", "kendall")]
        rows.append(f"| {name} | {found['n']} | {' | '.join(cells)} |")
    kinds = ["| kind | all | n | good | n |", "|---|---|---|---|---|"]
    for kind, row in laws.iterrows():
        every, good = row["all"], row["good"]
        kinds.append(
            f"| {kind} | {every['mean']:.3f} | {every['size']:.0f} "
            f"| {good['mean']:.3f} | {good['size']:.0f} |"
        )
    chosen = ", ".join(f"{name} {value}" for name, value in asdict(settings).items())
    trained = next(iter(figures.values()))
    return _CARD.format(
        photos=f"{trained['n']:,}",
        data=_BIQ2021 if data == "biq2021" else _OTHER.format(name=data),
        folds=folds,
        figures="\n".join(rows),
        laws="\n".join(kinds),
        same=same,
        settings=chosen,
    )


def _cell(figure: Mapping[str, float] | None) -> str:
    """Few scenes have no interval, ratings that are all the same no figure."""
    if figure is None:
        return "absent"
    has_interval = figure["low"] is not None
    interval = f" ({figure['low']:.3f} to {figure['high']:.3f})" if has_interval else ""
    return f"{figure['value']:.3f}{interval}"
