"""How far a student is from what its teacher does: `python experiments/distill/distance.py TEACHER STUDENT`.

Latents above the cutoff, from the same noise, of 8 held-out clips of the built-in data: the root mean square of the
difference from the teacher's 16 steps, over theirs, and the level against theirs.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import torch
from torch import Tensor

from saga_sr.audio.degradation import LowPassFilter, degrade
from saga_sr.audio.reference_frame import reference_gain
from saga_sr.packages.load import load_model
from saga_sr.synthesis.dataset import SyntheticAudio

CLIPS, SECONDS, CUTOFF_HZ = 8, 2, 4000.0


@torch.no_grad()
def result(model: Any, z_lr: Tensor, noise: Tensor, steps: int) -> Tensor:
    """What `model` makes of latents [b, c, frame] in so many steps."""
    cutoff_hz = torch.full((len(z_lr),), CUTOFF_HZ)
    silent = torch.zeros(len(z_lr), 1, model.codec.hop_length)
    conditioning = model.prepare_conditioning(silent, cutoff_hz, [""] * len(z_lr))
    start = model.objective.start(z_lr, model.codec.channels_below(cutoff_hz))
    return model.sampler.changed(steps=steps)(model.velocity(z_lr, conditioning), noise, start=start)


def main(teacher_path: str, student_path: str) -> None:
    teacher, student = load_model(teacher_path), load_model(student_path)
    clips = SyntheticAudio(CLIPS, SECONDS * teacher.sample_rate, seed=2_000_003)
    hr = torch.stack([clips[i]["hr"] for i in range(CLIPS)])
    lr = degrade(hr, [LowPassFilter("chebyshev1", 8, CUTOFF_HZ)] * CLIPS, teacher.sample_rate)
    z_lr = teacher.codec.encode(reference_gain(lr, teacher.sample_rate) * lr)
    noise = torch.randn(z_lr.shape, generator=torch.Generator().manual_seed(0))
    above = ~teacher.codec.channels_below(torch.full((CLIPS,), CUTOFF_HZ)).expand_as(z_lr)
    wanted = result(teacher, z_lr, noise, 16)[above]
    ways = [(f"teacher, {steps} steps", teacher, steps) for steps in (1, 4)]
    for name, model, steps in [*ways, (f"student, {student.sampler.steps}", student, student.sampler.steps)]:
        found = result(model, z_lr, noise, steps)[above]
        error = float((found - wanted).norm() / wanted.norm())
        print(f"{name:18} difference {error:.3f}, level {20 * math.log10(found.norm() / wanted.norm()):+.2f} dB")


if __name__ == "__main__":
    main(*sys.argv[1:])
