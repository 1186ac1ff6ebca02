"""What makes few steps enough, through the programs: an informed start."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import QUICK
from programs import program

from saga_sr.audio.writing import write_audio
from saga_sr.packages.load import load_model
from saga_sr.packages.package import read_config

pytestmark = pytest.mark.slow
RUN = ["train.py", "experiment=demo", *QUICK, "trainer.max_steps=3", "trainer.val_check_interval=3", "logger=csv"]


def test_a_model_that_starts_at_the_input_is_trained_packed_and_used_like_any(tmp_path: Path) -> None:
    done = program(*RUN, "objective.prior=low_resolution", "objective.prior_width=0.2", f"hydra.run.dir={tmp_path}/run")
    assert done.returncode == 0, done.stderr
    settings = read_config(tmp_path / "run/model")["model"]
    assert settings["objective"]["prior"] == settings["backbone"]["prior"] == "low_resolution"
    objective = load_model(tmp_path / "run").objective
    assert (objective.prior, objective.prior_width, objective.prior_width_above) == ("low_resolution", 0.2, 1.0)
    write_audio(tmp_path / "in.wav", 0.1 * torch.randn(1, 30_000), 44_100)
    files = f"input={tmp_path / 'in.wav'}", f"output={tmp_path / 'out.wav'}"
    done = program("infer.py", f"model={tmp_path / 'run'}", *files, "cutoff_hz=4000")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.wav").is_file()
