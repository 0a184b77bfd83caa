"""331 files that break decoders, among good photos: nothing crashes, nothing hangs, nothing is lost."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from environments import MEASURED

from photorank.features.photo.header import photo_suffixes
from photorank.table.columns import RAW_COLUMNS

REFUSED = (
    "10ct_32bit_128.tiff",  # floating point: there is no white in it; nor in the signed ones
    "16_bit_binary_pgm.tiff",
    "16bit.s.tif",
    "8bit.s.tif",
    "separate_planar_extra_samples.tiff",
    "hopper_bad_exif.jpg",  # torn into stripes
)
"""Pillow reads them."""

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "run_ranking.py"


def _rank(folder: Path, file: Path) -> dict[str, dict[str, object]]:
    command = [
        sys.executable,
        SCRIPT,
        folder,
        "--aesthetic",
        "none",
        "--output_csv",
        file,
        "--quiet",
    ]
    with (file.with_suffix(".log")).open("wb") as log:
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, *command], stdout=log, stderr=log, timeout=300
        )
    said = file.with_suffix(".log").read_bytes()
    assert done.returncode == 0, said[-2000:]
    assert b"Traceback" not in said
    assert int(said.rpartition(b"most memory: ")[2]) < 2e6  # kB
    return {row["file"]: row for row in json.loads(file.read_text())}


@pytest.mark.slow
def test_331_nasty_files_among_good_ones(shared_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(shared_data / "faces_dlib", folder, ignore=shutil.ignore_patterns("*.xml"))
    alone = _rank(folder, tmp_path / "alone.json")
    shutil.copytree(shared_data / "nasty", folder / "nasty")
    among = _rank(folder, tmp_path / "among.json")

    for file, row in alone.items():
        assert [row[name] for name in RAW_COLUMNS] == [among[file][name] for name in RAW_COLUMNS]
    files = (f for f in folder.rglob("*") if f.suffix[1:].lower() in photo_suffixes())
    assert {str(f.relative_to(folder)) for f in files} == set(among)
    assert len(among) > 300 + len(alone)
    for row in among.values():
        assert (row["rank"] is None) == (row["final_score"] is None) == (row["error"] is not None)
        assert row["error"] is None or all(row[name] is None for name in RAW_COLUMNS)

    with (shared_data / "nasty" / "expected_pillow.csv").open() as table:
        readable = {r["file"]: r["pillow13_result"].startswith("OK") for r in csv.DictReader(table)}
    ours = {file.removeprefix("nasty/"): row["error"] is None for file, row in among.items()}
    heif = (".heif", ".heic", ".hif")  # Pillow alone does not read them, the extra [heif] does
    differ = {
        f for f, ok in readable.items() if f in ours and ours[f] != ok and not f.endswith(heif)
    }
    assert differ == {f"g_pillow/{name}" for name in REFUSED}
