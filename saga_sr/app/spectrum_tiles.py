"""Columns of spectrograms for the player, of stretches that are too long for a browser to be given as sound."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from saga_sr.inference.measurement import OUTPUT_RATE

# As `static/spectrum_worker.js` makes them of sound: samples of a frame, frames of a column, rows, bins of a row, and
# the level of byte 0 in dB, a byte more being half a dB more.
SIZE, FRAMES, ROWS, BINS, LOWEST_DB = 2048, 4, 512, 2, -127.5
FINEST = 256
# What can be asked for at once.
LEVELS, MOST_COLUMNS = range(15), 64


def columns(read: Callable[[int, int], Tensor], rate: int, length: int, level: int, first: int, end: int) -> bytes:
    """Columns [first, end) of a level, each twice as wide as those of the level before, [column, row] in bytes.

    The frames are as long in seconds as those of the model's rate, so that their bins are where those are.

    Args:
        read: gives samples [channel, time] from one on, as many as are said, or fewer at the end.
        rate: Hz, of what is read.
        length: samples that there are.
    """
    size = round(SIZE * rate / OUTPUT_RATE)
    window = torch.hann_window(size)
    hop = FINEST * 2**level * rate / OUTPUT_RATE
    powers = []
    for column in range(first, end):
        centres = [(column + (frame + 0.5) / FRAMES) * hop for frame in range(FRAMES)]
        frames = torch.stack([_frame(read, round(centre - size / 2), size, length) for centre in centres])
        spectra = torch.fft.rfft(frames.where(frames.isfinite(), 0.0) * window)
        powers.append(spectra.abs().square().mean(dim=(0, 1)))
    power = torch.stack(powers)[:, : ROWS * BINS]
    power = torch.nn.functional.pad(power, (0, ROWS * BINS - power.shape[1]))
    loudest = power.unflatten(1, (ROWS, BINS)).amax(dim=2) / (window.sum() / 2).square()
    db = 10 * loudest.clamp(min=1e-30).log10()
    return bytes(((db - LOWEST_DB) * 2).round().clamp(0, 255).to(torch.uint8).flatten().tolist())


def _frame(read: Callable[[int, int], Tensor], start: int, size: int, length: int) -> Tensor:
    """Samples [channel, size] from `start` on, zeros where there are none."""
    begin, end = max(start, 0), min(start + size, length)
    audio = read(begin, max(end - begin, 0))
    return torch.nn.functional.pad(audio, (begin - start, size - (begin - start) - audio.shape[1]))
