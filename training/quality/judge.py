"""What a network is worth on photos that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from photorank.features.quality import read
from photorank.features.quality.network import Network

from .photos import SAVED, column_of, copies_seen
from .weights import in_use

GOOD = 0.7
"""Rating from which on a photo is a good one: a dark one rightly gains from being brightened."""
COPIES = 2  # of each photo


@dataclass(frozen=True)
class Judged:
    """What a network says of photos, and of copies of them.

    Attributes:
        photos: (n, 8) quality and levels.
        copies: a row per copy: `photo` (its row), `kind`, `level`, `fall` (the photo's quality less
            the copy's) and `found` (the level of its kind that the network sees).
    """

    photos: np.ndarray
    copies: pd.DataFrame


def judge(network: Network, views: Sequence[np.ndarray], device: str) -> Judged:
    """Score photos, and `COPIES` of each whose kinds and levels are drawn."""
    vectors = in_use(network, device)
    heads = [part.detach().cpu().numpy() for part in network.heads.parameters()]

    def said(some: Sequence[np.ndarray]) -> np.ndarray:
        return read(vectors(some), *heads)

    known = said(views)
    rows = [
        {
            "photo": number,
            "kind": copy.kind,
            "level": copy.level,
            "fall": before[0] - after[0],
            "found": np.nan if copy.kind == SAVED else after[1 + column_of(copy.kind)],
        }
        for number, copy, before, after in copies_seen(said, views, known, COPIES)
    ]
    return Judged(known, pd.DataFrame(rows))


def lowered(copies: pd.DataFrame, ratings: np.ndarray) -> pd.DataFrame:
    """Per kind: share of copies of levels 2 to 5 below their photo; of all photos and of good ones."""
    worse = copies[copies["level"] >= 2]
    falls = worse["fall"] > 0
    good = ratings[worse["photo"]] >= GOOD
    every = falls.groupby(worse["kind"]).agg(["mean", "size"])
    of_good = falls[good].groupby(worse["kind"][good]).agg(["mean", "size"])
    return pd.concat({"all": every, "good": of_good}, axis=1)


def level_errors(copies: pd.DataFrame) -> pd.DataFrame:
    """Per kind: mean absolute error of the level, and Spearman's correlation with the true one."""
    worse = copies[copies["level"] > 0].copy()
    worse["off"] = (worse["found"] - worse["level"]).abs()
    groups = worse.groupby("kind")
    orders = pd.Series({kind: _order(rows) for kind, rows in groups})
    return pd.DataFrame({"error": groups["off"].mean(), "spearman": orders, "n": groups.size()})


def _order(rows: pd.DataFrame) -> float:
    return float(rows["found"].corr(rows["level"], method="spearman"))


def moved(copies: pd.DataFrame) -> dict[str, float]:
    """By how much photos that were only saved otherwise score apart."""
    apart = copies.loc[copies["kind"] == SAVED, "fall"].abs()
    return {"n": len(apart), "median": float(apart.median()), "p95": float(apart.quantile(0.95))}
