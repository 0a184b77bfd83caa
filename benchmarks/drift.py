"""How often `drift` raises a false alarm, and how often it notices photos that became worse.

    python benchmarks/drift.py --photos DIR --labels FILE --tables DIR

`--labels` names the photos (`file`) and their scenes (`scene`). Halves of the scenes, drawn anew each
time, must not drift; nor, beside it, what other rules say of the same halves. Then a share of the photos
of one half is replaced by degraded copies. What was measured is kept in `--tables` and not measured
again. Prints Markdown; docs/drift.md quotes it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import photorank as pr  # noqa: E402
from photorank.evaluation.drift import drift  # noqa: E402
from photorank.training.degradations import KINDS, degrade  # noqa: E402

FEATURES = "sharpness exposure contrast noise colourfulness laplacian_variance".split()
COPIES, LEVELS = 400, (1, 2, 3)
SIZES = (50, 100, 200, 400, 1500)


def measure(photos: Path, labels: pd.DataFrame, tables: Path) -> None:
    """Measure the photos, and degraded copies of some of them, unless that has been done."""
    path = tables / "base.csv"
    if not path.exists():
        files = [str(photos / file) for file in labels["file"]]
        pr.save(pr.extract(files, FEATURES, workers=1), path)
    for kind in KINDS:
        for level in LEVELS:
            path = tables / f"{kind}_{level}.csv"
            if not path.exists():
                chosen = labels["file"].sample(COPIES, random_state=0)
                copies = dict(degraded(photos, chosen, kind, level))
                pr.save(pr.extract(copies, FEATURES, workers=1), path)


def degraded(
    photos: Path, files: pd.Series[str], kind: str, level: int
) -> Iterator[tuple[str, np.ndarray]]:
    for seed, file in enumerate(files):
        rgb = np.asarray(Image.open(photos / file).convert("RGB"))
        yield file, degrade(rgb, kind, level, seed)


def halves(table: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The photos of one half of the scenes and those of the other."""
    scenes = rng.permutation(table["scene"].unique())
    first = table["scene"].isin(scenes[: len(scenes) // 2])
    return table[first], table[~first]


def rules(found: dict[str, Any]) -> dict[str, bool]:
    """What each rule says of one comparison: whether anything drifted."""
    rows = [row for row in found["columns"] if row["psi"] is not None]
    return {
        "this one": found["drifted"],
        "Holm alone": any(row["p_holm"] < found["alpha"] for row in rows),
        "any PSI >= .1": any(row["psi"] >= 0.1 for row in rows),
        "any PSI >= .25": any(row["psi"] >= 0.25 for row in rows),
        "any KS p < .05": any(row["ks_p"] < 0.05 for row in rows),
    }


def false_alarms(table: pd.DataFrame, columns: list[str], times: int, burst: int = 1) -> None:
    """A row per size of the current table: the share of comparisons in which each rule finds drift."""
    for n in SIZES:
        said = []
        for seed in range(times):
            rng = np.random.default_rng(seed)
            old, new = halves(table, rng)
            new = new.sample(n // burst, random_state=rng)
            new = new.loc[new.index.repeat(burst)]
            said.append(rules(drift(old, new, columns)))
        shares = pd.DataFrame(said).mean()
        if n == SIZES[0]:
            print(f"\n| n, photos per scene {burst} | " + " | ".join(shares.index) + " |")
        print(f"| {n} | " + " | ".join(f"{share:.3f}" for share in shares) + " |", flush=True)


def detections(table: pd.DataFrame, tables: Path, columns: list[str], times: int) -> None:
    """A row per degradation: the share of comparisons that find it, by size and by share degraded."""
    cases = [(n, part) for n in (100, 200) for part in (0.0, 0.1, 0.25, 0.5, 1.0)]
    print("\n| degraded | " + " | ".join(f"n {n}, {part:.0%}" for n, part in cases) + " |")
    for kind in KINDS:
        for level in LEVELS:
            path = tables / f"{kind}_{level}.csv"
            if not path.exists():
                continue
            worse = pr.load(path)
            found = [detected(table, worse, columns, n, part, times) for n, part in cases]
            print(f"| {kind} {level} | " + " | ".join(f"{s:.2f}" for s in found) + " |", flush=True)


def detected(
    table: pd.DataFrame,
    worse: pd.DataFrame,
    columns: list[str],
    n: int,
    part: float,
    times: int,
) -> float:
    """The reference is of photos that no copy was made of; the scenes of the others are left out of it."""
    have_copies = table["file"].isin(worse["file"])
    reference = table[~table["scene"].isin(table.loc[have_copies, "scene"])]
    alarms = 0
    for seed in range(times):
        rng = np.random.default_rng(seed)
        files = rng.choice(sorted(worse["file"]), n, replace=False)
        bad = files[: round(n * part)]
        good = table[table["file"].isin(files[len(bad) :])]
        alarms += drift(reference, pd.concat([good, worse[worse["file"].isin(bad)]]), columns)[
            "drifted"
        ]
    return alarms / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("photos", "labels", "tables"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--times", type=int, default=1000)
    given = parser.parse_args()
    given.tables.mkdir(parents=True, exist_ok=True)
    labels = pd.read_csv(given.labels)
    measure(given.photos, labels, given.tables)
    table = pr.load(given.tables / "base.csv").merge(labels[["file", "scene"]], on="file")
    measured = {
        column["name"]
        for column in pr.load(given.tables / "base.csv").attrs["photorank"]["columns"]
    }
    columns = [name for name in table.select_dtypes("number") if name in measured]
    print(
        f"{len(table)} photos, {table['scene'].nunique()} scenes, {len(columns)} columns: {columns}"
    )
    for burst in (1, 4):
        false_alarms(table, columns, given.times, burst)
    detections(table, given.tables, columns, given.times // 10)


if __name__ == "__main__":
    main()
