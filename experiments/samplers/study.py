"""What solvers and time grids make of few evaluations: `python experiments/samplers/study.py MODEL [MODEL ...]`.

For each package, from the same noise: LSD-HF and energy of held-out clips of the built-in data, and how far the latent
is from where the flow leads (midpoint, 64 steps), over how often the network is evaluated. Grids are fitted to paths of
other clips. `table.md`, `curves.png` and the table in README.md, which has means and spreads over the packages, are
written beside this file. The packages are of one recipe with several seeds; `--recipe NAME` is for another than the
demo's, and goes before the names of the files and into that of the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import Tensor

from experiments.tables import put, spread
from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.core.atomic_file import write_atomically
from saga_sr.data.audio_data import EVALUATION
from saga_sr.evaluation.comparison import aligned
from saga_sr.evaluation.metrics import energy_hf_db, lsd_band
from saga_sr.flow.grids import fitted
from saga_sr.flow.sampler import Sampler
from saga_sr.model import SuperResolver
from saga_sr.packages.load import load_model
from saga_sr.synthesis.dataset import SyntheticAudio

CLIPS, SECONDS, HZ = 8, 2, 4000.0
EVALUATIONS = (1, 2, 4, 8, 16, 32)
SOLVERS = {"euler": 1, "adams_bashforth": 1, "dpmpp_2m": 1, "gaussian": 1, "midpoint": 2}  # evaluations of a step
# In the README: a sampler and its evaluations.
SHOWN = (
    ("euler", 8),
    ("euler", 32),
    ("dpmpp_2m", 8),
    ("adams_bashforth", 8),
    ("adams_bashforth, fitted grid", 8),
    ("midpoint", 8),
    ("midpoint, fitted grid", 8),
    ("gaussian", 8),
    ("gaussian", 1),
)
REFERENCE = Sampler("midpoint", 64)
HERE = Path(__file__).parent


class Clips:
    """Clips of the built-in data with and without what is above `HZ`, and the flow that a model makes of them."""

    def __init__(self, model: SuperResolver, first: int) -> None:
        rate, self.model = model.sample_rate, model
        dataset = SyntheticAudio(first + CLIPS, SECONDS * rate, rate, seed=EVALUATION)
        self.hr = torch.stack([dataset[first + i]["hr"] for i in range(CLIPS)])
        lr = degrade(self.hr, [LowPassFilter("chebyshev1", 8, HZ)] * CLIPS, rate)
        self.cutoff_hz = torch.full((CLIPS,), HZ)
        with torch.no_grad():
            z_lr = model.codec.without_rounding(model.codec.encode(lr), self.cutoff_hz)
            asked = model.prepare_conditioning(lr, self.cutoff_hz, [""] * CLIPS)
            self.field = lambda: model.velocity(z_lr, asked)  # with a schedule, one for each path
        self.noise = torch.randn(z_lr.shape, generator=torch.Generator().manual_seed(first))
        self.start = model.objective.start(z_lr, model.codec.channels_below(self.cutoff_hz))

    def sampled(self, sampler: Sampler) -> Tensor:
        """Their latents [clip, c, frame]."""
        with torch.no_grad():
            return sampler(self.field(), self.noise, start=self.start)

    def grid(self, order: int) -> list[float]:
        """The grid that fits their paths."""
        times, points = REFERENCE.times(), [self.noise]
        with torch.no_grad():
            for part in pairwise(times):
                points.append(REFERENCE.follow(self.start.in_units(self.field()), points[-1], torch.stack(part)))
        return fitted(torch.stack(points), times, 17, order)

    def figures(self, z: Tensor, reference: Tensor) -> list[float]:
        """LSD-HF, HF energy in dB, and how far `z` is from the `reference`, relative to it, in dB."""
        rate = self.model.sample_rate
        audio = self.model.codec.decode(z, self.hr.shape[-1])
        nyquist = torch.full_like(self.cutoff_hz, rate / 2)
        return [
            float(lsd_band(audio, self.hr, self.cutoff_hz, nyquist, rate).mean()),
            float(energy_hf_db(audio, self.hr, self.cutoff_hz, rate).mean()),
            float(10 * torch.log10((z - reference).square().mean() / reference.square().mean())),
        ]


def studied(path: str) -> dict[str, dict[int, list[float]]]:
    """The figures of a package by the sampler's name and the number of evaluations."""
    model = load_model(path)
    clips = Clips(model, 0)
    reference, other = clips.sampled(REFERENCE), Clips(model, CLIPS)
    grids = {order: other.grid(order) for order in (1, 2)}
    print(f"{path}: sampler.grid={[round(time, 3) for time in grids[1]]}")
    found: dict[str, dict[int, list[float]]] = {}
    for solver, each in SOLVERS.items():
        order = 1 if solver in ("euler", "gaussian") else 2
        for name, grid in ((solver, None), (f"{solver}, fitted grid", grids[order])):
            for evaluations in (count for count in EVALUATIONS if count >= each):
                z = clips.sampled(Sampler(solver, evaluations // each, grid=grid))
                found.setdefault(name, {})[evaluations] = clips.figures(z, reference)
    return found


def excerpt(found: Sequence[Mapping[str, Mapping[int, Sequence[float]]]]) -> list[list[str]]:
    """The table of `SHOWN`, of the figures of several packages."""
    rows = [["sampler", "evaluations", "from where the flow leads (dB)", "LSD-HF", "HF energy (dB)"]]
    for name, evaluations in SHOWN:
        lsd_hf, energy, distance = zip(*(figures[name][evaluations] for figures in found), strict=True)
        rows.append([name, str(evaluations), spread(distance, 1), spread(lsd_hf), spread(energy, 1)])
    return rows


def main(paths: list[str], recipe: str) -> None:
    """Write the tables and the curves."""
    prefix = f"{recipe}_" if recipe else ""
    lines, every, figure = [], [], Figure(figsize=(10, 3.6 * len(paths)), dpi=110, layout="constrained")
    panels = figure.subplots(len(paths), 3, squeeze=False)
    for number, (path, row) in enumerate(zip(paths, panels, strict=True), 1):
        every.append(studied(path))
        for place, (name, by_count) in enumerate(every[-1].items()):
            for evaluations, values in by_count.items():
                lines.append([str(number), name, str(evaluations), *(f"{value:.2f}" for value in values)])
            for axis, values in zip(row, zip(*by_count.values(), strict=True), strict=True):
                axis.plot(
                    list(by_count), values, "o-" if place % 2 == 0 else "o--", ms=3, color=f"C{place // 2}", label=name
                )
        for axis, title in zip(row, ("LSD-HF", "HF energy (dB)", "from where the flow leads (dB)"), strict=True):
            axis.set_xscale("log", base=2)
            axis.set_xlabel("evaluations of the network")
            axis.set_ylabel(title)
            axis.grid(alpha=0.3)
        row[0].set_title(f"{recipe or 'demo'}, model {number}", fontsize=9)
        row[0].legend(fontsize=6)
    figure.savefig(HERE / f"{prefix}curves.png")
    head = ["model", "sampler", "evaluations", "LSD-HF", "HF energy (dB)", "from the flow (dB)"]
    write_atomically(HERE / f"{prefix}table.md", aligned(head, lines) + "\n")
    put(HERE / "README.md", f"{prefix}samplers", excerpt(every))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--recipe", default="", metavar="NAME")
    given = parser.parse_args()
    main(given.models, given.recipe)
