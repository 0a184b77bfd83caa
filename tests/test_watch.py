"""Watching a folder: every photo one row, whatever stops it; scores by one scale; drift by windows."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import photorank as pr
from photorank import pipeline
from photorank.cli.main import main, run
from photorank.config.config import Settings
from photorank.table import journal
from photorank.verbs import watch as watching

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path("output/csvs/drop_watch.csv")
JOURNAL = Path("output/csvs/drop_watch.watch.sqlite")
FLAGS = ["--aesthetic", "none", "--features", "sharpness,exposure", "--every", "0.05"]
FLAGS += ["--workers", "1", "--weights", "sharpness=1,exposure=1"]
Capture = pytest.CaptureFixture[str]


def photo_of(seed: int, level: int = 128) -> Image.Image:
    """64 x 64 pixels of noise around a level."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(np.clip(rng.normal(level, 30, (64, 64, 3)), 0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with old.csv, a ranked table, and scale.json."""
    folder = tmp_path_factory.mktemp("before")
    pictures = {f"{i}.jpg": photo_of(i, 100 + i) for i in range(30)}
    measured = pr.extract(pictures, ["sharpness", "exposure"])
    weights = {"sharpness": 1.0, "exposure": 1.0}
    ranked = pr.rank(measured, save_scale=str(folder / "scale.json"), weights=weights)
    pr.save(ranked, folder / "old.csv")
    return folder


