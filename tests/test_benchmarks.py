"""The benchmarks hold together: every contest can be run, on photos of the size that it names."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

import contestants  # noqa: E402
import run  # noqa: E402
from contests import CONTESTS  # noqa: E402
from photos import many, photo_set  # noqa: E402


def test_every_contest_names_contestants_that_take_what_it_gives() -> None:
    given = {"photos", "threads", "yunet", "checkpoint", "store", "count"}
    for contest in CONTESTS:
        for name in (contest.ours, contest.theirs):
            asked = inspect.signature(getattr(contestants, name)).parameters
            assert asked.keys() - {"_", "seed", "more"} <= given, name


def test_hashes_are_as_said() -> None:
    values = [int(text, 16) for text in contestants.hashes(1000).values()]
    ones = np.array([value.bit_count() for value in values])
    assert ((ones == 32) | (ones == 0)).all()
    assert (ones == 0).sum() == 20
    assert len(set(values)) == pytest.approx(880, abs=5)


def test_photos_have_the_size_asked_for_and_differ(photo_file: Path, tmp_path: Path) -> None:
    folder = photo_set([photo_file], 3, 0.5, tmp_path)
    made = sorted(folder.glob("*.jpg"))
    for file in made:
        with Image.open(file) as image:
            assert image.width * image.height == pytest.approx(0.5e6, rel=0.01)
    assert len({file.read_bytes() for file in made}) == 3
    assert len(list(many(folder, 7).iterdir())) == 7


@pytest.mark.parametrize("name", ["decode", "technical", "checks", "hash_folder"])
def test_a_contestant_reports_its_time(name: str, photo_file: Path, tmp_path: Path) -> None:
    told = json.dumps({"photos": str(photo_set([photo_file], 2, 0.1, tmp_path)), "threads": 1})
    command = [sys.executable, str(ROOT / "benchmarks" / "contestants.py"), name, told]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["seconds"] > 0
    assert found["peak_mb"] > 10
    assert {"numpy", "pillow"} <= found["versions"].keys()


def test_blank_frames_are_grouped_as_the_peer_groups_them() -> None:
    sizes = contestants.group(1000)()["dup_group"].value_counts()
    assert sizes.iloc[0] == 20


def test_a_peer_that_does_not_finish_is_stopped_with_its_workers(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    worker = f"import time; time.sleep(3); open({str(seen)!r}, 'w')"
    peer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {worker!r}])"
    assert run.finished([sys.executable, "-c", peer], 1) is None
    time.sleep(3)
    assert not seen.exists()
    assert run.finished([sys.executable, "-c", "print('done')"], 60) == (0, "done\n", "")


def test_what_a_stopped_peer_does_in_a_second_is_less_than_the_figure() -> None:
    contest = next(contest for contest in CONTESTS if contest.name == "group")
    result = {"ours": 2.0, "theirs": 600.0, "ratio": 300.0, "ratios": [300.0], "photos": 6000}
    stopped = run.row(contest, result | {"megapixels": None, "unfinished": True})
    assert "| over 600.00 | under 10.0 | over 300.00 " in stopped
    assert "| 600.00 | 10.0 | 300.00 " in run.row(contest, result | {"megapixels": None})
