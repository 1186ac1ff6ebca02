"""The short-time Fourier transform and its inverse, with the paddings that vocoders are trained with."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import fold, pad

from saga_sr.core.errors import AudioError, ConfigError

Padding = Literal["center", "same"]


class STFT(nn.Module):
    """Complex spectra of Hann windows, and audio from them.

    Args:
        n_fft, hop_length: samples.
        win_length: samples of the window, which stands in the middle of `n_fft`; `n_fft` by default.
        padding: `center`: frame i stands around sample i * hop, and there is one frame more than hops (librosa,
            AudioLDM). `same`: around (i + 1/2) * hop, a frame for each hop (HiFi-GAN, BigVGAN). Both reflect.

    Raises:
        ConfigError: a hop that is longer than the window, a window that is longer than `n_fft`, or with `same` an odd
            number of samples around a hop.
    """

    window: Tensor

    def __init__(self, n_fft: int, hop_length: int, win_length: int | None = None, padding: Padding = "center") -> None:
        super().__init__()
        win_length = n_fft if win_length is None else win_length
        if not 0 < hop_length < win_length <= n_fft:
            raise ConfigError(
                f"A hop of {hop_length}, a window of {win_length} and an n_fft of {n_fft} samples are not possible; "
                "the hop must be shorter than the window, and the window no longer than n_fft."
            )
        if padding == "same" and (n_fft - hop_length) % 2:
            raise ConfigError(
                f"codec.hop_length={hop_length} is not possible with an n_fft of {n_fft}: an odd number of samples "
                "is left around it; choose an even hop."
            )
        self.n_fft, self.hop_length, self.padding = n_fft, hop_length, padding
        self.reach = n_fft // 2 if padding == "center" else (n_fft - hop_length) // 2
        before = (n_fft - win_length) // 2
        window = pad(torch.hann_window(win_length), (before, n_fft - win_length - before))
        self.register_buffer("window", window, persistent=False)

    def forward(self, audio: Tensor) -> Tensor:
        """Spectra [b, n_fft / 2 + 1, frame] of `audio` [b, time].

        Raises:
            AudioError: `audio` is shorter than a window.
        """
        if audio.shape[-1] < self.n_fft:
            raise AudioError(
                f"A clip of {audio.shape[-1]} samples is shorter than one frame of this codec, {self.n_fft} samples; "
                "give a longer one."
            )
        padded = pad(audio[:, None], (self.reach, self.reach), mode="reflect")[:, 0]
        return torch.stft(padded, self.n_fft, self.hop_length, window=self.window, center=False, return_complex=True)

    def inverse(self, spectra: Tensor) -> Tensor:
        """The audio [b, time] whose spectra are nearest to `spectra` [b, n_fft / 2 + 1, frame] (Griffin & Lim 1984).

        Its time is that of `length_of`.
        """
        frames = torch.fft.irfft(spectra, self.n_fft, dim=1) * self.window[:, None]
        weights = self.window.square()[None, :, None].expand(1, -1, frames.shape[-1])
        total, weight = self._overlapped(frames), self._overlapped(weights)
        end = total.shape[-1] - self.reach
        return (total / weight.clamp(min=1e-8))[:, self.reach : end]

    def length_of(self, frames: int) -> int:
        """Samples that so many frames are turned back into: a hop each, but for one with the padding `center`."""
        return self.hop_length * (frames - 1) + self.n_fft - 2 * self.reach

    def _overlapped(self, frames: Tensor) -> Tensor:
        """The sum [b, time] of `frames` [b, n_fft, frame], each at its place."""
        length = self.hop_length * (frames.shape[-1] - 1) + self.n_fft
        return fold(frames, (1, length), kernel_size=(1, self.n_fft), stride=(1, self.hop_length))[:, 0, 0]
