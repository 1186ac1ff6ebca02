"""What users of this field report of their files, a kind each, from the file to the result of one command.

Kinds: a and b are MP3 without a Xing tag, c a switch of rate in mid-file, d chained Ogg, e FLAC from a pipe, f wrong
bytes inside, g and h edges that change in time and by channel, i what is above an edge and no content, j gentle slopes,
k levels, l pans, m floats above full scale, n silence, o tags, p several streams, q formats, r names, s masks.
"""

from __future__ import annotations

import io
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from media import KINDS, encoded, music
from mutagen import id3, wave
from programs import ROOT

from saga_sr.cli import enhance
from saga_sr.cli.command import configured, read
from saga_sr.inference.run import run

RATE, EDGE_HZ, SECONDS, PACKET_S = 44_100, 4000, 2.0, 4 * 1152 / 44_100
MASK_51_SIDE = 0x60F  # not what six channels usually are for
PNG = bytes.fromhex("89504e470d0a1a0a")

# Kinds that a test shows where the part stands that they are about.
SHOWN = {
    "f": [
        "tests/inference/test_reading_settings.py::test_a_damaged_file_is_enhanced_and_the_place_is_told_once",
        "tests/files/test_damage.py::test_what_follows_wrong_bytes_is_where_it_was",
    ],
    "g": ["tests/inference/test_sections.py::test_a_guest_on_the_telephone_beside_a_host"],
    "h": ["tests/inference/test_sections.py::test_each_channel_has_its_own_edge"],
    "i": ["tests/audio/test_edges.py::test_what_is_no_content_moves_no_edge"],
    "j": ["tests/audio/test_edges.py::test_a_gentle_slope_ends_where_it_is_20_to_30_db_down"],
    "k": [
        "tests/inference/test_equivariance.py::test_gain_polarity_and_order_where_the_edge_is_measured",
        "tests/inference/test_equivariance.py::test_files_are_as_equivariant_as_arrays",
    ],
    "l": [
        "tests/inference/test_equivariance.py::test_a_panned_source_keeps_its_pan",
        "tests/inference/test_silence_in_recordings.py::test_silent_stretches_and_channels_get_no_noise",
    ],
    "m": [
        "tests/inference/test_above_full_scale.py::test_a_float_wav_keeps_its_peaks_in_a_float_wav",
        "tests/inference/test_above_full_scale.py::test_fixed_point_is_scaled_unless_it_is_told_otherwise",
    ],
    "n": [
        "tests/inference/test_silence_in_recordings.py::test_a_silent_file_gives_a_silent_file_of_its_length_with_a_note"
    ],
    "p": [
        "tests/inference/test_reading_settings.py::test_the_sound_of_a_film_is_enhanced_of_the_stream_that_is_chosen",
    ],
}


@dataclass(frozen=True)
class Case:
    """A file that is to be enhanced, and what is right.

    Attributes:
        seconds: of the result, at least; it may have `longer_s` more, of an encoder that tells no padding.
        said: what its one warning says; nothing for none.
        name: of the result.
    """

    data: bytes
    seconds: float = SECONDS
    longer_s: float = 0.0
    channels: int = 2
    said: str = ""
    edge_hz: float = EDGE_HZ
    name: str = field(default="", compare=False)


def dull(rate: int = RATE, channels: int = 2, edge_hz: float = EDGE_HZ) -> np.ndarray:
    """Tones and noise [channel, time] that end at `edge_hz`."""
    spectrum = np.fft.rfft(music(channels, int(SECONDS * rate), rate))
    spectrum[:, int(edge_hz * SECONDS) :] = 0
    return np.fft.irfft(spectrum).astype(np.float32)


def mp3(rate: int = RATE, quality: int | None = None, **ways: Any) -> bytes:
    """An MP3 without a tag that tells its length, of constant or variable bit rate."""
    encoder = None if quality is None else {"flags": "+qscale", "global_quality": str(118 * quality)}
    return encoded(dull(rate), rate, "mp3", None if encoder else 128_000, encoder=encoder, write_xing="0", **ways)


def by_libsndfile(subtype: str, container: str = "WAV", rate: int = RATE, channels: int = 2) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, dull(rate, channels, min(EDGE_HZ, 0.4 * rate)).T, rate, format=container, subtype=subtype)
    return file.getvalue()


def vorbis() -> bytes:
    """With a serial number of its own."""
    return by_libsndfile("VORBIS", "OGG")


def tagged() -> bytes:
    """An MP3 with texts and a cover."""
    file = io.BytesIO(encoded(dull(), RATE, "mp3", 128_000))
    tags = id3.ID3()
    tags.add(id3.TIT2(text="Ünï"))
    tags.add(id3.TPE1(text="X"))
    tags.add(id3.APIC(mime="image/png", type=3, data=PNG))
    tags.save(file)
    return file.getvalue()


def surround() -> bytes:
    data = bytearray(encoded(dull(channels=6), RATE, "wav"))
    mask = data.index(b"fmt ") + 28
    data[mask : mask + 4] = MASK_51_SIDE.to_bytes(4, "little")
    return bytes(data)


