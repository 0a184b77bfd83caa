"""Whatever kills a run or fills the disk: what is there belongs together, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import photorank as pr
from photorank.utils import io, whole

ROOT = Path(__file__).resolve().parent.parent

PARTS = """
import json, os, resource, signal, sys
from pathlib import Path
import pandas as pd
import photorank as pr
from photorank.utils import io

os.fsync = lambda file: None  # of every disk that these tests run on

def table(mark, photos=40):
    rows = [{"file": f"{i}.jpg", "path": f"/none/{i}.jpg", "rank": i + 1.0, "final_score": mark,
             "note": "x" * 400, "error": None} for i in range(photos)]
    rows.append({"file": "z.jpg", "error": f"lost by {mark}"})
    made = pd.DataFrame(rows)
    notes = ["a record larger than its table" + "x" * 50_000]
    made.attrs["photorank"] = {"scale": {"mark": mark}, "columns": [], "notes": notes}
    return made

def forked(work):
    # what `work` returned, or the signal that ended it
    if (child := os.fork()) == 0:
        try:
            work()
        except ValueError as error:
            print(error, flush=True)
            os._exit(2)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

def killed(work, number):
    # `work`, killed before its call number so of what touches the disk
    calls = []
    def watched(real):
        def call(*given, **named):
            calls.append(1)
            if len(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **named)
        return call
    def doomed():
        for name in ("replace", "fsync", "unlink", "mkdir", "rmdir"):
            setattr(os, name, watched(getattr(os, name)))
        work()
    return forked(doomed)

def all_files(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.rglob("*")) if not p.is_dir()}

def full(work, size):
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        work()
    return forked(limited)
"""


def run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PARTS + code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("before", [True, False])
def test_killed_at_any_write_the_record_is_of_the_table_and_the_next_run_ends_alike(
    tmp_path: Path, before: bool
) -> None:
    code = f"""
old, new = table(.25), table(.5, 30)
def begin(name):
    Path(name).mkdir()
    if {before}:
        pr.save(old, f"{{name}}/t.csv")
    return Path(name)

pr.save(new, begin("undisturbed") / "t.csv")
wanted = all_files(Path("undisturbed"))
for number in range(1, 100):
    folder = begin(f"{{number}}")
    if killed(lambda: pr.save(new, folder / "t.csv"), number) == 0:
        break
    if (folder / "t.csv").exists():
        found = pr.load(folder / "t.csv")
        assert set(found["final_score"].dropna()) == {{found.attrs["photorank"]["scale"]["mark"]}}
    if (folder / "t.failed.csv").exists():
        mark = found["final_score"].max()
        assert f"lost by {{mark}}" in (folder / "t.failed.csv").read_text()
    pr.save(new, folder / "t.csv")
    assert all_files(folder) == wanted, number
    assert not [p for p in folder.iterdir() if p.is_dir()]
print(number)
"""
    assert int(run(code, tmp_path)) > 15


@pytest.mark.parametrize("what", ["table", "page", "montage"])
def test_a_full_disk_leaves_the_old_one_and_one_line(tmp_path: Path, what: str) -> None:
    code = f"""
def work(mark):
    made = table(mark, 60)
    {{"table": lambda: pr.save(made, "t.csv"),
      "page": lambda: pr.show(made, "t.html"),
      "montage": lambda: pr.montage(made[:24], "t.png")}}["{what}"]()

work(.5)
new = all_files(Path())
for path in Path().iterdir():
    path.unlink()
for old in (False, True):
    if old:
        work(.25)
    there = all_files(Path())
    for size in range(0, 200_000, 16_384):
        if code := full(lambda: work(.5), size):
            assert code == 2
            assert all_files(Path()) == there, size
        else:
            assert all_files(Path()) == new, size
            break
        assert not [p for p in Path().iterdir() if p.is_dir()]
