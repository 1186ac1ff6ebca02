"""Random crops of a pool of clips in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset


class ClipPool(Dataset[dict[str, Any]]):
    """Random crops of `clips`; item `i` depends on (seed, i) alone.

    Each crop gets a gain of its own (-6 to 0 dB, either polarity), so that no two are alike.

    Args:
        clips: [clip, c, time].
        captions: of each clip.
        size: number of items.
        num_samples: length of a crop, at most that of the clips.
    """

    def __init__(self, clips: Tensor, captions: list[str], size: int, num_samples: int, seed: int) -> None:
        self.clips = clips
        self.captions = captions
        self.size = size
        self.num_samples = num_samples
        self.seed = seed

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> dict[str, Any]:
        """`{"hr": [c, num_samples], "index": index, "caption": of the clip, "name": ...}`."""
        rng = np.random.default_rng([self.seed, index])
        clip = int(rng.integers(len(self.clips)))
        start = int(rng.integers(self.clips.shape[-1] - self.num_samples + 1))
        gain = float(rng.choice([-1, 1]) * 10 ** (-rng.uniform(0, 6) / 20))
        crop = gain * self.clips[clip, :, start : start + self.num_samples]
        return {"hr": crop, "index": index, "caption": self.captions[clip], "name": f"clip-{clip}@{start}"}
