"""What the tests share: one photograph with known properties, and the folder of real ones."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# Commands that the tests start must answer Ctrl-C even where whatever started pytest ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _no_file_in_the_users_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The command keeps measurements in a place of the session's; models stay where they are."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ.setdefault("HF_HOME", str(cache / "huggingface"))
    os.environ.setdefault("MPLCONFIGDIR", str(cache / "matplotlib"))
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs beside the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the real photographs in {folder}")
    return folder


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A real colour photograph, (512, 512, 3) uint8: scikit-image's astronaut."""
    data = pytest.importorskip("skimage.data", reason="needs photorank[demo]")
    return np.asarray(data.astronaut())


@pytest.fixture
def photo_file(photo: np.ndarray, tmp_path: Path) -> Path:
    """The same as a JPEG of quality 95 in the test's own folder."""
    path = tmp_path / "photo.jpg"
    Image.fromarray(photo).save(path, quality=95)
    return path


@pytest.fixture(scope="session")
def _all_opened() -> set[str]:
    names: set[str] = set()

    def note(event: str, given: tuple[object, ...]) -> None:
        if event == "open" and isinstance(given[0], str | os.PathLike):
            names.add(os.fspath(given[0]))

    sys.addaudithook(note)  # for ever: Python has no way to remove one
    return names


@pytest.fixture
def opened(_all_opened: set[str]) -> set[str]:
    """The names of all files that were opened since the test began, or last cleared it."""
    _all_opened.clear()
    return _all_opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first: what is broken shows in seconds."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
