"""Train the network of `quality`, and write it with its card and what it says of photos held out.

The labels need the columns file, mos (0 to 1) and scene; near-duplicates join scenes. Scenes are
split into five parts; the first --judged of them are each scored by a network that saw nothing of
them; the one that is written is trained on all. An interrupted training goes on when it is called
again with the same arguments.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import zlib
from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch

from photorank.evaluation.agreement import agreement
from photorank.features.clip.model import checked_device
from photorank.features.quality.encoder import WEIGHTS
from photorank.utils.io import check_writable, write_table, write_text
from photorank.utils.logging import progress, set_up_logging

from ..folds import scene_folds
from . import weights
from .card import PARTS, card
from .heads import fit_heads
from .judge import Judged, judge
from .labels import training_labels
from .loop import ON_CPU, Recipe, Training
from .photos import decode

_MINUTES_OF_TWO_CORES = 0.005  # for a photo and its copy, once: docs/quality.md


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as `arguments` say. Exit code 2 for what is wrong with them, which is said; 130: interrupted."""
    given = _arguments(arguments)
    set_up_logging(logging.INFO)
    is_new = not given.out.exists()
    try:
        _Run(given).run()
    except KeyboardInterrupt:
        print(
            "train_quality: interrupted; the same command goes on after the last whole epoch",
            file=sys.stderr,
        )
        sys.exit(130)
    except (ValueError, ImportError, OSError) as error:
        if is_new:
            with contextlib.suppress(OSError):  # there is something in it
                given.out.rmdir()
        print(f"train_quality: {error}", file=sys.stderr)
        sys.exit(2)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="train_quality.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--photos", type=Path, required=True, help="folder of the rated photos")
    add("--labels", type=Path, required=True, help="table: file, mos, scene")
    add("--out", type=Path, required=True, help="folder to write the network and its card to")
    add("--start", type=Path, help=f"weights to start from, a {WEIGHTS.name} (default: ImageNet's)")
    add("--heads_only", action="store_true", help="the trunk stays as --start has it: minutes")
    add("--device", default="auto", choices=("auto", "cpu", "cuda"), help="default: auto")
    add("--epochs", type=int, default=Recipe().epochs, help="default: %(default)s")
    add("--batch", type=int, help="photos a step (default: 48, on a CPU 16)")
    add("--judged", type=int, help=f"parts that are judged (default: {PARTS}, on a CPU 1)")
    return parser.parse_args(arguments)


class _Run:
    """One call of the command: what it was given, checked, and what it does."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        _check(given)
        weights.check_export()
        self.device = checked_device(given.device)
        if self.device != "cuda":  # there is no third
            self.device = "cpu"
        weights.start(given.start)  # whatever is wrong with it is said now
        self.labels = training_labels(given.labels, given.photos, PARTS)
        check_writable(given.out / WEIGHTS.name)
        folds = scene_folds(self.labels["scene"].to_numpy(), PARTS, seed=0)
        usual = 1 if self.device == "cpu" else PARTS
        self.judged = folds[: usual if given.judged is None else given.judged]
        recipe = Recipe(given.epochs, **(ON_CPU if self.device == "cpu" else {}))
        smallest = min(len(fold.train) for fold in folds)  # on it too at least a step is made
        self.recipe = replace(recipe, batch=min(given.batch or recipe.batch, smallest))
        self.ratings = self.labels["mos"].to_numpy(float)
        self.parts: list[Path] = []
        cv2.setNumThreads(1)

    def run(self) -> None:
        """Judge, train on all, write."""
        out, files = self.given.out, self.labels["file"]
        print(f"decoding {len(files):,} photos", flush=True)
        self.views = decode([self.given.photos / file for file in files])
        with contextlib.closing(self._progress()) as shown:
            self.step = partial(next, shown, None)
            found = self._judge()
            network = self._trained(np.arange(len(files)), "all")
        weights.save(network, out)
        if found:
            scored = [rows.assign(quality=judged.photos[:, 0]) for rows, judged in found]
            write_table(pd.concat(scored), out / "held_out.csv")
        text = card(self.given, self.recipe, found, len(files))
        write_text(out / "card.md", text)
        for part in self.parts:
            part.unlink(missing_ok=True)
        print(f"{text}\nwrote {out}")

    def _progress(self) -> Generator[int, None, None]:
        """A step at each `next`, over all that is trained; how long it takes is said before it begins."""
        steps = [len(fold.train) // self.recipe.batch for fold in self.judged]
        total = (sum(steps) + len(self.labels) // self.recipe.batch) * self.recipe.epochs
        if self.given.heads_only:
            total = 0
        else:
            minutes = total * self.recipe.batch * _MINUTES_OF_TWO_CORES
            print(
                f"training on {self.device}: {len(self.judged)} of {PARTS} parts, then all, "
                f"{self.recipe.epochs} epochs each; two cores take about {minutes:,.0f} minutes",
                flush=True,
            )
        return progress(range(total), total, "training", "step")

    def _judge(self) -> list[tuple[pd.DataFrame, Judged]]:
        found = []
        for number, fold in enumerate(self.judged, 1):
            network = self._trained(fold.train, f"part {number} of {PARTS}")
            judged = judge(network, [self.views[row] for row in fold.test], self.device)
            rows = self.labels.iloc[fold.test].reset_index(drop=True)
            found.append((rows, judged))
            figure = agreement(judged.photos[:, 0], rows["mos"], rows["scene"])["spearman"]
            value = f"{figure['value']:.3f}" if figure else "absent"
            print(f"part {number}: Spearman {value} on {len(rows)} held-out photos", flush=True)
        return found

    def _trained(self, rows: np.ndarray, name: str) -> Any:
        """A network trained on these photos; one that was interrupted goes on."""
        start = weights.start(self.given.start)
        if self.given.heads_only:
            print(f"{name}: fitting the heads", flush=True)
            views = [self.views[row] for row in rows]
            return fit_heads(start, views, self.ratings[rows], self.device)
        torch.manual_seed(self.recipe.seed)
        training = Training(start, self.recipe, len(rows), self.device)
        part = self.given.out / f"{self._identity(rows)}.part.pt"
        self.parts.append(part)
        if part.is_file():
            training.resume(part)
            print(f"{name}: going on after epoch {training.epoch}", flush=True)
        for _ in range(training.step):
            self.step()
        while training.epoch < self.recipe.epochs:
            training.run_epoch(self.views, self.ratings, rows, self.step)
            training.save(part)
        return training.average

    def _identity(self, rows: np.ndarray) -> str:
        """Of all that decides what is trained."""
        start = self.given.start.read_bytes() if self.given.start else b""
        known = (self.recipe, self.labels.iloc[rows].to_csv(), self.device)
        return f"{zlib.crc32(repr(known).encode(), zlib.crc32(start)):08x}"


def _check(given: argparse.Namespace) -> None:
    for name, least in {"epochs": 1, "batch": 1, "judged": 0}.items():
        value = getattr(given, name)
        if value is not None and value < least:
            raise ValueError(f"--{name} is {least} or more, got {value}")
    if given.heads_only and not given.start:
        raise ValueError("--heads_only fits the heads of a network that is there: give its --start")
