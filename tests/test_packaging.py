"""What is built, installed and run, in fresh environments that borrow this one's packages."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from environments import OFFLINE, copy_checkout, fresh_environment, lend, output, pip_offline, run

FOLDERS = {"config", "utils", "features", "ranking", "evaluation", "training"}

pytestmark = pytest.mark.slow


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_checkout(tmp_path_factory.mktemp("copy") / "Größere Fotos")


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    pip_offline("wheel", checkout, "--wheel-dir", target, python=sys.executable, cwd=target)
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel in it."""
    python = fresh_environment(tmp_path_factory.mktemp("wheel env") / "mit Umlaut ä")
    pip_offline("install", wheel, python=python, cwd=wheel.parent)
    return python


@pytest.fixture
def photos(photo_file: Path, tmp_path: Path) -> Path:
    """A read-only folder with one photo, inside the test's own."""
    folder = tmp_path / "Ferien ñ 2"
    folder.mkdir()
    photo_file.rename(folder / photo_file.name)
    folder.chmod(0o555)
    return folder


def first_ranked(folder: Path) -> str:
    """The best photo by the one CSV that a command wrote in `folder`."""
    (table,) = (folder / "output" / "csvs").glob("*.csv")
    with table.open(encoding="utf-8", newline="") as file:
        return next(csv.DictReader(file))["file"]


