"""Models of listeners, against other implementations and known answers."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch_stoi import NegSTOILoss

from saga_sr.audio.resample import resample
from saga_sr.evaluation import perceptual
from saga_sr.evaluation.perceptual import LISTENERS, Listener, listen
from saga_sr.synthesis.speech import speech

RATE = 16_000


@pytest.fixture(scope="module")
def voice() -> torch.Tensor:
    """Speech-like sound [1, time] of 6 s."""
    track = torch.from_numpy(speech(np.random.default_rng(3), 6 * RATE, RATE)[0][0])[None]
    return 0.1 * track / track.square().mean().sqrt()


def noisy(voice: torch.Tensor, level: float) -> torch.Tensor:
    return voice + level * torch.randn(voice.shape, generator=torch.Generator().manual_seed(1))


def test_stoi_agrees_with_another_implementation(voice: torch.Tensor) -> None:
    pytest.importorskip("pystoi")
    theirs = NegSTOILoss(sample_rate=10_000, use_vad=True)
    found = []
    for level in (0.01, 0.1, 1.0):
        output = noisy(voice, level)
        expected = -float(theirs(*(resample(x, RATE, 10_000) for x in (output, voice))))
        found.append(listen(output, voice, RATE).values["stoi"])
        assert found[-1] == pytest.approx(expected, abs=0.02)
    assert found[0] > found[1] + 0.05 > found[2] + 0.1


def test_pesq_agrees_with_another_implementation(voice: torch.Tensor) -> None:
    pytest.importorskip("pesq")
    # What torch-pesq 0.1.2, which was written anew from the standard, gives of the same signals.
    for level, expected in ((0.0, 4.644), (0.003, 2.906), (0.01, 1.643), (0.03, 1.179)):
        assert listen(noisy(voice, level), voice, RATE).values["pesq"] == pytest.approx(expected, abs=0.05)


def test_visqol_is_greatest_of_what_is_the_same_and_falls_with_noise() -> None:
    pytest.importorskip("visqol")
    music = 0.1 * torch.randn(1, 2 * 44_100, generator=torch.Generator().manual_seed(0))
    found = [listen(noisy(music, level), music, 44_100).values["visqol"] for level in (0.0, 0.03, 0.3)]
    assert found[0] == pytest.approx(4.732, abs=0.001)  # the C++ original's greatest
    assert found[0] > found[1] > found[2] + 0.1


def test_where_nothing_can_be_said_the_reason_is(voice: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pesq")
    pytest.importorskip("visqol")
    heard = listen(voice, voice, RATE)
    assert heard.values["visqol"] is None and "needs 32000 Hz" in heard.reasons["visqol"]
    assert {*heard.reasons} == {"visqol"} and {*heard.values} == {*LISTENERS}
    silent = listen(voice, torch.zeros_like(voice), 48_000)
    assert silent.values == dict.fromkeys(LISTENERS) and {*silent.reasons.values()} == {"the reference is silent"}
    for output, said in ((voice[:, :1000], "it needs "), (0 * voice, "the output is silent")):
        reasons = listen(output, voice[:, : output.shape[1]], 48_000).reasons
        assert all(said in reasons[name] for name in ("pesq", "visqol"))
    monkeypatch.setitem(sys.modules, "pesq", None)
    heard = listen(voice, voice, RATE)
    assert heard.values["pesq"] is None and "pip install 'saga-sr[metrics]'" in heard.reasons["pesq"]


def test_channels_and_long_stretches_are_judged_apart_and_averaged_but_for_silence() -> None:
    asked: list[int] = []

    def judge(reference: np.ndarray, output: np.ndarray) -> float:
        asked.append(len(reference))
        return float(output[0])

    listener = Listener("X", 1000, 1000, 1.0, judge)
    output = torch.ones(3, 20_000) * torch.tensor([1.0, 3.0, 100.0])[:, None]
    output[0, 10_000:] = 2.0
    reference = torch.ones(3, 20_000)
    reference[2] = 0.0
    assert perceptual.judged(listener, output, reference, 1000) == pytest.approx((1 + 2 + 3 + 3) / 4)
    assert asked == [10_000] * 4