@pytest.fixture
def drop(tmp_path: Path, before: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the current one, which also has what is in `before`."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(before, tmp_path, dirs_exist_ok=True)
    (tmp_path / "drop").mkdir()
    return tmp_path / "drop"


def fill(folder: Path, start: int, stop: int, level: int = 120) -> None:
    for i in range(start, stop):
        photo_of(i, level).save(folder / f"{i:03}.jpg")


def watch(*arguments: object, scale: bool = True) -> int:
    given = ["--scale", "scale.json"] if scale else []
    return main(["watch", "drop", "--once", *FLAGS, *given, *map(str, arguments)])


def files() -> list[str]:
    return pr.load(TABLE)["file"].to_list()


def test_once_scores_what_is_there_and_then_what_is_new(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 3)
    assert watch() == 0
    assert capsys.readouterr().out.count(".jpg\n") == 3
    first = TABLE.read_bytes()
    (drop / "sub").mkdir()
    photo_of(9).save(drop / "sub" / "new.png")
    assert watch() == 0
    assert TABLE.read_bytes().startswith(first)  # the rows stay what they were
    assert files() == ["000.jpg", "001.jpg", "002.jpg", "sub/new.png"]
    written = TABLE.stat().st_ino
    assert watch() == 0
    assert TABLE.stat().st_ino == written  # nothing new: it is not written again


def test_an_empty_folder_is_no_mistake(drop: Path) -> None:
    assert watch() == 0
    assert TABLE.read_text().startswith("file,path,final_score,")
    fill(drop, 0, 1)
    assert watch() == 0
    assert files() == ["000.jpg"]


def test_scores_are_those_of_a_ranking_by_the_scale_whatever_arrives_together(drop: Path) -> None:
    for i in range(3):
        fill(drop, i, i + 1, level=90 + 20 * i)
        assert watch() == 0
    options = {"features": "sharpness,exposure", "weights": {"sharpness": 1, "exposure": 1}}
    ranked = pr.rank("drop", aesthetic="none", scale="scale.json", **options)
    expected = ranked.set_index("file")["final_score"]
    found = pr.load(TABLE).set_index("file")["final_score"]
    assert found.to_dict() == pytest.approx(expected.to_dict(), abs=1e-9)


def test_a_photo_that_lacks_a_value_scores_the_same_alone(drop: Path) -> None:
    """A column that no photo of a batch has would else give its weight to the others."""

    def picky(rgb: np.ndarray) -> float:
        return float("nan") if rgb.mean() < 100 else 1.0

    column = pr.Column("picky", range=(0, 1))
    features = [pr.BUILTIN[0], pr.Feature("picky", "1", (column,), picky, size=64)]
    weights = {"sharpness": 1.0, "picky": 1.0}
    scale = pr.fit_scale(pr.extract({"a": photo_of(1), "b": photo_of(2)}, features))
    fill(drop, 0, 1, level=60)
    given = {"features": features, "weights": weights, "scale": scale, "aesthetic": "none"}
    for name in ("alone.csv", "together.csv"):
        watching.watch("drop", Path(name), None, Settings.load(given), 200, 0.05, once=True)
        fill(drop, 1, 2, level=160)
    alone, together = (pr.load(f"{n}.csv").set_index("file") for n in ("alone", "together"))
    assert alone.loc["000.jpg", "missing"] == "picky"
    assert alone.loc["000.jpg", "final_score"] == together.loc["000.jpg", "final_score"]


def test_a_row_says_the_same_whatever_arrives_with_its_photo(drop: Path) -> None:
    """With all features and tags, where every other test here has two features."""
    command = [
        "watch",
        "drop",
        "--once",
        "--aesthetic",
        "none",
        "--scale",
        "default",
        "--every",
        ".05",
    ]
    for name in ("a.png", "b.png"):
        photo_of(1).save(drop / name)
        assert main([*command, "--output_csv", "apart.csv"]) == 0
    assert main(command) == 0
    assert TABLE.read_bytes() == Path("apart.csv").read_bytes()
    rows = pr.load(TABLE)
    ranked = pr.rank("drop", aesthetic="none", scale="default").set_index("file")
    expected = ranked.loc[rows["file"], "final_score"].to_list()
    assert rows["final_score"].to_list() == pytest.approx(expected, abs=1e-9)
    assert rows["score_1_to_10"].to_list() == (1 + 9 * rows["final_score"]).round(1).to_list()


def test_the_table_can_be_ranked_and_is_not_overwritten(drop: Path) -> None:
    fill(drop, 0, 4)
    (drop / "bad.jpg").write_bytes(b"no picture")
    assert watch() == 0
    before = TABLE.read_bytes()
    assert main(["rank", str(TABLE), "--quiet"]) == 0
    ranked = pr.rank(str(TABLE))
    assert ranked["rank"].to_list()[:4] == [1, 2, 3, 4]
    assert ranked["error"].notna().sum() == 1
    assert TABLE.read_bytes() == before


def test_a_folder_that_is_gone_for_a_moment_is_waited_for(
    drop: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Also if it goes while a batch is measured: those photos are scored when it is back."""
    fill(drop, 0, 2)
    away, measure = Path("away"), pipeline.measured
    looks = iter(range(100))

    def vanish(*given: Any, **settings: Any) -> pd.DataFrame:
        if drop.exists() and not TABLE.read_text().count("\n") > 1:
            drop.rename(away)
        return measure(*given, **settings)

    def wait(_: float) -> None:
        look = next(looks)
        if look == 4:
            monkeypatch.setattr(pipeline, "measured", measure)
            away.rename(drop)
        if look == 8:
            raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "measured", vanish)
    monkeypatch.setattr(watching.time, "sleep", wait)
    assert main(["watch", "drop", *FLAGS, "--scale", "scale.json"]) == 130
    assert files() == ["000.jpg", "001.jpg"]
    assert pr.load(TABLE)["error"].isna().all()
    said = capsys.readouterr()
    assert said.err.count("cannot read the folder") == 1
    assert said.out.count("is back") == 1


def test_a_cache_that_cannot_be_used_is_said_once(drop: Path, capsys: Capture) -> None:
    (drop.parent / "folder").mkdir()
    fill(drop, 0, watching._BATCH + 1)
    assert watch("--cache", "folder") == 0
    assert capsys.readouterr().err.count("the cache") == 1
    assert len(files()) == watching._BATCH + 1


def test_a_file_that_is_still_written_waits(drop: Path, capsys: Capture) -> None:
    """It grows between the two looks."""
    whole = drop.parent / "whole.jpg"
    photo_of(1).save(whole)
    script = (
        "import sys, time; data = open('whole.jpg', 'rb').read(); out = open('drop/a.jpg', 'wb')\n"
        "for i in range(len(data)): out.write(data[i:i+1]); out.flush(); time.sleep(.02)"
    )
    writer = subprocess.Popen([sys.executable, "-c", script])
    try:
        while not (drop / "a.jpg").exists():
            time.sleep(0.01)
        assert watch("--every", "0.5") == 0
        assert "1 still being written: left for the next run" in capsys.readouterr().out
        assert TABLE.read_text().count("\n") == 1  # the header
    finally:
        writer.kill()
        writer.wait()


def test_a_truncated_file_is_tried_again_when_it_has_grown(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 3)
    whole = (drop / "001.jpg").read_bytes()
    (drop / "001.jpg").write_bytes(whole[:900])
    assert watch("--strict") == 1
    assert "failed  001.jpg: " in capsys.readouterr().out
    rows = pr.load(TABLE)
    assert rows["error"].notna().to_list() == [False, True, False]
    assert watch("--strict") == 0  # nothing new: it is not tried again
    (drop / "001.jpg").write_bytes(whole)
    assert watch("--strict") == 0
    rows = pr.load(TABLE)
    assert rows["file"].to_list() == ["000.jpg", "001.jpg", "002.jpg"]
    assert rows["error"].isna().all()
    assert rows["final_score"].notna().all()


def test_a_photo_changed_in_place_that_keeps_its_time_is_scored_again(drop: Path) -> None:
    photos = [drop / "000.bmp", drop / "new.bmp"]
    for seed, path in enumerate(photos):
        photo_of(seed).save(path)  # of the same size
        os.utime(path, (0, 9_250_000_000))  # in the year 2263, beyond 64 bits of nanoseconds
    new = photos[1].read_bytes()
    photos[1].unlink()
    assert watch() == 0
    (old,) = pr.load(TABLE).to_dict("records")
    photos[0].write_bytes(new)
    os.utime(photos[0], (0, 9_250_000_000))
    assert watch() == 0
    (row,) = pr.load(TABLE).to_dict("records")
    assert (row["bytes"], row["modified"]) == (old["bytes"], old["modified"])
    assert row["modified"].startswith("2263-02")
    assert row["sharpness"] != old["sharpness"]


@pytest.mark.parametrize(("ns", "said"), [(10**40, "9999-12-31"), (-(10**40), "0001-01-01")])
def test_a_time_without_a_date_is_the_nearest(ns: int, said: str) -> None:
    assert watching._utc(ns).startswith(said)


def test_the_table_is_written_again_where_it_is_gone(drop: Path, opened: set[str]) -> None:
    fill(drop, 0, 3)
    assert watch("--cache", "off") == 0
    before = TABLE.read_bytes()
    TABLE.unlink()
    opened.clear()
    assert watch("--cache", "off") == 0
    assert TABLE.read_bytes() == before
    assert opened.isdisjoint(map(str, drop.iterdir()))


def test_a_restart_opens_no_photo_again(drop: Path, opened: set[str]) -> None:
    """What was measured lies in the store of all commands, though the rows are lost."""
    fill(drop, 0, 3)
    assert watch() == 0
    before = TABLE.read_bytes()
    TABLE.unlink()
    JOURNAL.unlink()
    opened.clear()
    assert watch() == 0
    assert TABLE.read_bytes() == before
    assert opened.isdisjoint(map(str, drop.iterdir()))


def test_odd_names_have_one_row_each(drop: Path) -> None:
    fill(drop, 0, 1)
    names = ['quote".jpg', "comma,.jpg", "line\nbreak.jpg", "return\r.jpg", "odd\udcff.jpg"]
    for name in names:
        (drop / name).write_bytes((drop / "000.jpg").read_bytes())
    for _ in range(2):
        assert watch() == 0
        assert sorted(files()) == sorted([*names, "000.jpg"])


def test_windows_are_compared_and_the_state_outlives_the_run(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 20)
    assert watch("--window", 10) == 0
    assert "photos 11 to 20: stable" in capsys.readouterr().out
    fill(drop, 20, 30, level=220)
    assert watch("--window", 10) == 3
    assert "photos 21 to 30: DRIFTED: 10 photos in the reference" in capsys.readouterr().out
    figures = json.loads(Path("results/drift_drop_watch.json").read_text())
    assert "final_score" in {row["column"] for row in figures["columns"]}
    assert watch("--window", 10) == 3


def test_a_reference_gives_the_scale_and_is_compared_with(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 20, level=220)
    assert watch("--reference", "old.csv", "--window", 20, "--quiet", scale=False) == 3
    assert "photos 1 to 20: DRIFTED: 30 photos in the reference" in capsys.readouterr().out
    record = json.loads(TABLE.with_name("drop_watch.meta.json").read_text())
    assert record["scale"] == pr.load("old.csv").attrs["photorank"]["scale"]


def test_it_says_where_the_scores_go_and_quiet_says_nothing(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 2)
    for scored in (0, 2):
        assert watch() == 0
        said = f"{scored} photos scored so far; scores go to {TABLE}"
        assert capsys.readouterr().out.splitlines()[0] == said
    fill(drop, 2, 3)
    assert watch("--quiet") == 0
    assert capsys.readouterr().out == ""


WRONG = {
    "--weights sharpness=1": "was not made with the same weights: go on as it was begun, or begin",
    "--scale other.json": "was not made with the same scale",
    "--features sharpness,exposure,contrast": "was not made with the same columns",
    "--profile strict": "was not made with the same tags",
    "--output_csv old.csv": "old.csv was not made by watch, or old.watch.sqlite beside it is gone",
    "--output_csv t.json": "watch writes its table as .csv, got t.json",
    "--output_csv mine.csv": "mine.csv exists and was not written by photorank",
    "--window 0": "window is a number of photos from 1 up",
    "--every 0": "every of seconds above 0, got 200, 0.0",
    "--reference nowhere.csv": "cannot read the table nowhere.csv",
    "--reference mine.csv": "no measured column in common: nothing to compare",
}


def test_wrong_use(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 1)
    Path("mine.csv").write_text("size\n1\n")
    scale = json.loads(Path("scale.json").read_text())
    scale["scale"]["knots"]["sharpness"][-1] += 1
    Path("other.json").write_text(json.dumps(scale))
    assert watch() == 0
    made = {path: path.read_bytes() for path in Path().rglob("*.*") if path.is_file()}
    for arguments, message in WRONG.items():
        assert watch(*arguments.split()) == 2
        assert message in capsys.readouterr().err
    assert {p: p.read_bytes() for p in Path().rglob("*.*") if p.is_file()} == made


def test_it_needs_a_scale(drop: Path, capsys: Capture) -> None:
    assert watch(scale=False) == 2
    assert "watch needs a scale, or a photo's score would depend on" in capsys.readouterr().err


def test_another_folder_of_that_name_is_another_table(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 1)
    assert watch() == 0
    drop.rename("elsewhere")
    Path("other/drop").mkdir(parents=True)
    assert main(["watch", "other/drop", "--once", *FLAGS, "--scale", "scale.json"]) == 2
    assert "was not made with the same source" in capsys.readouterr().err


def test_a_table_with_other_columns_is_refused(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 1)
    assert watch() == 0
    pd.read_csv(TABLE).drop(columns="width").to_csv(TABLE, index=False)
    assert watch() == 2
    assert "was not made with the same columns: go on" in capsys.readouterr().err
    assert "width" not in pd.read_csv(TABLE)


def test_two_at_once_are_refused(drop: Path, capsys: Capture) -> None:
    TABLE.parent.mkdir(parents=True)
    with journal.opened(TABLE):
        assert watch() == 2
    assert "another photorank is writing output/csvs/drop_watch.csv" in capsys.readouterr().err
    assert watch() == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no database" * 99, "drop_watch.watch.sqlite: file is not a database; make room, or give"),
        (None, "drop_watch.watch.sqlite is not photorank's: move it away, or give another"),
    ],
)
def test_somebody_elses_file_is_left_alone(
    drop: Path, capsys: Capture, content: str | None, message: str
) -> None:
    JOURNAL.parent.mkdir(parents=True)
    if content:
        JOURNAL.write_text(content)
    else:
        with contextlib.closing(sqlite3.connect(JOURNAL)) as db:
            db.execute("CREATE TABLE mine (x)")
    before = JOURNAL.read_bytes()
    assert watch() == 2
    assert message in capsys.readouterr().err
    assert JOURNAL.read_bytes() == before


KILLED = """
import os, signal, sys
from photorank import pipeline
from photorank.cli.main import run

doing, last = sys.argv.pop(1), int(sys.argv.pop(1))
where, name = (pipeline, "run") if doing == "measuring" else (os, "replace")
real, calls = getattr(where, name), []

def call(*given, **named):
    calls.append(name)
    if len(calls) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given, **named)

setattr(where, name, call)
run()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("doing", "call", "arrived", "scored"), [("measuring", 3, 40, 32), ("writing", 5, 20, 20)]
)
def test_kill_9_costs_a_batch_at_most(
    drop: Path, capsys: Capture, doing: str, call: int, arrived: int, scored: int
) -> None:
    """Killed while the second batch is measured; while the rows are to take the header's place."""
    fill(drop, 0, arrived)
    arguments = [doing, call, "watch", "drop", *FLAGS, "--scale", "scale.json"]
    path = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.run([sys.executable, "-c", KILLED, *map(str, arguments)], env=path)
    assert process.returncode == -signal.SIGKILL
    header, *rows = TABLE.read_text().splitlines()
    assert header.startswith("file,path,final_score,")
    assert len(rows) in (0, scored if doing == "measuring" else 0)
    assert watch() == 0
    assert capsys.readouterr().out.startswith(f"{scored} photos scored so far")
    assert files() == [f"{i:03}.jpg" for i in range(arrived)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_photos_arrive_while_it_watches_and_a_signal_ends_it(
    drop: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
) -> None:
    looks = iter(range(9))

    def wait(_: float) -> None:
        look = next(looks)
        if look < 4:
            fill(drop, look, look + 1)
        elif look == 6:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(watching.time, "sleep", wait)
    monkeypatch.setattr(
        sys, "argv", ["photorank", "watch", "drop", *FLAGS, "--scale", "scale.json"]
    )
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        run()
    signal.signal(signal.SIGTERM, before)
    assert ended.value.code == code
    assert files() == [f"{i:03}.jpg" for i in range(4)]
