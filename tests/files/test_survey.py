"""What a stream is found to hold before it is read; 200 generated files hold what ffmpeg's decoder finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media import KINDS, decoded, encoded, music

from saga_sr.files.ffmpeg_stream import FfmpegStream
from saga_sr.files.reading import AudioReader, read_audio
from saga_sr.files.survey import survey, survey_undecoded

# Rates that an encoder takes, where it does not take all.
RATES = {
    "opus": (8000, 12_000, 16_000, 24_000, 48_000),
    "mp3": (8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "mp2": (16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "ac3": (32_000, 44_100, 48_000),
    "flv": (11_025, 22_050, 44_100),
    "wma": (22_050, 44_100, 48_000),
    "any": (8000, 16_000, 22_050, 44_100, 48_000, 96_000),
    "aac": (8000, 16_000, 22_050, 44_100, 48_000, 96_000),
}
RATES |= {"opus.mka": RATES["opus"], "webm": RATES["opus"], "mp3.avi": RATES["mp3"], "mpegts": RATES["mp2"]}
RATES |= {"eac3": RATES["ac3"]}


def generated(i: int) -> tuple[str, bytes]:
    """File number `i`: a kind with a rate, channels, a length and a bit rate."""
    generator = np.random.default_rng(i)
    kind = list(KINDS)[i % len(KINDS)]
    rate = int(generator.choice(RATES.get(kind, RATES["any"])))
    channels, length = int(generator.integers(1, 3)), int(generator.integers(rate // 10, 2 * rate))
    bit_rate = int(generator.choice((64, 96, 128))) * 1000 if KINDS[kind][1] not in ("aac", "libopus") else None
    return kind, encoded(music(channels, length, rate, i), rate, kind, bit_rate)


@pytest.mark.parametrize("part", range(8))
def test_generated_files_are_what_ffmpegs_decoder_makes_of_them(tmp_path: Path, part: int) -> None:
    path = tmp_path / "a"
    for i in range(25 * part, 25 * (part + 1)):
        kind, data = generated(i)
        path.write_bytes(data)
        with AudioReader(path) as reader:
            assert reader.notes == (), kind
            audio = reader.read(0, reader.info.frames).numpy()
        expected = decoded(path)
        assert 0 <= expected.shape[1] - audio.shape[1] < (1024 if KINDS[kind][0] in ("ipod", "mp4") else 1), kind
        assert np.abs(audio - expected[:, : audio.shape[1]]).max() < 1e-6, kind


def test_mp3_headers_tell_what_decoding_finds(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    for i, rate in enumerate((44_100, 48_000, 22_050, 8000)):
        path.write_bytes(encoded(music(1 + i % 2, 3 * rate + 777 * i, rate), rate, "mp3", 64_000))
        by_headers = survey_undecoded(FfmpegStream(path))
        by_decoding = survey(FfmpegStream(path))
        assert by_headers is not None
        assert by_headers.packets == by_decoding.packets
        assert (by_headers.sample_rate, by_headers.channels) == (by_decoding.sample_rate, by_decoding.channels)


def test_headers_are_not_trusted_where_anything_is_unusual(tmp_path: Path) -> None:
    data = encoded(music(2, 100_000, 44_100), 44_100, "mp3", 128_000)
    untold = encoded(music(2, 100_000, 44_100), 44_100, "mp3", 128_000, write_xing="0")
    slower = encoded(music(2, 50_000, 22_050), 22_050, "mp3", 128_000, write_xing="0")
    unusual = {
        "cut": data[:20_000],
        "untold": untold,
        "joined": data + slower,
        "damaged": data[:20_000] + bytes(700) + data[20_700:],
        "wav": encoded(music(2, 1000, 44_100), 44_100, "ms.wav"),
    }
    for name, content in unusual.items():
        (tmp_path / name).write_bytes(content)
        assert survey_undecoded(FfmpegStream(tmp_path / name)) is None, name


def test_damage_that_headers_do_not_show_is_told_when_it_is_read(tmp_path: Path) -> None:
    data = bytearray(encoded(music(2, 5 * 44_100, 44_100), 44_100, "mp3", 128_000))
    (tmp_path / "whole").write_bytes(data)
    whole, rate = read_audio(tmp_path / "whole")
    generator = np.random.default_rng(3)
    for packet in FfmpegStream(tmp_path / "whole").packets():
        if packet.size and 2 < packet.pts * packet.time_base < 2.5:
            begin = packet.pos + 4
            data[begin : begin + 300] = generator.integers(0, 256, 300, np.uint8).tobytes()
    (tmp_path / "broken").write_bytes(data)
    assert survey_undecoded(FfmpegStream(tmp_path / "broken")) is not None
    with AudioReader(tmp_path / "broken", flawless=False) as reader:
        assert reader.notes == ()
        audio = reader.read(0, reader.info.frames)
        assert audio.shape == whole.shape and np.array_equal(audio[:, 3 * rate :], whole[:, 3 * rate :])
        assert "is damaged at 0:00:0" in reader.notes[0]
