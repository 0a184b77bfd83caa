"""Watching a folder: every photo one row, whatever stops it; scores by one scale; drift by windows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import photorank as pr
from photorank.cli.main import main
from photorank.utils import journal
from photorank.verbs import watch as watching

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path("output/csvs/drop_watch.csv")
FLAGS = ["--aesthetic", "none", "--features", "sharpness,exposure", "--every", "0.05"]
FLAGS += ["--workers", "1", "--weights", "sharpness=1,exposure=1"]
Capture = pytest.CaptureFixture[str]


def photo_of(seed: int, level: int = 128) -> Image.Image:
    """64 x 64 pixels of noise around a level."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(np.clip(rng.normal(level, 30, (64, 64, 3)), 0, 255).astype(np.uint8))


@pytest.fixture
def drop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the current one, which also has old.csv, a ranked table, and scale.json."""
    monkeypatch.chdir(tmp_path)
    pictures = {f"{i}.jpg": photo_of(i, 100 + i) for i in range(30)}
    measured = pr.extract(pictures, ["sharpness", "exposure"])
    weights = {"sharpness": 1.0, "exposure": 1.0}
    pr.save(pr.rank(measured, save_scale="scale.json", weights=weights), "old.csv")
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
    assert TABLE.read_bytes().startswith(first)  # rows are added, none is touched
    assert files() == ["000.jpg", "001.jpg", "002.jpg", "sub/new.png"]
    assert watch() == 0
    assert len(files()) == 4


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

    from photorank.config.config import Settings
    from photorank.verbs.watch import Watch

    column = pr.Column("picky", range=(0, 1))
    features = [pr.BUILTIN[0], pr.Feature("picky", "1", (column,), picky, size=64)]
    weights = {"sharpness": 1.0, "picky": 1.0}
    scale = pr.fit_scale(pr.extract({"a": photo_of(1), "b": photo_of(2)}, features))
    fill(drop, 0, 1, level=60)
    given = {"features": features, "weights": weights, "scale": scale, "aesthetic": "none"}
    for name in ("alone.csv", "together.csv"):
        Watch("drop", Path(name), None, Settings.load(given), 200).run(0.05, once=True)
        fill(drop, 1, 2, level=160)
    alone, together = (pr.load(f"{n}.csv").set_index("file") for n in ("alone", "together"))
    assert alone.loc["000.jpg", "missing"] == "picky"
    assert alone.loc["000.jpg", "final_score"] == together.loc["000.jpg", "final_score"]


def test_a_row_says_the_same_whatever_arrives_with_its_photo(drop: Path) -> None:
    from photorank.config.config import Settings
    from photorank.verbs.watch import Watch

    settings = Settings.load({"scale": "default", "aesthetic": "none"})  # all that is built in
    together, apart = Path("together.csv"), Path("apart.csv")
    for name in ("a.png", "b.png"):
        photo_of(1).save(drop / name)
        Watch("drop", apart, None, settings, 200).run(0.05, once=True)
    Watch("drop", together, None, settings, 200).run(0.05, once=True)
    assert together.read_bytes() == apart.read_bytes()


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
    away, measure = Path("away"), watching.pipeline.extract
    looks = iter(range(100))

    def vanish(*given: Any, **settings: Any) -> pd.DataFrame:
        if drop.exists() and not TABLE.read_text().count("\n") > 1:
            drop.rename(away)
        return measure(*given, **settings)

    def wait(_: float) -> None:
        look = next(looks)
        if look == 4:
            monkeypatch.setattr(watching.pipeline, "extract", measure)
            away.rename(drop)
        if look == 8:
            raise KeyboardInterrupt

    monkeypatch.setattr(watching.pipeline, "extract", vanish)
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


def test_a_half_written_row_is_mended(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 2)
    assert watch() == 0
    whole = TABLE.read_bytes()
    for end in (len(whole) - 1, len(whole) - 40, whole.index(b"\n") + 9, 30):
        TABLE.write_bytes(whole[:end])
        assert watch() == 0
        assert "bytes of a half-written row removed" in capsys.readouterr().out
        assert TABLE.read_bytes() == whole


def test_a_restart_opens_no_photo_again(drop: Path) -> None:
    """The table is lost, as after a kill before its rows were written; so is the content of the photos."""
    fill(drop, 0, 3)
    assert watch("--cache", "store.sqlite") == 0
    before = TABLE.read_bytes()
    TABLE.unlink()
    assert watch() == 0
    TABLE.unlink()
    for path in drop.iterdir():
        facts = path.stat()
        path.write_bytes(bytes(facts.st_size))
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert watch("--cache", "store.sqlite", "--strict") == 0
    assert TABLE.read_bytes() == before
    TABLE.unlink()
    assert watch("--strict") == 0  # the store of all commands, where none is named
    assert TABLE.read_bytes() == before
    TABLE.unlink()
    assert watch("--cache", "off", "--strict") == 1


@pytest.mark.parametrize(
    ("data", "kept"),
    [
        (b"a,b\n1,2\n", 8),
        (b"a,b\n1,2", 4),
        (b'a,b\n"x\ny",2\n', 12),
        (b'a,b\n"x\ny', 4),
        (b'a,b\n"x""\ny', 4),
        (b"a,b\n1,2\n\0\0\0\n", 8),
        (b"", 0),
    ],
)
def test_where_a_half_written_row_begins(tmp_path: Path, data: bytes, kept: int) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    assert journal.repair(path) == len(data) - kept
    assert path.read_bytes() == data[:kept]


def test_a_table_that_is_damaged_otherwise_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'a\n"' + b"1\n" * 40_000)
    with pytest.raises(ValueError, match=r"is damaged: its last 80,001 bytes are no rows"):
        journal.repair(path)
    assert path.stat().st_size == 80_003


def test_odd_names_have_one_row_each(drop: Path) -> None:
    fill(drop, 0, 1)
    names = ['quote".jpg', "comma,.jpg", "line\nbreak.jpg", "return\r.jpg", "odd\udcff.jpg"]
    for name in names:
        (drop / name).write_bytes((drop / "000.jpg").read_bytes())
    for _ in range(2):
        assert watch() == 0
        assert sorted(files()) == sorted([*names, "000.jpg"])


def test_windows_are_compared_and_the_state_outlives_the_run(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 40)
    assert watch("--window", 20) == 0
    assert "photos 21 to 40: stable" in capsys.readouterr().out
    fill(drop, 40, 60, level=220)
    assert watch("--window", 20) == 3
    assert "photos 41 to 60: DRIFTED: 20 photos in the reference" in capsys.readouterr().out
    figures = json.loads(Path("results/drift_drop_watch.json").read_text())
    assert "final_score" in {row["column"] for row in figures["columns"]}
    assert watch("--window", 20) == 3


def test_a_reference_gives_the_scale_and_is_compared_with(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 20, level=220)
    assert watch("--reference", "old.csv", "--window", 20, "--quiet", scale=False) == 3
    assert "photos 1 to 20: DRIFTED: 30 photos in the reference" in capsys.readouterr().out
    record = json.loads(TABLE.with_name("drop_watch.meta.json").read_text())
    assert record["scale"] == pr.load("old.csv").attrs["photorank"]["scale"]


def test_the_default_scale_and_its_score_from_1_to_10(drop: Path) -> None:
    for i in range(2):
        fill(drop, i, i + 1)
        assert watch("--scale", "default", scale=False) == 0
    rows = pr.load(TABLE)
    assert rows["score_1_to_10"].to_list() == (1 + 9 * rows["final_score"]).round(1).to_list()


def test_it_needs_no_flag_but_the_scale(drop: Path) -> None:
    """With all features and all tags, where every other test here has two features."""
    fill(drop, 0, 2)
    assert main(["watch", "drop", "--once", "--aesthetic", "none", "--scale", "default"]) == 0
    rows = pr.load("output/csvs/drop_watch.csv")
    ranked = pr.rank("drop", aesthetic="none", scale="default").set_index("file")
    expected = ranked.loc[rows["file"], "final_score"].to_list()
    assert rows["final_score"].to_list() == pytest.approx(expected, abs=1e-9)


def test_it_says_where_the_scores_go(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 2)
    for scored in (0, 2):
        assert watch() == 0
        said = f"{scored} photos scored so far; scores go to {TABLE}"
        assert capsys.readouterr().out.splitlines()[0] == said


def test_quiet_says_nothing_of_what_is_well(drop: Path, capsys: Capture) -> None:
    fill(drop, 0, 2)
    assert watch("--quiet") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weights", "sharpness=1"], "was not made with the same weights: go on as it was begun"),
        (["--scale", "other.json"], "was not made with the same scale"),
        (["--features", "sharpness,exposure,contrast"], "was not made with the same columns"),
        (["--profile", "strict"], "was not made with the same tags"),
        (["--output_csv", "old.csv"], "old.csv was not made by watch"),
        (["--output_csv", "t.json"], "appends to its table, which a .csv alone allows, got t.json"),
        (["--output_csv", "mine.csv"], "mine.csv exists and was not written by photorank"),
        (["--window", "0"], "window is a number of photos from 1 up"),
        (["--every", "0"], "every of seconds above 0, got 200, 0.0"),
        (["--reference", "nowhere.csv"], "cannot read the table nowhere.csv"),
        (["--reference", "mine.csv"], "no measured column in common: nothing to compare"),
    ],
)
def test_wrong_use(drop: Path, capsys: Capture, arguments: list[str], message: str) -> None:
    fill(drop, 0, 1)
    Path("mine.csv").write_text("size\n1\n")
    scale = json.loads(Path("scale.json").read_text())
    scale["scale"]["knots"]["sharpness"][-1] += 1
    Path("other.json").write_text(json.dumps(scale))
    assert watch() == 0
    before = TABLE.read_bytes()
    assert watch(*arguments) == 2
    assert message in capsys.readouterr().err
    assert TABLE.read_bytes() == before


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
    assert "has other columns than watch gives it" in capsys.readouterr().err


def test_two_at_once_are_refused(drop: Path, capsys: Capture) -> None:
    pytest.importorskip("fcntl", reason="file locks are POSIX's")
    with journal.only_writer(TABLE):
        assert watch() == 2
    assert "another photorank is writing output/csvs/drop_watch.csv" in capsys.readouterr().err


def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="make room and start again"):
        journal.append(tmp_path, b"1,2\n")  # a folder


@pytest.fixture
def started(drop: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes to end with the test."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


def start(processes: list[subprocess.Popen[str]]) -> subprocess.Popen[str]:
    code = "import sys; from photorank.cli.main import run; run()"
    arguments = ["watch", "drop", *FLAGS, "--scale", "scale.json", "--window", "20"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    processes.append(process)
    return process


def wait_for_rows(number: int) -> None:
    deadline = time.monotonic() + 120
    while not TABLE.exists() or TABLE.read_bytes().count(b"\n") <= number:
        assert time.monotonic() < deadline, "no rows after two minutes"
        time.sleep(0.01)


@pytest.mark.slow
def test_kill_9_costs_no_row_and_doubles_none(
    drop: Path, started: list[subprocess.Popen[str]]
) -> None:
    for turn in range(4):
        fill(drop, 60 * turn, 60 * turn + 60)
        process = start(started)
        wait_for_rows(60 * turn + 1)
        process.kill()  # after the first batch, in the midst of the others
        process.communicate()
    assert len(files()) < 240
    assert watch("--window", 20) in (0, 3)
    assert sorted(files()) == [f"{i:03}.jpg" for i in range(240)]


@pytest.mark.slow
def test_photos_arrive_while_it_watches_and_ctrl_c_ends_it(
    drop: Path, started: list[subprocess.Popen[str]]
) -> None:
    process = start(started)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("0 photos scored so far")
    for i in range(5):
        fill(drop, i, i + 1)
        assert process.stdout.readline().endswith(f"{i:03}.jpg\n")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == "photorank: interrupted; no file is half-written\n"
    assert files() == [f"{i:03}.jpg" for i in range(5)]
