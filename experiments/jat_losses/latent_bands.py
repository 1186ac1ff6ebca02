"""What slow changes of a latent are in the sound: `python experiments/jat_losses/latent_bands.py CORPUS DAC`.

JaT's consistency term holds an estimate to z_lr below 0.3 of the latent's frame rate Fs, as if the input knew what is
there. Here z_hr and z_lr of the same clips are parted at 0.3 Fs along time, and one part of each is decoded, in MDCT
latents and in those of the small DAC in the folder DAC that autoencoder.py trained. Tables go into README.md, and the
mean levels of what is decoded into latent_bands.png.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from experiments.codec_ceilings.study import RATE, clips
from experiments.tables import put, spread
from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.spectrum import bin_frequencies, log_power
from saga_sr.codecs.codec import Codec
from saga_sr.codecs.dac import DAC
from saga_sr.codecs.mdct import MDCT
from saga_sr.evaluation.metrics import energy_hf_db, lsd_band

HERE = Path(__file__).parent
# Clips of each kind.
EACH = 2
LATENT_DIM, SHARE = 256, 0.3
CUTOFFS_HZ = (4000.0, 8000.0)
COLOURS = {
    "all of z_hr": "black",
    "z_lr below 0.3 Fs, z_hr above": "#d62728",
    "z_hr below 0.3 Fs, z_lr above": "#17a673",
    "all of z_lr": "#7f7f7f",
}


def slow(z: Tensor) -> Tensor:
    """What of a latent [b, c, frame] changes more slowly than 0.3 Fs."""
    frames = z.shape[-1]
    return torch.fft.irfft(torch.fft.rfft(z) * (torch.fft.rfftfreq(frames) <= SHARE), frames)


def parted(codec: Codec, hr: Tensor, cutoff_hz: float) -> tuple[dict[str, Tensor], Tensor]:
    """Audio [b, 1, time] of latents that have one part of z_hr and one of z_lr, and what of their difference is slow.

    The latter is a share [b] of its energy; of white noise it is 0.6.
    """
    lr = degrade(hr, [LowPassFilter("chebyshev1", 8, cutoff_hz)] * len(hr), RATE)
    cutoffs = torch.full((len(hr),), cutoff_hz)
    z_hr, z_lr = codec.encode(hr), codec.without_rounding(codec.encode(lr), cutoffs)
    latents = (z_hr, z_hr + slow(z_lr - z_hr), z_lr + slow(z_hr - z_lr), z_lr)
    audios = {name: codec.decode(z, hr.shape[-1]) for name, z in zip(COLOURS, latents, strict=True)}
    difference = z_hr - z_lr
    return audios, slow(difference).square().sum(dim=(1, 2)) / difference.square().sum(dim=(1, 2))


def rows(name: str, audios: dict[str, Tensor], share: Tensor, hr: Tensor, cutoff_hz: float) -> list[list[str]]:
    """Of the table: means over the clips, and how far they scatter."""
    decoded = audios["all of z_hr"]
    edge, nyquist = (torch.full((len(hr),), hz) for hz in (cutoff_hz, RATE / 2))
    found = []
    for way, audio in audios.items():
        energy = energy_hf_db(audio, decoded, edge, RATE)
        to_decoded, to_recording = (lsd_band(audio, other, edge, nyquist, RATE) for other in (decoded, hr))
        cells = [spread(energy.tolist(), 1), spread(to_decoded.tolist()), spread(to_recording.tolist())]
        found.append([f"{cutoff_hz / 1000:g} kHz", name, spread(share.tolist()), way, *cells])
    return found


@torch.no_grad()
def main(corpus: Path, folder: str) -> None:
    hr = torch.cat([found[:EACH] for found in clips(corpus / "validation.tsv").values()])
    table = [["cutoff", "latent", "slow share", "decoded", "HF energy (dB)", "LSD-HF", "LSD-HF to the recording"]]
    figure = Figure(figsize=(11, 3.8), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2, sharey=True)
    codecs = {"MDCT, 512 coefficients": MDCT(), f"DAC, {LATENT_DIM} channels": DAC(folder, latent_dim=LATENT_DIM)}
    for cutoff_hz in CUTOFFS_HZ:
        for (name, codec), axis in zip(codecs.items(), panels, strict=True):
            codec.fit_statistics([hr])
            audios, share = parted(codec, hr, cutoff_hz)
            table += rows(name, audios, share, hr, cutoff_hz)
            print(*table[-len(COLOURS) :], sep="\n", flush=True)
            if cutoff_hz == CUTOFFS_HZ[0]:
                for way, colour in COLOURS.items():
                    level = 10 * log_power(audios[way]).mean(dim=(0, 1, 3))
                    axis.plot(bin_frequencies(RATE) / 1000, level, color=colour, linewidth=1, label=way)
                axis.axvline(cutoff_hz / 1000, color="black", linewidth=0.5, linestyle=":")
                axis.set_title(name, fontsize=9)
                axis.set_xlabel("frequency (kHz)")
                axis.grid(alpha=0.25)
    panels[0].set_ylabel("mean level (dB)")
    panels[0].legend(frameon=False, fontsize=8)
    figure.savefig(HERE / "latent_bands.png")
    put(HERE / "README.md", "latent_bands", table)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
