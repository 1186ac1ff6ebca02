"""Recordings to prepare, small and quick to make."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import soundfile

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


# A preparation of a few seconds, in shards of three clips.
PREPARE = ["-m", "saga_sr", "prepare", "codec.latent_dim=64", "num_samples=16384", "shard_mb=0.3", "num_workers=2"]
