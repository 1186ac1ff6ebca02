"""Signals that exceed full scale brought within it, where they are to be stored in fixed point."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile

import numpy as np
import torch
from torch import Tensor

from saga_sr.audio.limiter import Limiter
from saga_sr.core.errors import AudioError

# Bytes of a signal that are kept in memory while its peak is not known, and samples that are read back at a time.
IN_MEMORY, BLOCK = 1 << 26, 1 << 16


class FullScale:
    """A signal that comes block by block, with nothing beyond [-1, 1] in it; one that never exceeds it stays as it is.

    `scale` turns all of it down by what its highest peak needs, which is known at its end: until then it lies in a
    file without a name in `folder`. `limit` turns its peaks down (`Limiter`), `none` clips them, and None keeps them.

    Attributes:
        peak: the largest magnitude that came.
        clipped: how many samples `none` has clipped.
    """

    def __init__(self, way: str | None, sample_rate: int, folder: Path | None = None) -> None:
        self.way, self.folder = way, folder
        self.peak, self.clipped = 0.0, 0
        self.limiter = Limiter(sample_rate)

    def fit(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        """The `blocks` [c, time] within full scale, not cut as they came.

        Raises:
            AudioError: no room is left in the folder.
        """
        measured = self._measured(blocks)
        if self.way == "scale":
            yield from self._scaled(measured)
        elif self.way == "limit":
            yield from self._limited(measured)
        else:
            yield from measured if self.way is None else map(self._clip, measured)

    def notes(self, name: str) -> list[str]:
        """What was done to the signal called `name`, in a sentence; none where nothing was."""
        if self.way is None or self.peak <= 1:
            return []
        done = {
            "scale": "all of it is turned down by that",
            "limit": f"{self.limiter.limited_s:.3g} s of it are limited",
            "none": f"{self.clipped} samples of it are clipped",
        }[self.way]
        over_db = 20 * math.log10(self.peak)
        return [f"{name} would exceed full scale by {over_db:.3g} dB, so {done} (clip={self.way})."]

    def _measured(self, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        for block in blocks:
            if block.numel():
                self.peak = max(self.peak, float(block.abs().max()))
                yield block

    def _clip(self, block: Tensor) -> Tensor:
        self.clipped += int((block.abs() > 1).sum())
        return block.clamp(-1, 1)

    def _limited(self, blocks: Iterator[Tensor]) -> Iterator[Tensor]:
        empty = None
        for block in blocks:
            empty = block[:, :0]
            yield self.limiter.push(block)
        if empty is not None:
            yield self.limiter.push(empty, last=True)

    def _scaled(self, blocks: Iterator[Tensor]) -> Iterator[Tensor]:
        folder = None if self.folder is None else str(self.folder)
        file = SpooledTemporaryFile(IN_MEMORY, dir=folder)  # noqa: SIM115 - closed below, where a full disk is no news
        channels = 1
        try:
            for block in blocks:
                channels = len(block)
                self._set_aside(block, file)
            file.seek(0)
            while data := file.read(4 * channels * BLOCK):
                block = torch.from_numpy(np.frombuffer(data, np.float32).reshape(-1, channels).T.copy())
                yield block / self.peak if self.peak > 1 else block
        finally:
            with suppress(OSError):  # it was said already
                file.close()

    def _set_aside(self, block: Tensor, file: SpooledTemporaryFile[bytes]) -> None:
        try:
            file.write(block.float().T.contiguous().numpy().tobytes())
            file.flush()
        except OSError as error:
            raise AudioError(
                f"{self.folder} has no room for the signal until its peak is known ({error.strerror}); "
                "free some space, or give clip=limit, which needs none."
            ) from error
