"""What codecs keep of recordings: each recording through encode and decode, judged against itself."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from saga_sr.audio.resample import resample
from saga_sr.codecs.codec import Codec
from saga_sr.core.errors import AudioError, SagaError
from saga_sr.evaluation.comparison import write_json
from saga_sr.evaluation.metrics import correlation, lsd, lsd_octaves, mel_l1, rmse, si_sdr, snr
from saga_sr.evaluation.perceptual import listen
from saga_sr.files.reading import inspect_audio, read_audio
from saga_sr.files.writing import AudioWriter

logger = logging.getLogger(__name__)

# Shorter ones hold less than a few frames of any codec or spectrum.
LEAST_S = 0.1
# Of a number of a latent, and of a sample that it is held against.
BITS = 16
WARM_UP_S = 0.25
# Codecs see recordings at this peak, as those of mel spectrograms are trained; what comes out is brought back.
PEAK = 0.5


@dataclass(frozen=True)
class Latent:
    """How large a latent of a recording is.

    Attributes:
        channels, frames: of a latent; `items` is how many there are, the recording's channels that were encoded apart.
        seconds, samples: of the recording, those of all of its channels.
    """

    channels: int
    frames: int
    items: int
    seconds: float
    samples: int

    def as_json(self) -> dict[str, float]:
        """The size, its rate, and its ratio to that of the recording, at 16 bits a number and a sample."""
        numbers = self.channels * self.frames * self.items
        return {
            "channels": self.channels,
            "frames": self.frames,
            "items": self.items,
            "numbers": numbers,
            "numbers_per_second": numbers / self.seconds,
            "kbit_per_second": numbers * BITS / self.seconds / 1000,
            "compression_ratio": self.samples / numbers,
        }


@dataclass(frozen=True)
class Reconstruction:
    """What a codec made of a recording.

    Attributes:
        audio: [c, time], at the recording's rate, aligned with it.
        metrics: by name, None where one is not defined, of which `undefined` has the reason.
        octaves: LSD of each octave, by its centre in Hz.
        encode_s, decode_s: seconds taken.
    """

    audio: Tensor
    latent: Latent
    metrics: dict[str, float | None]
    octaves: dict[float, float]
    undefined: dict[str, str]
    encode_s: float
    decode_s: float

    @property
    def figures(self) -> dict[str, float | None]:
        """All numbers but those of octaves, by name."""
        seconds = self.encode_s + self.decode_s
        speed = {"seconds": seconds, "times_real_time": self.latent.seconds / max(seconds, 1e-9)}
        return {**self.metrics, **speed, **self.latent.as_json()}

    def as_json(self) -> dict[str, Any]:
        """All but the audio."""
        figures = self.figures
        return {
            "metrics": {name: rounded(value) for name, value in self.metrics.items()},
            "undefined": self.undefined,
            "lsd_by_octave_hz": {f"{hz:g}": rounded(value) for hz, value in self.octaves.items()},
            "encode_seconds": rounded(self.encode_s),
            "decode_seconds": rounded(self.decode_s),
            "seconds": rounded(figures["seconds"]),
            "times_real_time": rounded(figures["times_real_time"]),
            "latent": {name: rounded(value) for name, value in self.latent.as_json().items()},
        }


@dataclass
class Reconstructed:
    """A recording and what each codec made of it.

    Attributes:
        audio: the recording [c, time].
        results: by method.
        failures: why a method could do nothing with it, by method.
    """

    name: str
    audio: Tensor
    sample_rate: int
    results: dict[str, Reconstruction] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def without_audio(self) -> Reconstructed:
        """The figures alone."""
        results = {method: replace(result, audio=result.audio[:, :0]) for method, result in self.results.items()}
        return replace(self, audio=self.audio[:, :0], results=results)

    def write(self, path: Path, skipped: Mapping[str, str]) -> None:
        """Write the recording, what was made of it, and `*_analysis.json` with all figures, as `path` with endings.

        Args:
            skipped: why each method that was not tried was not.
        """
        files = {method: _beside(path, f"{method}_reconstruction.wav") for method in self.results}
        self._write_audio(_beside(path, "original.wav"), self.audio)
        for method, result in self.results.items():
            self._write_audio(files[method], result.audio)
        content = {
            "file": self.name,
            "seconds": self.audio.shape[-1] / self.sample_rate,
            "sample_rate": self.sample_rate,
            "channels": len(self.audio),
            "methods": {
                method: {"audio": files[method].name, **result.as_json()} for method, result in self.results.items()
            },
            "failed": self.failures,
            "skipped": dict(skipped),
        }
        write_json(_beside(path, "analysis.json"), content)

    def _write_audio(self, path: Path, audio: Tensor) -> None:
        with AudioWriter(path, self.sample_rate, len(audio), "float") as writer:
            writer.write(audio)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}_{ending}")


@dataclass(frozen=True)
class Way:
    """A codec, and which of its ways back to audio is taken, where it has several."""

    codec: Codec
    inverter: str | None = None

    def decoded(self, raw: Tensor, length: int) -> Tensor:
        """Audio [b, codec's channels, length] of a raw latent."""
        if self.inverter is not None:
            self.codec.inverter = self.inverter
        return self.codec.synthesise(raw, length)


@torch.no_grad()
def ways_of(name: str, codec: Codec) -> dict[str, Way]:
    """The ways through `codec`, by the codec's name and the inverter's; each has computed once.

    What is made at a first call is not to be counted as time that the recording takes.
    """
    codec.eval()
    ways = {f"{name}_{inverter}": Way(codec, inverter) for inverter in codec.inverters} or {name: Way(codec)}
    noise = 0.1 * torch.randn(1, codec.channels, round(WARM_UP_S * codec.sample_rate))
    for way in ways.values():
        way.decoded(codec.analyse(noise.to(codec.latent_mean.device)), noise.shape[-1])
    return ways


def reconstruct_files(
    files: Mapping[Path, Path], ways: Mapping[str, Way], skipped: Mapping[str, str], longest_s: float, examples: int
) -> list[Reconstructed]:
    """Take recordings through each of `ways`, and write what comes of each.

    Args:
        files: the recordings, and as what each is written, see `Reconstructed.write`.
        skipped: why each method that is not tried is not.
        longest_s: how much of each is taken, from its beginning.
        examples: of how many the audio is kept.

    Raises:
        AudioError: a recording cannot be read, before anything is done, or is too short.
    """
    infos = [inspect_audio(path) for path in files]
    lengths = [round(min(longest_s * info.sample_rate, info.frames)) for info in infos]
    results = []
    for number, info in enumerate(tqdm(infos, unit="file", delay=2, leave=False)):
        audio, rate = read_audio(info.path, 0, lengths[number])
        result = reconstruct_all(str(info.path), audio, rate, ways)
        for method, reason in result.failures.items():
            logger.warning("%s, %s: %s", info.path, method, reason)
        result.write(files[info.path], skipped)
        results.append(result if number < examples else result.without_audio())
    return results


def reconstruct_all(name: str, audio: Tensor, sample_rate: int, ways: Mapping[str, Way]) -> Reconstructed:
    """Take `audio` [c, time] through each of `ways`; what one of them refuses is noted.

    Raises:
        AudioError: it is shorter than 0.1 s.
    """
    if audio.shape[-1] < LEAST_S * sample_rate:
        raise AudioError(
            f"{name} gives {audio.shape[-1] / sample_rate:.3f} s, where codecs and metrics need {LEAST_S:g} s; give a "
            "longer recording, or a longer max_length."
        )
    found = Reconstructed(name, audio, sample_rate)
    for method, way in ways.items():
        try:
            found.results[method] = reconstruct(way, audio, sample_rate)
        except SagaError as error:
            found.failures[method] = str(error)
    return found


@torch.no_grad()
def reconstruct(way: Way, audio: Tensor, sample_rate: int) -> Reconstruction:
    """`audio` [c, time] through a codec and back, at its rate and on its device, and judged against itself.

    Raises:
        SagaError: the codec cannot take it.
    """
    codec, device = way.codec, way.codec.latent_mean.device
    at_rate = resample(audio, sample_rate, codec.sample_rate)
    gain = PEAK / at_rate.abs().max().clamp(min=1e-6)
    items = codec.apart(gain * at_rate[None]).to(device)
    begin = _now(device)
    raw = codec.analyse(items)
    encoded = _now(device)
    decoded = way.decoded(raw, at_rate.shape[-1])
    end = _now(device)
    output = codec.together(decoded.float().cpu() / gain, len(audio))[0]
    output = resample(output, codec.sample_rate, sample_rate)[:, : audio.shape[-1]]
    latent = Latent(raw.shape[1], raw.shape[2], raw.shape[0], audio.shape[-1] / sample_rate, audio.numel())
    heard = listen(output, audio, sample_rate)
    octaves = {hz: float(value) for hz, value in lsd_octaves(output[None], audio[None], sample_rate).items()}
    metrics = waveform_metrics(output, audio, sample_rate) | heard.values
    return Reconstruction(output, latent, metrics, octaves, heard.reasons, encoded - begin, end - encoded)


def waveform_metrics(output: Tensor, audio: Tensor, sample_rate: int) -> dict[str, float | None]:
    """The metrics that need no listener, of two signals [c, time]."""
    pair = output[None], audio[None]
    return {
        "snr": float(snr(*pair)),
        "correlation": float(correlation(*pair)),
        "rmse": float(rmse(*pair)),
        "si_sdr": float(si_sdr(*pair)),
        "lsd": float(lsd(*pair)),
        "mel_l1": float(mel_l1(*pair, sample_rate)),
    }


def _now(device: torch.device) -> float:
    """Seconds, once all that was asked for is done."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return time.perf_counter()


def rounded(value: float | None, digits: int = 6) -> float | None:
    """`value` to so many significant digits."""
    return value if not isinstance(value, float) or not math.isfinite(value) else float(f"{value:.{digits}g}")
