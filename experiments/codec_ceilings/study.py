"""Make this study's table: `python experiments/codec_ceilings/study.py LIST [NAME=PATH ...]`.

LIST is a table of recordings with a column `path`, relative to it, whose second folder is their kind, as in the corpus.
NAME is a codec with weights, `dac`, `oobleck` or an `audioldm2_...`, and PATH is where they are; without one its row
says that it was not run. `table.md` is written beside this file, and the table of speech in README.md.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import yaml
from hydra.utils import get_class
from torch import Tensor

from experiments.tables import put
from saga_sr.audio.resample import resample
from saga_sr.codecs.codec import Codec
from saga_sr.codecs.griffin_lim import griffin_lim, linear_magnitudes
from saga_sr.codecs.mdct import MDCT
from saga_sr.codecs.mel import Mel
from saga_sr.core.atomic_file import write_atomically
from saga_sr.core.config import CONF_DIR
from saga_sr.evaluation.metrics import correlation, lsd, mel_l1, snr
from saga_sr.files.reading import read_audio

RATE, SECONDS, CLIPS, PEAK = 44_100, 3.0, 4, 0.5
# An error in a latent of unit variance, of the size that a good model makes.
NOISE = 0.1
HOPS, EXPONENTS = (128, 256, 512, 1024, 2048), (0.25, 0.35, 0.5, 0.7, 1.0)
BANDS, ITERATIONS = (64, 128, 256), 32
WITH_WEIGHTS = ("dac", "oobleck", "audioldm2_music", "audioldm2_speech", "audioldm2_large")
HERE = Path(__file__).parent
# The kind in the README, and what its table goes without.
SHOWN = "speech"
LEFT_OUT = {
    *(f"mdct, {hop} coefficients, exponent 0.5" for hop in (256, 1024)),
    *(f"mdct, 512 coefficients, exponent {exponent}" for exponent in (0.35, 0.7)),
    "mel, 128 bands, true phase",
}
HEADINGS = [
    "latent",
    "numbers a second",
    "SNR (dB)",
    "correlation",
    "LSD",
    "mel L1",
    "SNR, noise",
    "LSD, noise",
]

Decode = Callable[[Tensor], Tensor]


def clips(table: Path) -> dict[str, Tensor]:
    """The first clips [b, 1, time] of each kind that sound, at one peak."""
    kept: dict[str, list[Tensor]] = {}
    with table.open() as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            found = kept.setdefault(Path(row["path"]).parts[1], [])
            if len(found) == CLIPS:
                continue
            audio, rate = read_audio(table.parent / row["path"], 0, 20 * RATE)
            audio = resample(audio.mean(0, keepdim=True), rate, RATE)
            length = round(SECONDS * RATE)
            starts = range(0, audio.shape[-1] - length + 1, length)
            if starts:
                clip = max((audio[:, start : start + length] for start in starts), key=lambda part: float(part.std()))
                if clip.abs().max() > 0.01:
                    found.append(PEAK * clip / clip.abs().max())
    return {kind: torch.stack(found) for kind, found in kept.items() if found}


def judged(output: Tensor, audio: Tensor) -> list[float]:
    return [float(metric(output, audio).median()) for metric in (snr, correlation, lsd)] + [
        float(mel_l1(output, audio, RATE).median())
    ]


@torch.no_grad()
def row(name: str, codec: Codec, audio: Tensor, decode: Decode | None = None) -> list[str]:
    """What `codec` keeps of `audio`, by itself and with an error in its latent.

    Args:
        decode: another way back from a latent than the codec's.
    """
    here = resample(audio, RATE, codec.sample_rate)
    codec.fit_statistics([here])
    latent = codec.encode(here)
    decode = decode or (lambda z: codec.decode(z, here.shape[-1]))
    output = decode(latent)
    noise = NOISE * torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    found = judged(at_rate(output, codec, audio), audio)
    disturbed = judged(at_rate(decode(latent + noise), codec, audio), audio)
    numbers = codec.latent_dim * codec.sample_rate / codec.hop_length
    figures = [*found, disturbed[0], disturbed[2]]
    return [name, f"{numbers:,.0f}", *(f"{figure:.2f}" for figure in figures)]


def at_rate(output: Tensor, codec: Codec, audio: Tensor) -> Tensor:
    return resample(output.mean(1, keepdim=True), codec.sample_rate, RATE)[..., : audio.shape[-1]]


def phases_of(codec: Mel, audio: Tensor, magnitudes: Callable[[Tensor], Tensor], true: bool) -> Decode:
    """A way back that is told the recordings' own phases, or finds some, for what `magnitudes` makes of a latent."""
    mel = codec.mel.network
    spectra = mel.stft(audio[:, 0])

    def decode(latent: Tensor) -> Tensor:
        found = magnitudes(latent)
        frames = min(found.shape[-1], spectra.shape[-1])
        phases = torch.polar(found[..., :frames], spectra[..., :frames].angle())
        output = mel.stft.inverse(phases) if true else griffin_lim(found, mel.stft, ITERATIONS)
        return torch.nn.functional.pad(output, (0, max(0, audio.shape[-1] - output.shape[-1])))[
            :, None, : audio.shape[-1]
        ]

    return decode


