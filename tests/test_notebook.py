"""The notebook runs from its first cell to its last."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOK = Path(__file__).resolve().parent.parent / "examples" / "quickstart.ipynb"


def kinds(notebook: nbformat.NotebookNode) -> dict[str, set[str]]:
    """What each cell shows: a table, a picture, a page, words."""
    shown = {cell["id"]: cell.get("outputs", []) for cell in notebook.cells}
    return {name: {k for out in outs for k in out.get("data", ())} for name, outs in shown.items()}


@pytest.mark.slow
def test_the_quickstart_runs_and_is_kept_with_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parent.parent))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    kept = kinds(notebook)
    where = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(notebook, timeout=300, resources=where).execute()
    assert kinds(notebook) == kept
    assert {"image/jpeg", "text/html"} <= set().union(*kept.values())
    written = {path.name for path in tmp_path.iterdir()}
    assert {"best.jpg", "best", "table.csv", "table.meta.json", "me.json"} <= written


def test_what_it_shows_is_small_and_of_no_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert "iframe srcdoc" in text
    assert len(text) < 400_000
    assert not [part for part in ("/work/", "/home/", "site-packages", "stderr") if part in text]
