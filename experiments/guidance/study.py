"""What cheaper guidance costs: `python experiments/guidance/study.py RUN [RUN ...] --students RUN [RUN ...]`.

RUN is a run for each seed, and the students are those that the guidance of each was distilled into. For each schedule
of nested guidance, and for the student, over 100 of Euler's steps from the same noise: how many branches are evaluated
and how long that takes beside a loop over the branches one after another; how far the result is from that of the
guidance at all times, and how both stand to the truth; and how near the student's velocity is to the guided one.
`table.md`, `curves.png` and the tables in README.md, which have means and spreads over the runs, are written beside
this file.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from experiments.tables import put, spread
from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.core.atomic_file import write_atomically
from saga_sr.data.audio_data import EVALUATION
from saga_sr.evaluation.comparison import aligned
from saga_sr.evaluation.metrics import lsd_band
from saga_sr.flow.guidance import Branch, DistilledGuidance, Nested, Schedule
from saga_sr.flow.sampler import Sampler
from saga_sr.model import SuperResolver
from saga_sr.packages.load import load_model
from saga_sr.synthesis.dataset import SyntheticAudio

CLIPS, SAMPLES, HZ, STEPS = 6, 32768, 4000.0, 100
SCALES = {"acoustic": 1.4, "text": 1.2}
# Of the recording and of the caption: none, those above, and the largest that the students are told. And when.
TOLD, TIMES = ((1.0, 1.0), tuple(SCALES.values()), (2.0, 2.0)), (0.1, 0.3, 0.5, 0.7, 0.9)
ALWAYS, LOOP, DISTILLED = "all branches always", "one branch after another", "distilled"
SCHEDULES: dict[str, dict[str, Any]] = {
    ALWAYS: {},
    "every 2": {"every": 2},
    "every 4": {"every": 4},
    "every 8": {"every": 8},
    "every 16": {"every": 16},
    "0.1 to 0.9": {"interval": (0.1, 0.9)},
    "0.2 to 0.8": {"interval": (0.2, 0.8)},
    "0 to 0.5": {"interval": (0.0, 0.5)},
    "0.5 to 1": {"interval": (0.5, 1.0)},
    "0.1 to 0.9, every 4": {"interval": (0.1, 0.9), "every": 4},
    "0.2 to 0.8, every 4": {"interval": (0.2, 0.8), "every": 4},
    "never": {"acoustic": 1.0, "text": 1.0},
}
WAYS = [*SCHEDULES, DISTILLED]
# In the README: schedules, and how they are called there.
SHOWN = {
    ALWAYS: "always",
    "every 2": "`guidance.every=2`",
    "every 4": "**`guidance.every=4`**",
    "every 8": "`guidance.every=8`",
    "every 16": "`guidance.every=16`",
    "0.1 to 0.9": "`guidance.interval=[0.1,0.9]`",
    "0.2 to 0.8": "`guidance.interval=[0.2,0.8]`",
    "0.1 to 0.9, every 4": "`[0.1,0.9]` and `every=4`",
    DISTILLED: "distilled, told the scales",
    "never": "without guidance",
}
HERE = Path(__file__).parent


@dataclass
class OneBranch:
    """A branch alone."""

    branch: Branch
    schedule: Schedule = field(default_factory=Schedule)
    wishes: dict[str, Any] = field(default_factory=dict)

    @property
    def weights(self) -> dict[Branch, float]:
        return {self.branch: 1.0}


class Clips:
    """Clips of the built-in data without what is above `HZ`, and what a model makes of them."""

    def __init__(self, model: SuperResolver, clips: int) -> None:
        self.model, rate = model, model.sample_rate
        dataset = SyntheticAudio(clips, SAMPLES, rate, seed=EVALUATION)
        items = [dataset[i] for i in range(clips)]
        self.hr, self.captions = torch.stack([item["hr"] for item in items]), [item["caption"] for item in items]
        self.lr = degrade(self.hr, [LowPassFilter("chebyshev1", 8, HZ)] * clips, rate)
        self.cutoff_hz = torch.full((clips,), HZ)
        with torch.no_grad():
            self.z_lr = model.codec.without_rounding(model.codec.encode(self.lr), self.cutoff_hz)
        self.noise = torch.randn(self.z_lr.shape, generator=torch.Generator().manual_seed(0))
        self.start = model.objective.start(self.z_lr, model.codec.channels_below(self.cutoff_hz))

    def velocity(self, guidance: Any) -> Any:
        """The velocity field by a `guidance`."""
        asked = self.model.prepare_conditioning(self.lr, self.cutoff_hz, self.captions, guidance=guidance)
        return self.model.velocity(self.z_lr, asked)

    def sampled(self, name: str) -> Tensor:
        """Latents by the schedule of that name, by the loop, or of a student by the scales that it is told."""
        with torch.no_grad(), self.model._autocast(self.noise.device):
            if name == LOOP:
                velocity = self.loop()
            elif name == DISTILLED:
                velocity = self.velocity(DistilledGuidance(**SCALES))
            else:
                velocity = self.velocity(Nested(**(SCALES | SCHEDULES[name])))
            return Sampler("euler", STEPS)(velocity, self.noise, start=self.start)

    def loop(self) -> Any:
        """The velocity of all branches, each in a forward of its own."""
        weights = Nested(**SCALES).weights
        fields = [(self.velocity(OneBranch(branch)), weight) for branch, weight in weights.items()]
        return lambda z, t: sum((weight * branch(z, t) for branch, weight in fields), torch.zeros_like(z))

    def lsd(self, z: Tensor, other: Tensor, low_hz: float) -> float:
        """Of what latents sound like against `other` audio, from so many hertz up."""
        rate, clips = self.model.sample_rate, len(z)
        bounds = (torch.full((clips,), hz) for hz in (low_hz, rate / 2))
        return float(lsd_band(self.model.codec.decode(z, SAMPLES), other, *bounds, rate).mean())


def velocity_errors(path: str, students: str) -> list[tuple[float, float]]:
    """For each of `TOLD`, the mean squares of what guidance changes in the velocity, and of what the student lacks.

    At points on the way from noise to the truth, over all `TIMES`.
    """
    clips, taught, found = Clips(load_model(path), CLIPS), Clips(load_model(students), CLIPS), []
    for scales in (dict(zip(SCALES, pair, strict=True)) for pair in TOLD):
        changes, lacks = [], []
        with torch.no_grad():
            z_hr = clips.model.codec.encode(clips.hr)
            guided = clips.velocity(Nested(**scales))
            plain = clips.velocity(Nested(**dict.fromkeys(SCALES, 1.0)))
            student = taught.velocity(DistilledGuidance(**scales))
            for at in TIMES:
                z, t = (1 - at) * clips.noise + at * z_hr, torch.full((CLIPS,), at)
                wanted = guided(z, t)
                changes.append(float((wanted - plain(z, t)).square().mean()))
                lacks.append(float((wanted - student(z, t)).square().mean()))
        found.append((sum(changes) / len(TIMES), sum(lacks) / len(TIMES)))
    return found


def branches_evaluated(name: str) -> float:
    """How many branches a step evaluates, on the mean."""
    if name == DISTILLED:
        return 1.0
    guidance = Nested(**(SCALES | SCHEDULES[name]))
    if name == "never":
        return 1.0
    within = [
        t for t in Sampler("euler", STEPS).times()[:-1].tolist() if guidance.interval[0] <= t < guidance.interval[1]
    ]
    return 1 + 2 * len(within[:: guidance.every]) / STEPS


def seconds_beside_the_loop(model: SuperResolver, student: SuperResolver) -> dict[str, float]:
    """What a clip takes by each way, over what it takes in the loop, in time of one processor."""
    clip, taught, seconds = Clips(model, 1), Clips(student, 1), {}
    for name in (LOOP, *WAYS):
        begin = time.process_time()
        (taught if name == DISTILLED else clip).sampled(name)
        seconds[name] = time.process_time() - begin
    return {name: seconds[name] / seconds[LOOP] for name in WAYS}


def studied(path: str, students: str) -> dict[str, list[float]]:
    """By the way's name: branches, time, LSD to the result of all branches always, LSD and LSD-HF to the truth."""
    model, student = load_model(path), load_model(students)
    clips, taught, found = Clips(model, CLIPS), Clips(student, CLIPS), {}
    whole = clips.sampled(ALWAYS)
    reference = model.codec.decode(whole, SAMPLES)
    spent = seconds_beside_the_loop(model, student)
    for name in WAYS:
        z = whole if name == ALWAYS else (taught if name == DISTILLED else clips).sampled(name)
        lsd, high = clips.lsd(z, clips.hr, 0.0), clips.lsd(z, clips.hr, HZ)
        found[name] = [branches_evaluated(name), spent[name], clips.lsd(z, reference, 0.0), lsd, high]
        print(path, name, *(f"{value:.3f}" for value in found[name]), flush=True)
    return found


