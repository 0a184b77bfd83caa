"""Train the network of `quality`, and write it with its card.

The labels need the columns file, mos (0 to 1) and scene; near-duplicates join scenes. Scenes are
split into --folds parts; the first --judged of them are each scored by a network that saw nothing of
them; the one that is written is trained on all. An interrupted training goes on when it is called
again with the same arguments.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from photorank.evaluation.agreement import agreement
from photorank.features.clip.model import checked_device
from photorank.features.quality.encoder import WEIGHTS
from photorank.utils.io import (
    check_table_suffix,
    check_writable,
    read_table,
    write_table,
    write_text,
)

from ..folds import scene_folds
from . import weights
from .card import card
from .heads import fit_heads
from .judge import Judged, Scorer, judge
from .labels import rated_photos, training_labels
from .loop import ON_CPU, Recipe, Training
from .photos import decode

FEWEST = 12
_STEPS_TO_TIME = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as `arguments` say. Exit code 2 for what is wrong with them, which is said; 130: interrupted."""
    given = _arguments(arguments)
    try:
        _Run(given).run()
    except KeyboardInterrupt:
        print(
            "train_quality: interrupted; the same command goes on after the last whole epoch",
            file=sys.stderr,
        )
        sys.exit(130)
    except (ValueError, ImportError, OSError) as error:
        print(f"train_quality: {error}", file=sys.stderr)
        sys.exit(2)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    usual = Recipe()
    parser = argparse.ArgumentParser(
        prog="train_quality.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--photos", type=Path, required=True, help="folder of the rated photos")
    add("--labels", type=Path, required=True, help="table: file, mos, scene")
    add("--check", type=Path, help="folder of photos that are only scored")
    add("--check_labels", type=Path, help="table: file, mos")
    add("--out", type=Path, required=True, help="folder to write the network and its card to")
    add("--start", type=Path, help=f"weights to start from, a {WEIGHTS.name} (default: ImageNet's)")
    add("--heads_only", action="store_true", help="the trunk stays as --start has it: minutes")
    add("--device", default="auto", choices=("auto", "cpu", "cuda"), help="default: auto")
    add("--epochs", type=int, default=usual.epochs, help="default: %(default)s")
    add("--batch", type=int, help="photos a step (default: 48, on a CPU 16)")
    add("--rate", type=float, default=usual.rate, help="learning rate (default: %(default)s)")
    add("--folds", type=int, default=5, help="parts that the scenes are split into (default: 5)")
    add("--judged", type=int, help="parts that are judged (default: all, on a CPU 1)")
    add("--held_out", type=Path, help="table to write: each judged photo's held-out scores")
    add("--seed", type=int, default=0, help="of all that is drawn (default: 0)")
    add("--workers", type=int, default=os.cpu_count(), help="threads (default: one per core)")
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
        self.labels = training_labels(given.labels, given.photos, given.folds, FEWEST)
        self.checked = (
            rated_photos(given.check_labels, given.check, ("file", "mos")) if given.check else None
        )
        on_cpu = self.device == "cpu"
        recipe = Recipe(
            given.epochs, rate=given.rate, seed=given.seed, **(ON_CPU if on_cpu else {})
        )
        self.folds = scene_folds(self.labels["scene"].to_numpy(), given.folds, given.seed)
        smallest = min(len(fold.train) for fold in self.folds)  # on it too at least a step is made
        self.recipe = replace(recipe, batch=min(given.batch or recipe.batch, smallest))
        usual = 1 if on_cpu else given.folds
        self.judged = min(given.folds, usual if given.judged is None else given.judged)
        self.ratings = self.labels["mos"].to_numpy(float)
        self.parts: list[Path] = []
        cv2.setNumThreads(1)

    def run(self) -> None:
        """Judge, train on all, write."""
        given, files = self.given, self.labels["file"]
        print(f"decoding {len(files):,} photos", flush=True)
        self.views = decode([given.photos / file for file in files], given.workers)
        if not given.heads_only:
            print(self._estimate(), flush=True)
        found = self._judge()
        network = self._trained(np.arange(len(files)), "all")
        checks = {}
        if self.checked is not None:
            views = decode([given.check / file for file in self.checked["file"]], given.workers)
            scores = Scorer(network, self.device, given.workers)(views)[:, 0]
            checks[given.check_labels.absolute().parent.name] = agreement(
                scores, self.checked["mos"]
            )
        weights.save(network, given.out)
        text = card(given, self.recipe, found, checks, len(files))
        write_text(given.out / "card.md", text)
        for part in self.parts:
            part.unlink(missing_ok=True)
        print(f"{text}\nwrote {given.out}")

    def _judge(self) -> list[tuple[pd.DataFrame, Judged]]:
        found = []
        for number, fold in enumerate(self.folds[: self.judged], 1):
            network = self._trained(fold.train, f"part {number} of {self.given.folds}")
            views = [self.views[row] for row in fold.test]
            judged = judge(network, views, self.device, self.given.workers)
            rows = self.labels.iloc[fold.test].reset_index(drop=True)
            found.append((rows, judged))
            figure = agreement(judged.photos[:, 0], rows["mos"], rows["scene"])["spearman"]
            value = f"{figure['value']:.3f}" if figure else "absent"
            print(f"part {number}: Spearman {value} on {len(rows)} held-out photos", flush=True)
        if found and self.given.held_out:
            scored = [rows.assign(quality=judged.photos[:, 0]) for rows, judged in found]
            write_table(pd.concat(scored), self.given.held_out)
        return found

    def _trained(self, rows: np.ndarray, name: str) -> Any:
        """A network trained on these photos; one that was interrupted goes on."""
        if self.given.heads_only:
            print(f"{name}: fitting the heads", flush=True)
            views = [self.views[row] for row in rows]
            start, workers = weights.start(self.given.start), self.given.workers
            return fit_heads(
                start, views, self.ratings[rows], self.device, workers, self.given.seed
            )
        torch.manual_seed(self.recipe.seed)
        training = Training(weights.start(self.given.start), self.recipe, len(rows), self.device)
        part = self.given.out / f"{self._identity(rows)}.part.pt"
        self.parts.append(part)
        if part.is_file():
            training.resume(part)
            print(f"{name}: going on after epoch {training.epoch}", flush=True)
        with tqdm(total=training.steps, initial=training.step, desc=name, unit="step") as shown:
            while training.epoch < self.recipe.epochs:
                training.run_epoch(self.views, self.ratings, rows, self.given.workers, shown.update)
                training.save(part)
        return training.average

    def _identity(self, rows: np.ndarray) -> str:
        """Of all that decides what is trained."""
        start = self.given.start.read_bytes() if self.given.start else b""
        known = (self.recipe, self.labels.iloc[rows].to_csv(), self.device)
        return f"{zlib.crc32(repr(known).encode(), zlib.crc32(start)):08x}"

    def _estimate(self) -> str:
        """How long it will take, said before it begins, by a few steps whose result is thrown away."""
        rows = np.resize(np.arange(len(self.views)), self.recipe.batch * (_STEPS_TO_TIME + 1))
        training = Training(weights.start(self.given.start), self.recipe, len(rows), self.device)
        times: list[float] = []
        after_step = partial(_note_time, times, self.device)
        training.run_epoch(self.views, self.ratings, rows, self.given.workers, after_step)
        photos = len(self.views) * (1 + self.judged * (self.given.folds - 1) / self.given.folds)
        steps = photos / self.recipe.batch * self.recipe.epochs
        minutes = steps * (times[-1] - times[0]) / _STEPS_TO_TIME / 60
        return (
            f"training on {self.device}: {self.judged} of {self.given.folds} parts, then all, "
            f"{self.recipe.epochs} epochs each: about {minutes:,.0f} minutes"
        )


