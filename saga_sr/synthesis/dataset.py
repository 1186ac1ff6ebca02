"""The built-in data: music-like, percussive and speech-like clips, made on the fly."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from saga_sr.core.errors import ConfigError
from saga_sr.synthesis.music import music
from saga_sr.synthesis.noise import room_tone
from saga_sr.synthesis.room import reverberated
from saga_sr.synthesis.speech import speech
from saga_sr.synthesis.tones import Signal, from_db


class SyntheticAudio(Dataset[dict[str, Any]]):
    """Clips whose item `i` depends on (seed, i) alone.

    Instruments continue their harmonic series, drums start with a thump and a broadband burst, voices have formants,
    breath and fricatives; rooms, levels and a recording's noise floor are drawn for each clip. So the high band can be
    inferred from the low one in the ways that it can in recordings.

    Args:
        size: number of clips.
        num_samples: length of a clip.
        sample_rate: Hz.
        seed: clips of different seeds share nothing.
        channels: 1, or 2 with each source at a place of its own.

    Raises:
        ConfigError: a channel count other than 1 or 2.
    """

    def __init__(
        self, size: int, num_samples: int, sample_rate: int = 44_100, seed: int = 0, channels: int = 1
    ) -> None:
        if channels not in (1, 2):
            raise ConfigError(f"data.channels={channels} is not possible; synthetic audio has 1 or 2.")
        self.size = size
        self.num_samples = num_samples
        self.sample_rate = sample_rate
        self.seed = seed
        self.channels = channels

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`{"hr": float32 [channels, num_samples], "index": index, "caption": what the clip contains, "name": ...}`.

        Raises:
            IndexError: no such clip.
        """
        if not 0 <= index < self.size:
            raise IndexError(f"clip {index} of {self.size}")
        rng = np.random.default_rng([self.seed, index])
        tracks, ingredients = self._tracks(rng)
        tracks = [track / (np.sqrt(np.mean(track**2)) + 1e-6) * from_db(rng.uniform(-9, 0)) for track in tracks]
        mix, place = self._mix(rng, tracks)
        mix = mix * (from_db(rng.uniform(-23, -15)) / np.float32(np.sqrt(np.mean(mix**2)) + 1e-9))
        floor, level = room_tone(rng, mix.size, self.sample_rate)
        mix += floor.reshape(mix.shape)
        mix *= min(1.0, 0.98 / float(np.abs(mix).max()))
        caption = ", ".join([*ingredients, *place] + (["noisy recording"] if level > -78 else []))
        name = f"synthetic-{self.seed}-{index:06d}"
        return {"hr": torch.from_numpy(mix), "index": index, "caption": caption, "name": name}

    def _tracks(self, rng: np.random.Generator) -> tuple[list[Signal], list[str]]:
        kind = rng.random()
        if kind < 0.6:
            return music(rng, self.num_samples, self.sample_rate)
        if kind < 0.9:
            return speech(rng, self.num_samples, self.sample_rate)
        tracks, ingredients = music(rng, self.num_samples, self.sample_rate)
        voices, voice = speech(rng, self.num_samples, self.sample_rate)
        return tracks + voices, ingredients + voice

    def _mix(self, rng: np.random.Generator, tracks: list[Signal]) -> tuple[Signal, list[str]]:
        """The tracks in their places, [channels, num_samples] in one room, and the room's name."""
        if self.channels == 1:
            mix = np.stack(tracks).sum(axis=0, keepdims=True)
        else:
            angle = rng.uniform(0.15, 0.85, len(tracks)) * np.pi / 2
            gains = np.stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
            mix = gains @ np.stack(tracks)
        if rng.random() < 0.4:
            return mix, ["dry"]
        wet = [reverberated(rng, channel, self.sample_rate) for channel in mix]
        return np.stack([signal for signal, _ in wet]), [wet[0][1]]