def excerpt(runs: Sequence[Mapping[str, Sequence[float]]]) -> list[list[str]]:
    """The table of `SHOWN`, of the figures of several runs: the mean and the spread over them."""
    head = ["guided", "branches a step", "LSD to always", "LSD, % off always", "LSD-HF", "time, of the loop's"]
    rows = [head]
    for name, title in SHOWN.items():
        (branches, *_), times, apart, _, lsd_hf = zip(*(run[name] for run in runs), strict=True)
        off = [100 * (run[name][3] / run[ALWAYS][3] - 1) for run in runs]
        cells = [spread(apart, 3), spread(off), spread(lsd_hf, 3), spread(times)]
        rows.append([title, f"{branches:.2f}", *cells])
    return rows


def learned(runs: Sequence[Sequence[tuple[float, float]]]) -> list[list[str]]:
    """The table of `velocity_errors` of several runs."""
    rows = [["recording, caption", "what guidance changes", "what the student lacks"]]
    for pair, found in zip(TOLD, zip(*runs, strict=True), strict=True):
        rows.append([f"{pair[0]:g}, {pair[1]:g}", *(spread(values, 3) for values in zip(*found, strict=True))])
    return rows


def main(paths: list[str], students: list[str]) -> None:
    """Write the tables and the curves."""
    runs = [studied(path, student) for path, student in zip(paths, students, strict=True)]
    put(HERE / "README.md", "guidance", excerpt(runs))
    errors = [velocity_errors(path, student) for path, student in zip(paths, students, strict=True)]
    put(HERE / "README.md", "velocities", learned(errors))
    lines, figure = [], Figure(figsize=(10, 3.6), dpi=110, layout="constrained")
    panels = figure.subplots(1, 2)
    for name in WAYS:
        columns = list(zip(*(run[name] for run in runs), strict=True))
        against = [100 * (run[name][3] / run[ALWAYS][3] - 1) for run in runs]
        cells = [", ".join(f"{value:.3f}" for value in column) for column in columns[1:]]
        lines.append([name, f"{columns[0][0]:.2f}", *cells, ", ".join(f"{value:+.2f}" for value in against)])
        for axis, values in zip(panels, (columns[2], columns[4]), strict=True):
            axis.plot(columns[0], values, "o")
            axis.annotate(name, (columns[0][0], max(values)), fontsize=6)
    for axis, title in zip(panels, ("LSD to all branches always", "LSD-HF to the truth"), strict=True):
        axis.set_xlabel("branches evaluated in a step")
        axis.set_ylabel(title)
        axis.grid(alpha=0.3)
    figure.savefig(HERE / "curves.png")
    head = ["guided", "branches a step", "time of the loop's", "LSD to always", "LSD", "LSD-HF", "LSD, % off always"]
    write_atomically(HERE / "table.md", aligned(head, lines) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--students", nargs="+", required=True)
    given = parser.parse_args()
    main(given.runs, given.students)
