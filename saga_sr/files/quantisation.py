"""Samples as files store them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from saga_sr.files.output_formats import Depth


class Quantiser:
    """Turns samples, block by block, into those of a file; however they come in blocks, the result is the same.

    Those of 16 bits are dithered (TPDF, 2 LSB wide), always by the same numbers. What has 16 bits already, silence for
    one, stays as it is.

    Source: Lipshitz, Wannamaker & Vanderkooy, "Quantization and Dither: A Theoretical Survey", JAES 40(5), 1992.

    Args:
        depth: 16, 24 or `float`; None for formats that store no samples.
    """

    def __init__(self, depth: Depth | None) -> None:
        self.depth = depth
        self._numbers = np.random.Generator(np.random.PCG64(0))

    def stored(self, audio: Tensor) -> np.ndarray:
        """`audio` [channels, time] as [time, channels]: int16, int32 whose upper 24 bits count, or float32."""
        samples = audio.detach().cpu().float().T.contiguous()
        if self.depth == "float":
            return samples.numpy()
        if self.depth == 16:
            return self._dithered(samples)
        if self.depth == 24:
            # Readers divide by 2^23: multiplying by 2^23 - 1, as libsndfile does, a copy would not be the same.
            return ((samples * 2**23).round().clamp(-(2**23), 2**23 - 1).int() * 2**8).numpy()
        return samples.clamp(-1, 1).numpy()

    def _dithered(self, samples: Tensor) -> np.ndarray:
        steps = samples * 2**15
        first, second = torch.from_numpy(self._numbers.random((*steps.shape, 2), np.float32)).unbind(-1)
        needed = steps != steps.round()
        return (steps + needed * (first - second)).round().clamp(-(2**15), 2**15 - 1).short().numpy()
