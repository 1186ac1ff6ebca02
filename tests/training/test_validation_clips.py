from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from saga_sr.files.reading import read_audio
from saga_sr.training.validation_clips import ValidationClips

RATE = 44_100
OUTPUTS = {name: 0.1 * torch.randn(3, 1, 4096) for name in ("input", "output", "reference")}


def end_of_batch(folder: Path, outputs: dict[str, torch.Tensor] | None, batch: int = 0, **trainer: Any) -> None:
    module: Any = SimpleNamespace(model=SimpleNamespace(sample_rate=RATE), validation_cutoff_hz=4000.0)
    state: Any = SimpleNamespace(**({"sanity_checking": False, "is_global_zero": True, "loggers": []} | trainer))
    ValidationClips(str(folder), clips=2).on_validation_batch_end(state, module, outputs, None, batch)


def test_the_first_clips_of_the_first_batch_are_kept_as_files(tmp_path: Path) -> None:
    end_of_batch(tmp_path, OUTPUTS)
    assert len(list(tmp_path.iterdir())) == 6
    for name, audio in OUTPUTS.items():
        kept, rate = read_audio(tmp_path / f"1_{name}.flac")
        assert rate == RATE and torch.allclose(kept, audio[1], atol=1e-4)


@pytest.mark.parametrize(("batch", "trainer"), [
    (1, {}), (0, {"sanity_checking": True}), (0, {"is_global_zero": False}),
])  # fmt: skip
def test_other_batches_and_other_ranks_keep_none(tmp_path: Path, batch: int, trainer: dict[str, bool]) -> None:
    end_of_batch(tmp_path, OUTPUTS, batch, **trainer)
    end_of_batch(tmp_path, None)
    assert not list(tmp_path.iterdir())
