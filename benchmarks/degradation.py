"""Low-pass degradation: one FFT per batch against forward-backward sections and two resamplings per file.

python benchmarks/degradation.py
"""

from __future__ import annotations

import math
import platform
import statistics
import time

import numpy as np
import scipy
import torch
from scipy import signal

from saga_sr.audio.degradation import KINDS, LowPassFilter, degrade

RATE, LENGTH, ROUNDS = 44_100, 262_144, 40
SCIPY_NAMES = {"chebyshev1": "cheby1", "butterworth": "butter", "bessel": "bessel", "elliptic": "ellip"}


def sections_and_resampling(audio: np.ndarray, low_pass: LowPassFilter) -> np.ndarray:
    """The usual pipeline: zero-phase recursive filter, decimate to the cutoff's rate and back."""
    sos = signal.iirfilter(
        low_pass.order,
        low_pass.cutoff_hz,
        rp=0.1,
        rs=60,
        ftype=SCIPY_NAMES[low_pass.kind],
        btype="low",
        fs=RATE,
        output="sos",
    )
    filtered = signal.sosfiltfilt(sos, audio, axis=-1)
    down = round(2 * low_pass.cutoff_hz)
    shared = math.gcd(down, RATE)
    low = signal.resample_poly(filtered, down // shared, RATE // shared, axis=-1)
    return signal.resample_poly(low, RATE // shared, down // shared, axis=-1)[..., : audio.shape[-1]]


def measure(threads: int) -> tuple[list[float], list[float]]:
    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    audio = 0.1 * rng.standard_normal((2, LENGTH))
    tensor = torch.from_numpy(audio.astype(np.float32))[None]
    ours, theirs = [], []
    for i in range(ROUNDS + 2):
        low_pass = LowPassFilter(KINDS[i % 4], int(rng.integers(2, 11)), float(rng.uniform(2000, 16000)))
        begin = time.perf_counter()
        degrade(tensor, [low_pass], RATE)
        middle = time.perf_counter()
        sections_and_resampling(audio, low_pass)
        if i >= 2:
            ours.append(middle - begin)
            theirs.append(time.perf_counter() - middle)
    return ours, theirs


def main() -> None:
    print(f"{platform.processor() or platform.machine()}, torch {torch.__version__}, scipy {scipy.__version__}")
    print(
        f"2 x {LENGTH} samples, {ROUNDS} random low-passes, both in one run: "
        "medians, and the median of the pairs' ratios\n"
    )
    print("| torch threads | sections + resample_poly | this package | ratio |")
    print("|---|---|---|---|")
    for threads in (1, torch.get_num_threads()):
        ours, theirs = measure(threads)
        ratio = statistics.median(t / o for t, o in zip(theirs, ours, strict=True))
        print(
            f"| {threads} | {statistics.median(theirs) * 1e3:.1f} ms "
            f"| {statistics.median(ours) * 1e3:.1f} ms | {ratio:.1f} x |"
        )


if __name__ == "__main__":
    main()
