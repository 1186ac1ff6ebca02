from __future__ import annotations

import pytest
import torch

from saga_sr.audio.not_finite import NotFinite
from saga_sr.audio.timecode import timecode


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00:00.000"), (1.2349, "0:00:01.234"), (59.9999, "0:00:59.999"), (3600, "1:00:00.000"),
     (36_061.5, "10:01:01.500")],
)  # fmt: skip
def test_a_timecode_never_names_what_lies_after(seconds: float, text: str) -> None:
    assert timecode(seconds) == text


def test_what_is_not_finite_is_counted_and_its_first_place_named() -> None:
    audio = torch.randn(3, 20_000, generator=torch.Generator().manual_seed(0))
    found = NotFinite(8000)
    assert found.zeroed(audio[:, :9000]) is not None and found.count == 0
    broken = audio.clone()
    broken[0, 12_000], broken[2, 10_001], broken[2, 19_999] = float("nan"), -float("inf"), 1.1e15
    mended = torch.cat([found.zeroed(broken[:, i : i + 9000], i) for i in (9000, 18_000)], dim=1)
    assert (found.count, found.channel, found.sample) == (3, 2, 10_001)
    said = "3 samples that are NaN, infinite or beyond 1e15 "
    assert str(found) == said + "(the first in channel 3 at 0:00:01.250, sample number 10001)"
    assert torch.equal(mended, torch.where(broken == audio, audio, 0.0)[:, 9000:])
