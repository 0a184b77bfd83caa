"""The notebook runs from its first cell to its last."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOK = Path(__file__).resolve().parent.parent / "examples" / "quickstart.ipynb"


@pytest.mark.slow
def test_the_quickstart_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parent.parent))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": tmp_path}}
    ).execute()
    shown = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert any("iframe" in out.get("data", {}).get("text/html", "") for out in shown)
    written = {path.name for path in tmp_path.iterdir()}
    assert {"best.png", "best", "table.csv", "table.meta.json", "me.json"} <= written
