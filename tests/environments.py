"""Fresh environments that borrow the running one's packages: no network, no gigabytes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}  # 0: none
NOT_SOURCE = (".git", ".venv", ".*_cache", "__pycache__", "output", "results", "dist", "build")


MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print("most memory:", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""
"""A small process between this one and the run: a child's peak counts what its parent held at its start."""


def copy_checkout(target: Path) -> Path:
    """A copy of this checkout, to build in and to change."""
    return shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(*NOT_SOURCE))


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command that knows nothing of an active environment, has no models and downloads none."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    env |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(cwd / "no models")}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env | variables,
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        timeout=300,
    )


def output(*command: str | Path, cwd: Path, **variables: str) -> str:
    done = run(*command, cwd=cwd, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def lend(environment: Path) -> None:
    """Let `environment` import what this process can. The .pth files there, by which an editable
    photorank would come along, are not read: only `site` reads those of its own folders."""
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "lent.pth").write_text("\n".join(sorted(paths)) + "\n", encoding="utf-8")


def fresh_environment(folder: Path) -> Path:
    """The interpreter of a new virtual environment."""
    venv.create(folder, symlinks=True)
    lend(folder)
    return folder / "bin" / "python"


def pip_offline(*arguments: str | Path, python: str | Path, cwd: Path) -> None:
    output(python, "-m", "pip", *arguments, cwd=cwd, **OFFLINE)
