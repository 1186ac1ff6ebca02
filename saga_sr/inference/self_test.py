"""Whether enhancing works on this machine: a file goes in, and one with something above its edge comes out."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from saga_sr.audio.spectrum import stft
from saga_sr.core.errors import SagaError
from saga_sr.core.hardware import pick_device
from saga_sr.files.reading import read_audio
from saga_sr.files.writing import write_audio
from saga_sr.inference.enhancer import Enhancer
from saga_sr.packages.load import load_model

SECONDS, RATE = 3, 16_000


def try_enhancing(device: str) -> str:
    """Enhance three seconds of noise by the bundled model; how long that took, in words.

    Raises:
        SagaError: what did not work.
    """
    enhancer = Enhancer(load_model(None).to(pick_device(device)))
    noise = 0.1 * torch.randn(1, SECONDS * RATE, generator=torch.Generator().manual_seed(0))
    with TemporaryDirectory() as folder:
        source, target = Path(folder) / "dull.wav", Path(folder) / "restored.flac"
        write_audio(source, noise, RATE)
        begin = time.perf_counter()
        enhancer.file(source, target)
        taken_s = time.perf_counter() - begin
        restored, rate = read_audio(target)
    power = stft(restored).abs().square().mean(dim=(0, 2))
    above = power[int(1.1 * RATE / rate * (len(power) - 1)) :]
    if restored.shape[-1] != SECONDS * rate or not float(above.sum()) > 0:
        raise SagaError("The result has nothing above the edge of the recording, or not its length")
    return f"{SECONDS} s enhanced in {taken_s:.1f} s on {next(enhancer.model.parameters()).device}"