def _note_time(times: list[float], device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()  # else only handing out the work is timed
    times.append(time.monotonic())


def _check(given: argparse.Namespace) -> None:
    """Find what is wrong with the arguments before the work."""
    least = {"seed": 0, "workers": 1, "epochs": 1, "judged": 0, "batch": 1}
    for name, lowest in least.items():
        value = getattr(given, name)
        if value is not None and value < lowest:
            raise ValueError(f"--{name} is {lowest} or more, got {value}")
    if given.heads_only and not given.start:
        raise ValueError("--heads_only fits the heads of a network that is there: give its --start")
    if (given.check is None) != (given.check_labels is None):
        raise ValueError("--check and --check_labels go together; only one was given")
    check_writable(given.out / WEIGHTS.name)
    if given.held_out:
        _check_held_out(given)


def _check_held_out(given: argparse.Namespace) -> None:
    path: Path = given.held_out
    check_table_suffix(path)
    check_writable(path)
    read = [labels.resolve() for labels in (given.labels, given.check_labels) if labels]
    if path.is_file() and (path.resolve() in read or not _holds_scores(path)):
        raise ValueError(
            f"{path} exists and holds no held-out scores: give another name, or move it away"
        )


def _holds_scores(path: Path) -> bool:
    """Whether a file is what an earlier training wrote: rated photos with their scores."""
    try:
        return {"file", "mos", "scene", "quality"} <= set(read_table(path))
    except ValueError:
        return False
