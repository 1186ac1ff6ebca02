"""The notebooks run from top to bottom."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from programs import ROOT, environment

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SHOWS = {
    "enhance": {"text/html": 3, "players": 6},
    "train_small": {"text/html": 2, "players": 4, "image/png": 2},
    "codecs_and_ceilings": {"image/png": 1},
}


def test_they_are_kept_without_what_a_run_left_and_each_is_tried() -> None:
    assert {path.stem for path in NOTEBOOKS} == {*SHOWS}
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells), path


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_what_it_promises(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"SAGA_SR_SMALL": "1", "TMPDIR": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython")}
    for name, value in (environment() | variables).items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = [output["data"] for output in outputs if "data" in output]
    html = "".join(data.get("text/html", "") for data in shown)
    found = {kind: sum(kind in data for data in shown) for kind in ("text/html", "image/png")}
    found["players"] = html.count("<audio ")
    assert {kind: count for kind, count in found.items() if count} == SHOWS[path.stem]
    assert not re.search(r"(?i)<script|https?:", html)
    said = [output["text"] for output in outputs if output.get("name") == "stderr"]
    # Bars are no warnings.
    assert not [text for text in said if re.search("(?i)warn|error|deprecat", text)], said
