"""How fast files are enhanced, beside a network of LavaSR's size, in turns on two cores.

python benchmarks/enhancing_speed.py [MODEL [ROUNDS]]

Files of 3 minutes at 44.1 kHz, read, restored and written by a process that has started; the network alone makes 48 kHz
of random mel spectrograms by the weights that it begins with.
"""

from __future__ import annotations

import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.core.hardware import keep_memory
from saga_sr.files.writing import write_audio
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.load import load_model

CORES, RATE, SECONDS, EDGE_HZ = 2, 44_100, 180, 4000.0
PRESETS = ("fast", "balanced", "best")
AIMS = {("fast", 1): 75, ("fast", 2): 40, ("balanced", 1): 25, ("best", 1): 8}
# Of LavaSR's network.
PEER_RATE, MELS, WIDTH, INNER, DEPTH, N_FFT, HOP = 48_000, 80, 512, 1536, 8, 2048, 512
PEER_CHUNK_S = 10


class ConvNeXt(nn.Module):
    """A block of a depthwise convolution and two layers of each frame.

    Source: Liu et al., "A ConvNet for the 2020s" (2022), in one dimension as Vocos has it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(WIDTH, WIDTH, 7, padding=3, groups=WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.layers = nn.Sequential(nn.Linear(WIDTH, INNER), nn.GELU(), nn.Linear(INNER, WIDTH))
        self.scale = nn.Parameter(torch.full((WIDTH,), 1 / DEPTH))

    def forward(self, x: Tensor) -> Tensor:
        """[b, width, frame]."""
        frames = self.convolution(x).transpose(1, 2)
        return x + (self.scale * self.layers(self.norm(frames))).transpose(1, 2)


class Vocos(nn.Module):
    """Mel spectrogram -> audio: ConvNeXt blocks, magnitudes and phases, an inverse STFT.

    Source: Siuzdak, "Vocos: Closing the Gap Between Time-Domain and Fourier-Based Neural Vocoders" (2024).
    """

    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv1d(MELS, WIDTH, 7, padding=3)
        self.norm_in, self.norm_out = nn.LayerNorm(WIDTH, eps=1e-6), nn.LayerNorm(WIDTH, eps=1e-6)
        self.blocks = nn.Sequential(*(ConvNeXt() for _ in range(DEPTH)))
        self.head = nn.Linear(WIDTH, N_FFT + 2)
        self.register_buffer("window", torch.hann_window(N_FFT))

    def forward(self, mel: Tensor) -> Tensor:
        """[b, mel, frame] -> [b, time]."""
        x = self.norm_in(self.embed(mel).transpose(1, 2)).transpose(1, 2)
        x = self.norm_out(self.blocks(x).transpose(1, 2))
        magnitude, phase = self.head(x).float().transpose(1, 2).chunk(2, dim=1)
        spectrum = torch.polar(magnitude.exp().clamp(max=100), phase)
        return torch.istft(spectrum, N_FFT, HOP, window=self.window)


def write_recording(path: Path, channels: int, seconds: int) -> Path:
    """Noise that swings, different in each channel, with a tone; all of it ends at an edge."""
    generator, time_s = torch.Generator().manual_seed(0), torch.arange(seconds * RATE) / RATE
    audio = 0.05 * torch.randn(1, channels, len(time_s), generator=generator) * (1 + 0.5 * torch.sin(4 * time_s))
    audio[:, 0] += 0.2 * torch.sin(1382.3 * time_s)
    write_audio(path, degrade(audio, [LowPassFilter("chebyshev1", 8, EDGE_HZ)], RATE)[0], RATE)
    return path


def peer(network: Vocos, mel: Tensor, half: bool) -> None:
    """All of the file's length, in chunks, by the network alone."""
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        for _ in range(SECONDS // PEER_CHUNK_S):
            network(mel)


def timed(work: Callable[[], object]) -> float:
    """Seconds of the clock."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main(model: str | None, rounds: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    torch.set_num_threads(min(CORES, torch.get_num_threads()))
    keep_memory()  # as the command does
    enhancer = Enhancer(load_model(model))
    network = Vocos().eval()
    mel = torch.randn(1, MELS, PEER_CHUNK_S * PEER_RATE // HOP)
    with TemporaryDirectory() as name:
        folder = Path(name)
        target = folder / "out.flac"
        enhancer.file(write_recording(folder / "short.flac", 2, 12), target)
        files = {channels: write_recording(folder / f"{channels}.flac", channels, SECONDS) for channels in (1, 2)}

        def enhance(preset: str, channels: int) -> Callable[[], object]:
            return lambda: enhancer.file(files[channels], target, preset=preset)

        ours = {(preset, channels): enhance(preset, channels) for preset in PRESETS for channels in files}
        runs: dict[object, list[float]] = {key: [timed(work)] for key, work in ours.items()}
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        peers = {half: lambda half=half: peer(network, mel, half) for half in (False, True)}
        runs |= {half: [timed(work)] for half, work in peers.items()}
        for _ in range(rounds - 1):
            for key, work in {**ours, **peers}.items():
                runs[key].append(timed(work))
    show({key: SECONDS / statistics.median(seconds) for key, seconds in runs.items()}, memory_mb, rounds)


def show(speeds: dict[object, float], memory_mb: float, rounds: int) -> None:
    """The table: times real time, and over the network in bfloat16."""
    print(f"Medians of {rounds}; {torch.get_num_threads()} threads, torch {torch.__version__}.\n")
    print("| what | x real time | aim | of the network's in bf16 |\n|---|---|---|---|")
    for preset in PRESETS:
        for channels, word in ((1, "mono"), (2, "stereo")):
            speed, aim = speeds[preset, channels], AIMS.get((preset, channels), "")
            print(f"| {preset}, {word} | {speed:.1f} | {aim} | {speed / speeds[True]:.2f} |")
    for half, word in ((False, "float32"), (True, "bf16")):
        print(f"| network of LavaSR's size alone, {word} | {speeds[half]:.1f} | | {speeds[half] / speeds[True]:.2f} |")
    print(f"\nMemory at most, all presets: {memory_mb:.0f} MB.")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None, int(sys.argv[2]) if len(sys.argv) > 2 else 5)
