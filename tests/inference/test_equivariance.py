"""What a listener takes for granted: louder in, louder out; the stereo picture stays; the low band is the input's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
import torch
from conftest import BUNDLED, TINY_SAGA, awake, model_config, tiny_or_bundled
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.spectrum import stft
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.package import build
from saga_sr.synthesis.dataset import SyntheticAudio

RATE, CUTOFF = 44_100, 4000
SLOW = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@pytest.fixture(scope="module", params=["jat", "informed", "saga", *BUNDLED])
def enhancer(request: pytest.FixtureRequest) -> Iterator[Enhancer]:
    """In float32: in bfloat16 the rounding of the signal decides now and then how a product is rounded."""
    jat, saga = ["codec.latent_dim=128"], ["conditioning=duration", "codec.latent_dim=128"]
    jat += ["objective.prior=low_resolution"] if request.param == "informed" else []
    config = model_config(*saga, tiny=TINY_SAGA) if request.param == "saga" else model_config(*jat)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("saga_sr.model.has_fast_bfloat16", lambda kind: False)
        yield Enhancer(tiny_or_bundled(request.param, config), name=request.param)


def dull(seconds: float, channels: int, seed: int, kind: str = "sound") -> torch.Tensor:
    """[channels, time] that ends at the cutoff."""
    length = int(seconds * RATE)
    if kind == "noise":
        audio = 0.1 * torch.randn(channels, length, generator=torch.Generator().manual_seed(seed))
    else:
        audio = torch.cat([SyntheticAudio(99, length, seed=seed)[i]["hr"] for i in range(channels)])
    return degrade(audio[None], [LowPassFilter("chebyshev1", 8, CUTOFF)], RATE)[0]


def error_db(output: torch.Tensor, expected: torch.Tensor) -> float:
    return float(20 * torch.log10((output - expected).norm() / expected.norm()))


def high(audio: torch.Tensor) -> torch.Tensor:
    """[c, bin, frame] above the cross-fade."""
    return stft(audio)[:, int(1.15 * CUTOFF / RATE * 2048) :]


signals = {"channels": st.integers(1, 3), "seed": st.integers(0, 50), "kind": st.sampled_from(["sound", "noise"])}
ways = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 5),
        "steps": st.integers(1, 4),
        "noise": st.sampled_from(["gaussian", "rademacher", "replicated"]),
        "chunk_s": st.sampled_from([0.5, 10.0]),
        "overlap_s": st.just(0.1),
        "low_band": st.sampled_from(["crossfade", "hard", "off"]),
    }
)


# In which two shifts of the replicated band are as good as each other.
TIED = {"seed": 0, "steps": 1, "noise": "replicated", "chunk_s": 0.5, "overlap_s": 0.1, "low_band": "crossfade"}


@settings(max_examples=12, **SLOW)
@given(gain_db=st.floats(-60, 20), way=ways, **signals)
@example(gain_db=16.0, way=TIED, channels=3, seed=22, kind="sound")
def test_gain(enhancer: Enhancer, gain_db: float, channels: int, seed: int, kind: str, way: dict) -> None:
    audio, gain = dull(0.8, channels, seed, kind), 10 ** (gain_db / 20)
    plain, louder = (enhancer(x, RATE, cutoff_hz=CUTOFF, **way)[0] for x in (audio, gain * audio))
    assert error_db(louder / gain, plain) < (-60 if way["low_band"] != "off" else -40)


@pytest.mark.parametrize("gain_db", [-60, -30, 20])
def test_gain_polarity_and_order_where_the_edge_is_measured(enhancer: Enhancer, gain_db: float) -> None:
    audio, gain = dull(2.5, 2, 7), -(10 ** (gain_db / 20))
    plain, changed = enhancer(audio, RATE)[0], enhancer(gain * audio.flip(0), RATE)[0].flip(0)
    assert error_db(changed / gain, plain) < -60


def test_gain_polarity_and_order_of_envelopes() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("saga_sr.model.has_fast_bfloat16", lambda kind: False)
        config = model_config("codec.latent_dim=128")
        backbone = {"_target_": "saga_sr.backbones.envelope.EnvelopeNet", "latent_dim": 128, "width": 32, "depth": 2}
        enhancer = Enhancer(awake(build(config | {"backbone": backbone})))
        audio = dull(1, 2, 3)
        ways = {"cutoff_hz": CUTOFF, "noise": "replicated"}
        plain, changed = enhancer(audio, RATE, **ways)[0], enhancer(-0.01 * audio.flip(0), RATE, **ways)[0]
    assert error_db(changed.flip(0) / -0.01, plain) < -60


def test_gain_in_bfloat16() -> None:
    enhancer = Enhancer(awake(build(model_config("codec.latent_dim=128"))))
    audio = dull(1, 2, 1)
    plain, louder = (enhancer(gain * audio, RATE, cutoff_hz=CUTOFF)[0] / gain for gain in (1, 0.3))
    assert error_db(louder, plain) < -55


@settings(max_examples=6, **SLOW)
@given(way=ways, **signals)
def test_polarity_and_order_of_channels(enhancer: Enhancer, channels: int, seed: int, kind: str, way: dict) -> None:
    audio = dull(0.8, channels, seed, kind)
    plain = enhancer(audio, RATE, cutoff_hz=CUTOFF, **way)[0]
    assert torch.equal(-enhancer(-audio, RATE, cutoff_hz=CUTOFF, **way)[0], plain)
    swapped = enhancer(audio.flip(0), RATE, cutoff_hz=CUTOFF, **way)[0].flip(0)
    assert error_db(swapped, plain) < -60


@settings(max_examples=8, **SLOW)
@given(left=st.floats(-1, 1), right=st.floats(-1, 1), seed=st.integers(0, 50))
def test_a_panned_source_keeps_its_pan(enhancer: Enhancer, left: float, right: float, seed: int) -> None:
    if max(abs(left), abs(right)) < 0.01:
        left = 1.0
    gains = torch.tensor([left, right])
    output = enhancer(torch.outer(gains, dull(0.8, 1, seed)[0]), RATE, cutoff_hz=CUTOFF)[0]
    bands = high(output)
    energies = bands.abs().square().sum(dim=(1, 2))
    if min(abs(left), abs(right)) > 1e-3 * max(abs(left), abs(right)):
        pan_db = 10 * torch.log10(energies[1] / energies[0])
        assert float(pan_db) == pytest.approx(float(20 * torch.log10((gains[1] / gains[0]).abs())), abs=0.1)
        correlation = (bands[0] * bands[1].conj()).real.sum() / energies.prod().sqrt()
        assert float(correlation) * float(gains.prod().sign()) > 0.999
    for channel, gain in zip(output, gains, strict=True):
        assert gain != 0 or not channel.any()


def test_dual_mono_stays_dual_mono(enhancer: Enhancer) -> None:
    output = enhancer(dull(1, 1, 3).expand(2, -1), RATE, cutoff_hz=CUTOFF)[0]
    assert torch.equal(output[0], output[1])


def test_independent_channels_stay_independent(enhancer: Enhancer) -> None:
    audio = dull(6, 2, 1, "noise")
    spectrum = stft(enhancer(audio, RATE, cutoff_hz=CUTOFF)[0])

    def coherence(low_hz: float, high_hz: float) -> float:
        left, right = spectrum[:, int(low_hz / RATE * 2048) : int(high_hz / RATE * 2048)]
        cross = (left * right.conj()).mean(dim=1).abs()
        return float((cross / (left.abs().square().mean(dim=1) * right.abs().square().mean(dim=1)).sqrt()).mean())

    assert coherence(1.15 * CUTOFF, 16_000) == pytest.approx(coherence(CUTOFF / 2, CUTOFF), abs=0.15)


def test_quiet_passages_are_restored_as_loud_ones(enhancer: Enhancer) -> None:
    one = dull(3, 1, 2)
    output = enhancer(torch.cat([one, 1e-3 * one, one], dim=1), RATE, cutoff_hz=CUTOFF, chunk_s=2, overlap_s=0.5)[0]
    ratios = []
    for i in range(3):
        power = stft(output[:, int((3 * i + 0.1) * RATE) : int((3 * i + 2.9) * RATE)]).abs().square()
        edge = int(1.15 * CUTOFF / RATE * 2048)
        ratios.append(float(10 * torch.log10(power[:, edge:].sum() / power[:, :edge].sum())))
    # A trained network hears that what comes is a swell, and takes a second to forget it.
    assert max(ratios) - min(ratios) < (1.5 if enhancer.name in BUNDLED else 1), ratios


@pytest.mark.parametrize("kind", ["tone", "noise", "alternating"])
def test_the_level_is_steady_across_joins(enhancer: Enhancer, kind: str) -> None:
    length = 6 * RATE
    tone = 0.1 * torch.sin(2 * torch.pi * 440 * torch.arange(length) / RATE)[None]
    audio = tone if kind == "tone" else dull(6, 1, 0, "noise")
    if kind == "alternating":
        audio = audio * torch.tensor([1.0, 1e-2]).repeat(2).repeat_interleave(length // 4)
    output = enhancer(audio, RATE, cutoff_hz=CUTOFF, chunk_s=2.5, overlap_s=1.0)[0]
    whole = enhancer(audio, RATE, cutoff_hz=CUTOFF)[0]
    assert error_db(output, whole) < -40
    levels = []
    for x in (output, whole):
        power = x[0, RATE // 2 : -RATE // 2].unfold(0, RATE // 5, RATE // 10).square().mean(dim=1)
        levels.append(10 * torch.log10(power))
    # Steady noise of 0.2 s varies by itself; what the joins add is seen against the whole.
    assert (levels[0] - levels[1]).abs().max() < 0.3


@pytest.mark.parametrize("cutoff", [2000, 4000, 12_000])
def test_the_low_band_is_the_inputs(enhancer: Enhancer, cutoff: int) -> None:
    audio = degrade(dull(2, 2, 1, "noise")[None], [LowPassFilter("chebyshev1", 8, cutoff)], RATE)[0]
    output = enhancer(audio, RATE, cutoff_hz=cutoff, chunk_s=1, overlap_s=0.2)[0]
    inner = slice(RATE // 4, -RATE // 4)
    window = torch.hann_window(audio[:, inner].shape[1], dtype=torch.float64) ** 2
    difference, base = (torch.fft.rfft(x[:, inner].double() * window).abs() for x in (output - audio, audio))
    below = int(0.8 * cutoff / RATE * len(window))
    assert 20 * torch.log10(difference[:, :below].norm() / base[:, :below].norm()) < -80


def test_files_are_as_equivariant_as_arrays(enhancer: Enhancer, tmp_path: Path) -> None:
    audio = dull(1, 2, 4)
    results = {}
    for name, changed in (("plain", audio), ("quiet", 0.01 * audio), ("swapped", -audio.flip(0))):
        soundfile.write(tmp_path / f"{name}.wav", changed.T.numpy(), RATE, subtype="FLOAT")
        enhancer.file(tmp_path / f"{name}.wav", tmp_path / f"{name}.out.wav", cutoff_hz=CUTOFF)
        results[name] = torch.from_numpy(soundfile.read(tmp_path / f"{name}.out.wav", dtype="float32")[0].T)
    assert error_db(-results["swapped"].flip(0), results["plain"]) < -60
    # 24 bits are the limit of a result at -40 dB.
    assert error_db(100 * results["quiet"], results["plain"]) < -60