def rows(audio: Tensor, weights: dict[str, str]) -> Iterator[list[str]]:
    for hop in HOPS:
        yield row(f"mdct, {hop} coefficients, exponent 0.5", MDCT(RATE, hop, 0.5), audio)
    for exponent in EXPONENTS:
        yield row(f"mdct, 512 coefficients, exponent {exponent:g}", MDCT(RATE, 512, exponent), audio)
    for bands in BANDS:
        codec = Mel(latent_dim=bands)

        def spread(latent: Tensor, codec: Mel = codec) -> Tensor:
            return linear_magnitudes(latent * codec.latent_scale + codec.latent_mean, codec.mel.network)

        yield row(f"mel, {bands} bands, true phase", codec, audio, phases_of(codec, audio, spread, true=True))
        yield row(f"mel, {bands} bands, Griffin-Lim", codec, audio)
    codec = Mel()
    magnitudes = codec.mel.network.stft(audio[:, 0]).abs()
    decode = phases_of(codec, audio, lambda latent: magnitudes, true=False)
    found = row("all magnitudes, Griffin-Lim", codec, audio, decode)
    yield [found[0], f"{magnitudes.shape[1] * RATE / codec.hop_length:,.0f}", *found[2:6], "-", "-"]
    for name in WITH_WEIGHTS:
        if name not in weights:
            yield [f"{name}: not run, no weights here", *["-"] * (len(HEADINGS) - 1)]
            continue
        settings = yaml.safe_load((Path(CONF_DIR) / "codec" / f"{name}.yaml").read_text())
        codec = get_class(settings.pop("_target_"))(**{**settings, "path": weights[name]})
        for inverter in codec.inverters or ("",):
            codec.inverter = inverter
            yield row(f"{name} {inverter}".strip(), codec, audio)


def main(table: Path, weights: dict[str, str]) -> None:
    lines, shown = [], [HEADINGS]
    for kind, audio in clips(table).items():
        lines += [f"### {kind}, {len(audio)} clips", "", f"| {' | '.join(HEADINGS)} |", "|---" * len(HEADINGS) + "|"]
        for cells in rows(audio, weights):
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1], flush=True)
            if kind == SHOWN and cells[0] not in LEFT_OUT and cells not in shown:
                shown.append(cells)
        lines.append("")
    write_atomically(HERE / "table.md", "\n".join(lines))
    put(HERE / "README.md", SHOWN, shown)


if __name__ == "__main__":
    main(Path(sys.argv[1]), dict(word.split("=", 1) for word in sys.argv[2:]))
