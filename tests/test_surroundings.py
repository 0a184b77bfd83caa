"""Whatever lies around a command, closed streams or odd names: the job is done, or a line says why not."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photorank.cli.main import main

ODD = "\x1b[31mred\n\u202egpj.\x07"
FEW = ("--aesthetic", "none", "--features", "sharpness,exposure")
RUN = "import sys; from photorank.cli.main import main; sys.exit(main(sys.argv[1:]))"
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which `photos` holds three pictures and a file that is none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    fill(tmp_path / "photos", ["a.png", "\u00e9\u4e2d.png", "c.png"])
    return tmp_path


def fill(folder: Path, names: list[str]) -> None:
    folder.mkdir()
    for number, name in enumerate(names):
        picture = np.random.default_rng(number).integers(0, 256, (60, 80, 3), np.uint8)
        Image.fromarray(picture).save(folder / name)
    (folder / "none.jpg").write_text("x")


def shell(redirected: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-c", RUN, *words]
    env = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)


def exit_code(words: list[str]) -> int | str | None:
    try:
        return main(words)
    except SystemExit as end:
        return end.code


@pytest.mark.parametrize("streams", [">&-", "2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_closed_streams_and_a_full_log_end_no_run(here: Path, streams: str) -> None:
    done = shell(streams, "rank", "photos", *FEW)
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0)
    assert len((here / "output/csvs/photos.csv").read_text().splitlines()) == 5
    with contextlib.closing(sqlite3.connect(here / "cache/photorank/measurements.sqlite")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    failed = shell(streams, "rank", "nowhere")
    assert failed.returncode == 2


@pytest.mark.parametrize("home", [None, "", "/proc/none", "/dev/null"])
def test_without_a_home_one_line_says_what_is_not_kept(
    here: Path,
    home: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path.replace("~", home or "~"))
    assert main(["rank", "photos", *FEW]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "cache" in line]
    assert len(said) == bool(home)
    assert all(line.endswith("; going on without it") for line in said)


def test_a_folder_that_is_gone_is_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = here / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for words in (["rank", str(here / "photos"), *FEW], ["show"], ["tag", "."], ["evaluate"]):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert said == "photorank: the folder that this runs in is gone: change to another one\n"


def test_names_beyond_ascii_are_found_where_only_ascii_is_text(here: Path) -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0"}
    assert shell("", "rank", "photos", *FEW).returncode == 0
    for words in (
        ("rank", "photos", *FEW, "--output_csv", "c.csv", "--copy_top", "3", "--to", "best"),
        ("show", "c.csv", "--copy_top", "3", "--to", "best"),
        ("show", "output/csvs/photos.csv"),
    ):
        done = shell("", *words, **plain)
        assert (done.returncode, done.stderr.count("opened")) == (0, 0), done.stderr
    copied = [place.name[4:] for place in (here / "best").iterdir()]
    assert sorted(copied) == ["a.png", "c.png", "\u00e9\u4e2d.png"]
    for page in ("c.html", "photos.html"):
        assert (here / "results" / page).read_text().count("data:image/jpeg") == 3


def test_a_narrow_terminal_shows_rank_and_score(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    for path in (here / "photos").glob("*.png"):
        path.rename(path.with_name(f"a-long-name-{path.name}"))
    assert main(["rank", "photos", *FEW]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("rank  score  file"))
    for place, line in enumerate(lines[start + 1 : start + 4], 1):
        assert line.split()[0] == str(place)
        assert 0 <= float(line.split()[1]) <= 1
    assert max(map(len, lines[: start + 4])) <= 40


def test_control_characters_are_shown_escaped(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = f"f{ODD}"
    fill(here / folder, [f"a{ODD}.png", "b.png"])
    (here / folder / f"bad{ODD}.jpg").write_text("x")
    (here / folder / f"x.s{ODD}").write_text("x")
    (here / folder / f"link{ODD}").symlink_to(here)
    table, copies = f"output/csvs/{folder}.csv", ["--copy_top", "1", "--to", f"to{ODD}"]
    flags = ["--aesthetic", "none", "--features", "sharpness,exposure,phash"]
    for words, code in (
        (["rank", folder, *flags, "--verbose", *copies], 0),
        (["tag", folder, *flags], 0),
        (["show", table], 0),
        (["evaluate", table], 0),
        (["drift", table, table], 0),
        (["explain", f"a{ODD}.png"], 0),
        (["explain", "a"], 2),
        (["watch", folder, *flags, "--scale", "default", "--once", "--every", ".01"], 0),
        (["rank", f"{folder}/none", *flags], 2),
        (["rank", folder, "--config", folder], 2),
        (["rank", folder, *flags, "--scale", table], 2),
        (["rank", folder, f"--{folder}"], 2),
        ([folder + "none"], 2),
    ):
        assert exit_code(words) == code
        said = capsys.readouterr()
        for text in (said.out, said.err):
            assert not {"\x1b", "\x07", "\u202e"} & {*text}
            assert "\ngpj" not in text


def test_many_odd_suffixes_are_one_short_line(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(2000):
        (here / "photos" / f"x.{number}").touch()
        (here / "photos" / f"x.{number}{'y' * 200}").touch()
    assert main(["rank", "photos", *FEW]) == 0
    said = " ".join(capsys.readouterr().out.partition(" (")[0].split())
    assert len(said) < 400
    assert said.endswith(", 3,992 of 3,992 other kinds")
    sidecar = here / "output/csvs/photos.meta.json"
    assert sum(json.loads(sidecar.read_text())["skipped"].values()) == 4000
    assert sidecar.stat().st_size < 12_000
