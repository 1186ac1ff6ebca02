"""Degradations that are drawn and done clip by clip, on the CPU."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor

from saga_sr.audio.degradation import Degraded, cut_above
from saga_sr.audio.spectrum import bandwidth_hz
from saga_sr.core.errors import ConfigError
from saga_sr.core.random_numbers import Generators, numpy_generators


class ClipDegradation(ABC):
    """Degrades each clip by itself, and cuts it above its edge as enhancing does.

    Args:
        sample_rate: Hz.
        bandwidth_fraction: no edge lies above this share of the clip's own bandwidth.

    Raises:
        ConfigError: a share outside (0, 1].
    """

    on_cpu = True

    def __init__(self, sample_rate: int, bandwidth_fraction: float = 0.94) -> None:
        if not 0 < bandwidth_fraction <= 1:
            raise ConfigError(f"degradation.bandwidth_fraction={bandwidth_fraction} must lie in (0, 1].")
        self.sample_rate = sample_rate
        self.bandwidth_fraction = bandwidth_fraction

    @abstractmethod
    def degrade_clip(self, audio: Tensor, rng: np.random.Generator) -> tuple[Tensor, float]:
        """`audio` [c, time] degraded, aligned to it, and the frequency where its content ends now."""

    def __call__(self, hr: Tensor, generators: Generators) -> Degraded:
        """Degrade `hr` [b, c, time]; CPU `generators` draw, so that a seed means the same on any device."""
        limits = (self.bandwidth_fraction * bandwidth_hz(hr, self.sample_rate)).tolist()
        draws = numpy_generators(len(hr), generators)
        clips, edges = [], []
        for clip, limit, rng in zip(hr.cpu().float(), limits, draws, strict=True):
            degraded, edge_hz = self.degrade_clip(clip, rng)
            clips.append(degraded)
            edges.append(min(float(edge_hz), limit))
        cutoff_hz = torch.tensor(edges, device=hr.device)
        return Degraded(cut_above(torch.stack(clips).to(hr), cutoff_hz, self.sample_rate), cutoff_hz)