"""
    lines = run(code, tmp_path).splitlines()
    assert len(lines) > 2
    for line in lines:
        assert "cannot write t." in line
        assert "File too large; make room or give another place" in line


def test_all_is_on_the_disk_before_the_first_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *a, name=name, real=real: (done.append(name), real(*a))
        )
    pr.save(marked(1), tmp_path / "t.csv")
    assert "".join(name[0] for name in done) == "fffrrrf"  # the last: the folder


def marked(scale: float, better: str = "lower") -> pd.DataFrame:
    table = pd.DataFrame({"file": ["a.jpg", "b.jpg"], "x": [1.0, 2.0], "mark": scale})
    columns = [{"name": "x", "better": better, "version": "1", "feature": "mine"}]
    table.attrs["photorank"] = {"columns": columns, "scale": {"mark": scale}, "found": 2}
    return table


def test_one_writer_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.replace
    said = []

    def in_between(*given: object) -> None:
        monkeypatch.setattr(os, "replace", real)
        with pytest.raises(ValueError, match=r"another photorank is writing .*t\.csv") as error:
            pr.save(marked(2), tmp_path / "t.csv")
        said.append(str(error.value))
        pr.save(marked(3), tmp_path / "other.csv")
        real(*given)

    monkeypatch.setattr(whole, "_PATIENCE", 0)
    monkeypatch.setattr(os, "replace", in_between)
    pr.save(marked(1), tmp_path / "t.csv")
    assert f"(process {os.getpid()} on " in said[0]
    assert pr.load(tmp_path / "t.csv").attrs["photorank"]["scale"] == {"mark": 1}


def test_a_record_that_is_of_another_table_is_said_and_its_scale_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine, other = tmp_path / "t.csv", tmp_path / "o.csv"
    pr.save(marked(1), mine)
    pr.save(marked(2), other)
    assert "scale" in pr.load(mine).attrs["photorank"]
    assert not caplog.messages
    other.with_name("o.meta.json").rename(mine.with_name("t.meta.json"))
    record = pr.load(mine).attrs["photorank"]
    assert record.keys() == {"photorank", "columns"}
    assert record["columns"][0]["better"] == "lower"  # as for a table that a spreadsheet has saved
    (line,) = caplog.messages
    assert "t.csv is not what photorank wrote with t.meta.json" in line


def test_tables_of_one_name_keep_their_records(tmp_path: Path) -> None:
    for scale, suffix in enumerate((".csv", ".json", ".csv")):
        pr.save(marked(scale), tmp_path / f"t{suffix}")
    for scale, suffix in ((1, ".json"), (2, ".csv")):
        found = pr.load(tmp_path / f"t{suffix}")
        assert set(found["mark"]) == {scale} == set(found.attrs["photorank"]["scale"].values())


def test_what_a_dead_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    code = """
def dies(part):
    part.write_text("half a page")
    os.kill(os.getpid(), signal.SIGKILL)

forked(lambda: io.write("dead.html", dies))
print(len(all_files(Path())))
"""
    assert run(code, tmp_path).split() == ["1"]
    for name in (".photorank-mine", ".mine"):
        (tmp_path / name / "photos").mkdir(parents=True)
    with whole.alone(tmp_path / "alive.csv") as folder:
        (folder / "alive.csv").touch()
        io.check_writable(tmp_path / "t.csv")
        assert (folder / "alive.csv").exists()
    left = sorted(path.name for path in tmp_path.rglob("*"))
    assert left == [".mine", ".photorank-mine", "photos", "photos"]


def test_where_nothing_can_be_locked_all_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(whole.fcntl, "flock", unsupported)
    pr.save(marked(1), tmp_path / "t.csv")
    assert sorted(os.listdir(tmp_path)) == ["t.csv", "t.meta.json"]


def test_what_is_no_folder_of_ours_blocks_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".photorank-x")
    (tmp_path / ".photorank-y").symlink_to(tmp_path.parent)
    io.write_text(tmp_path / "a.txt", "done")
    assert (tmp_path / "a.txt").read_text() == "done"
