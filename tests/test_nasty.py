"""331 files that break decoders, among good photos: nothing crashes, nothing hangs, nothing is lost."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from photorank.features.image import photo_suffixes
from photorank.tables import RAW_COLUMNS

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "run_ranking.py"


def _rank(folder: Path, csv: Path) -> pd.DataFrame:
    command = [sys.executable, SCRIPT, folder, "--aesthetic", "none", "--output_csv", csv, "--quiet"]
    done = subprocess.run(command, capture_output=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert b"Traceback" not in done.stderr
    return pd.read_csv(csv, dtype={"phash": str})


@pytest.mark.slow
def test_331_nasty_files_among_good_ones(shared_data: Path, tmp_path: Path) -> None:
    good = tmp_path / "good"
    shutil.copytree(shared_data / "faces_dlib", good, ignore=shutil.ignore_patterns("*.xml"))
    alone = _rank(good, tmp_path / "alone.csv").set_index("file")
    shutil.copytree(shared_data / "nasty", good / "nasty")
    among = _rank(good, tmp_path / "among.csv").set_index("file")
    peak_gb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    assert peak_gb < 2

    nasty = [p for p in (good / "nasty").rglob("*") if p.suffix[1:].lower() in photo_suffixes()]
    assert len(nasty) > 300
    assert {str(p.relative_to(good)) for p in nasty} | set(alone.index) == set(among.index)
    assert (among["rank"].notna() ^ among["error"].notna()).all()
    assert among.loc[among["error"].notna(), RAW_COLUMNS].isna().all(axis=None)
    pd.testing.assert_frame_equal(among.loc[alone.index, RAW_COLUMNS], alone[RAW_COLUMNS])

    expected = pd.read_csv(shared_data / "nasty" / "expected_pillow.csv").set_index("file")
    readable = expected["pillow13_result"].str.startswith("OK")
    ours = among["error"].isna().rename(lambda name: name.removeprefix("nasty/"))
    both = pd.concat([readable, ours], axis=1, join="inner").to_numpy()
    assert (both[:, 0] == both[:, 1]).mean() > 0.99  # we refuse floating-point TIFFs as well
