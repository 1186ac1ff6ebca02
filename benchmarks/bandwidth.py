"""How often the end of a recording's content is found, on labelled signals: `python benchmarks/bandwidth.py SEED ...`.

The tables of bandwidth.md have the sums over the seeds, and the shares of right ones with their spread.

Sources of 6 s: music-like clips of the built-in generator and espeak-ng's speech, whose energy above 4 kHz is continued
to Nyquist by noise with the same envelope, and noise with a tremolo. The label of a filter is the span in which it is
20 to 30 dB down, whatever the material; that of a codec is measured: the highest 100 Hz band in which white noise
passes the same encoder with a loss of less than 20 dB. An edge counts as found within 8 % of its label.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import av
import numpy as np
import soundfile
import torch
from scipy.signal import butter, cheby1, sosfilt, sosfreqz
from torch import Tensor

from experiments.tables import put, put_text, spread
from saga_sr.audio.edges import Edge, content_edge_hz, find_edges
from saga_sr.audio.resample import resample
from saga_sr.audio.spectrum import bandwidth_hz, rolloff_hz
from saga_sr.synthesis.dataset import SyntheticAudio

PAGE = Path(__file__).with_suffix(".md")
RATE, SECONDS, TOLERANCE, FULL = 44_100, 6, 0.08, 0.94
SOURCES = ("music", "speech", "noise")
EDGES = (2000, 2800, 3400, 4000, 5500, 7000, 8000, 11_000, 13_000, 16_000, 18_000)
SENTENCES = (
    "The quick brown fox jumps over the lazy dog, and seven short stories show us such sizzling sounds.",
    "She sells sea shells; the shells she sells are surely from the sea, as everybody on the shore can see.",
    "In the spring, the children walked to school along the old canal, where fishermen sat and told each other jokes.",
)


@dataclass(frozen=True)
class Case:
    """A signal [channel, time] and, for each channel, what ends when: (until_s, lowest Hz, highest Hz)."""

    kind: str
    name: str
    audio: Tensor
    rate: int
    labels: list[list[tuple[float, float, float]]]


def source(name: str, seed: int, rate: int = RATE, seconds: int = SECONDS) -> Tensor:
    """[1, time], content up to Nyquist."""
    generator = torch.Generator().manual_seed(seed)
    if name == "noise":
        time = torch.arange(seconds * rate) / rate
        white = torch.randn(1, seconds * rate, generator=generator)
        pink = filtered(white, lambda hz: (hz.clamp(min=50) / 1000).rsqrt(), rate) if seed % 2 else white
        return 0.1 * pink * (1 + 0.8 * torch.sin(2 * np.pi * (0.7 + 0.3 * (seed % 5)) * time))
    if name == "music":
        audio = SyntheticAudio(1000, seconds * rate, rate, seed=99)[seed]["hr"]
    else:
        audio = spoken(seed, rate, seconds)
    edge = float(bandwidth_hz(audio[None], rate)[0])
    start = min(8000.0, 0.8 * edge)
    band = filtered(audio, lambda hz: ((hz > start / 2) & (hz < start)).float(), rate)
    envelope = resample(band.square(), rate, 100).clamp(min=0).sqrt()
    envelope = torch.nn.functional.interpolate(envelope[None], size=audio.shape[-1], mode="linear")[0]
    air = torch.randn(audio.shape, generator=generator) * (envelope + 1e-4)
    air = filtered(air, lambda hz: (hz > start).float() * (start / hz.clamp(min=1)) ** 0.5, rate)
    return audio + 2 * air


@cache
def speech_file(sentence: str, voice: str) -> tuple[Tensor, int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-w", str(path), sentence], check=True)
        samples, rate = soundfile.read(path, dtype="float32")
    return torch.from_numpy(samples)[None], rate


def spoken(seed: int, rate: int, seconds: int) -> Tensor:
    voice = ("en", "en+f3", "de", "fr")[seed % 4]
    samples, file_rate = speech_file(SENTENCES[seed % 3], voice)
    audio = resample(samples, file_rate, rate)
    audio = audio.repeat(1, 1 + seconds * rate // audio.shape[-1])[:, : seconds * rate]
    return 0.5 * audio / audio.abs().max()


def filtered(audio: Tensor, gain, rate: int = RATE) -> Tensor:
    hz = torch.fft.rfftfreq(audio.shape[-1], 1 / rate)
    return torch.fft.irfft(torch.fft.rfft(audio) * gain(hz), audio.shape[-1])


def steep(audio: Tensor, cutoff: float, rate: int = RATE) -> Tensor:
    return filtered(audio, lambda hz: ((1.01 * cutoff - hz) / (0.02 * cutoff)).clamp(0, 1), rate)


def label(low: float, high: float | None = None, until: float = SECONDS) -> list[list[tuple[float, float, float]]]:
    return [[(until, low, high or low)]]


def sloped(audio: Tensor, sos: np.ndarray) -> tuple[Tensor, float, float]:
    """Through second-order sections, and where these are 20 and 30 dB down."""
    hz, response = sosfreqz(sos, 8192, fs=RATE)
    low, high = (float(hz[np.flatnonzero(np.abs(response) > gain)[-1]]) for gain in (0.1, 10**-1.5))
    return torch.from_numpy(sosfilt(sos, audio.numpy()).astype(np.float32)), low, high


def clicks(per_second: int, seed: int) -> Tensor:
    generator = np.random.default_rng(seed)
    audio = torch.zeros(1, SECONDS * RATE)
    for place in generator.integers(0, SECONDS * RATE - 9, per_second * SECONDS):
        audio[:, place : place + 3] += float(generator.choice([-1, 1]) * generator.uniform(0.05, 0.6))
    return audio


def disturbances(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(SECONDS * RATE)[None] / RATE
    white = torch.randn(1, SECONDS * RATE, generator=generator)
    return {
        "TV line": 10 ** (-50 / 20) * torch.sin(2 * np.pi * 15_734 * time),
        "pilot": 10 ** (-45 / 20) * torch.sin(2 * np.pi * 19_000 * time),
        "hiss": 10 ** (-62 / 20) * white,
        "hiss to 16 kHz": 10 ** (-62 / 20) * steep(white, 16_000),
        "clicks": clicks((5, 10, 20)[seed % 3], seed),
        "dither": 10 ** (-86 / 20) * white,
        "DC": torch.full_like(white, 0.2),
    }


def coded(audio: Tensor, codec: str, container: str, rate: int, bit_rate: int | None) -> Tensor:
    """[1, time] at 44.1 kHz there and back through an encoder that runs at `rate`."""
    samples = (resample(audio, RATE, rate) if rate != RATE else audio).clamp(-1, 1).numpy()
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        if bit_rate:
            stream.bit_rate = bit_rate
        elif codec == "libmp3lame":
            stream.codec_context.options = {"compression_level": "2"}
            stream.codec_context.flags |= av.codec.context.Flags.qscale
            stream.codec_context.global_quality = 0
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples, np.float32), format="flt", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, "mono", rate, frame_size=stream.codec_context.frame_size or 1024)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as read:
        to_float = av.AudioResampler("flt", "mono", None)
        parts = [part.to_ndarray() for frame in read.decode(audio=0) for part in to_float.resample(frame)]
        decoded_rate = read.streams.audio[0].codec_context.sample_rate
    return at_rate(np.concatenate(parts, axis=1), decoded_rate, audio.shape[-1])


def gsm(audio: Tensor) -> Tensor:
    file = io.BytesIO()
    soundfile.write(file, resample(audio, RATE, 8000)[0].numpy(), 8000, format="WAV", subtype="GSM610")
    file.seek(0)
    return at_rate(soundfile.read(file, dtype="float32")[0][None], 8000, audio.shape[-1])


def at_rate(samples: np.ndarray, rate: int, length: int) -> Tensor:
    audio = torch.from_numpy(np.ascontiguousarray(samples, np.float32))
    audio = resample(audio, rate, RATE) if rate != RATE else audio
    return torch.nn.functional.pad(audio, (0, max(0, length - audio.shape[-1])))[:, :length]


CODECS = {
    **{
        f"MP3 {rate}k": ("libmp3lame", "mp3", RATE, 1000 * rate)
        for rate in (48, 64, 80, 96, 112, 128, 160, 192, 256, 320)
    },
    "MP3 V0": ("libmp3lame", "mp3", RATE, None),
    **{f"AAC {rate}k": ("aac", "adts", RATE, 1000 * rate) for rate in (32, 48, 64, 96, 128)},
    **{f"Opus {rate}k": ("libopus", "ogg", 48_000, 1000 * rate) for rate in (8, 12, 16, 24, 48, 96)},
    **{f"AMR {rate}k": ("libopencore_amrnb", "amr", 8000, int(1000 * rate)) for rate in (4.75, 12.2)},
    "G.711 A": ("pcm_alaw", "wav", 8000, None),
    "G.711 mu": ("pcm_mulaw", "wav", 8000, None),
    "G.722": ("g722", "wav", 16_000, None),
    "GSM": None,
}


def through(audio: Tensor, codec: str) -> Tensor:
    return coded(audio, *CODECS[codec]) if CODECS[codec] else gsm(audio)


@cache
def codec_edge(codec: str) -> float:
    """The highest 100 Hz band in which white noise loses less than 20 dB."""
    white = 0.1 * torch.randn(1, SECONDS * RATE, generator=torch.Generator().manual_seed(0))
    before, after = (torch.fft.rfft(audio).abs().square()[0] for audio in (white, through(white, codec)))
    width = round(100 * SECONDS)
    bands = len(before) // width
    loss = [float(a.sum() / b.sum()) for b, a in zip(before.split(width), after.split(width), strict=True)][:bands]
    edge = 100.0 * (1 + max(band for band in range(bands) if loss[band] > 0.01))
    return edge if edge < FULL * RATE / 2 else RATE / 2


def cases(seed: int) -> Iterator[Case]:
    """All signals, made of the sources `seed` to `seed` + 140."""
    for s, name in enumerate(SOURCES):
        for i, edge in enumerate(EDGES):
            audio = source(name, seed + 10 * s + i)
            yield Case("steep", f"{name} {edge}", steep(audio, edge), RATE, label(edge))
            filtered_audio, low, high = sloped(audio, cheby1(8, 0.1, edge, output="sos", fs=RATE))
            yield Case("Chebyshev 8", f"{name} {edge}", filtered_audio, RATE, label(low, high))
        for edge in (2000, 3000, 4000, 6000):
            for stages in (2, 3, 4):
                sos = np.tile(butter(2, edge, output="sos", fs=RATE), (stages, 1))
                audio, low, high = sloped(source(name, seed + edge // 100 + stages), sos)
                yield Case(f"slope {12 * stages} dB/octave", f"{name} {edge}", audio, RATE, label(low, high))
        for i, edge in enumerate((3000, 4000, 5500, 8000, 11_000)):
            audio = steep(source(name, seed + 40 + i), edge)
            audio = audio * (0.15 / audio.square().mean().sqrt())
            for disturbance, added in disturbances(seed + i).items():
                yield Case(disturbance, f"{name} {edge}", audio + added, RATE, label(edge))
        for i in range(12):
            yield Case("full band", f"{name} {i}", source(name, seed + 60 + i), RATE, label(RATE / 2))
        for i, (first, second) in enumerate([(16_000, 4000), (8000, 3400), (4000, 16_000), (3400, 11_000)]):
            audio = source(name, seed + 80 + i, seconds=12)
            half = audio.shape[-1] // 2
            parts = [steep(audio[:, :half], first), steep(audio[:, half:], second)]
            labels = [[(6, first, first), (12, second, second)]]
            yield Case("changes in time", f"{name} {first} {second}", torch.cat(parts, dim=-1), RATE, labels)
            both = torch.cat([steep(source(name, seed + 90 + i), edge) for edge in (first, second)])
            yield Case("by channel", f"{name} {first} {second}", both, RATE, label(first) + label(second))
        for i, edge in enumerate((4000, 8000, 16_000, 22_000)):
            audio = steep(source(name, seed + 94 + i, rate=96_000), edge, 96_000)
            yield Case("in 96 kHz", f"{name} {edge}", audio, 96_000, label(edge))
        for i, codec in enumerate(CODECS):
            audio = source(name, seed + 100 + i)
            audio = 0.7 * audio / audio.abs().max()
            yield Case(codec.split()[0], f"{codec} {name}", through(audio, codec), RATE, label(codec_edge(codec)))


def right(case: Case, found: list[list[Edge]]) -> bool:
    """Whether at least 90 % of the time, less a second for each change, has the edge of its label in every channel."""
    for edges, labels in zip(found, case.labels, strict=True):
        good, begin = 0.0, 0.0
        for until, low, high in labels:
            for edge in edges:
                if low * (1 - TOLERANCE) <= edge.hz <= high * (1 + TOLERANCE):
                    good += max(0.0, min(until, edge.end_s) - max(begin, edge.begin_s))
            begin = until
        if good < 0.9 * begin - (len(labels) - 1):
            return False
    return True


def always(hz: float, case: Case) -> list[list[Edge]]:
    return [[Edge(0, case.audio.shape[-1] / case.rate, hz)]] * len(case.labels)


METHODS = {
    "find_edges": lambda case: find_edges(case.audio, case.rate),
    "content_edge_hz": lambda case: always(content_edge_hz(case.audio, case.rate), case),
    "bandwidth_hz": lambda case: always(float(bandwidth_hz(case.audio[None], case.rate)[0]), case),
    "99 % (A2SB)": lambda case: always(float(rolloff_hz(case.audio[None], case.rate, 0.99, "power")[0]), case),
    "98.5 % (AudioSR)": lambda case: always(float(rolloff_hz(case.audio[None], case.rate, 0.985)[0]), case),
}


@dataclass
class Counts:
    """Of the signals of one seed, by kind and by method."""

    totals: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    right: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))
    said_wrongly: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    not_seen: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wrong: list[str] = field(default_factory=list)

    def share(self, method: str) -> float:
        """Of signals that `method` is right about, in percent."""
        return 100 * sum(self.right[method].values()) / sum(self.totals.values())


def counted(seed: int) -> Counts:
    counts = Counts()
    for case in cases(seed):
        counts.totals[case.kind] += 1
        full = all(low == case.rate / 2 for channel in case.labels for _, low, _ in channel)
        for method, find in METHODS.items():
            found = find(case)
            is_right = right(case, found)
            claimed = any(edge.hz >= FULL * case.rate / 2 for channel in found for edge in channel)
            counts.right[method][case.kind] += is_right
            counts.said_wrongly[method] += claimed and not full
            counts.not_seen[method] += full and not is_right
            if method == "find_edges" and not is_right:
                edges = "; ".join(", ".join(f"{edge.hz:.0f} Hz to {edge.end_s:.1f} s" for edge in row) for row in found)
                labels = [[(until, round(low), round(high)) for until, low, high in row] for row in case.labels]
                counts.wrong.append(f"- {seed}: {case.kind}, {case.name}: label {labels}, found {edges}")
                print(counts.wrong[-1], flush=True)
    return counts


def main(seeds: Sequence[int]) -> None:
    found = [counted(seed) for seed in seeds]
    rows = [["kind", "signals", *METHODS]]
    for kind in found[0].totals:
        sums = [str(sum(counts.right[method][kind] for counts in found)) for method in METHODS]
        rows.append([kind, str(sum(counts.totals[kind] for counts in found)), *sums])
    number = sum(sum(counts.totals.values()) for counts in found)
    shares = [f"{spread([counts.share(method) for counts in found], 1)} %" for method in METHODS]
    rows.append(["all", str(number), *shares])
    rows.append(
        ["full band said wrongly", "", *(str(sum(c.said_wrongly[method] for c in found)) for method in METHODS)]
    )
    rows.append(["full band not seen", "", *(str(sum(c.not_seen[method] for c in found)) for method in METHODS)])
    put(PAGE, "bandwidth", rows)
    put_text(PAGE, "wrong", "\n".join(line for counts in found for line in counts.wrong))


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
