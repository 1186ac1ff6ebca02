"""Recordings to prepare and to train on, small and quick to make."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch.nn.functional import pad

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.resample import resample
from saga_sr.files.writing import write_audio
from saga_sr.synthesis.dataset import SyntheticAudio

SUFFIXES = (".flac", ".wav", ".mp3")


def sound(seed: int, samples: int, channels: int, rate: int) -> np.ndarray:
    """Noise and a tone, [time, channels]."""
    rng = np.random.default_rng(seed)
    tone = np.sin(2 * np.pi * rng.uniform(200, 4000) * np.arange(samples) / rate)
    return 0.1 * rng.standard_normal((samples, channels)) + 0.2 * tone[:, None]


def write_recordings(folder: Path, count: int, seconds: float) -> Path:
    """Files of all kinds, rates and channel counts in folders, with captions; one of them holds no audio."""
    lines = []
    for i in range(count):
        rate, name = (44_100, 48_000, 22_050)[i % 3], f"set{i % 2}/song{i}{SUFFIXES[i % 3]}"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sound(i, round(seconds * rate) + 137 * i, 1 + i % 2, rate), rate)
        lines.append(json.dumps({"path": name, "caption": f"song {i}"}))
    (folder / "bad.wav").write_text("no audio")
    (folder / "captions.jsonl").write_text("\n".join(lines) + "\n")
    return folder


PAIR_RATE = 44_100
LOW_PASS = [LowPassFilter("chebyshev1", 8, 3000.0)]


def low_passed(audio: torch.Tensor) -> torch.Tensor:
    return degrade(audio[None], LOW_PASS, PAIR_RATE)[0]


def write_pair(
    side: Path, name: str, seed: int, delay: int = 0, low_rate: int = PAIR_RATE, suffix: str = ".wav", cut: int = 0
) -> torch.Tensor:
    """Two versions of a clip, of which the degraded one comes `delay` samples later and is `cut` shorter."""
    audio: torch.Tensor = SyntheticAudio(1, 2 * PAIR_RATE, PAIR_RATE, seed)[0]["hr"]
    low = pad(low_passed(audio), (delay, -cut))
    write_audio(side / f"high/{name}.flac", audio, PAIR_RATE)
    write_audio(side / f"low/{name}{suffix}", resample(low, PAIR_RATE, low_rate), low_rate)
    return audio


# A preparation of a few seconds, in shards of three clips.
PREPARE = ["-m", "saga_sr", "prepare", "codec.latent_dim=64", "num_samples=16384", "shard_mb=0.3", "num_workers=2"]
