"""What a generated band is best made of, if its levels are right: noise, its signs, or the low band copied up.

python experiments/bundled/excitation.py CORPUS

CORPUS is what `corpus.py` made. The clips that `quality.py` takes of it get the levels of their own coefficients,
smoothed over 370 Hz within a frame, and every fine structure in turn.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import torch
from quality import CUTOFFS_HZ, choose
from torch import Tensor
from torch.nn.functional import avg_pool1d

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.low_band import replace_low_band
from saga_sr.codecs.mdct import MDCT
from saga_sr.evaluation.baselines import band_replication
from saga_sr.evaluation.comparison import LOW_PASS
from saga_sr.evaluation.metrics import measure

RATE, CLIPS, SMOOTH_HZ = 44_100, 6, 370.0
STRUCTURES = ("gaussian", "rademacher", "replicated")
FIGURES = ("lsd_hf", "energy_hf_db", "onset_hf_db")


def filled(hr: Tensor, lr: Tensor, cutoff_hz: Tensor, hop: int, structure: str) -> Tensor:
    """`lr` with a high band of the levels of `hr`, all [b, 1, time]."""
    codec = MDCT(RATE, hop, 0.5)
    z, z_lr = codec.encode(hr), codec.encode(lr)
    reach = round(SMOOTH_HZ / 2 / codec.bin_hz)
    power = avg_pool1d(z.square().transpose(1, 2), 2 * reach + 1, 1, reach, count_include_pad=False)
    sigma = power.sqrt().transpose(1, 2)
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
    if structure == "rademacher":
        noise = noise.sign()
    if structure == "replicated":
        noise = codec.replicated(z_lr, cutoff_hz, noise)
    return replace_low_band(codec.decode(sigma * noise, hr.shape[-1]), lr, cutoff_hz, RATE, "crossfade")


def ways(hr: Tensor, lr: Tensor, cutoff_hz: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Each way to fill the band, as two cells of the table, and its result."""
    yield " | band replication, levels its own", band_replication(lr, cutoff_hz, RATE)
    for hop in (512, 1024):
        for structure in STRUCTURES:
            yield f"{hop} | {structure}", filled(hr, lr, cutoff_hz, hop, structure)


def main(corpus: Path) -> None:
    """Print the table."""
    print("| cutoff | kind | hop | fine structure | LSD-HF | HF energy (dB) | HF onset (dB) |")
    print("|---|---|---|---|---|---|---|")
    for hz in CUTOFFS_HZ:
        for kind, clips in groupby(choose(corpus, CLIPS, RATE), key=lambda clip: clip.kind):
            found: dict[str, list[list[float]]] = {}
            for clip in clips:
                hr, cutoff_hz = clip.audio[None], torch.tensor([float(hz)])
                lr = degrade(hr, [LowPassFilter(*LOW_PASS, float(hz))], RATE)
                for way, output in ways(hr, lr, cutoff_hz):
                    figures = measure(output, hr, cutoff_hz, RATE, torch.tensor([clip.edge_hz]))
                    found.setdefault(way, []).append([float(figures[name]) for name in FIGURES])
            for way, rows in found.items():
                shown = " | ".join(f"{value:.2f}" for value in torch.tensor(rows).mean(dim=0).tolist())
                print(f"| {hz / 1000:g} kHz | {kind} | {way} | {shown} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
