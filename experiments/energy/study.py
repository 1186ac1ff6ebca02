"""Make this study's tables and picture: `python experiments/energy/study.py MODEL [MODEL ...]`.

Each MODEL is a package of the demo's recipe, with another seed; what is called earlier is the same model by the sampler
that the demo had. The tables in README.md have the mean and spread over the models, and the picture is of the first.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from experiments.tables import put, spread
from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.codecs.mdct import MDCT
from saga_sr.data.audio_data import EVALUATION
from saga_sr.evaluation.metrics import energy_hf_db, lsd_band, onset_hf_db, pre_attack_hf_db
from saga_sr.inference.enhancer import Enhancer
from saga_sr.inference.settings import EnhanceSettings, SamplerSettings
from saga_sr.packages.load import load_model
from saga_sr.pages.spectrograms import spectrogram_figure
from saga_sr.synthesis.dataset import SyntheticAudio
from saga_sr.synthesis.drums import hat

PAGE = Path(__file__).with_name("README.md")
RATE = 44_100
CUTOFFS_HZ = (4000.0, 8000.0)
ORDERS = (1.0, 2.0, 4.0)
EARLIER = SamplerSettings(solver="euler", steps=16, power=0.33, noise="rademacher")
NOW = SamplerSettings(solver="gaussian", steps=4, power=1.0, noise="rademacher")
SAMPLERS = [
    EARLIER,
    *(replace(NOW, solver="euler", steps=steps) for steps in (4, 16, 64)),
    *(replace(NOW, steps=steps) for steps in (1, 2, 4, 16)),
    replace(NOW, noise="gaussian"),
    replace(NOW, noise="replicated"),
]


def low_passed(audio: Tensor, cutoff_hz: float) -> Tensor:
    return degrade(audio, [LowPassFilter("chebyshev1", 8, cutoff_hz)] * len(audio), RATE)


def restored(model: Path, audio: Tensor, cutoff_hz: float, sampler: SamplerSettings) -> Tensor:
    enhancer = Enhancer(load_model(model), EnhanceSettings(sampler=sampler, batch_size=8))
    return enhancer.clips(low_passed(audio, cutoff_hz), torch.full((len(audio),), cutoff_hz))


def moments_db(output: Tensor, reference: Tensor, cutoff_hz: float) -> list[float]:
    """Level of the moments of `ORDERS` of the MDCT's coefficients above the cutoff, output over reference.

    A signal whose levels are right on average but do not scatter as the reference's do falls short the more, the higher
    the order; energy is order 2. What the companding of 0.5 has for energy is order 1.
    """
    codec = MDCT(exponent=1.0)
    first = int(1.06 * cutoff_hz / (RATE / 2) * codec.latent_dim)
    x, y = (codec.analyse(audio)[:, first:].abs() for audio in (output, reference))
    ratios = [20 / p * torch.log10(x.pow(p).mean((1, 2)) / y.pow(p).mean((1, 2))).mean() for p in ORDERS]
    return [float(ratio) for ratio in ratios]


def sampler_table(models: Sequence[Path], clips: Tensor) -> list[list[str]]:
    table = [["cutoff", "sampler", "LSD-HF", "HF energy (dB)", "onset (dB)", *(f"moment {p:g} (dB)" for p in ORDERS)]]
    for hz in CUTOFFS_HZ:
        edge, nyquist = (torch.full((len(clips),), value) for value in (hz, RATE / 2))
        for sampler in SAMPLERS:
            found = []
            for model in models:
                output = restored(model, clips, hz, sampler)
                figures = [
                    lsd_band(output, clips, edge, nyquist, RATE),
                    energy_hf_db(output, clips, edge, RATE),
                    onset_hf_db(output, clips, edge, RATE),
                ]
                found.append([*(float(figure.mean()) for figure in figures), *moments_db(output, clips, hz)])
            name = f"{sampler.solver} {sampler.steps}, power {sampler.power:g}, {sampler.noise}"
            table.append([f"{hz / 1000:g} kHz", name, *(spread(values) for values in zip(*found, strict=True))])
            print(*table[-1], sep="  ", flush=True)
    return table


def transients() -> dict[str, tuple[Tensor, list[int]]]:
    """Eight of each, [clip, 1, time] over room tone at -70 dBFS, with the sample at which each begins."""
    rng = np.random.default_rng(0)
    attacks = [RATE + 61 * i for i in range(8)]  # at all places in the codec's frames
    t = np.arange(RATE // 2) / RATE
    castanet = sum(np.sin(2 * np.pi * hz * t) * np.exp(-t / 0.004) for hz in (1900, 3100, 5200))
    castanet += rng.standard_normal(len(t)) * np.exp(-t / 0.003)
    sounds = {"click": np.eye(1, 8)[0], "castanet": castanet, "hi-hat": hat(rng, rng, RATE)}
    found = {}
    for name, sound in sounds.items():
        clips = 10**-3.5 * rng.standard_normal((len(attacks), 1, 2 * RATE))
        for clip, attack in zip(clips, attacks, strict=True):
            clip[0, attack : attack + len(sound)] += 0.5 * sound / np.abs(sound).max()
        found[name] = torch.from_numpy(clips).float(), attacks
    return found


def signs_drawn(audio: Tensor, cutoff_hz: float) -> Tensor:
    """`audio` with the signs of the codec's coefficients above the cutoff drawn anew: what right levels alone give."""
    codec = MDCT()
    z = codec.analyse(audio)
    first = int(cutoff_hz / (RATE / 2) * codec.latent_dim)
    z[:, first:] *= torch.randn(z[:, first:].shape, generator=torch.Generator().manual_seed(0)).sign()
    return codec.synthesise(z, audio.shape[-1])


