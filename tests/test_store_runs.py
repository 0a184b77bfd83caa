"""Whole runs on one store: killed, interrupted, two at once, on a full disk, with CLIP."""

from __future__ import annotations

import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from clip_models import make_folder
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "run_ranking.py"
PHOTOS = 24

# Measures a folder with a slow feature that notes each photo before and after, and an encoder.
LOGGED = """
import os, sys, time
import numpy as np
import photorank as pr
folder, cache, log, output, workers = sys.argv[1:]
note = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def mean(rgb):
    value = float(rgb.mean())
    os.write(note, f"begun {value!r}\\n".encode())
    time.sleep(0.03)
    os.write(note, f"done {value!r}\\n".encode())
    return value
def encode(views):
    os.write(note, f"batch {len(views)}\\n".encode())
    time.sleep(0.1)
    vectors = np.stack([view.mean(axis=(0, 1)) for view in views]).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
encoder = pr.Encoder("colour", "1", (), "rgb", 32, 4, encode)
features = [
    pr.Feature("mean", "1", (pr.Column("mean"),), mean, size=64),
    pr.Head((pr.Column("red"),), lambda vectors: vectors[:, 0], encoder),
]
table = pr.rank(folder, features=features, aesthetic="none", cache=cache, workers=int(workers),
                weights={"mean": 1, "red": 1}, quiet=True)
pr.save(table, output)
"""


@pytest.fixture
def folder(tmp_path: Path, photo: np.ndarray) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(PHOTOS):
        Image.fromarray(np.roll(photo, 20 * i, axis=1)[:, i:]).save(folder / f"{i:02}.jpg")
    return folder


def logged(folder: Path, name: str, cache: Path, workers: int = 2) -> subprocess.Popen[bytes]:
    log, output = folder.parent / f"{name}.log", folder.parent / f"{name}.csv"
    command = [sys.executable, "-c", LOGGED, folder, cache, log, output, str(workers)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(run: subprocess.Popen[bytes]) -> None:
    _, printed = run.communicate(timeout=120)
    assert run.returncode == 0, printed


def lines(folder: Path, name: str, word: str) -> list[str]:
    log = folder.parent / f"{name}.log"
    text = log.read_text() if log.exists() else ""
    return [line for line in text.splitlines() if line.startswith(word)]


def is_sound(cache: Path) -> bool:
    with sqlite3.connect(cache) as db:
        (answer,) = db.execute("PRAGMA integrity_check").fetchone()
    db.close()
    return bool(answer == "ok")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_at_any_moment_and_begun_again_the_csv_is_the_same(
    folder: Path, workers: int
) -> None:
    finish(logged(folder, "whole", folder.parent / "whole.sqlite", workers))
    cache = folder.parent / "killed.sqlite"
    random.seed(workers)
    for _ in range(4):
        run = logged(folder, "killed", cache, workers)
        begun = len(lines(folder, "killed", "begun"))
        until = begun + random.randint(1, 10)  # of the 24 photos
        while len(lines(folder, "killed", "begun")) < until and run.poll() is None:
            time.sleep(0.01)
        time.sleep(random.random() / 5)
        run.kill()
        run.communicate()
    finish(logged(folder, "killed", cache, workers))
    whole = (folder.parent / "whole.csv").read_bytes()
    assert (folder.parent / "killed.csv").read_bytes() == whole
    assert is_sound(cache)
    finish(logged(folder, "again", cache, workers))
    assert lines(folder, "again", "") == []


@pytest.mark.slow
def test_what_was_saved_before_a_kill_is_not_measured_again(folder: Path) -> None:
    cache = folder.parent / "killed.sqlite"
    run = logged(folder, "killed", cache, 1)
    while len(lines(folder, "killed", "batch")) < 4:
        time.sleep(0.01)
    run.kill()
    run.communicate()
    with sqlite3.connect(cache) as db:
        (saved,) = db.execute(
            "SELECT count(*) FROM results WHERE typeof(value) = 'blob'"
        ).fetchone()
    db.close()
    assert saved >= 12  # three batches of four
    before = len(lines(folder, "killed", "batch"))
    finish(logged(folder, "killed", cache, 1))
    assert len(lines(folder, "killed", "batch")) - before == (PHOTOS - saved) / 4


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_stops_promptly_and_loses_nothing_that_is_done(folder: Path, workers: int) -> None:
    cache = folder.parent / "store.sqlite"
    run = logged(folder, "stopped", cache, workers)
    while len(lines(folder, "stopped", "done")) < 9:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    start = time.monotonic()
    run.communicate()
    assert time.monotonic() - start < 5
    done = len(lines(folder, "stopped", "done"))
    assert run.returncode != 0
    assert done < PHOTOS
    finish(logged(folder, "stopped", cache, workers))
    assert len(lines(folder, "stopped", "done")) - done <= PHOTOS - done
    assert len(set(lines(folder, "stopped", "done"))) == PHOTOS


@pytest.mark.slow
def test_runs_at_once_on_one_store_agree_and_leave_it_sound(folder: Path) -> None:
    cache = folder.parent / "new" / "store.sqlite"
    names = ["a", "b", "c", "d"]
    for run in [logged(folder, name, cache) for name in names]:
        finish(run)
    tables = {(folder.parent / f"{name}.csv").read_bytes() for name in names}
    assert len(tables) == 1
    assert is_sound(cache)
    finish(logged(folder, "after", cache))
    assert lines(folder, "after", "") == []


def command(folder: Path, name: str, *more: object, **options: object) -> str:
    """The command in a process of its own; what it said on standard error."""
    output = folder.parent / f"{name}.csv"
    arguments = [sys.executable, SCRIPT, folder, "--output_csv", output, *map(str, more)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return str(done.stderr)


@pytest.mark.slow
def test_on_a_full_disk_there_is_one_warning_and_the_right_table(folder: Path) -> None:
    # two features: the table itself must fit where the store does not
    plain = ("--aesthetic", "none", "--workers", 0, "--features", "sharpness,noise")
    command(folder, "whole", *plain, "--cache", "off")

    def no_file_beyond_24_kb() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (24_000, 24_000))

    cache = folder.parent / "store.sqlite"
    said = command(folder, "full", *plain, "--cache", cache, preexec_fn=no_file_beyond_24_kb)
    assert said.count("WARNING") == 1
    assert f"the cache {cache} cannot be used: " in said
    whole = (folder.parent / "whole.csv").read_bytes()
    assert (folder.parent / "full.csv").read_bytes() == whole
    command(folder, "then", *plain, "--cache", cache)
    assert (folder.parent / "then.csv").read_bytes() == whole


@pytest.mark.slow
def test_the_command_has_a_store_of_its_own(folder: Path, tmp_path: Path) -> None:
    plain = ("--aesthetic", "none", "--features", "sharpness")
    env = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "xdg")}
    command(folder, "off", *plain, "--cache", "off", env=env)
    assert not (tmp_path / "xdg").exists()
    command(folder, "first", *plain, env=env)
    assert [p.name for p in (tmp_path / "xdg").rglob("*.sqlite")] == ["measurements.sqlite"]
    said = command(folder, "second", *plain, env=env)
    assert f"{PHOTOS} of {PHOTOS} photos are in the cache" in said
    config = tmp_path / "settings.toml"
    config.write_text(f'cache = "{tmp_path / "mine.sqlite"}"\n')
    command(folder, "third", *plain, "--config", config, env=env)
    assert (tmp_path / "mine.sqlite").exists()
    tables = {p.read_bytes() for p in tmp_path.glob("*.csv")}
    assert len(tables) == 1


