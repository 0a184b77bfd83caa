"""The command as people run it: flags, exit codes, one line for every mistake, Ctrl-C."""

from __future__ import annotations

import json
import logging
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import photorank as pr
from photorank import models
from photorank.cli import places
from photorank.cli.main import main
from photorank.features.base import declare
from photorank.table.versions import outdated_columns
from photorank.utils.logging import set_up_logging

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "run_ranking.py"
TODAY = {c["name"]: c["version"].split()[0] for c in declare(pr.BUILTIN)}


@pytest.fixture
def folder(tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two photos in tmp_path/photos; the current directory is tmp_path."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(photo).save(folder / "a.jpg")
    Image.fromarray(photo // 4).save(folder / "b.png")
    return folder


def rank(*arguments: object) -> int:
    """Run `photorank rank` in this process, without CLIP."""
    return main(["rank", "--aesthetic", "none", *map(str, arguments)])


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the script as a person does."""
    command = [sys.executable, str(SCRIPT), "--aesthetic", "none", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def test_a_run_says_what_it_did_and_where_it_is(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rank(folder) == 0
    out = capsys.readouterr().out
    assert out.startswith("2 photos ranked, 0 failed")
    assert re.search(r"1  0\.\d{3}  a\.jpg +\w+ \+0\.\d\d", out)
    assert "wrote output/csvs/photos.csv" in out
    table = pd.read_csv("output/csvs/photos.csv")
    assert table["file"].tolist() == ["a.jpg", "b.png"]
    assert json.loads(Path("output/csvs/photos.meta.json").read_text())["source"] == str(folder)


@pytest.mark.parametrize("columns", [80, 120])
def test_the_summary_fits_the_terminal(
    columns: int,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (folder / "a.jpg").rename(folder / f"{'long' * 20}.jpg")
    monkeypatch.setenv("COLUMNS", str(columns))
    assert rank(folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(re.match(r"\d Good, \d Fair, \d Poor; tags: \d", line) for line in lines)
    assert all(len(line) <= columns for line in lines)
    assert any(re.search(r"long.*….*long\.jpg  \w+ [+-]0\.\d\d", line) for line in lines)


def test_one_photo_is_compared_with_no_mean(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rank(folder, "--limit", 1, "--scale", "default") == 0
    out = capsys.readouterr().out
    assert "what adds up to it" in out
    assert re.search(r"a\.jpg  \w+ \+0\.\d\d", out)


def test_a_table_of_another_version_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rank(folder, "--output_csv", "old.csv") == 0
    assert rank("old.csv", "--output_csv", "new.csv") == 0
    readers = (
        ["tag", "--input_csv", "old.csv", "--quiet"],
        ["show", "old.csv"],
        ["calibrate", "old.csv", "--suggest", "1"],
        ["drift", "--reference", "old.csv", "--current", "new.csv"],
        ["rank", "old.csv", "--output_csv", "new.csv", "--quiet"],
    )
    columns = (
        "measured by another version of photorank: rank the photos again to compare with new ones"
    )
    noise = f"noise 0, now {TODAY['noise']}"
    profile = "tagged by another version of photorank: rank or tag it again to have today's tags"
    for arguments in readers:
        main(arguments)
    assert "another version" not in Path("new.meta.json").read_text() + capsys.readouterr().err
    record = json.loads(Path("old.meta.json").read_text())
    for column in record["columns"]:
        column["version"] = "0 x=1" if column["name"] == "noise" else column["version"]
    record["tags"]["version"] = "1"
    Path("old.meta.json").write_text(json.dumps(record))
    for arguments in readers:
        main(arguments)
        (line,) = (n for n in capsys.readouterr().err.splitlines() if "another version" in n)
        assert f"old.csv: {columns} ({noise}); {profile} (profile default 1, now " in line
    (note,) = json.loads(Path("new.meta.json").read_text())["notes"][:1]
    assert note == f"{columns} ({noise})"
    Path("old.meta.json").unlink()
    assert main(["show", "old.csv"]) == 0
    assert capsys.readouterr().err == ""


def test_another_face_detector_is_no_older_version() -> None:
    assert outdated_columns([]) == ""
    now = TODAY["face_count"]
    here = {"name": "face_count", "feature": "faces", "version": f"{now} detector=another"}
    assert outdated_columns([here]) == ""
    old = outdated_columns([here | {"version": "1 detector=another"}])
    assert old.endswith(f"(face_count 1, now {now})")


def test_the_same_name_in_another_place_is_another_table(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "photos"
    other.mkdir(parents=True)
    (folder / "a.jpg").rename(other / "c.jpg")
    assert rank("--input_dir", folder) == rank(folder) == rank(other) == 0
    names = sorted(path.name for path in Path("output/csvs").glob("*.csv"))
    assert len(names) == 2
    assert names[1] == "photos.csv"
    assert re.fullmatch(r"photos-[0-9a-f]{8}\.csv", names[0])
    assert pd.read_csv("output/csvs/photos.csv")["file"].tolist() == ["b.png"]


def test_strict_and_failures(folder: Path) -> None:
    (folder / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:5000])
    assert rank(folder) == 0
    assert rank(folder, "--strict") == 1
    failed = pd.read_csv("output/csvs/photos.failed.csv")
    assert failed.columns.tolist() == ["file", "path", "error"]
    assert failed["file"].tolist() == ["broken.jpg"]


def test_the_first_failures_are_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index in range(5):
        (folder / f"broken{index}.jpg").write_bytes(b"no picture")
    assert rank(folder) == 0
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("failed: ")]
    assert said[2].startswith("failed: broken2.jpg: ")
    assert said[0].startswith("failed: broken0.jpg: not a picture")
    assert said[3:] == ["failed: 2 more, the last rows of the table"]


def test_the_command_is_named_so_that_it_can_be_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.setenv("PATH", "")
    assert places.own_command() == "photorank"
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "photorank").touch()
    monkeypatch.chdir(tmp_path)
    assert places.own_command() == ".venv/bin/photorank"


def test_flags_reach_the_ranking(folder: Path) -> None:
    flags = ["--weights", "contrast=1", "--normalization", "minmax", "--workers", 0, "--quiet"]
    flags += ["--output_csv", "mine.json", "--save_scale", "scale.json", "--exclude", "x*"]
    assert rank(folder, *flags) == 0
    rows = json.loads(Path("mine.json").read_text())
    assert [row["final_score"] for row in rows] == [1, 0]
    assert rank(folder, "--scale", "scale.json", "--weights", "contrast=1", "--limit", 1) == 0
    table = pd.read_csv("output/csvs/photos.csv")
    assert table["final_score"].tolist() == [1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["photos", "--features", "sharpness,phash"],
        ["photos", "--features", "sharpness", "phash"],
        ["--features", "sharpness,phash", "photos"],
    ],
)
def test_features_by_name(folder: Path, arguments: list[str]) -> None:
    assert rank(*arguments) == 0
    columns = set(pd.read_csv("output/csvs/photos.csv").columns)
    assert {"sharpness", "phash"} <= columns
    assert not {"exposure", "face_present"} & columns


def test_a_table_is_ranked_without_its_photos(folder: Path) -> None:
    Path("t.csv").write_text("name,blur,size\nx,3,1\ny,1,1\n")
    assert rank("t.csv", "--lower_is_better", "blur", "--weights", "blur=1") == 0
    assert pd.read_csv("output/csvs/t.csv")["file"].tolist() == ["y", "x"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere': No such file or directory; give a folder of photos"),
        (["photos/a.jpg"], "Not a directory; give the folder that holds it"),
        (["empty"], "no photos in empty; give a folder with"),
        (["photos", "--weights", "zz=1"], "'zz' is no column; there is:"),
        (["photos", "--weights", "sharpnes=1"], "is no column; did you mean sharpness?"),
        (["photos", "--scale", "default", "--normalization", "rank"], "and 'rank' is asked for"),
        (["photos", "--cache", "On"], "cache is a file, or off, got 'On'"),
        (["own.csv", "--vocabulary", "words.txt"], "--vocabulary: a table is taken as it was"),
        (["own.csv", "--limit", "1", "--exclude", "x"], "--limit, --exclude: a table is taken"),
        (["own.csv", "--aesthetic", "clip"], "--aesthetic: a table is taken as it was measured"),
        (["utf16.csv"], "it is no text, or UTF-16 without a mark: save it as CSV UTF-8"),
        (
            ["photos", "--output_csv", "/proc/x.csv"],
            "No such file or directory; give another place",
        ),
        (["photos", "--weights", "sharpness=-1"], "wanted 0 or more, got -1.0"),
        (["photos", "--weights", "sharpness=0"], "every weight is 0"),
        (
            ["photos", "--config", "bad.toml"],
            "unknown key 'wrokers' in bad.toml; did you mean workers",
        ),
        (["photos", "--output_csv", "t.xlsx"], "a table is .csv, .json, .parquet by its suffix"),
        (["photos", "--output_csv", "photos/a.jpg/t.csv"], "cannot write photos/a.jpg/t.csv"),
        (["photos", "--scale", "bad.toml"], "the scale file bad.toml is not JSON"),
        (
            ["photos", "--features", "sharpnes"],
            "unknown feature 'sharpnes'; did you mean sharpness?",
        ),
        (["photos", "--batch_size", "0"], "batch_size is a whole number from 1 up, got 0"),
        ([""], "the folder's name is empty"),
        ([], "nothing to rank: give a folder of photos"),
        (["photos", "--output_csv", "n" * 300 + ".csv"], "File name too long"),
        (["broken"], "none of the 1 photos could be read (the first, x.jpg: truncated"),
    ],
)
def test_wrong_use_is_one_line_and_exit_2(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("empty").mkdir()
    Path("broken").mkdir()
    Path("broken/x.jpg").write_bytes((folder / "a.jpg").read_bytes()[:3000] + bytes(3000))
    Path("bad.toml").write_text("wrokers = 1")
    Path("own.csv").write_text("file,sharpness\na,1\nb,2\n")
    Path("utf16.csv").write_text("file,sharpness\na,1\n", encoding="utf-16-le")
    assert rank(*arguments) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("photorank: ")
    assert message in error


@pytest.mark.parametrize("command", ["rank", "tag", "tune"])
def test_a_folder_that_is_not_there_is_noticed_before_models_are_looked_for(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("photorank: cannot read the folder 'nowhere'")


def test_a_profile_of_ones_own_called_as_a_shipped_one_is_no_other_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.csv").write_text("file,sharpness,entropy\nx,1,2\ny,2,5\n")
    mine = 'name = "default"\nversion = "7"\nextends = "default"\n'
    Path("default.toml").write_text(mine)
    assert main(["rank", "own.csv", "--output_csv", "t.csv", "--profile", "default.toml"]) == 0
    capsys.readouterr()
    assert main(["rank", "t.csv", "--output_csv", "again.csv", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("setting", [{"vocabulary": "words.txt"}, {"limit": 1}, {"exclude": "x"}])
def test_python_refuses_what_a_table_cannot_answer_too(setting: dict[str, object]) -> None:
    table = pd.DataFrame({"file": ["x", "y"], "sharpness": [1.0, 2.0]})
    for call in (pr.rank, pr.tune):
        with pytest.raises(ValueError, match=f"--{next(iter(setting))}: a table is taken as it"):
            call(table, **setting)
    with pytest.raises(ValueError, match="--features, --aesthetic: a table is taken as it was"):
        pr.rank(table, features=["noise"], aesthetic="clip")
    assert len(pr.rank(table, limit=0, vocabulary="", aesthetic="none")) == 2


def test_settings_as_they_come_are_no_wish_of_photos() -> None:
    table = pd.DataFrame({"file": ["x", "y"], "sharpness": [1.0, 2.0]})
    ranked = pr.rank(table, **vars(pr.Settings.load({})))
    again = pr.rank(table, **ranked.attrs["photorank"]["settings"])
    pd.testing.assert_frame_equal(again, ranked)
    with pytest.raises(ValueError, match=r"^--features: a table is taken"):
        pr.rank(table, features=np.array(["noise", "sharpness"]))


def test_tune_refuses_flags_that_a_table_cannot_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.csv").write_text("file,sharpness\nx,1\ny,2\n")
    assert main(["tune", "own.csv", "--limit", "1"]) == 2
    assert "--limit: a table is taken as it was measured" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["rank", "tag", "tune"])
def test_what_a_file_of_settings_says_of_photos_is_passed_over_for_a_table(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [f"{i}.jpg,{i / 12},{i % 7}" for i in range(12)]
    Path("own.csv").write_text("\n".join(["file,sharpness,entropy", *rows]))
    Path("stars.csv").write_text("\n".join(["file,stars", *(f"{i}.jpg,{i}" for i in range(12))]))
    Path("mine.toml").write_text('limit = 1\nvocabulary = "words.txt"\nexclude = ["x"]\n')
    tuning = ["--labels", "stars.csv", "--trials", "1"] if command == "tune" else []
    assert main([command, "own.csv", "--config", "mine.toml", "--quiet", *tuning]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", ["rank", "tag", "tune", "watch"])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--weights", "sharp=1"], "'sharp' is no column"),
        (["--scale", "bad.json"], "the scale file bad.json is not JSON"),
        (["--profile", "defualt"], "no profile 'defualt'"),
        (
            ["--features", "sharpness", "--vocabulary", "v.txt"],
            "needs CLIP, and this run is without",
        ),
    ],
)
def test_mistakes_are_noticed_before_models_are_looked_for(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    flags: list[str],
    message: str,
) -> None:
    """Models that are missing would each be a line before the error's."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    Path("bad.json").write_text("{")
    given = [command, "photos", *flags]
    if command == "watch":
        given += ["--once", *([] if "--scale" in flags else ["--scale", "default"])]
    assert main(given) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_one_folder_is_one_table_however_it_is_spelt(folder: Path) -> None:
    for spelling in ("photos", folder, "photos/../photos"):
        assert rank(spelling) == 0
    assert {path.name for path in Path("output/csvs").iterdir()} == {
        "photos.csv",
        "photos.meta.json",
    }


def test_one_foreign_table_is_one_table_each_time(folder: Path) -> None:
    Path("t.csv").write_text("file,v\na,1\nb,2\n")
    for _ in range(2):
        assert rank("t.csv") == 0
    assert {path.name for path in Path("output/csvs").iterdir()} == {"t.csv", "t.meta.json"}


def test_a_name_that_is_not_utf8_can_be_printed(folder: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    folder.rename(odd)
    done = run(odd, env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"})
    assert done.returncode == 0
    assert r"wrote output/csvs/caf\udce9.csv" in done.stdout


def test_what_argparse_refuses_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["rank", "x", "--device", "tpu"], ["rank", "x", "--nonsense"], ["rnak"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    capsys.readouterr()


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['photorank', 'rank', '--help']\n"
        "from photorank.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'numpy', 'cv2', 'PIL'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_rank_loads_nothing_that_only_pictures_need(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (90, 120, 40)).save(tmp_path / "a.png")
    program = (
        "import sys; from photorank.cli.main import main\n"
        "code = main(['rank', sys.argv[1], '--aesthetic', 'none', '--cache', 'off', '--quiet',\n"
        "             '--output_csv', sys.argv[1] + '/t.csv'])\n"
        "heavy = {'torch', 'matplotlib', 'scipy.stats', 'optuna'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=True)


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(
    folder: Path, tmp_path: Path
) -> None:
    def limit_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))

    done = run("photos", "--output_csv", "out/t.csv", cwd=tmp_path, preexec_fn=limit_files)
    assert done.returncode == 2
    assert "cannot write out/t.csv: File too large; make room or give another place" in done.stderr
    assert os.listdir(tmp_path / "out") == []


def test_ctrl_c_ends_cleanly(folder: Path, tmp_path: Path) -> None:
    for index in range(400):
        (folder / f"{index}.jpg").symlink_to(folder / "a.jpg")
    options = ("--aesthetic", "none", "--verbose", "--cache", "off")  # or all would be one photo
    command = [sys.executable, str(SCRIPT), str(folder), *options]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "output" / "csvs").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "photorank: interrupted; no file is half-written"
    assert "Traceback" not in errors
    assert os.listdir(tmp_path / "output" / "csvs") == []


@pytest.mark.parametrize(
    ("script", "command"),
    [
        ("scripts/run_ranking.py", "rank"),
        ("scripts/evaluate.py", "evaluate"),
        ("hyperparameter_tuning.py", "tune"),
    ],
)
def test_each_script_is_its_command(script: str, command: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / script), "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"usage: photorank {command} ")


def test_a_closed_pipe_is_no_error(folder: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} {SCRIPT} photos --aesthetic none | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


def test_spaces_other_scripts_and_a_read_only_folder(photo: np.ndarray, tmp_path: Path) -> None:
    folder = tmp_path / "Fotos à vendre 写真"
    folder.mkdir()
    Image.fromarray(photo).save(folder / "été 1.jpg")
    before: Sequence[str] = os.listdir(folder)
    folder.chmod(0o555)
    done = run(folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert os.listdir(folder) == before
    assert (tmp_path / "output/csvs/Fotos à vendre 写真.csv").exists()


def test_a_run_in_the_photo_folder_does_not_rank_its_own_pictures(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert rank(".", "--evaluate") == rank(".", "--evaluate") == 0
    assert "2 photos ranked, 0 failed, skipped: 3 made by photorank" in capsys.readouterr().out
    assert main(["tag", ".", "--aesthetic", "none", "--quiet"]) == 0
    (folder / "results" / "tags-1_detection.png").write_bytes((folder / "b.png").read_bytes())
    assert rank(".") == 0
    assert "2 photos ranked, 0 failed, skipped: 5 made by photorank" in capsys.readouterr().out
    (folder / "results" / "mine.png").write_bytes((folder / "b.png").read_bytes())
    assert rank(".") == 0
    assert "3 photos ranked" in capsys.readouterr().out


def test_only_photoranks_own_files_are_written_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rank(folder, "--save_scale", "s.json") == rank(folder, "--save_scale", "s.json") == 0
    assert main(["show", "--html", "page.html"]) == main(["show", "--html", "page.html"]) == 0
    for mine, arguments in {
        "mine.json": ["rank", "photos", "--save_scale", "mine.json"],
        "mine.html": ["show", "--html", "mine.html"],
        "results/photos.png": ["evaluate"],
    }.items():
        Path(mine).parent.mkdir(exist_ok=True)
        Path(mine).write_text("mine")
        assert main(arguments) == 2
        assert f"{mine} exists and was not written by photorank" in capsys.readouterr().err
        assert Path(mine).read_text() == "mine"


def test_a_column_that_drops_out_is_a_warning_even_when_quiet(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rank(folder, "--weights", "aesthetic=1,sharpness=1", "--quiet") == 0
    assert "WARNING aesthetic has no value here" in capsys.readouterr().err


def test_the_cache_can_be_switched_off_in_any_case(folder: Path) -> None:
    assert rank(folder, "--cache", "OFF") == 0
    assert sorted(path.name for path in Path().iterdir()) == ["output", "photos"]


def test_a_number_of_threads_is_no_less_than_0(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        rank(folder, "--workers", "-1")
    assert ended.value.code == 2
    assert "--workers: wanted a whole number from 0 up, got '-1'" in capsys.readouterr().err


def test_that_there_is_no_clip_is_short_and_said_once(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty"))
    models.log_once.cache_clear()
    set_up_logging(logging.WARNING)
    for _ in range(2):
        pr.rank(folder, features=["sharpness", "aesthetic"], weights="sharpness=1", quiet=True)
    (said,) = capsys.readouterr().err.splitlines()
    assert "no CLIP weights here: ranking without; `photorank download` fetches them" in said
    assert len(said) < 120


def test_a_bad_cell_is_said_and_the_others_count(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "file,sharpness,own,words\na,1,1,x\nb,zz,2,y\nc,3,3,z\nd,4,n.b.,5\n"
    Path("t.csv").write_text(text)
    assert rank("t.csv", "--weights", "sharpness=1,own=1", "--normalization", "minmax") == 0
    said = capsys.readouterr().err
    assert "sharpness: 1 of 4 values is no number ('zz'): counted as missing" in said
    assert "own: 1 of 4 values is no number ('n.b.'): counted as missing" in said
    assert "words" not in said
    ranked = pr.load("output/csvs/t.csv").set_index("file")
    assert ranked["sharpness_norm"].to_dict() == {
        "a": 0,
        "b": 0.5,
        "c": pytest.approx(2 / 3),
        "d": 1,
    }
    assert ranked.loc["b", "missing"] == "sharpness"


@pytest.mark.parametrize("scale", ["default", "scale.json"])
def test_a_table_that_was_scored_by_a_fixed_scale_stays_on_it(folder: Path, scale: str) -> None:
    table = pr.rank(folder, aesthetic="none")
    pr.fit_scale(table.assign(sharpness=table["sharpness"] * 3)).save("scale.json")
    assert rank(folder, "--scale", scale) == 0
    first = pr.load("output/csvs/photos.csv").set_index("file")
    for source in ("output/csvs/photos.csv", "again.csv"):  # and so from table to table
        assert rank(source, "--output_csv", "again.csv") == 0
        again = pr.load("again.csv").set_index("file")
        assert again["final_score"].to_dict() == pytest.approx(first["final_score"].to_dict())
        assert ("score_1_to_10" in again) == (scale == "default")
    assert (
        pr.rank("again.csv", normalization="rank").attrs["photorank"]["scale"]["method"] == "rank"
    )


def test_what_is_wrong_with_labels_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rank(folder) == 0
    Path("stars.csv").write_text("file;stars\na.jpg;4\n", encoding="utf-16-le")
    assert main(["evaluate", "--labels", "stars.csv"]) == 2
    Path("stars.csv").write_text("file,stars\na.jpg,good\nb.png,bad\n")
    assert main(["evaluate", "--labels", "stars.csv"]) == 2
    said = capsys.readouterr().err
    assert "UTF-16 without a mark: save it as CSV UTF-8" in said
    assert "no rating of the 2 labels is a number (column 'stars'; the first is 'good')" in said


def test_photos_that_have_moved_are_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rank(folder, "--quiet") == 0
    (folder / "a.jpg").rename("a.jpg")
    assert main(["show"]) == 0
    folder.rename("elsewhere")
    assert main(["show"]) == 0
    assert main(["evaluate"]) == 0
    said = capsys.readouterr().err
    assert said.count("1 of the 2 photos cannot be opened: moved since?") == 1
    assert said.count("none of the 2 photos can be opened: moved since?") == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Pillow's libtiff is linked statically there")
def test_a_broken_tiff_is_a_row_and_no_lines_of_libtiff(
    folder: Path, photo: np.ndarray, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(photo).save(folder / "c.tif", compression="tiff_lzw")
    data = (folder / "c.tif").read_bytes()
    (folder / "c.tif").write_bytes(data[:5000] + bytes(20_000) + data[25_000:])
    assert rank(folder, "--quiet") == 0
    assert capfd.readouterr().err == ""
    assert pr.load("output/csvs/photos.csv")["error"].notna().sum() == 1


def test_other_folders_of_one_parent_are_another_table(
    tmp_path: Path, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c"):
        Path("q", name).mkdir(parents=True)
        Image.fromarray(photo).save(f"q/{name}/x.png")
    flags = ("--weights", "contrast=1", "--quiet")
    for folders in (("q/a", "q/b"), ("q/b", "q/c"), ("q/a", "q/b"), ("q",)):
        assert rank(*flags, "--features", "contrast", *folders) == 0
    assert len(list(Path("output/csvs").glob("*.csv"))) == 3


ENDED = """
import os, signal, sys
from photorank.features.run import parts
from photorank.cli.main import main

real = parts.Part.of
def of(*given):
    os.kill(os.getpid(), signal.SIGTERM)
    return real(*given)
parts.Part.of = of
sys.exit(main(sys.argv[1:]))
"""


def test_sigterm_ends_a_run_and_is_taken_for_no_fault_of_a_photo(folder: Path) -> None:
    command = ["rank", str(folder), "--aesthetic", "none", "--workers", "0", "--cache", "c.sqlite"]
    path = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", ENDED, *command],
        env=path,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 143
    assert done.stderr.splitlines()[-1] == "photorank: ended; no file is half-written"
    assert pr.rank(folder, aesthetic="none", cache=folder / "c.sqlite")["error"].isna().all()
