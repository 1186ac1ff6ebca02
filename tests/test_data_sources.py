"""Training from what a user names: several folders with weights, validation recordings of their own, pairs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import QUICK
from programs import program
from recordings import write_pair, write_recordings

pytestmark = pytest.mark.slow
TRAIN = [
    "train.py", "experiment=demo", *(x for x in QUICK if "pool" not in x), "trainer.max_steps=4",
    "trainer.val_check_interval=4", "data.num_workers=0",
]  # fmt: skip


def test_folders_with_weights_and_validation_of_its_own(tmp_path: Path) -> None:
    # Dots in a key are none of a configuration's.
    one, other, held = (write_recordings(tmp_path / name, 3, 1) for name in ("v1.0", "b", "c"))
    command = [*TRAIN, "data=folder", f"data.validation_path=[{held}]"]
    done = program(*command, f"hydra.run.dir={tmp_path}/run", f"data.path={{{one}: 2, {other}: 1}}")
    assert done.returncode == 0, done.stderr
    assert "6 recordings (0.1 min) for training and 3" in (tmp_path / "run/model/README.md").read_text()
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "finished"
    changed = program(*command, f"hydra.run.dir={tmp_path}/new", f"data.path={{{one}: 0, {other}: 1}}")
    assert changed.returncode == 1 and "give a number above 0" in changed.stderr.splitlines()[-1]


def test_pairs(tmp_path: Path) -> None:
    write_pair(tmp_path / "data/train", "a", 1, delay=1105)
    write_pair(tmp_path / "data/validation", "b", 2)
    done = program(*TRAIN, "data=pairs", f"data.path={tmp_path}/data", f"hydra.run.dir={tmp_path}/run")
    assert done.returncode == 0, done.stderr
    assert "1 recordings for training, with their degraded versions" in (tmp_path / "run/model/README.md").read_text()
    assert "by 25.06 to 25.06 ms; this is undone" in done.stdout + done.stderr
    assert (tmp_path / "run/validation/0_input.flac").is_file()
