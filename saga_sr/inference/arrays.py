"""Audio as users hold it in memory: NumPy or torch, of any number type and with or without channels and batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saga_sr.core.errors import AudioError

# Formats of audio in integers are signed, but for 8 bits.
ZERO = {torch.uint8: 128}


def as_batch(audio: Any) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """`audio` as float32 [b, c, time] on the CPU, and what turns such a tensor into the kind that came.

    Args:
        audio: NumPy array or torch tensor [time], [channel, time] or [batch, channel, time]; floats, nominally in
            [-1, 1], or integers, whose range is full scale.

    Raises:
        AudioError: another kind, shape or number type, or no samples.
    """
    if not isinstance(audio, np.ndarray | Tensor):
        raise AudioError(f"The audio is a {type(audio).__name__}; give a NumPy array or a torch tensor.")
    try:
        tensor = torch.from_numpy(np.ascontiguousarray(audio)) if isinstance(audio, np.ndarray) else audio.detach()
    except TypeError as error:
        raise AudioError(f"The audio holds {audio.dtype}, which is no number of audio; give floats.") from error
    if tensor.dtype == torch.bool or tensor.is_complex():
        raise AudioError(f"The audio holds {tensor.dtype}, which is no number of audio; give floats or integers.")
    if not 1 <= tensor.ndim <= 3:
        raise AudioError(
            f"The audio has the shape {list(tensor.shape)}; give [time], [channel, time] or [batch, channel, time]."
        )
    if tensor.numel() == 0:
        raise AudioError(f"The audio is empty (shape {list(tensor.shape)}); give at least one sample.")
    dims, dtype, device = tensor.ndim, tensor.dtype, tensor.device
    batch = _floats(tensor).reshape((1,) * (3 - dims) + tensor.shape)

    def back(result: Tensor) -> Any:
        result = _of_dtype(result.reshape(result.shape[3 - dims :]), dtype)
        return result.numpy() if isinstance(audio, np.ndarray) else result.to(device)

    return batch, back


def is_fixed_point(audio: Any) -> bool:
    """Whether the numbers of an array or tensor end at full scale."""
    return audio.dtype.kind in "iu" if isinstance(audio, np.ndarray) else not audio.is_floating_point()


def _floats(tensor: Tensor) -> Tensor:
    if tensor.is_floating_point():
        return tensor.cpu().float()
    zero = ZERO.get(tensor.dtype, 0)
    return ((tensor.cpu().double() - zero) / _full_scale(tensor.dtype)).float()


def _of_dtype(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if dtype.is_floating_point:
        return tensor.to(dtype)
    limits = torch.iinfo(dtype)
    scaled = tensor.double() * _full_scale(dtype) + ZERO.get(dtype, 0)
    # A double holds the largest of 64 bits as a number above it.
    highest = float(limits.max) if limits.bits < 64 else np.nextafter(float(limits.max), 0)
    return scaled.round().clamp(limits.min, highest).to(dtype)


def _full_scale(dtype: torch.dtype) -> float:
    return 2.0 ** (torch.iinfo(dtype).bits - 1)
