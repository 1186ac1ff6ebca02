"""How far a student is from what its teacher does, from the same noise: of study.py."""

from __future__ import annotations

import math
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


def distances(teacher_path: str, student_path: str) -> dict[str, tuple[float, float]]:
    """Of latents above the cutoff, of 8 held-out clips of the built-in data: difference and level, by the way.

    The root mean square of the difference from the teacher's 16 steps, over theirs, and the level against theirs in dB.
    """
    teacher, student = load_model(teacher_path), load_model(student_path)
    clips = SyntheticAudio(CLIPS, SECONDS * teacher.sample_rate, seed=2_000_003)
    hr = torch.stack([clips[i]["hr"] for i in range(CLIPS)])
    lr = degrade(hr, [LowPassFilter("chebyshev1", 8, CUTOFF_HZ)] * CLIPS, teacher.sample_rate)
    z_lr = teacher.codec.encode(reference_gain(lr, teacher.sample_rate) * lr)
    noise = torch.randn(z_lr.shape, generator=torch.Generator().manual_seed(0))
    above = ~teacher.codec.channels_below(torch.full((CLIPS,), CUTOFF_HZ)).expand_as(z_lr)
    wanted = result(teacher, z_lr, noise, 16)[above]
    found = {}
    for name, model, steps in (("teacher", teacher, 1), ("teacher", teacher, 4), ("student", student, 1)):
        z = result(model, z_lr, noise, steps)[above]
        error, level_db = (z - wanted).norm() / wanted.norm(), 20 * math.log10(z.norm() / wanted.norm())
        found[way(name, steps)] = float(error), level_db
    return found


def way(name: str, steps: int) -> str:
    """What a row of a table is called."""
    return f"{name}, {steps} step{'s' if steps > 1 else ''}"
