"""The benchmark for a GPU runs to its end on any machine, so that it works the first time where there is one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from programs import ROOT


@pytest.mark.slow
def test_all_of_it_is_tried_small(tmp_path: Path) -> None:
    command = [str(ROOT / "benchmarks" / "gpu" / "run"), "--tiny", "--out", str(tmp_path)]
    environment = os.environ | {"PYTHON": sys.executable, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text())
    rows = {row["what"]: row for row in found["rows"]}
    assert [name for name in rows if name.endswith("training step of 1")] == [
        f"{recipe}: training step of 1" for recipe in ("jat_v2", "jat_v3", "saga_small_step3", "saga_full")
    ]
    assert rows["bundled model in float32, CPU against device"]["difference"] == 0
    assert all(row["ms"] > 0 for row in rows.values() if "ms" in row)
    assert (tmp_path / "gpu.md").read_text().count("\n|") >= len(rows)
