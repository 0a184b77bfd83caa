"""What a training found: a head, what each candidate is worth, and the report as text and as a page."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from photorank.evaluation.agreement import agreement
from photorank.features.heads import Trained, read_head
from photorank.utils import io, text

_WORST = 12


@dataclass(frozen=True, eq=False, repr=False)
class Learned:
    """A trained head, to be saved for `rank(heads=...)`, and how it did on photos it had not seen.

    Attributes:
        head: trained on all photos.
        worth: a row per candidate: its order, `r2` and `rmse`, each with `_low` and `_high`.
        verdict: which is best and whether that is any better, a sentence each.
        notes: what was left out.
        record: photos, scenes, folds, trials, seed and the range of the labels.
        photos: `file path wanted found`, the last as held out.
        groups: (n,) scene of each.
        bins: the chosen candidate's figures by bin of the ratings.
        balance: bias by bin, before and after extremes count more.
        splits: the same candidate judged by a random split, and by scenes.
    """

    head: Trained
    worth: pd.DataFrame
    verdict: list[str]
    notes: list[str]
    record: dict[str, Any]
    photos: pd.DataFrame
    groups: np.ndarray
    bins: pd.DataFrame = field(default_factory=pd.DataFrame)
    balance: pd.DataFrame = field(default_factory=pd.DataFrame)
    splits: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __repr__(self) -> str:
        return self.report()

    def score(self, vectors: np.ndarray, quality: np.ndarray | None = None) -> np.ndarray:
        """(n, d) vectors, and `quality` where the head reads it -> (n,)."""
        return self.head.score(vectors, quality)

    def save(self, path: str | os.PathLike[str] = "head.json") -> Path:
        """Write the head for `rank --heads`.

        Raises:
            ValueError: it cannot be written, or a file is there that is no head.
        """
        check_output(path)
        self.head.save(path)
        return Path(path).expanduser()

    def report(self) -> str:
        """All of it as text."""
        r = self.record
        parts = [
            f"{r['photos']} photos, {r['scenes']} scenes, {r['folds']} folds; "
            f"{self.head.source.encoder}, {self.head.width} numbers",
            *text.notes(self.notes),
            "\non photos of scenes that were not learned from, 95 % interval by scene",
            _lines(self.worth),
        ]
        tables = {
            "the best by rating, from 1 to 10": self.bins,
            "the same by a split that knows no scenes, and by scenes": self.splits,
            "bias of LightGBM before and after extremes count more": self.balance,
        }
        for title, table in tables.items():
            if len(table):
                parts += [f"\n{title}", _lines(table)]
        return "\n".join([*parts, "", *self.verdict])

    def page(self, path: str | os.PathLike[str]) -> Path:
        """Write the report as one HTML page: text, plots, and the photos it is most wrong about.

        Raises:
            ValueError: it cannot be written, or a file is there that is not photorank's.
        """
        from photorank.evaluation.pages.report import report_page
        from photorank.evaluation.plots import heads as plots
        from photorank.evaluation.plots.calibration import calibration

        found, wanted = (self.photos[name].to_numpy(float) for name in ("found", "wanted"))
        order = str(self.worth.columns[1])
        drawn = {"What each candidate is worth": lambda p: plots.candidates(self.worth, order, p)}
        if len(self.bins):
            agreed = agreement(found, wanted, self.groups, 200)
            drawn |= {
                "Calibration": lambda p: calibration(found, wanted, agreed, p),
                "Residuals": lambda p: plots.residuals(found, wanted, self.balance, p),
            }
        pictures = {title: _drawn(draw) for title, draw in drawn.items()}
        if montage := self._worst():
            pictures["The photos it is most wrong about"] = montage
        return io.write_ours(
            path, lambda part: report_page(part, self.head.name, self.report(), pictures)
        )

    def _worst(self) -> bytes:
        """A montage, if the photos are still there."""
        from .show import montage

        wrong = (self.photos["found"] - self.photos["wanted"]).abs()
        worst = self.photos.loc[wrong.sort_values(ascending=False).index[:_WORST]]
        there = worst[[os.path.isfile(path) for path in worst["path"]]]
        if there.empty:
            return b""
        names = [
            f"rated {w:.1f} · {f}" for w, f in zip(there["wanted"], there["file"], strict=True)
        ]
        shown = there.assign(final_score=there["found"], file=names, error=None)
        with tempfile.TemporaryDirectory() as folder:
            return montage(shown, Path(folder, "worst.jpg")).read_bytes()


def _drawn(draw: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plot.png")
        draw(path)
        return path.read_bytes()


def check_output(path: str | os.PathLike[str]) -> None:
    """Find out before the work that a head can be saved at `path`.

    Raises:
        ValueError: no permission, or a file that is no head.
    """
    target = Path(path).expanduser()
    io.check_writable(target)
    if target.exists():
        try:
            read_head(target)
        except ValueError:
            raise ValueError(
                f"{target} exists and is no head: give another name, or move it away"
            ) from None


def _lines(table: pd.DataFrame) -> str:
    """Figures with their intervals in one cell each."""
    shown = pd.DataFrame(index=table.index)
    for name in table:
        if str(name).endswith(("_low", "_high")):
            continue
        column = table[name]
        if f"{name}_low" in table:
            triples = zip(column, table[f"{name}_low"], table[f"{name}_high"], strict=True)
            shown[name] = ["" if v != v else f"{v:.3f} ({a:.3f} to {b:.3f})" for v, a, b in triples]
        else:
            shown[name] = column if column.dtype.kind != "f" else column.map("{:+.2f}".format)
    return shown.to_string(index=False)