def before_db(output: Tensor, clips: Tensor, attacks: Sequence[int], hz: float) -> list[float]:
    """What stands before each attack, output over reference."""
    edge = torch.tensor([hz])
    return [float(pre_attack_hf_db(output[[i]], clips[[i]], attack, edge, RATE)) for i, attack in enumerate(attacks)]


def transient_table(models: Sequence[Path]) -> list[list[str]]:
    """What stands before attacks; nothing holds back what has the right levels."""
    table = [["transient", "cutoff", "earlier", "now", "replicated", "right levels, signs drawn"]]
    for name, (clips, attacks) in transients().items():
        for hz in CUTOFFS_HZ:
            cells = []
            for way in (EARLIER, NOW, replace(NOW, noise="replicated")):
                found = [before_db(restored(model, clips, hz, way), clips, attacks, hz) for model in models]
                worst = max(max(places) for places in found)
                cells.append(f"{spread([float(np.mean(places)) for places in found], 1)} ({worst:+.1f})")
            right = before_db(signs_drawn(clips, hz), clips, attacks, hz)
            cells.append(f"{np.mean(right):.1f} ({max(right):+.1f})")
            table.append([name, f"{hz / 1000:g} kHz", *cells])
            print(*table[-1], sep="  ", flush=True)
    return table


def draw(model: Path, clips: Tensor) -> None:
    """One second of a clip by both samplers, beside the reference."""
    hz = CUTOFFS_HZ[0]
    audios = {
        "low-passed at 4 kHz": low_passed(clips, hz),
        "earlier: euler, power 0.33": restored(model, clips, hz, EARLIER),
        "now: gaussian, 4 steps": restored(model, clips, hz, NOW),
        "reference": clips,
    }
    figure = spectrogram_figure({name: audio[0, :, RATE : 2 * RATE] for name, audio in audios.items()}, RATE, hz, 3.2)
    figure.savefig(Path(__file__).parent / "drums.png", dpi=100)


def main(models: Sequence[Path]) -> None:
    held_out = SyntheticAudio(32, 4 * RATE, RATE, seed=EVALUATION)
    audio = torch.stack([held_out[i]["hr"] for i in range(32)])
    put(PAGE, "samplers", sampler_table(models, audio))
    put(PAGE, "attacks", transient_table(models))
    draw(models[0], audio[12:13])  # bass and drums in a hall


if __name__ == "__main__":
    main([Path(word) for word in sys.argv[1:]])
