"""What the documentation shows and plays of the bundled model: python benchmarks/before_after.py CORPUS docs/assets

A song of the bundled model's validation list (`experiments/bundled/corpus.py` makes CORPUS), low-passed and restored:
"Sectoid Frets on Fire Song Pack", copyright 2006/2007 Carlos Viola Iborra, under the MIT licence. Training has heard
none of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import soundfile

import saga_sr
from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.files.reading import read_audio
from saga_sr.pages.spectrograms import spectrogram_figure

CLIP = "validation/music/fretsonfire-songs-sectoid_18807321c4ff.flac"
BEGIN_S, LENGTH_S, CUTOFF_HZ = 40, 7, 4000


def main(corpus: Path, folder: Path) -> None:
    """Write the picture and the three recordings."""
    whole, rate = read_audio(corpus / CLIP)
    reference = whole[:, BEGIN_S * rate : (BEGIN_S + LENGTH_S) * rate].mean(0, keepdim=True)
    before = degrade(reference[None], [LowPassFilter("chebyshev1", 8, CUTOFF_HZ)], rate)[0]
    after = saga_sr.load()(before, rate).audio
    shown = {"before": before, "after": after, "original": reference}
    loudest = max(float(audio.abs().max()) for audio in shown.values())
    folder.mkdir(parents=True, exist_ok=True)
    for name, audio in shown.items():
        soundfile.write(folder / f"{name}.flac", (audio / max(loudest, 1.0)).T.numpy(), rate, "PCM_16")
    spectrogram_figure(shown, rate, CUTOFF_HZ).savefig(folder / "before_after.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
