"""What a generated band is best made of, if its levels are right: noise, its signs, or the low band copied up.

python experiments/bundled/excitation.py CORPUS

CORPUS is what `corpus.py` made. Clips of its validation list get the levels of their own coefficients, smoothed over
370 Hz within a frame, and every fine structure in turn.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.files import read_audio
from saga_sr.audio.low_band import replace_low_band
from saga_sr.codecs.mdct import MDCT
from saga_sr.evaluation.baselines import band_replication
from saga_sr.evaluation.metrics import energy_hf_db, lsd_band, onset_hf_db

RATE, SECONDS, CLIPS, TOP_HZ = 44_100, 4, 6, 19_000.0
SMOOTH_HZ = 370.0
KINDS = ("music", "speech", "sample")


def validation_clips(corpus: Path, kind: str) -> Tensor:
    """The middles [clip, 1, time] of clips of a kind that are wide enough, spread over the list."""
    with (corpus / "validation.tsv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if f"/{kind}/" in row["path"]]
    wide = [row["path"] for row in rows if float(row["edge_hz"]) >= TOP_HZ]
    clips = []
    for path in wide[:: max(len(wide) // CLIPS, 1)][:CLIPS]:
        audio, length = read_audio(corpus / path)[0].mean(dim=0, keepdim=True), SECONDS * RATE
        first = max((audio.shape[1] - length) // 2, 0)
        clips.append(pad(audio[:, first : first + length], (0, max(length - audio.shape[1], 0))))
    return torch.stack(clips)


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


def main(corpus: Path) -> None:
    """Print the table."""
    print("| cutoff | kind | hop | fine structure | LSD-HF | HF energy (dB) | HF onset (dB) |")
    print("|---|---|---|---|---|---|---|")
    for hz in (4000.0, 8000.0):
        for kind in KINDS:
            hr = validation_clips(corpus, kind)
            edge, top = torch.full((len(hr),), hz), torch.full((len(hr),), TOP_HZ)
            lr = degrade(hr, [LowPassFilter("chebyshev1", 8, hz)] * len(hr), RATE)
            rows = {("", "band replication, levels its own"): band_replication(lr, edge, RATE)}
            for hop in (512, 1024):
                for structure in ("gaussian", "rademacher", "replicated"):
                    rows[str(hop), structure] = filled(hr, lr, edge, hop, structure)
            for (hop_length, name), output in rows.items():
                figures = (
                    lsd_band(output, hr, edge, top, RATE),
                    energy_hf_db(output, hr, edge, RATE),
                    onset_hf_db(output, hr, edge, RATE),
                )
                shown = " | ".join(f"{float(figure.mean()):.2f}" for figure in figures)
                print(f"| {hz / 1000:g} kHz | {kind} | {hop_length} | {name} | {shown} |", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
