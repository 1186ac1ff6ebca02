from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import TINY_SAGA, awake, model_config
from text_encoder import make_text_encoder

from saga_sr.audio.resample import resample
from saga_sr.audio.spectrum import stft
from saga_sr.core.errors import ConfigError
from saga_sr.files.reading import AudioReader, inspect_audio, read_audio
from saga_sr.files.writing import write_audio
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.recordings import Recording
from saga_sr.packages.package import build, load_package
from saga_sr.synthesis.dataset import SyntheticAudio

RATE = 44_100


@pytest.fixture(scope="module")
def enhancer(package: Path) -> Enhancer:
    return Enhancer(load_package(package))


def clip(seconds: float, channels: int = 1, rate: int = RATE, index: int = 2) -> torch.Tensor:
    audio = SyntheticAudio(9, int(seconds * RATE), channels=2)[index]["hr"]
    audio = audio.repeat(2, 1)[:channels]
    return resample(audio, RATE, rate)


@pytest.mark.parametrize(
    ("rate", "channels", "suffix"),
    [(8000, 1, ".wav"), (16_000, 2, ".flac"), (22_050, 3, ".wav"), (48_000, 2, ".ogg")],
)
def test_any_rate_in_44100_out_and_channels_kept(
    enhancer: Enhancer, tmp_path: Path, rate: int, channels: int, suffix: str
) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / "out.wav"
    write_audio(source, clip(1.3, channels, rate), rate)
    done = enhancer.file(source, target)
    info = inspect_audio(target)
    assert (info.sample_rate, info.channels) == (RATE, channels)
    assert abs(info.frames - 1.3 * RATE) <= RATE // 100
    if rate < 44_100:
        assert done.restored and done.cutoff_hz == pytest.approx(0.5 * rate, rel=0.15)
        high = stft(read_audio(target)[0])[:, int(0.65 * rate / RATE * 2048) :].abs().square().mean()
        assert float(high) > 1e-6


def test_same_seed_same_output_and_another_seed_another(enhancer: Enhancer, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav", clip(1.0, rate=16_000), 16_000)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        enhancer.file(tmp_path / "in.wav", tmp_path / f"{name}.wav", seed=seed)
    a, b, c = ((tmp_path / f"{name}.wav").read_bytes() for name in "abc")
    assert a == b and a != c


def test_chunks_join_without_a_seam_and_batches_change_nothing(enhancer: Enhancer, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav", clip(4.0, 2, 16_000), 16_000)
    options = {"chunk_s": 1.0, "overlap_s": 0.25, "cutoff_hz": 7000}
    outputs = []
    for batch_size in (1, 3):
        enhancer.file(tmp_path / "in.wav", tmp_path / "out.wav", **options, batch_size=batch_size)
        outputs.append(read_audio(tmp_path / "out.wav")[0])
    assert torch.allclose(*outputs, atol=2e-3)
    enhancer.file(tmp_path / "in.wav", tmp_path / "whole.wav", cutoff_hz=7000)
    whole = read_audio(tmp_path / "whole.wav")[0]
    low = int(6000 / RATE * 2048)
    change = (stft(outputs[0]) - stft(whole))[:, :low].abs().square().sum() / stft(whole)[:, :low].abs().square().sum()
    assert change < 1e-3


def test_noise_of_the_steps_is_of_the_place_too(enhancer: Enhancer) -> None:
    audio = clip(1.2, 2, 16_000)
    ways = {"chunk_s": 0.5, "overlap_s": 0.1, "cutoff_hz": 7000, "solver": "ddim", "steps": 2}
    one, three, none = (
        enhancer(audio, 16_000, **ways, eta=eta, batch_size=n).audio for eta, n in ((1.0, 1), (1.0, 3), (0.0, 1))
    )
    assert (one - three).norm() < 0.1 * (one - none).norm()


@pytest.mark.parametrize("rate", [8000, 22_050, 44_099, 48_000, 96_000])
def test_reading_a_stretch_equals_resampling_the_whole(tmp_path: Path, rate: int) -> None:
    audio = 0.3 * torch.randn(2, int(2.5 * rate), generator=torch.Generator().manual_seed(0))
    write_audio(tmp_path / "a.wav", audio, rate)
    whole = resample(read_audio(tmp_path / "a.wav")[0], rate, RATE)
    with AudioReader(tmp_path / "a.wav") as reader:
        source = Recording(reader, RATE)
        assert source.length == whole.shape[1]
        for begin, end in ((0, 5000), (30_001, 70_007), (source.length - 3000, source.length)):
            assert torch.allclose(source.read(begin, end), whole[:, begin:end], atol=1e-4)


def test_a_full_band_recording_is_only_copied(enhancer: Enhancer, tmp_path: Path) -> None:
    audio = 0.1 * torch.randn(1, 50_000)
    write_audio(tmp_path / "in.wav", audio, RATE)
    assert not enhancer.file(tmp_path / "in.wav", tmp_path / "out.wav").restored
    assert torch.allclose(read_audio(tmp_path / "out.wav")[0], audio, atol=1e-6)


def test_silence_stays_silence(enhancer: Enhancer, tmp_path: Path) -> None:
    write_audio(tmp_path / "in.wav", torch.zeros(2, 30_000), 16_000)
    assert not enhancer.file(tmp_path / "in.wav", tmp_path / "out.wav").restored
    audio, rate = read_audio(tmp_path / "out.wav")
    assert rate == RATE and audio.shape == (2, -(-30_000 * 441 // 160)) and not audio.any()


@pytest.mark.parametrize("settings", [{"cutoff_hz": 30_000}, {"batch_size": 0}, {"overlap_s": 9}, {"cutoff_hz": -1}])
def test_impossible_settings_are_refused_and_leave_nothing(
    enhancer: Enhancer, tmp_path: Path, settings: dict[str, float]
) -> None:
    write_audio(tmp_path / "in.wav", torch.zeros(1, 30_000), 16_000)
    with pytest.raises(ConfigError):
        enhancer.file(tmp_path / "in.wav", tmp_path / "out.wav", **settings)
    assert [p.name for p in tmp_path.iterdir()] == ["in.wav"]


def test_a_prompt_is_read_once_per_file(tmp_path: Path) -> None:
    text = make_text_encoder(tmp_path / "text")
    settings = ["conditioning=text_rolloff", f"text_encoder={text}", "guidance=nested"]
    model = awake(build(model_config(*settings, tiny=TINY_SAGA)))
    calls: list[int] = []
    model.backbone.blocks[0].cross_attention.to_kv.register_forward_hook(lambda *args: calls.append(1))
    source = tmp_path / "long.wav"
    write_audio(source, 0.1 * torch.randn(2, 5 * 44_100 // 2), 44_100)
    done = Enhancer(model).file(
        source, tmp_path / "out.wav", chunk_s=0.5, overlap_s=0.1, cutoff_hz=4000, prompt="a dog", rolloff=0.8
    )
    assert done.restored
    assert calls == [1]
