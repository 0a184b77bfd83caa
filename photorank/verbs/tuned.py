"""What a tuning found: weights for `rank`, what they are worth on held-out photos, and the report."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from photorank.ranking import saved
from photorank.training.weights.plots import plot_tuning
from photorank.utils import io, text


@dataclass(frozen=True, eq=False, repr=False)  # equal as mappings are: by their weights
class Tuned(Mapping[str, float]):
    """Tuned weights, to be passed as `weights` to `rank`, and how they did on held-out photos.

    Attributes:
        weights: share of the score by column, tuned on all photos; zeros are left out.
        held_out: `contestant value low high n`: agreement with 95 % intervals by scene.
        differences: `baseline value low high`: tuned minus baseline on the same held-out photos.
        verdict: whether the tuned weights are any better, in words.
        agreement: what `value` is.
        chance: the `value` of scores that know nothing.
        by_fold: a row of tuned weights per fold, a column per column: how far they can be trusted.
        proxy: the proxy metrics of the photos ranked with the default and with the tuned weights.
        notes: what was left out, one sentence each.
        record: photos, scenes, folds, trials, seed and the version of each weighed column.
        kinds, cells: without labels: `cell n` and a column per contestant, for each kind of
            degradation, and for each kind and level.
        seen: without labels: `kind column value low`, the single column that sees each kind best.
    """

    weights: dict[str, float]
    held_out: pd.DataFrame
    differences: pd.DataFrame
    verdict: str
    agreement: str
    chance: float
    by_fold: pd.DataFrame
    proxy: dict[str, dict[str, Any]]
    notes: list[str]
    record: dict[str, Any]
    kinds: pd.DataFrame = field(default_factory=pd.DataFrame)
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    seen: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def is_better(self) -> bool:
        """Whether they beat each baseline on photos that were held out."""
        return bool((self.differences["low"] > 0).all())

    def __repr__(self) -> str:
        return self.report()

    def __getitem__(self, name: str) -> float:
        return self.weights[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.weights)

    def __len__(self) -> int:
        return len(self.weights)

    def save(self, path: str | os.PathLike[str] = "best_weights.json") -> Path:
        """Write weights, held-out figures and verdict as JSON that `rank --weights` takes.

        Raises:
            ValueError: it cannot be written, or a file is there that is no weights file of photorank.
        """
        target = Path(path).expanduser()
        check_output(target)
        about = {"verdict": self.verdict, "agreement": self.agreement, **self.record}
        versions = about.pop("columns")
        for name in ("held_out", "differences", "kinds", "cells", "seen"):
            about[name] = getattr(self, name).to_dict("records")
        saved.save(target, "weights", versions, self.weights, about)
        return target

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Write the report as a PNG: weights, held-out figures, and kinds where there are any.

        Raises:
            ValueError: it cannot be written.
        """
        draw = partial(
            plot_tuning,
            weights=pd.Series(self.weights).reindex(self.by_fold.columns, fill_value=0.0),
            by_fold=self.by_fold,
            held_out=self.held_out,
            cells=self.cells,
            agreement=self.agreement,
            chance=self.chance,
        )
        return io.write_ours(path, draw)

    def report(self) -> str:
        """All of it as text."""
        r = self.record
        parts = [
            f"{r['photos']} photos, {r['scenes']} scenes, {r['folds']} folds, {r['trials']} trials",
            *text.notes(self.notes),
            f"\n{self.agreement} on held-out photos, 95 % interval by scene",
            _lines(self.held_out),
            "\ntuned minus baseline, on the same photos",
            _lines(self.differences),
        ]
        if len(self.cells):
            parts += ["\nby kind and level, tuned without that kind", _lines(self.cells)]
            parts += ["\nthe single column that sees each kind best", self._seen()]
        parts += ["\nproxy metrics (see `photorank evaluate`)", _proxy(self.proxy)]
        shares = (f"{name}={share:.3f}" for name, share in self.weights.items())
        parts += [f"\nweights, tuned on all photos: {','.join(shares)}", ""]
        parts.append(textwrap.fill(self.verdict, text.width()))
        return "\n".join(parts)

    def _seen(self) -> str:
        """The columns that see each kind, and in words the kinds that none sees."""
        lines = [_lines(self.seen)]
        for kind in self.seen.loc[self.seen["low"] <= self.chance, "kind"]:
            lines.append(f"no single column sees {kind}: none is above chance on its copies")
        return "\n".join(lines)


def check_output(path: Path) -> None:
    """Find out before the work that weights can be saved at `path`.

    Raises:
        ValueError: no permission, or a file that is no weights file of photorank.
    """
    io.check_writable(path)
    if path.exists():
        try:
            saved.load(path, "weights", ())
        except ValueError:
            raise ValueError(
                f"{path} exists and is no weights file of photorank: give another name, or move it"
            ) from None


def _lines(table: pd.DataFrame) -> str:
    return table.to_string(index=False, float_format="{:.3f}".format)


def _proxy(metrics: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [
        {
            "weights": name,
            "score_std": found["score_std"],
            "duplicate_fraction": found["duplicate_fraction"],
            **{f"sharpness_corr {k}": found["sharpness_corr"][k] for k in ("pearson", "spearman")},
        }
        for name, found in metrics.items()
    ]
    return _lines(pd.DataFrame(rows))