def test_the_wheel_has_one_top_level_name(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names_in(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"photorank"}


def test_the_wheel_holds_every_source_file_and_no_tests(wheel: Path, checkout: Path) -> None:
    wanted = {
        path.relative_to(checkout)
        for folder in [*FOLDERS, "photorank"]
        for path in (checkout / folder).rglob("*")
        if path.is_file()
    }
    inside = {str(path if path.parts[0] == "photorank" else "photorank" / path) for path in wanted}
    assert {"photorank/config/default.toml", "photorank/py.typed"} <= inside
    assert {name for name in names_in(wheel) if ".dist-info/" not in name} == inside


def test_the_sdist_builds_the_same_wheel(checkout: Path, wheel: Path, tmp_path: Path) -> None:
    output(
        *(sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir", tmp_path),
        checkout,
        cwd=tmp_path,
    )
    (sdist,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = tmp_path / sdist.name.removesuffix(".tar.gz")
    pip_offline("wheel", source, "--wheel-dir", tmp_path, python=sys.executable, cwd=tmp_path)
    assert names_in(tmp_path / wheel.name) == names_in(wheel)


def test_the_installed_package_is_the_wheel_s(installed: Path, tmp_path: Path) -> None:
    code = (
        "import photorank, photorank.features.base, photorank.config.config as c, sys;"
        "print(photorank.__file__, photorank.features.base.__file__, c.__file__, sep='\\n');"
        "[getattr(photorank, name) for name in photorank.__all__]"
    )
    site = installed.parent.parent / "lib"
    for line in output(installed, "-c", code, cwd=tmp_path).splitlines():
        assert Path(line).is_relative_to(site)


@pytest.mark.parametrize("name", sorted(FOLDERS))
def test_the_wheel_gives_no_folder_of_ours_to_others(
    name: str, installed: Path, tmp_path: Path
) -> None:
    done = run(installed, "-c", f"import {name}", cwd=tmp_path)
    assert f"No module named '{name}'" in done.stderr


def test_the_installed_command_ranks(installed: Path, photos: Path, tmp_path: Path) -> None:
    command = installed.with_name("photorank")
    output(command, "rank", photos, "--aesthetic", "none", cwd=tmp_path)
    assert first_ranked(tmp_path) == "photo.jpg"


def test_an_editable_installation_sees_edits_in_both_spellings(
    checkout: Path, tmp_path: Path
) -> None:
    python = fresh_environment(tmp_path / "editable env")
    pip_offline("install", "--editable", checkout, python=python, cwd=tmp_path)
    added = checkout / "features" / "added.py"
    added.write_text("answer = 42\n", encoding="utf-8")
    code = (
        "from features import BUILTIN; from features.added import answer as top;"
        "from photorank.features.added import answer as inner; import photorank;"
        "print(top, inner, photorank.__file__)"
    )
    try:
        seen = output(python, "-c", code, cwd=tmp_path)
    finally:
        added.unlink()
    assert seen == f"42 42 {checkout / 'photorank' / '__init__.py'}"
    output(python.with_name("photorank"), "--help", cwd=tmp_path)


def test_a_bare_checkout_runs_from_anywhere(checkout: Path, photos: Path, tmp_path: Path) -> None:
    python = fresh_environment(tmp_path / "bare env")
    script = checkout / "scripts" / "run_ranking.py"
    output(python, script, "--input_dir", photos, "--aesthetic", "none", cwd=tmp_path)
    assert first_ranked(tmp_path) == "photo.jpg"
    code = "from features import BUILTIN; import features; print(features.__file__)"
    wanted = checkout / "features" / "__init__.py"
    assert output(python, "-c", code, cwd=checkout) == str(wanted)


def test_run_ranking_sh_installs_repairs_and_then_only_ranks(
    checkout: Path, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('found on PYTHONPATH')")
    foreign = {"PYTHONPATH": str(tmp_path), "VIRTUAL_ENV": str(tmp_path)}

    def ranking(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = ("bash", checkout / "run_ranking.sh", *arguments, "--aesthetic", "none")
        return run(*command, cwd=tmp_path, **OFFLINE, **foreign)

    interrupted = ranking()  # there is no network, and its own environment has no hatchling
    assert interrupted.returncode == 2
    assert "run_ranking.sh: pip could not install photorank" in interrupted.stderr

    lend(checkout / ".venv")
    first = ranking(photos.relative_to(tmp_path))
    assert first.returncode == 0, first.stderr
    assert "Installing into" in first.stderr
    assert first_ranked(tmp_path) == "photo.jpg"
    assert [path.name for path in photos.iterdir()] == ["photo.jpg"]

    second = ranking("--limit", "3")
    assert second.returncode == 0, second.stderr
    assert "Installing" not in second.stderr
    assert len(list((tmp_path / "output" / "demo_photos").iterdir())) > 30
    assert (tmp_path / "output" / "csvs" / "demo_photos.csv").is_file()

    assert ranking(tmp_path / "no such folder").returncode == 2
    with (checkout / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert "Installing into" in ranking(photos).stderr


REAL = f'exec "{Path(sys.executable).resolve()}" "$@"'
NO_ENSUREPIP = f'case "$*" in *ensurepip*) exit 1 ;; esac; {REAL}'
DEAD_SHIM = "echo 'pyenv: python3.13: command not found' >&2; exit 127"


@pytest.mark.parametrize(
    ("pythons", "message"),
    [
        ({}, "needs Python 3.11 or newer and found none"),
        ({"python3.13": DEAD_SHIM, "python3": "exit 1"}, "needs Python 3.11 or newer"),
        ({"python3": NO_ENSUREPIP}, "sudo apt install python3-venv"),
    ],
)
def test_without_a_usable_python_one_line_says_so(
    pythons: dict[str, str], message: str, checkout: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    (copy / "scripts").mkdir(parents=True)
    for name in ("run_ranking.sh", "pyproject.toml", "scripts/setup_env.sh"):
        shutil.copy(checkout / name, copy / name)
    path = only_these_commands(tmp_path / "bin", pythons)
    done = run("bash", copy / "run_ranking.sh", cwd=tmp_path, PATH=path)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
    assert not (copy / ".venv").exists()


def test_a_shim_that_does_not_run_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    path = only_these_commands(tmp_path / "bin", {"python3.13": DEAD_SHIM, "python3.12": REAL})
    code = f'source "{checkout}/scripts/setup_env.sh"; find_python'
    assert output("bash", "-c", code, cwd=tmp_path, PATH=path) == "python3.12"


def only_these_commands(folder: Path, pythons: dict[str, str]) -> str:
    """A PATH with what the scripts use and these interpreters."""
    folder.mkdir()
    for name in ("bash", "cat", "dirname"):
        (folder / name).symlink_to(str(shutil.which(name)))
    for name, body in pythons.items():
        (folder / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    return str(folder)
