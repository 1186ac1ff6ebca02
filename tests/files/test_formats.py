"""Files of all kinds are read as ffmpeg reads them, whatever they are called and wherever reading begins."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from media import KINDS, decoded, decoded_by_program, encoded, music

from saga_sr.core.errors import AudioError
from saga_sr.files import ffmpeg_reader
from saga_sr.files.finding import find_audio
from saga_sr.files.reading import AudioReader, inspect_audio, read_audio
from saga_sr.files.short_vorbis import is_short_vorbis

RATE, OPUS_RATE, LENGTH = 44_100, 48_000, 100_000
# Kinds whose files tell how much an encoder added, or add nothing.
EXACT_LENGTH = (
    *("alac.m4a", "aiff", "alaw.wav", "au", "caf", "double.wav", "flac", "flac.mka", "mp3", "mulaw.wav", "opus"),
    *("opus.mka", "tta", "u8.wav", "w64", "wav", "webm", "wv"),
)


def rate_of(kind: str) -> int:
    return OPUS_RATE if kind.startswith("opus") or kind == "webm" else RATE


def made(folder: Path, kind: str, channels: int = 2, length: int = LENGTH, name: str = "sound.bin") -> Path:
    path = folder / name
    rate = rate_of(kind)
    path.write_bytes(encoded(music(channels, length, rate), rate, kind, 128_000))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_read_as_ffmpegs_decoder_reads_it(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, kind)
    with AudioReader(path) as reader:
        audio = reader.read(0, reader.info.frames).numpy()
        assert reader.info.sample_rate == rate_of(kind) and reader.notes == ()
    expected = decoded(path)
    # MP4 tells how much of the last packet is padding, which ffmpeg leaves in.
    assert 0 <= expected.shape[1] - audio.shape[1] < (1024 if KINDS[kind][0] in ("ipod", "mp4") else 1)
    assert np.abs(audio - expected[:, : audio.shape[1]]).max() < 1e-6
    if kind in EXACT_LENGTH:
        assert audio.shape[1] == LENGTH


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the program ffmpeg")
# Versions of ffmpeg differ in how they decode IMA ADPCM, and in what they take off the beginning of AAC in Matroska.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("ima.wav", "mkv")])
def test_each_kind_is_read_as_the_program_ffmpeg_reads_it(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, kind)
    audio, _ = read_audio(path)
    expected = decoded_by_program(path, 2)
    assert 0 <= expected.shape[1] - audio.shape[1] < (1024 if KINDS[kind][0] in ("ipod", "mp4") else 1)
    assert np.abs(audio.numpy() - expected[:, : audio.shape[1]]).max() < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_any_stretch_is_that_of_the_whole_bit_for_bit(tmp_path: Path, kind: str) -> None:
    path = made(tmp_path, kind, length=400_000)
    whole, rate = read_audio(path)
    generator = np.random.default_rng(1)
    with AudioReader(path) as reader:
        for _ in range(12):
            start, frames = int(generator.integers(whole.shape[1])), int(generator.integers(1, rate))
            assert torch.equal(reader.read(start, frames), whole[:, start : start + frames])


@pytest.mark.parametrize("kind", ["mp3", "m4a"])
def test_stretches_far_apart_are_those_of_the_whole(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg_reader, "KEPT", 100_000)  # so that hours need not be made
    path = made(tmp_path, kind, 1, 60 * 44_100)
    whole, rate = read_audio(path)
    for start_s in (50.0, 0.0, 30.0, 29.0, 58.0):
        with AudioReader(path) as reader:  # each from the beginning, and after another
            for place_s in (start_s, (start_s + 25) % 59):
                start = round(place_s * rate)
                assert torch.equal(reader.read(start, rate), whole[:, start : start + rate])


def test_mono_and_surround_come_as_they_are(tmp_path: Path) -> None:
    for channels, kind in ((1, "m4a"), (6, "ac3"), (6, "flac.mka"), (1, "gsm")):
        if kind == "gsm":
            path = tmp_path / "gsm.wav"
            soundfile.write(path, music(1, 16_000, 8000)[0], 8000, subtype="GSM610")
        else:
            path = made(tmp_path, kind, channels)
        assert np.array_equal(read_audio(path)[0].numpy(), decoded(path)[:, : inspect_audio(path).frames])


def test_mp3_without_a_tag_that_tells_its_length_is_whole(tmp_path: Path) -> None:
    for bit_rate in (64_000, 320_000):
        path = tmp_path / "a.mp3"
        path.write_bytes(encoded(music(2, 5 * RATE, RATE), RATE, "mp3", bit_rate, write_xing="0"))
        with AudioReader(path) as reader:
            assert 5 * RATE <= reader.info.frames < 5 * RATE + 4 * 1152 and reader.notes == ()


def test_flac_from_a_pipe_has_its_length(tmp_path: Path) -> None:
    data = bytearray(encoded(music(2, LENGTH, RATE), RATE, "flac"))
    data[21] &= 0xF0  # the number of samples in STREAMINFO, 36 bits
    data[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(data)
    audio, _ = read_audio(tmp_path / "a.flac")
    assert audio.shape[1] == LENGTH
    assert np.array_equal(audio.numpy(), decoded(tmp_path / "a.flac"))


def test_what_has_no_length_in_its_header_is_whole(tmp_path: Path) -> None:
    data = bytearray(encoded(music(2, LENGTH, RATE), RATE, "wav"))
    place = data.index(b"data") + 4
    data[4:8] = data[place : place + 4] = b"\xff" * 4
    (tmp_path / "a.wav").write_bytes(data)
    with AudioReader(tmp_path / "a.wav") as reader:
        assert reader.info.frames == LENGTH and reader.notes == ()


@pytest.mark.parametrize("length", [300, 5000, 10_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_vorbis_on_a_single_page_is_read_to_its_end(tmp_path: Path, length: int, channels: int) -> None:
    soundfile.write(tmp_path / "a.ogg", music(channels, length, RATE).T, RATE, format="OGG", subtype="VORBIS")
    data = (tmp_path / "a.ogg").read_bytes()
    assert data.count(b"OggS") == 3  # two of headers
    audio, _ = read_audio(tmp_path / "a.ogg")
    expected, _ = soundfile.read(tmp_path / "a.ogg", dtype="float32", always_2d=True)
    assert audio.shape == (channels, length) and np.array_equal(audio.numpy(), expected.T)
    assert torch.equal(read_audio(tmp_path / "a.ogg", 100, 100)[0], audio[:, 100:200])
    (tmp_path / "cut.ogg").write_bytes(data[:-50])
    (tmp_path / "two.ogg").write_bytes(data + data)
    for name in ("cut.ogg", "two.ogg"):
        with (tmp_path / name).open("rb") as file:
            assert not is_short_vorbis(file)


def test_chained_ogg_is_read_to_its_end(tmp_path: Path) -> None:
    parts = []
    for i, frames in enumerate((RATE, 2 * RATE)):
        file = io.BytesIO()
        soundfile.write(file, music(2, frames, RATE, i).T, RATE, format="OGG", subtype="VORBIS")
        parts.append(file.getvalue())
    (tmp_path / "a.ogg").write_bytes(b"".join(parts))
    audio, _ = read_audio(tmp_path / "a.ogg")
    assert np.array_equal(audio.numpy(), decoded(tmp_path / "a.ogg"))
    assert 3 * RATE <= audio.shape[1] < 3 * RATE + 2048
    with AudioReader(tmp_path / "a.ogg") as reader:
        assert torch.equal(reader.read(2 * RATE, 1000), audio[:, 2 * RATE : 2 * RATE + 1000])


@pytest.mark.parametrize(("second_rate", "second_channels"), [(22_050, 2), (44_100, 1), (48_000, 1)])
def test_a_change_of_rate_or_channels_is_resampled_and_said(
    tmp_path: Path, second_rate: int, second_channels: int
) -> None:
    parts = [(2, RATE), (second_channels, second_rate)]
    data = [encoded(music(channels, 2 * rate, rate), rate, "mp3", 128_000, write_xing="0") for channels, rate in parts]
    path = tmp_path / "a.mp3"
    path.write_bytes(b"".join(data))
    with AudioReader(path) as reader:
        info = reader.info
        audio = reader.read(0, info.frames)
        assert (info.sample_rate, info.channels) == (RATE, 2) and abs(info.duration_s - 4) < 0.2
        (note,) = reader.notes
        assert "changes its rate or channels" in note and "44100 Hz" in note
        assert torch.equal(reader.read(3 * RATE, 5000), audio[:, 3 * RATE : 3 * RATE + 5000])
    # The first tone of both parts is at 220 Hz.
    spectrum = np.abs(np.fft.rfft(audio[0, -RATE - 4000 : -4000].numpy()))
    assert abs(int(spectrum.argmax()) - 220) < 10


def test_of_several_streams_the_first_is_read_unless_another_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "a.mka"
    path.write_bytes(encoded(music(2, LENGTH, RATE), RATE, "flac.mka", streams=2))
    with AudioReader(path) as reader:
        first = reader.read(0, LENGTH)
        (note,) = reader.notes
        assert "2 streams of audio" in note and "stream=" in note
    with AudioReader(path, stream=2) as reader:
        assert (reader.read(0, LENGTH) - first / 2).abs().max() < 1e-4 and reader.notes == ()
    with pytest.raises(AudioError, match=r"no audio stream 3.*2 \(flac"):
        AudioReader(path, stream=3)
    soundfile.write(tmp_path / "a.wav", np.zeros(100), RATE)
    with pytest.raises(AudioError, match="only one"):
        AudioReader(tmp_path / "a.wav", stream=2)


def test_the_sound_of_a_film_is_read(tmp_path: Path) -> None:
    for kind in ("mp4", "flac.mka", "mp3.avi"):
        path = tmp_path / "film.bin"
        path.write_bytes(encoded(music(2, 3 * RATE, RATE), RATE, kind, picture=True))
        assert abs(inspect_audio(path).duration_s - 3) < 0.1


def test_a_film_without_sound_is_refused_in_a_sentence(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), "yuv420p")))
        container.mux(video.encode(None))
    with pytest.raises(AudioError, match="holds no audio"):
        AudioReader(tmp_path / "a.mp4")


def test_a_folder_takes_all_kinds(tmp_path: Path) -> None:
    names = [f"a.{suffix}" for suffix in ("wav", "opus", "M4A", "wma", "ac3", "mp4", "webm", "mka", "w64", "caf")]
    for name in [*names, "notes.txt", "cover.jpg", "list.m3u8"]:
        (tmp_path / name).write_bytes(b"x")
    assert {path.name for path in find_audio(tmp_path)} == {*names}


def test_lists_that_lead_to_other_files_are_no_audio(tmp_path: Path) -> None:
    made(tmp_path, "m4a", name="a.m4a")
    lists = {
        "a.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.m4a\n#EXT-X-ENDLIST\n",
        "a.ffconcat": "ffconcat version 1.0\nfile a.m4a\n",
        "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        (tmp_path / "a.mp3").write_text(text)
        for path in (tmp_path / name, tmp_path / "a.mp3"):
            with pytest.raises(AudioError, match="cannot be read as audio"):
                AudioReader(path)