# Runs the command in this process and says which of the modules named it has loaded, and whether it
# has opened a photo.
LOADED = """
import sys
from photorank.cli.main import main
opened = set()
sys.addaudithook(lambda event, given: event == "open" and opened.add(str(given[0])))
assert main(["rank", *sys.argv[1:]]) == 0
heavy = "torch open_clip matplotlib scipy imagehash optuna skimage sklearn".split()
photos = ["photos"] * any(name.startswith(sys.argv[1]) for name in opened)
print("loaded", *sorted(set(heavy) & set(sys.modules)), *photos)
"""


@pytest.mark.slow
def test_with_stored_vectors_no_model_is_loaded_and_new_prompts_touch_no_pixel(
    folder: Path, tmp_path: Path
) -> None:
    model = make_folder(tmp_path / "tiny")

    def rank(name: str, *more: str) -> str:
        output = tmp_path / f"{name}.csv"
        flags = [
            "--clip_model",
            model,
            "--cache",
            tmp_path / "store.sqlite",
            "--output_csv",
            output,
        ]
        done = subprocess.run(
            [sys.executable, "-c", LOADED, folder, "--quiet", *flags, *more],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip().splitlines()[-1]

    def table(name: str) -> bytes:
        return (tmp_path / f"{name}.csv").read_bytes()

    assert rank("first").endswith("torch photos")
    assert rank("second") == "loaded"
    assert table("second") == table("first")
    prompt = ("--positive_prompt", "an old photograph")
    assert rank("third", *prompt) == "loaded open_clip torch"
    assert table("third") != table("first")
    assert rank("fourth", *prompt) == "loaded"
    assert table("fourth") == table("third")
    assert rank("fifth", "--weights", "aesthetic=1") == "loaded"