def cases() -> dict[str, dict[str, Case]]:
    """Files by kind and name."""
    chain, first, other = vorbis(), mp3(), vorbis()
    assert other[14:18] != chain[14:18]  # their serial numbers
    suffixes = ("m4a", "opus", "aac", "ac3", "wma", "mp2", "w64", "au", "caf", "mp4")
    eight = Case(by_libsndfile("PCM_16", rate=8000), edge_hz=3200)
    padded = {"longer_s": PACKET_S}
    return {
        "a": {f"V{q}.mp3": Case(mp3(quality=q), **padded) for q in (0, 2, 6)}
        | {"pipe.mp3": Case(mp3(quality=2, pipe=True), **padded)},
        "b": {"128.mp3": Case(first, **padded)},
        "c": {"switch.mp3": Case(first + mp3(22_050), 2 * SECONDS, 3 * PACKET_S, said="changes its rate or channels")},
        "d": {"serials.ogg": Case(chain + other, 2 * SECONDS, **padded),
              "one serial.ogg": Case(chain + chain, 2 * SECONDS, **padded)},
        "e": {"pipe.flac": Case(encoded(dull(), RATE, "flac", pipe=True))},
        "o": {"tags.mp3": Case(tagged()),
              "bext.wav": Case(encoded(dull(), RATE, "wav", tags={"time_reference": "158760000"}, write_bext="1"))},
        "q": {f"q.{suffix}": Case(_of(suffix), SECONDS - 0.05, 0.15, name=f"q.{suffix}.wav") for suffix in suffixes}
        | {"gsm.wav": Case(by_libsndfile("GSM610", rate=8000, channels=1), SECONDS, 0.05, channels=1, edge_hz=3600),
           "ima.wav": Case(_of("ima.wav"), SECONDS, 0.05)},
        "r": {
            os.fsdecode(b"bad\xff.wav"): eight, "n" * 241 + ".wav": eight, "take 1.2 a=b [x]{y},z.wav": eight,
            "x.wav": Case(eight.data, edge_hz=3200, name="x.wav.wav"),
            "x.mp3": Case(first, **padded, name="x.mp3.wav"),
            "x.mp3.wav": Case(first, **padded, name="x.mp3.wav.wav"),
        },
        "s": {"5.1.wav": Case(surround(), channels=6)},
    }  # fmt: skip


def _of(kind: str) -> bytes:
    rate = 48_000 if KINDS[kind][1] == "libopus" else RATE
    return encoded(dull(rate), rate, kind, 128_000, picture=kind == "mp4")


FILES = {f"{kind}/{name}": case for kind, files in cases().items() for name, case in files.items()}


@dataclass(frozen=True)
class Results:
    """What one command made of all."""

    folder: Path
    files: dict[str, dict[str, Any]]
    messages: list[str]


@pytest.fixture(scope="module")
def results(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    folder, messages = tmp_path_factory.mktemp("cases"), Messages()
    for name, case in FILES.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.data)
    words = [f"input={folder / 'in'}", f"output={folder / 'out'}", f"model={package}", "steps=1", "format=wav"]
    logger = logging.getLogger("saga_sr")
    logger.addHandler(messages)
    run(configured(enhance.COMMAND, read(enhance.COMMAND, [*words, f"manifest={folder / 'run.json'}"])))
    logger.removeHandler(messages)
    told = json.loads((folder / "run.json").read_text())["files"]
    yield Results(folder / "out", {os.path.relpath(file["input"], folder / "in"): file for file in told}, messages.all)


class Messages(logging.Handler):
    """What is logged as a warning."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.all: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.all.append(record.getMessage())


def samples(path: Path) -> np.ndarray:
    """[time, channel]; libsndfile takes no names that are not UTF-8."""
    with path.open("rb") as file:
        audio, rate = soundfile.read(file, dtype="float32", always_2d=True)
    assert rate == RATE
    return audio


@pytest.mark.parametrize("name", FILES, ids=ascii)
def test_each_file_is_enhanced_whole(results: Results, name: str) -> None:
    case, told = FILES[name], results.files[name]
    assert told["status"] == "done"
    assert Path(told["output"]).name == (case.name or f"{Path(name).stem}.wav")
    audio = samples(Path(told["output"]))
    assert audio.shape[1] == case.channels
    assert round(case.seconds * RATE) <= len(audio) <= round((case.seconds + case.longer_s) * RATE)
    edges = [edge["hz"] for channel in told["edges"] for edge in channel]
    assert edges == pytest.approx([case.edge_hz] * case.channels, rel=0.15)
    # There is sound to the end, and above the edge.
    last = audio[-len(audio) // 4 :]
    assert (np.sqrt(np.square(last).mean(0)) > 0.05).all()
    spectrum = np.abs(np.fft.rfft(last * np.hanning(len(last))[:, None], axis=0)) / len(last)
    assert (spectrum[int(1.3 * case.edge_hz * len(last) / RATE) :].max(0) > 1e-6).all()
    said = [warning for warning in told["warnings"] if case.said in warning]
    assert len(told["warnings"]) == len(said) == bool(case.said)


def test_nothing_else_is_said_and_nothing_is_lost(results: Results) -> None:
    assert len(results.messages) == sum(bool(case.said) for case in FILES.values())
    assert len({file["output"] for file in results.files.values()}) == len(FILES)


def test_tags_and_time_stamps_are_kept(results: Results) -> None:
    tags = wave.WAVE(results.folder / "o/tags.wav").tags
    assert tags is not None
    assert (tags["TIT2"].text, tags["TPE1"].text, tags.getall("APIC")[0].data) == (["Ünï"], ["X"], PNG)
    with av.open(str(results.folder / "o/bext.wav")) as container:
        assert container.metadata["time_reference"] == "158760000"


def test_masks_are_kept(results: Results) -> None:
    data = (results.folder / "s/5.1.wav").read_bytes()
    mask = data.index(b"fmt ") + 28
    assert int.from_bytes(data[mask : mask + 4], "little") == MASK_51_SIDE


def test_every_kind_is_here_or_where_a_test_shows_it() -> None:
    assert sorted([*SHOWN, *cases()]) == list("abcdefghijklmnopqrs")
    for node in [node for nodes in SHOWN.values() for node in nodes]:
        path, name = node.split("::")
        assert f"def {name}(" in (ROOT / path).read_text(), node
