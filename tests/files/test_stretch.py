from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.functional import pad

from saga_sr.audio.resample import resample
from saga_sr.files.reading import inspect_audio, read_audio
from saga_sr.files.stretch import length_at, read_stretch
from saga_sr.files.writing import write_audio


@pytest.mark.parametrize("rate", [16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("start", [0, 1, 4321, 20_000, -700, 60_000])
def test_a_stretch_is_that_of_the_whole_file_at_the_other_rate(rate: int, start: int, tmp_path: Path) -> None:
    write_audio(tmp_path / "a.wav", 0.2 * torch.randn(2, rate, generator=torch.Generator().manual_seed(0)), rate)
    info = inspect_audio(tmp_path / "a.wav")
    whole = resample(read_audio(info.path)[0], rate, 44_100)
    assert length_at(info, 44_100) == whole.shape[1] == 44_100
    expected = pad(whole, (1000, 70_000))[:, 1000 + start : 1000 + start + 5000]
    found = read_stretch(info, start, 5000, 44_100)
    assert found.shape == (2, 5000)
    # Beyond its ends, the whole file was cut off where its resampling still rang.
    inside = (torch.arange(start, start + 5000) >= 0) & (torch.arange(start, start + 5000) < 44_100)
    assert torch.allclose(found[:, inside], expected[:, inside], atol=1e-5)
