"""Training says what is wrong with its arguments and labels before it spends hours on them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from photorank.evaluation.agreement import agreement
from photorank.features.defects import blockiness
from photorank.quality_copies import CLEAN_JPEG, CLEANED, LARGER, view
from photorank.rated_photos import training_labels
from photorank.train_quality import main
from photorank.training.degradations import KINDS
from photorank.training.held_out_quality import HeldOut, card, lowered
from photorank.training.quality import Copies, Settings

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Arguments that would do: 12 photos of 6 scenes."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (12, 20, 20, 3), np.uint8)
    for number, rgb in enumerate(pixels):
        Image.fromarray(rgb).save(f"photos/{number}.png")
    for name in ("labels.csv", "other.csv"):
        ratings().to_csv(name, index=False)
    Path("mine.csv").write_text("my notes\n")
    return ["--photos", "photos", "--labels", "labels.csv", "--out", "model", "--workers", "1"]


def ratings(n: int = 12, **columns: object) -> pd.DataFrame:
    names = [f"{number}.png" for number in range(n)]
    rated = pd.DataFrame(
        {"file": names, "mos": np.linspace(0.1, 0.9, n), "scene": np.arange(n) // 2}
    )
    return rated.assign(**columns)


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (ratings().drop(columns="mos"), "labels.csv needs the columns file, mos, scene; it has file, scene"),
        (ratings().drop(columns="scene"), "labels.csv needs the columns file, mos, scene"),
        (ratings().drop(columns="file"), "labels.csv needs the columns file, mos, scene"),
        (ratings(mos="good"), "mos in labels.csv is a number; 12 of 12 rows do otherwise: '0.png'"),
        (ratings(mos=range(12)), "is from 0 (bad) to 1 (good); 10 of 12 rows do otherwise: '2.png'"),
        (ratings(scene=[None, *range(11)]), "names the scene of each photo; 1 of 12 rows"),
        (ratings(13), "names photos in photos; 1 of 13 rows do otherwise: '12.png'"),
        (ratings(file="3.png"), "names each photo once; 11 of 12 rows"),
        (ratings(11), "training needs 12 photos or more, labels.csv has 11"),
        (ratings(scene=1), "all photos of labels.csv are one scene"),
        (ratings(mos=0.8), "the ratings must differ, and some be 0.7 or better"),
        (ratings(mos=np.linspace(0, 0.6, 12)), "some be 0.7 or better"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_trained_on_say_why(
    labels: pd.DataFrame, message: str, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    labels.to_csv("labels.csv", index=False)
    assert message in said(given, capsys)
    assert not list(Path("model").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--folds 1", "--folds is from 2 to the scenes in labels.csv, 6; got 1"),
        ("--folds 7", "--folds is from 2 to the scenes in labels.csv, 6; got 7"),
        ("--workers 0", "--workers is 1 or more, got 0"),
        ("--seed -1", "--seed is 0 or more, got -1"),
        ("--check photos", "--check and --check-labels go together"),
        ("--check photos --check-labels none.csv", "cannot read the table none.csv"),
        ("--check model --check-labels labels.csv", "names photos in model; 12 of 12 rows"),
        ("--photos gone", "no folder gone: give the folder of the photos that labels.csv rates"),
        ("--held-out mine.csv", "mine.csv exists and holds no held-out scores"),
        ("--held-out other.csv", "other.csv exists and holds no held-out scores"),
        ("--held-out scores.txt", "a table is .csv, .json, .parquet by its suffix"),
        ("--out mine.csv", "cannot write mine.csv"),
    ],
)
def test_wrong_arguments_say_why(
    arguments: str, message: str, given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in said([*given, *arguments.split()], capsys)
    assert Path("mine.csv").read_text() == "my notes\n"


def test_earlier_held_out_scores_may_be_replaced(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ratings().assign(quality=0.5).to_csv("scores.csv", index=False)
    Path("photos/7.png").write_bytes(b"no photo")
    assert "7.png cannot be read: " in said([*given, "--held-out", "scores.csv"], capsys)
    shutil.copy("scores.csv", "labels.csv")
    assert "labels.csv exists" in said([*given, "--held-out", "labels.csv"], capsys)


def test_scenes_that_a_near_duplicate_connects_are_one(given: list[str]) -> None:
    shutil.copy("photos/3.png", "photos/8.png")
    labels = training_labels(Path("labels.csv"), Path("photos"), 2, 1, 0.7)
    assert labels["scene"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 1, 1, 5, 5]


@pytest.mark.parametrize("kind", [LARGER, CLEANED, CLEAN_JPEG, *KINDS])
def test_the_model_sees_a_copy_as_it_sees_a_photo(kind: str, photo_file: Path) -> None:
    number = 4  # compressed at 512 pixels, saved at 1400
    seen, again = (view((str(photo_file), kind, 2, number)) for _ in range(2))
    assert seen.shape == view((str(photo_file), "", 0, number)).shape
    assert np.array_equal(seen, again)
    assert not np.array_equal(seen, view((str(photo_file), "", 0, number)))


def test_a_cleaned_photo_has_no_blocks_and_a_compressed_one_has(photo_file: Path) -> None:
    blocks = [
        blockiness(cv2.cvtColor(view((str(photo_file), kind, level, 0)), cv2.COLOR_RGB2GRAY))
        for kind, level in ((CLEANED, 0), ("", 0), (CLEAN_JPEG, 4))
    ]
    assert blocks[0] < blocks[1] < blocks[2]


def test_a_photo_that_cannot_be_read_is_named(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("photos/7.png").write_bytes(b"no photo")
    assert "7.png cannot be read: " in said(given, capsys)


@pytest.mark.slow
def test_ctrl_c_ends_cleanly(given: list[str]) -> None:
    """As a terminal sends it: to the script and its processes at once."""
    pixels = np.random.default_rng(0).integers(0, 256, (30, 300, 300, 3), np.uint8)
    for number, rgb in enumerate(pixels):
        Image.fromarray(rgb).save(f"photos/{number}.png")
    ratings(30).to_csv("labels.csv", index=False)
    training = subprocess.Popen(
        [sys.executable, str(ROOT / "scripts" / "train_quality.py"), *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert training.stdout is not None
    assert training.stdout.readline() == "learning codes from 30 photos\n"
    assert training.stdout.readline().startswith("describing 30 photos")
    os.killpg(training.pid, signal.SIGINT)
    _, errors = training.communicate(timeout=60)
    assert training.returncode == 130
    assert errors.splitlines()[-1] == "train_quality: interrupted; no file is half-written"
    assert "Traceback" not in errors
    assert not list(Path("model").iterdir())


def test_a_card_of_few_scenes_or_like_ratings_has_no_interval_or_figure() -> None:
    copies = Copies(np.zeros((2, 1)), np.array([0, 1]), np.array(["defocus"] * 2), np.array([2, 3]))
    laws = lowered(HeldOut(np.ones(2), np.zeros(2)), copies, np.array([True, False]))
    few, same = agreement([1, 2, 3, 4], [1, 2, 3, 5]), agreement([1, 2, 3, 4], [1] * 4)
    text = card(
        {"few": few, "same": same}, laws, {"n": 1, "median": 0, "p95": 0}, Settings(), "few", 2
    )
    assert "| few | 4 | 1.000 | 0.983 | 1.000 |" in text
    assert "| same | 4 | absent | absent | absent |" in text
