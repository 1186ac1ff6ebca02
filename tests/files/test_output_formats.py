from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch.nn.functional import pad

from saga_sr.core.errors import AudioError
from saga_sr.files import wav_file
from saga_sr.files.channel_layout import DEFAULT_MASKS, read_mask
from saga_sr.files.output_formats import FORMATS, output_format
from saga_sr.files.quantisation import Quantiser
from saga_sr.files.reading import inspect_audio, read_audio
from saga_sr.files.writing import AudioWriter


def noise(channels: int = 2, n: int = 20_000) -> torch.Tensor:
    return 0.2 * torch.randn(channels, n, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", [name for name, how in FORMATS.items() if how.depths])
def test_every_depth_that_a_format_holds(tmp_path: Path, name: str) -> None:
    audio = noise()
    for depth in FORMATS[name].depths:
        path = tmp_path / f"{depth}.{name}"
        for _ in range(2):
            with AudioWriter(path, 44_100, 2, depth) as writer:
                for block in audio.split(7001, dim=1):
                    writer.write(block)
        info = inspect_audio(path)
        assert (info.bits or "float") == depth and info.floats == (depth == "float") and info.frames == 20_000
        error = (read_audio(path)[0] - audio).abs().max()
        assert error <= {16: 1.5 / 2**15, 24: 0.51 / 2**23, "float": 0}[depth]


def test_dither_makes_the_error_noise_that_knows_nothing_of_the_signal() -> None:
    # Half a step high: rounded without dither it would vanish, or be a square wave.
    tone = 0.4 / 2**15 * torch.sin(torch.arange(200_000) * 0.05)[None]
    stored = torch.from_numpy(Quantiser(16).stored(tone)).double()[:, 0]
    signal = tone[0].double() * 2**15
    assert float((stored @ signal) / (signal @ signal)) == pytest.approx(1, abs=0.02)
    assert float((stored - signal).var()) == pytest.approx(0.25, rel=0.02)  # TPDF: 2/12 of dither and 1/12 of rounding


def test_what_has_16_bits_already_is_not_dithered_and_blocks_do_not_matter() -> None:
    integers = torch.randint(-(2**15), 2**15, (2, 9000), generator=torch.Generator().manual_seed(0))
    assert torch.equal(torch.from_numpy(Quantiser(16).stored(integers / 2**15)).T.long(), integers)
    whole, parts = Quantiser(16), Quantiser(16)
    audio = noise()
    cut = torch.cat([torch.from_numpy(parts.stored(block)) for block in audio.split(333, dim=1)])
    assert torch.equal(torch.from_numpy(whole.stored(audio)), cut)


def test_rates_and_bits_follow_the_wish_the_input_and_the_format() -> None:
    wav, flac, mp3 = (output_format(f"a.{name}") for name in ("wav", "flac", "mp3"))
    assert [wav.rate(asked, 96_000, 44_100) for asked in (None, "keep", 48_000)] == [44_100, 96_000, 48_000]
    assert wav.rate("keep", 8000, 44_100) == 44_100
    assert mp3.rate("keep", 96_000, 44_100) == 48_000  # the highest that there is
    with pytest.raises(AudioError, match=r"MP3 does not take 96000 Hz; .*44100 or 48000"):
        mp3.rate(96_000, 8000, 44_100)
    for asked, bits, floats, stored in (
        *((None, 16, False, 24), (None, None, True, "float"), ("keep", 8, False, 16), ("keep", 24, False, 24)),
        *(
            ("keep", None, False, 24),
            ("keep", None, True, "float"),
            (16, None, True, 16),
            ("float", 16, False, "float"),
        ),
    ):
        assert wav.depth(asked, bits, floats) == stored
    assert flac.depth("keep", None, True) == 24 and mp3.depth("keep", None, True) is None
    with pytest.raises(AudioError, match="FLAC holds no floats"):
        flac.depth("float", None, True)


@pytest.mark.parametrize("depth", [16, 24, "float"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_wav_of_more_than_4_gb_is_rf64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: int | str, channels: int
) -> None:
    audio = noise(channels, 1001)
    with AudioWriter(tmp_path / "small.wav", 44_100, channels, depth) as writer:
        writer.write(audio)
    monkeypatch.setattr(wav_file, "LARGEST_RIFF", 2000)
    with AudioWriter(tmp_path / "large.wav", 44_100, channels, depth) as writer:
        writer.write(audio)
    assert (tmp_path / "small.wav").read_bytes()[:4] == b"RIFF"
    assert (tmp_path / "large.wav").read_bytes()[:4] == b"RF64"
    assert soundfile.info(tmp_path / "large.wav").format == "RF64"
    small, large = (read_audio(tmp_path / f"{name}.wav")[0] for name in ("small", "large"))
    assert torch.equal(small, large) and large.shape == (channels, 1001)


def test_sizes_beyond_32_bits(tmp_path: Path) -> None:
    frames = 5 * 2**28
    wav = wav_file.WavFile(tmp_path / "a.wav", 44_100, 2, 16, 3)
    wav._file.seek(4 * frames, io.SEEK_CUR)  # zeros that take no room
    wav._data_bytes = 4 * frames
    wav.write(torch.full((2, 2), 5, dtype=torch.int16).numpy())
    wav.close()
    assert inspect_audio(tmp_path / "a.wav").frames == frames + 2
    assert read_audio(tmp_path / "a.wav", frames)[0].tolist() == [[5 / 2**15] * 2] * 2


@pytest.mark.parametrize("frames", [300, 5000, 20_001])
@pytest.mark.parametrize("name", [name for name, how in FORMATS.items() if not how.depths])
def test_what_encoders_put_before_and_behind_is_told_and_taken_off(tmp_path: Path, name: str, frames: int) -> None:
    audio = lowpassed(noise(2, frames))
    rate = 48_000 if name == "opus" else 44_100
    for path in (tmp_path / f"a.{name}", tmp_path / f"b.{name}"):
        with AudioWriter(path, rate, 2) as writer:
            for block in audio.split(1777, dim=1):
                writer.write(block)
    back, found = read_audio(tmp_path / f"a.{name}")
    assert found == rate and back.shape == audio.shape
    if frames > 5000:
        errors = [float((back.roll(shift, 1) - audio)[:, 500:-500].square().mean()) for shift in (-1, 0, 1)]
        assert errors[1] < 0.5 * min(errors[0], errors[2])
    assert (tmp_path / f"a.{name}").read_bytes() == (tmp_path / f"b.{name}").read_bytes()
    if shutil.which("ffmpeg") and name != "ogg":
        command = ["ffmpeg", "-v", "error", "-i", tmp_path / f"a.{name}", "-f", "f32le", "-"]
        samples = np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, np.float32)
        # Old ones do not take the padding off the end of M4A.
        assert len(samples) == 2 * frames or (name == "m4a" and 0 < len(samples) // 2 - frames < 1024)


def lowpassed(audio: torch.Tensor) -> torch.Tensor:
    spectrum = torch.fft.rfft(audio)
    spectrum[..., spectrum.shape[-1] // 5 :] = 0
    return torch.fft.irfft(spectrum, audio.shape[-1])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("channels", range(1, 9))
def test_channels_keep_their_order_and_speakers(tmp_path: Path, name: str, channels: int) -> None:
    rate, frames, path = 48_000, 9600, tmp_path / f"a.{name}"
    place = torch.arange(channels)[:, None]
    audio = 0.3 * torch.sin(2 * torch.pi * 50 * (place + 1) * torch.arange(frames) / rate)  # below what an LFE drops
    if channels not in FORMATS[name].channels:
        with pytest.raises(AudioError, match=f"does not take {channels} channel"):
            AudioWriter(path, rate, channels)
        return
    with AudioWriter(path, rate, channels) as writer:
        writer.write(audio)
    back = read_audio(path)[0]
    assert name == "ogg" or back.shape == audio.shape
    back = pad(back, (0, frames - back.shape[1]))
    assert torch.equal(torch.fft.rfft(back).abs().argmax(1), 10 * (place[:, 0] + 1))
    if name not in ("aiff", "m4a"):
        # The surround channels of 5.0 and 5.1 are called side channels in FLAC.
        assert read_mask(path, None, channels) in (DEFAULT_MASKS[channels], {5: 0x607, 6: 0x60F}.get(channels))


@pytest.mark.parametrize("name", ["opus", "ogg", "m4a", "wav"])
def test_speakers_that_a_format_does_not_know_are_told(tmp_path: Path, name: str) -> None:
    for channels, mask, known in (
        (4, 0x107, False),
        (4, 0x33, True),
        (6, 0x60F, True),
        (6, 0x3F, True),
        (7, 0x13F, False),
    ):
        with AudioWriter(tmp_path / f"a.{name}", 48_000, channels, mask=mask) as writer:
            writer.write(noise(channels, 1000))
        assert bool(writer.notes) == (not known and name != "wav")
        assert not writer.notes or ".wav and .flac keep them" in writer.notes[0]


@pytest.mark.parametrize("mask", [0x60F, 0x3F, 0x707])
def test_flac_keeps_a_mask(tmp_path: Path, mask: int) -> None:
    with AudioWriter(tmp_path / "a.flac", 44_100, 6, mask=mask) as writer:
        writer.write(noise(6, 100))
    assert read_mask(tmp_path / "a.flac", None, 6) == mask


@pytest.mark.parametrize("mask", [0, 0x60F, 0x3F, 0x707])
def test_a_wav_keeps_its_mask(tmp_path: Path, mask: int) -> None:
    with AudioWriter(tmp_path / "a.wav", 44_100, 6, mask=mask) as writer:
        writer.write(noise(6, 100))
    assert (tmp_path / "a.wav").read_bytes()[76:80] == mask.to_bytes(4, "little")
    assert not mask or read_mask(tmp_path / "a.wav", None, 6) == mask


def test_bit_rates(tmp_path: Path) -> None:
    for name in ("mp3", "m4a", "opus"):
        sizes = []
        for kbps in (64, 256):
            with AudioWriter(tmp_path / f"a.{name}", 48_000, 2, kbps=kbps) as writer:
                writer.write(noise(2, 96_000))
            sizes.append((tmp_path / f"a.{name}").stat().st_size)
        assert 3 < sizes[1] / sizes[0] < 5
    with pytest.raises(AudioError, match="MP3 does not take bitrate=500; give 8 to 320 kb/s"):
        FORMATS["mp3"].bitrate(500, 2)


@pytest.mark.parametrize(("name", "asked", "said"), [
    ("mp3", {"bits": 16}, "MP3 stores no samples that could have bits=16; give bitrate= instead"),
    ("ogg", {"bits": "float"}, "OGG stores no samples that could have bits=float; leave it out"),
    ("flac", {"bitrate": 128}, "FLAC takes no bitrate=128; give bits= instead"),
    ("ogg", {"bitrate": 128}, "OGG takes no bitrate=128; leave it out, or choose another format"),
    ("opus", {"bitrate": 1}, "Opus does not take bitrate=1; give 6 to 510"),
    ("opus", {"rate": 44_100}, "Opus does not take 44100 Hz"),
])  # fmt: skip
def test_what_a_format_has_no_use_for_is_refused(name: str, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(AudioError, match=said):
        FORMATS[name].check(**{"rate": None, "bits": None, "bitrate": None, **asked})
    FORMATS[name].check("keep", "keep", None)


def test_formats_are_known_without_torch() -> None:
    code = "import sys, saga_sr.files.output_formats; assert not {'torch', 'soundfile', 'av', 'numpy'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", code], check=True)
