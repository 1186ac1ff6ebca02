"""Error of levels in decibels, for networks that state a variance and latents that are a spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, huber_loss

from saga_sr.core.errors import ConfigError
from saga_sr.flow.objective import Estimate


class LogLevel(nn.Module):
    """How far the stated level, E[z^2], is from that of the target, in decibels, at several resolutions.

    A likelihood fits mean powers: where a level is uncertain by 8 dB, the mean is 7 dB above what is usual, and quiet
    moments come out too bright. Ears and log-spectral distances ask for the usual level. But a passage's energy is that
    of its loud moments: coarse windows, in which powers are averaged first, keep it right.

    Args:
        windows: of each resolution, over how many channels and frames (odd) powers are averaged.
        floor_db: level that is as good as none.
        robust_db: error from which on it counts linearly (Huber, "Robust Estimation of a Location Parameter", 1964).

    Raises:
        ConfigError: even windows.
    """

    def __init__(
        self,
        windows: Sequence[Sequence[int]] = ((9, 1), (65, 17)),
        floor_db: float = -35.0,
        robust_db: float = 10.0,
    ) -> None:
        super().__init__()
        self.windows = [(int(channels), int(frames)) for channels, frames in windows]
        if any(size < 1 or size % 2 == 0 for window in self.windows for size in window):
            raise ConfigError(f"loss.windows={self.windows} must be odd numbers of channels and of frames.")
        self.floor, self.robust_db = 10 ** (floor_db / 10), robust_db

    def forward(self, estimate: Estimate) -> dict[str, Tensor]:
        """The named term of the loss of `estimate`.

        Raises:
            ConfigError: the network states no variance.
        """
        if estimate.variance is None:
            raise ConfigError("loss=log_level needs a network that states its variance; choose backbone=envelope.")
        stated = estimate.data.float().square() + estimate.variance.float()
        target = estimate.target_data.float().square()
        terms = [self._at(stated, target, *window) for window in self.windows]
        return {"log_level": torch.stack(terms).mean()}

    def _at(self, stated: Tensor, target: Tensor, channels: int, frames: int) -> Tensor:
        a, b = (10 * torch.log10(_averaged(x, channels, frames) + self.floor) for x in (stated, target))
        return huber_loss(a, b, delta=self.robust_db)


def _averaged(power: Tensor, channels: int, frames: int) -> Tensor:
    """`power` [b, c, frame] averaged over windows of so many `channels` and `frames`, at half their distance."""
    x = avg_pool1d(power.transpose(1, 2), channels, max(channels // 2, 1), channels // 2, count_include_pad=False)
    return avg_pool1d(x.transpose(1, 2), frames, max(frames // 2, 1), frames // 2, count_include_pad=False)
